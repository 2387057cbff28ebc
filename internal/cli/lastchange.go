package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/node"
)

// lastChange is how the newest change ended, or that it has not.
type lastChange struct {
	ID      string    `json:"id,omitempty"` // of its backup; "" before anything was written
	Command string    `json:"command"`
	Time    time.Time `json:"time"`             // of its begin
	Result  string    `json:"result"`           // done, undone, overridden, unfinished, running, damaged
	Reason  string    `json:"reason,omitempty"` // why it was undone, or is being undone
	PID     int       `json:"pid,omitempty"`    // while it runs
}

// resultRunning is a result that only a look from beside can see.
const resultRunning = "running"

// underWay tells a change that is going on from one that died half way: by is who
// changes the node now, nil for nobody; run is what is neither finished nor undone.
func (t *target) underWay() (run *node.Run, by *node.LockedError, err error) {
	for {
		if run, err = t.node.Unfinished(); err != nil {
			return nil, nil, err
		}
		if by, err = t.node.Holder(); run == nil || by != nil || err != nil {
			return run, by, err
		}
		// Whoever began it may have ended it between the two looks; it is dead when
		// it is still there although nobody works on it.
		again, err := t.node.Unfinished()
		if err != nil || again != nil && again.ID == run.ID {
			return run, nil, err
		}
	}
}

// words tells how the change ended.
func (l *lastChange) words() string {
	when := l.ID
	if when == "" {
		when = l.Time.UTC().Format(time.RFC3339)
	}
	said := fmt.Sprintf("%s %s: ", l.Command, when)
	switch l.Result {
	case resultRunning:
		return fmt.Sprintf("%sgoing on now, pid %d", said, l.PID)
	case string(node.ResultUndone):
		return said + "put back: " + l.Reason
	case string(node.ResultOverridden):
		return said + "somebody else changed the manifest: " + l.Reason
	case string(node.ResultUnfinished):
		if l.Reason != "" {
			return said + wasHeld + ": " + l.Reason
		}
		return said + diedHalfWay
	}
	return strings.TrimSpace(said + l.Result)
}

// addLastChange looks at the newest of the runs and at who changes the node now.
// backups are from after the look at what is under way.
func (r *statusReport) addLastChange(run *node.Run, by *node.LockedError, backups []node.Backup) {
	// One that is unfinished is run, or has begun since.
	ended := func(b node.Backup) bool { return b.Result != node.ResultUnfinished }
	if i := slices.IndexFunc(backups, ended); i >= 0 {
		b := backups[i]
		r.LastChange = &lastChange{ID: b.ID, Command: b.Verb, Time: b.Time, Result: string(b.Result), Reason: firstLine(b.Reason)}
	}
	if run != nil {
		r.Unfinished = run.ID
		r.LastChange = &lastChange{ID: run.ID, Command: run.Verb, Time: run.Time, Result: string(node.ResultUnfinished), Reason: firstLine(run.Held())}
	}
	switch {
	case by != nil:
		r.LastChange = &lastChange{ID: r.Unfinished, Command: by.Purpose, Time: by.Since, Result: resultRunning, PID: by.PID}
		r.drift("%s is going on now, pid %d: wait for it, then: auditpatch status", by.Purpose, by.PID)
	case run != nil:
		r.drift("the run %s (%s) %s: auditpatch recover", run.ID, run.Verb, unfinished(run))
	}
}

const (
	diedHalfWay = "died half way"
	wasHeld     = "was put back, except for the files it made"
)

// unfinished says what became of a run that has not ended.
func unfinished(run *node.Run) string {
	if run.Held() != "" {
		return wasHeld
	}
	return diedHalfWay
}

// firstLine is what of a reason goes on one line.
func firstLine(reason string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(reason), "\n")
	return line
}
