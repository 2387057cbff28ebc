package inspect

import (
	"slices"
	"strings"
	"time"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/target"
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

// addLastChange looks at the newest of the runs and at who changes the node now.
// backups are from after the look at what is under way.
func (r *Report) addLastChange(run *node.Run, by *node.LockedError, backups []node.Backup) {
	// One that is unfinished is run, or has begun since.
	ended := func(b node.Backup) bool { return b.Result != node.ResultUnfinished }
	if i := slices.IndexFunc(backups, ended); i >= 0 {
		b := backups[i]
		r.LastChange = &LastChange{ID: b.ID, Command: b.Verb, Time: b.Time, Result: string(b.Result), Reason: firstLine(b.Reason)}
	}
	if run != nil {
		r.Unfinished = run.ID
		r.LastChange = &LastChange{ID: run.ID, Command: run.Verb, Time: run.Time, Result: string(node.ResultUnfinished), Reason: firstLine(run.Held())}
	}
	switch {
	case by != nil:
		r.LastChange = &LastChange{ID: r.Unfinished, Command: by.Purpose, Time: by.Since, Result: ResultRunning, PID: by.PID}
		r.drift("%s is going on now, pid %d: wait for it, then: %s", by.Purpose, by.PID, hint.Command("status"))
	case run != nil:
		r.drift("the run %s (%s) %s: %s", run.ID, run.Verb, target.Unfinished(run), hint.Command("recover"))
	}
}

// firstLine is what of a reason goes on one line.
func firstLine(reason string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	return line
}
