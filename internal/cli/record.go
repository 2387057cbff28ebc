package cli

import (
	"math"
	"strings"

	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// record keeps what a run tells people, for programs that get it as data.
type record struct {
	steps  []step
	warned []patch.Problem
	failed []string    // everything that was wrong
	said   string      // the last line of progress: the outcome, when all went well
	plan   *patch.Plan // what was carried out, or would be
}

// step is one step of a rollout as JSON.
type step struct {
	Step    string  `json:"step"` // recover, cluster, restart, ready, proof, undo
	Text    string  `json:"text"`
	Seconds float64 `json:"seconds"`          // since the manifest was written
	Detail  string  `json:"detail,omitempty"` // what the API server said
}

func (r *record) progress(p rollout.Progress) {
	seconds := math.Round(p.After.Seconds()*10) / 10
	r.steps = append(r.steps, step{p.Step, p.Text, seconds, strings.TrimSpace(p.Detail)})
}
