package change

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// Rehearsal is what came of a rehearsal, in JSON.
type Rehearsal struct {
	Verdict string  `json:"verdict"`           // passed, skipped or failed
	Why     string  `json:"why,omitempty"`     // it was skipped, or has failed
	Seconds float64 `json:"seconds,omitempty"` // until the rehearsed API server was ready
	Event   string  `json:"event,omitempty"`   // the audit ID of the marked event
}

// rehearse is the rehearsal of a plan, nil for none.
func (j *job) rehearse(l *rollout.Live, plan *patch.Plan) func(context.Context) error {
	how := j.how.Rehearse
	if how == "" || how == rehearsal.Never || !plan.Restarts() {
		return nil
	}
	return func(ctx context.Context) error {
		began := time.Now()
		report, err := rehearsal.Rehearsal{
			Server: apiserver.New(j.target.Node, plan.Before.Server), New: plan.After, Changes: plan.Changes, Probe: l.Probe, Delay: l.Delay,
		}.Run(ctx)
		var not *rehearsal.Impossible
		var failed *rehearsal.Failed
		say := func(format string, a ...any) {
			j.step(rollout.Progress{Step: "rehearsal", Text: fmt.Sprintf(format, a...), After: time.Since(began)})
		}
		switch {
		case errors.As(err, &not) && how == rehearsal.Auto:
			j.result.Rehearsal = &Rehearsal{Verdict: "skipped", Why: not.Reason}
			say("skipped: %s", not.Reason)
			return nil
		case errors.As(err, &not):
			return hint.Errorf(hint.First(not.Hint, hint.Flag("rehearse", rehearsal.Auto)), "the change cannot be rehearsed: %s", not.Reason)
		case errors.As(err, &failed):
			j.result.Rehearsal = &Rehearsal{Verdict: "failed", Why: failed.Reason}
			return err
		case err != nil:
			return err
		}
		j.result.Rehearsal = &Rehearsal{Verdict: "passed", Seconds: math.Round(report.Ready.Seconds()*10) / 10, Event: report.Event}
		say("%s", passed(report))
		return nil
	}
}

// passed says what a rehearsal has shown.
func passed(r rehearsal.Report) string {
	text := fmt.Sprintf("these settings work: ready in %.1f s", r.Ready.Seconds())
	if r.Event != "" {
		text += fmt.Sprintf(", event %.8s written", r.Event)
	}
	return text
}
