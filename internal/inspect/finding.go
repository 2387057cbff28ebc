package inspect

import (
	"errors"
	"fmt"
	"slices"

	"auditpatch/internal/hint"
	"auditpatch/patch"
)

// Finding is the verdict of one check.
type Finding struct {
	Check   string    `json:"check"`
	Verdict string    `json:"verdict"` // ok, warning, wrong
	Detail  string    `json:"detail"`
	Hint    hint.Hint `json:"hint,omitempty"`

	status place
	err    error // why something could not be looked at
	turn   int   // among all checks, by what has to be mended first
}

// The verdicts.
const (
	OK      = "ok"
	Warning = "warning"
	Wrong   = "wrong"
)

// place is where status shows a finding.
type place int

const (
	nowhere place = iota // only a change is concerned
	warnings
	drift
	failure // status does not know how the node is
)

// meaning is what a finding is to doctor, which tells whether the API server runs and
// a change would be made, and to status, which tells whether all is as configured.
type meaning struct {
	verdict string
	status  place
}

var (
	fine    = meaning{OK, nowhere}
	off     = meaning{OK, drift}         // as it should be for all but status
	hurts   = meaning{Warning, warnings} // known to, but as configured
	apart   = meaning{Warning, drift}    // configured and real are not the same, and a change mends it
	broken  = meaning{Wrong, drift}
	doubt   = meaning{Warning, nowhere} // it may keep a change from being made or proven
	refused = meaning{Wrong, nowhere}   // a change is
	unseen  = meaning{Wrong, failure}   // it cannot be looked at
)

// findings are those of one check.
type findings struct {
	check string
	turn  int
	all   []Finding
}

func (f *findings) say(m meaning, h hint.Hint, format string, a ...any) {
	f.all = append(f.all, Finding{Check: f.check, Verdict: m.verdict, Detail: fmt.Sprintf(format, a...), Hint: h.As("enable"), status: m.status, turn: f.turn})
}

func (f *findings) problems(m meaning, all ...patch.Problem) {
	for _, p := range all {
		f.say(m, p.Hint, "%s", p.Message)
	}
}

// fault is a finding whose words an error has; nil is none.
func (f *findings) fault(m meaning, err error) {
	if err != nil {
		f.say(m, hint.Of(err), "%v", err)
		f.all[len(f.all)-1].err = err
	}
}

// trouble tells whether there is anything but what is fine.
func (f *findings) trouble() bool {
	return slices.ContainsFunc(f.all, func(f Finding) bool { return f.Verdict != OK })
}

// at lists what status shows in one place, in one line each, whose hints name the same
// node as the command line.
func at(p place, all []Finding, here hint.Node) []string {
	lines := []string{}
	for _, f := range all {
		switch {
		case f.status != p:
		case len(f.Hint) == 0:
			lines = append(lines, f.Detail)
		default:
			lines = append(lines, f.Detail+": "+f.Hint.In(here).String())
		}
	}
	return lines
}

// failures are why status does not know how the node is.
func failures(all []Finding) error {
	var errs []error
	for _, f := range all {
		if f.status == failure {
			errs = append(errs, f.err)
		}
	}
	return errors.Join(errs...)
}
