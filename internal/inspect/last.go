package inspect

import (
	"strings"

	"auditpatch/internal/node"
	"auditpatch/internal/target"
)

// LastRun is the JSON of doctor --last.
type LastRun struct {
	Changed bool   `json:"changed"` // always false
	Run     string `json:"run"`     // "" when no change has failed
	Command string `json:"command,omitempty"`
	Result  string `json:"result,omitempty"` // undone, overridden, unfinished
	Reason  string `json:"reason,omitempty"`
	Log     string `json:"log,omitempty"` // the end of the API server's log at that time
}

// LastFailure tells of the newest change that was put back.
func LastFailure(t *target.Target) (LastRun, error) {
	backups, err := t.Node.Backups()
	for _, b := range backups {
		if b.Result == node.ResultUndone || b.Result == node.ResultOverridden || b.Reason != "" {
			reason, log, _ := strings.Cut(b.Reason, "\n\n")
			return LastRun{Run: b.ID, Command: b.Verb, Result: string(b.Result), Reason: strings.TrimSpace(reason), Log: strings.TrimRight(log, "\n")}, nil
		}
	}
	return LastRun{}, err
}
