// Package verdict says what the checkers of the field would say of a cluster's audit
// flags and of its policy, check by check: CIS as kube-bench reads it, DISA's STIG,
// Kubescape, Trivy, KICS and checkov.
//
// Start with [Judge]. [Report.Warnings] is what of it is worth a line to somebody who
// did not ask.
//
// A flag is judged as each checker reads it: some overlook one that is written with "_",
// --flag VALUE as two items, or flags in args, and of a flag that stands twice each takes
// another one.
package verdict

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// Kind is a verdict.
type Kind string

// The verdicts.
const (
	Pass       Kind = "pass"
	Fail       Kind = "fail"
	CannotPass Kind = "cannot pass" // whatever is done, or only at the price of a worse fault
	Unknown    Kind = "unknown"     // the policy cannot be seen
)

// Input is what is judged.
type Input struct {
	// Flags are kube-apiserver's audit flags by name, without dashes in front, as they
	// stand in its manifest. Defaults do not count: no checker knows them.
	Flags map[string]string
	// Command and Args are the command line as the manifest has it. Without them, each of
	// the Flags is taken for an item --name=value of command.
	Command, Args []string
	// Policy is the policy, nil where there is none to judge: NoPolicy then says why.
	Policy   *policy.Policy
	NoPolicy string
	// Unseen says that there may be a policy, which cannot be looked at from here.
	Unseen bool
	// Version is that of the cluster; the zero Version is unknown.
	Version policy.Version
	// Benchmark is one of [Benchmarks], or "" for the one that fits the version.
	Benchmark string
}

// Verdict is the verdict on one check.
type Verdict struct {
	Checker string `json:"checker"` // CIS, STIG, Kubescape, Trivy, KICS, checkov
	ID      string `json:"id"`      // 1.2.17, V-242464, C-0131 ...
	Title   string `json:"title"`
	// Flag is the flag that the check is about, without dashes in front; of a check of
	// the policy's rules it is audit-policy-file.
	Flag    string    `json:"flag"`
	Verdict Kind      `json:"verdict"`
	Seen    string    `json:"seen"`             // the flag's value, or what is in the policy
	Reason  string    `json:"reason,omitempty"` // where the value alone does not tell it
	Hint    hint.Hint `json:"hint,omitempty"`   // what would change it, to type to enable
}

// Name is how people name the check: CIS 1.2.17.
func (v Verdict) Name() string { return v.Checker + " " + v.ID }

// Report holds the verdicts on all checks.
type Report struct {
	Benchmark string    // the version of CIS, as kube-bench names it
	Verdicts  []Verdict // in the order of the checkers
}

// Judge makes all checks. An unknown Benchmark is taken for none.
func Judge(in Input) Report {
	if _, known := ids(in.Benchmark); !known {
		in.Benchmark = benchmarkFor(in.Version)
	}
	r := Report{Benchmark: in.Benchmark}
	for _, c := range checks(in.Benchmark) {
		v := Verdict{Checker: c.checker, ID: c.id, Title: c.title(), Flag: c.flag}
		if c.content != nil {
			v.judgeContent(in, c)
		} else {
			v.judgeFlag(in, c)
		}
		if c.never != "" {
			v.Verdict, v.Reason, v.Hint = CannotPass, c.never, nil
		}
		r.Verdicts = append(r.Verdicts, v)
	}
	return r
}

// judgeFlag compares the value with what the check wants.
func (v *Verdict) judgeFlag(in Input, c check) {
	if v.unset(in, c) {
		return
	}
	found := c.look(in)
	fault := c.fault(found.value)
	switch v.Seen = found.value; {
	case found.seen && fault == "":
		v.Verdict = Pass
	case !found.seen && v.Seen == "":
		v.Seen, v.Verdict, v.Reason, v.Hint = "not found", Fail, found.why, c.rewrite(in)
	case found.beyond:
		v.Verdict, v.Reason, v.Hint = Fail, strings.TrimPrefix(fault+"; "+found.why, "; "), c.rewrite(in)
	default:
		v.Verdict, v.Reason, v.Hint = Fail, fault, c.value()
	}
}

// unset judges a flag that kube-apiserver does not have.
func (v *Verdict) unset(in Input, c check) bool {
	if in.Flags[c.flag] != "" {
		return false
	}
	v.Seen, v.Verdict, v.Hint = "not set", Fail, c.setting()
	return true
}

// fault says what is wrong with a value; "" is nothing.
func (c check) fault(value string) string {
	switch {
	case c.least > 0:
		// The checkers read decimal numbers only, unlike kube-apiserver.
		n, err := strconv.Atoi(value)
		switch {
		case err == nil && n >= c.least:
			return ""
		case err == nil && n == 0:
			return fmt.Sprintf("at least %d is wanted; 0, which means no limit, is less to them", c.least)
		}
		return fmt.Sprintf("at least %d is wanted", c.least)
	case c.file && !strings.HasPrefix(value, "/"):
		return "a path is wanted"
	}
	return ""
}

// value is the flag of enable with a value that passes.
func (c check) value() hint.Hint {
	if c.file {
		return hint.Flag(c.flag, logPath)
	}
	return hint.Flag(c.flag, c.least)
}

// rewrite is what to do where the manifest writes a flag as a checker does not read it:
// enable leaves the spelling alone.
func (c check) rewrite(in Input) hint.Hint {
	value := in.Flags[c.flag]
	if c.fault(value) != "" {
		value = Defaults()[c.flag]
	}
	return hint.Words("write it once in the manifest, under command, as --%s=%s", c.flag, value)
}

// judgeContent looks into the policy, where there is one. V-242461 is about the flag too,
// and does not find each spelling.
func (v *Verdict) judgeContent(in Input, c check) {
	if v.unset(in, c) {
		return
	}
	look := c.look(in)
	switch {
	case !look.seen && c.id == "V-242461":
		v.Seen, v.Verdict, v.Reason, v.Hint = "not found", Fail, look.why, c.rewrite(in)
	case in.Policy == nil && in.Unseen:
		v.Seen, v.Verdict, v.Reason = in.Flags[c.flag], Unknown, in.NoPolicy
	case in.Policy == nil:
		v.Seen, v.Verdict, v.Reason, v.Hint = "no valid policy", Fail, in.NoPolicy, hint.Flag("preset", "baseline")
	default:
		found := c.content(in.Policy)
		v.Seen, v.Verdict, v.Reason, v.Hint = found.seen, found.verdict, found.reason, found.hint
		if v.Seen == "" {
			v.Seen = policy.Count(in.Policy.Rules())
		}
	}
}

// Of are the verdicts of one kind.
func (r Report) Of(k Kind) []Verdict {
	return slices.DeleteFunc(slices.Clone(r.Verdicts), func(v Verdict) bool { return v.Verdict != k })
}

// String counts the verdicts.
func (r Report) String() string {
	var words []string
	for _, k := range []Kind{Pass, Fail, CannotPass, Unknown} {
		n := len(r.Of(k))
		switch {
		case n == 0 && k != Pass:
		case k == Unknown:
			words = append(words, fmt.Sprintf("%d unknown", n))
		case n == 1 && k != CannotPass:
			words = append(words, fmt.Sprintf("1 %s", map[Kind]string{Pass: "passes", Fail: "fails"}[k]))
		default:
			words = append(words, fmt.Sprintf("%d %s", n, k))
		}
	}
	return strings.Join(words, ", ")
}
