package verdict

import (
	"fmt"
	"slices"
	"strings"

	"auditpatch/patch/auditflags"
)

// Warnings is one warning for each flag with which checks fail that could pass, with
// what to type. A flag that is not set, what is in the policy, and that flags stand in
// args, which one checker does not read, are no part of it.
func Warnings(in Input) (warnings []auditflags.Problem) {
	if in.Flags[pathFlag] == "" {
		return nil // without the log its rotation says nothing
	}
	if len(in.Command) > 0 {
		in.Command, in.Args = append(in.Command[:len(in.Command):len(in.Command)], in.Args...), nil
	}
	in.Policy, in.Unseen = nil, true
	r := Judge(in)
	for _, flag := range []string{policyFlag, pathFlag, ageFlag, backupFlag, sizeFlag} {
		if in.Flags[flag] == "" {
			continue
		}
		if w, failed := r.warning(flag); failed {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// Add puts the Warnings behind others. One about a flag of which there is a warning
// already is told in the same breath.
func Add(others []auditflags.Problem, in Input) []auditflags.Problem {
	out := slices.Clone(others)
	for _, w := range Warnings(in) {
		i := slices.IndexFunc(out, func(o auditflags.Problem) bool { return slices.Equal(o.Flags, w.Flags) })
		if i < 0 {
			out = append(out, w)
			continue
		}
		_, fails, _ := strings.Cut(w.Message, " ") // behind the flag and its value
		out[i].Message += "; it " + fails
		out[i].Hint = w.Hint
	}
	return out
}

// warning names all checks that a flag fails. The reason and the hint are those of the
// first.
func (r Report) warning(flag string) (w auditflags.Problem, failed bool) {
	var names []string
	var first, last Verdict
	for _, v := range r.Of(Fail) {
		if v.Flag != flag {
			continue
		}
		if last.Checker == v.Checker {
			names = append(names, v.ID)
		} else {
			names = append(names, v.Name())
		}
		if last = v; len(names) == 1 {
			first = v
		}
	}
	if len(names) == 0 {
		return w, false
	}
	what := "--" + flag
	if first.Seen != "not found" {
		what += "=" + first.Seen
	}
	message := fmt.Sprintf("%s fails %s: %s", what, strings.Join(names, ", "), first.Reason)
	return auditflags.Problem{Flags: []string{flag}, Message: message, Hint: first.Hint}, true
}
