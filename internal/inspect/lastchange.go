package inspect

import (
	"slices"
	"strings"
	"time"

	"auditpatch/internal/node"
)

// LastChange is how the newest change ended, or that it has not.
type LastChange struct {
	ID      string    `json:"id,omitempty"` // of its backup; "" before anything was written
	Command string    `json:"command"`
	Time    time.Time `json:"time"`             // of its begin
	Result  string    `json:"result"`           // done, undone, overridden, unfinished, running, damaged
	Reason  string    `json:"reason,omitempty"` // why it was undone, or is being undone
	PID     int       `json:"pid,omitempty"`    // while it runs
}

// ResultRunning is a result that only a look from beside can see.
const ResultRunning = "running"

// lastChange is the newest of the runs, or what is changing the node now; nil for
// none.
func (j journal) lastChange() (last *LastChange) {
	// One that is unfinished is run, or has begun since.
	ended := func(b node.Backup) bool { return b.Result != node.ResultUnfinished }
	if i := slices.IndexFunc(j.backups, ended); i >= 0 {
		b := j.backups[i]
		last = &LastChange{ID: b.ID, Command: b.Verb, Time: b.Time, Result: string(b.Result), Reason: firstLine(b.Reason)}
	}
	if run := j.run; run != nil {
		last = &LastChange{ID: run.ID, Command: run.Verb, Time: run.Time, Result: string(node.ResultUnfinished), Reason: firstLine(j.held)}
	}
	if j.by != nil {
		last = &LastChange{ID: j.unfinished(), Command: j.by.Purpose, Time: j.by.Since, Result: ResultRunning, PID: j.by.PID}
	}
	return last
}

// unfinished is the run that died half way or is going on, "" for none.
func (j journal) unfinished() string {
	if j.run == nil {
		return ""
	}
	return j.run.ID
}

// done counts the runs to which there is a way back.
func (j journal) done() (n int) {
	for _, b := range j.backups {
		if b.Result == node.ResultDone {
			n++
		}
	}
	return n
}

// firstLine is what of a reason goes on one line.
func firstLine(reason string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	return line
}
