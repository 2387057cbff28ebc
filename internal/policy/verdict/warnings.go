package verdict

import (
	"fmt"
	"strings"

	"auditpatch/patch/auditflags"
)

// Warnings is one warning for each flag whose value fails checks that it could pass,
// with the flag to type. A flag that is not set, and what is in the policy, are no part
// of it.
func Warnings(flags map[string]string, v auditflags.Version) (warnings []auditflags.Problem) {
	if flags[pathFlag] == "" {
		return nil // without the log its rotation says nothing
	}
	r := Judge(Input{Flags: flags, Version: policyVersion(v), Unseen: true})
	for _, flag := range []string{pathFlag, ageFlag, backupFlag, sizeFlag} {
		if flags[flag] == "" {
			continue
		}
		if w, failed := r.warning(flag); failed {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

// warning names all checks that a flag fails.
func (r Report) warning(flag string) (w auditflags.Problem, failed bool) {
	var names []string
	var last Verdict
	for _, v := range r.Of(Fail) {
		if v.Flag != flag || v.Verdict != Fail {
			continue
		}
		if last.Checker == v.Checker {
			names = append(names, v.ID)
		} else {
			names = append(names, v.Name())
		}
		last = v
	}
	if len(names) == 0 {
		return w, false
	}
	message := fmt.Sprintf("--%s=%s fails %s: %s", flag, last.Seen, strings.Join(names, ", "), last.Reason)
	return auditflags.Problem{Flags: []string{flag}, Message: message, Hint: last.Hint}, true
}
