package change

import (
	"errors"
	"strings"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// Failure is what an error means for whoever called the program. Its JSON is that
// of a command that failed.
type Failure struct {
	Changed bool      `json:"changed"`
	Error   string    `json:"error"`
	Hint    hint.Hint `json:"hint,omitempty"`
	Backup  string    `json:"backup,omitempty"` // of a change that was put back, or could not be
	Status  int       `json:"status"`           // the exit status
	Steps   []Step    `json:"steps,omitempty"`  // of a change that was put back, or could not be
	// Rehearsal is what came of the rehearsal, nil when there was none.
	Rehearsal *Rehearsal `json:"rehearsal,omitempty"`

	More []string `json:"-"` // further faults that were found at the same time
}

// Failure is what an error of the change means.
func (r Result) Failure(err error) Failure {
	f := Failure{Error: sentence(err), Hint: hint.Of(err), Status: exit.Refused, Steps: r.Steps, Rehearsal: r.Rehearsal, Changed: r.Touched}
	var back *rollout.RolledBack
	var not *rollout.NotRestored
	var half *NotPersisted
	switch {
	case errors.As(err, &not):
		f.Status, f.Backup, f.Changed = exit.NotRestored, not.Backup, true
		f.Hint = notRestoredHint(not, f.Hint)
	case errors.As(err, &half):
		f.Status, f.Backup, f.Changed, f.Hint = exit.NotRestored, half.backup, true, half.Remedy()
	case errors.As(err, &back):
		f.Status, f.Backup = exit.RolledBack, back.Backup
		f.Hint = hint.First(f.Hint, hint.Command("doctor").Switch("last"))
	}
	var several *patch.Error
	if errors.As(err, &several) {
		for _, more := range several.More {
			f.More = append(f.More, more.Message)
		}
	}
	return f
}

// Tell tells a session how the change has ended, with its error.
func (r Result) Tell(session interface {
	SetChanged()
	Spared()
	Ended()
}, err error) {
	switch {
	case r.Touched:
		session.SetChanged()
	case r.refused(err):
		session.Spared()
	default:
		session.Ended()
	}
}

// refused tells whether an error kept the change from doing anything.
func (r Result) refused(err error) bool {
	if err == nil {
		return false
	}
	f := r.Failure(err)
	return f.Status == exit.Refused && !f.Changed
}

// sentence is an error in one line, also where several were found.
func sentence(err error) string {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err.Error()
	}
	var texts []string
	for _, one := range several.Unwrap() {
		if one != nil {
			texts = append(texts, one.Error())
		}
	}
	if err.Error() != strings.Join(texts, "\n") {
		return err.Error() // it has words of its own
	}
	return strings.Join(texts, "; ")
}

// notRestoredHint is what to type when a change could not be undone.
func notRestoredHint(not *rollout.NotRestored, cause hint.Hint) (next hint.Hint) {
	switch {
	case not.Overridden:
		next = hint.Command("status").Then("; when the other edit is done: ", hint.Command("enable"))
	case !not.Back:
		next = hint.Command("recover").Then(", or: ", hint.Command("restore").Spaced("to", not.Backup))
	default: // what ails the node now comes before what ailed the change
		next = hint.First(hint.Of(not.Undo), cause, hint.Command("doctor"))
	}
	if not.Held {
		next = next.Then("; then: ", hint.Command("recover"))
	}
	return next
}

// CutShort is the failure of a command that did not come to its end. What a
// fault of the program leaves behind nobody knows.
func CutShort(err error, status int) Failure {
	f := Failure{Error: err.Error(), Status: status}
	if status == exit.NotRestored {
		f.Changed, f.Hint = true, hint.Command("status").Then("; and if a run died half way: ", hint.Command("recover"))
	}
	return f
}
