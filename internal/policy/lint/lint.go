// Package lint finds what is wrong with an audit policy, from what kube-apiserver
// refuses to what it accepts although it cannot be meant.
//
// Check is the first name to know. It loads a policy as [policy.Load] does, so
// that each refusal is a finding too, and then looks at what the policy does:
// which rules are never reached, which requests put secrets into the log, which
// ones leave no trace. Those are found by asking the API server's own evaluator,
// and each such finding has a request as its proof.
//
// [Codes] is the table of all kinds of findings, [Repair] carries out the fixes,
// and [SARIF] writes findings for code scanning.
package lint

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/space"
)

// Severity is how bad a finding is.
type Severity string

// The severities. An error is a fault for certain: the policy is refused, or a
// part of it does nothing. A warning is probably not what was meant, or costs a
// secret or a gap. An info is style.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Info    Severity = "info"
)

// rank orders severities, the worst highest.
var rank = map[Severity]int{Info: 1, Warning: 2, Error: 3}

// AtLeast reports whether s is as bad as other or worse.
func (s Severity) AtLeast(other Severity) bool { return rank[s] >= rank[other] }

// Finding is one thing that is wrong. Line and Col count from 1, Col in characters.
type Finding struct {
	Code      *Code
	Line, Col int
	Field     string // path of the field, such as rules[0].level; empty for the policy as a whole
	Message   string // what is wrong
	Hint      string // what to write instead; may be empty
	Fix       *Fix   // a change that mends it for certain; nil when there is none
}

// Report is what Check found.
type Report struct {
	Policy   *policy.Policy // nil when kube-apiserver does not start with it
	Strict   bool           // it starts without passing over anything
	Findings []Finding      // sorted by position
	Ignored  []Finding      // those that comments in the file have switched off
}

// Worst is the severity of the worst finding; "" without any.
func (r *Report) Worst() (worst Severity) {
	for _, f := range r.Findings {
		if rank[f.Code.Severity] > rank[worst] {
			worst = f.Code.Severity
		}
	}
	return worst
}

// Check looks at a policy for a version of kube-apiserver; the zero Version is
// an unknown one. Where kube-apiserver would start and pass over a part, that is
// an error, and the rest is looked at as kube-apiserver would read it. The name is for messages. Findings that a comment in the file
// switches off, and those with one of the codes in ignore, are left out; what
// makes a policy refused is always there.
func Check(name string, src []byte, target policy.Version, ignore ...string) *Report {
	l := &linter{src: src, text: policy.TextOf(src), said: map[string]bool{}, counts: map[string]int{}}
	p, err := policy.LoadFor(name, src, target)
	l.refusals(err)
	report := &Report{Policy: p, Strict: p != nil}
	if p == nil {
		if lenient, ok := policy.LoadLenient(name, src); ok {
			report.Policy = lenient
			l.refusals(lenient.CheckTarget(target))
		}
	}
	if report.Policy != nil {
		l.accepted(report.Policy)
	}
	sortFindings(l.findings)
	report.Findings, report.Ignored = l.withoutIgnored(ignore)
	return report
}

func sortFindings(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Code.ID, b.Code.ID))
	})
}

// linter gathers the findings about one text.
type linter struct {
	src      []byte
	text     *policy.Text // nil when only the API server's parser reads the text
	policy   *policy.Policy
	spec     *auditv1.Policy
	rules    []*space.Rule
	work     int             // see maxWork
	said     map[string]bool // fields that have a finding
	counts   map[string]int  // findings by code
	full     bool            // the last finding was one too many: nobody sees its fix
	findings []Finding
	dead     map[int]bool // rules with a finding that says why they match nothing
}

// accepted runs all lints that need a policy that the API server accepts.
func (l *linter) accepted(p *policy.Policy) {
	spec, err := p.V1()
	if err != nil {
		return // what was loaded converts
	}
	rules, err := space.Rules(p)
	if err != nil {
		return
	}
	l.policy, l.spec, l.rules, l.dead = p, spec, rules, map[int]bool{}
	for i := range spec.Rules {
		r := &rule{PolicyRule: &spec.Rules[i], index: i, path: fmt.Sprintf("rules[%d]", i)}
		for _, check := range []func(*rule){
			l.entries, l.verbs, l.urls, l.resources, l.scope, l.names, l.identities,
			l.stages, l.bodies, l.leaks, l.gaps,
		} {
			check(r)
		}
	}
	l.load()
	l.blindSpots()
	l.reach()
	l.whole()
	l.benchmarks()
}

// rule is one rule of the policy that is being looked at.
type rule struct {
	*auditv1.PolicyRule
	index int
	path  string
}

// at is the path of a part of the rule.
func (r *rule) at(format string, a ...any) string { return r.path + "." + fmt.Sprintf(format, a...) }

// records reports whether the rule is there to write events.
func (r *rule) records() bool { return r.Level != auditv1.LevelNone }

// hasBody reports whether the rule writes requests with their contents.
func (r *rule) hasBody() bool { return audit.Level(r.Level).GreaterOrEqual(audit.LevelRequest) }

// matchesAll reports whether no request gets past the rule.
func (r *rule) matchesAll() bool {
	return len(r.Users)+len(r.UserGroups)+len(r.Verbs)+len(r.Resources)+len(r.Namespaces)+len(r.NonResourceURLs) == 0
}

// forResources reports whether the rule is about resources and nothing else.
func (r *rule) forResources() bool { return len(r.Resources)+len(r.Namespaces) > 0 }

// forURLs reports whether the rule is about paths and nothing else.
func (r *rule) forURLs() bool { return !r.forResources() && len(r.NonResourceURLs) > 0 }

// takesVerb reports whether the rule has the verb, or all verbs.
func (r *rule) takesVerb(verb string) bool {
	return len(r.Verbs) == 0 || slices.Contains(r.Verbs, verb)
}

// maxOfAKind bounds how many findings one file can have of a kind.
const maxOfAKind = 1000

// add notes a finding at a field.
func (l *linter) add(id, path, message, hint string) *Finding {
	f := Finding{Code: byID[id], Line: 1, Col: 1, Field: path, Message: message, Hint: hint}
	l.counts[id]++
	if l.full = l.counts[id] > maxOfAKind; l.full {
		return &f
	}
	l.said[path] = true
	if l.text != nil {
		f.Line, f.Col = l.text.Position(path)
	}
	l.findings = append(l.findings, f)
	return &l.findings[len(l.findings)-1]
}

// addRule notes a finding about a rule as a whole.
func (l *linter) addRule(id string, index int, message, hint string) *Finding {
	return l.add(id, fmt.Sprintf("rules[%d]", index), message, hint)
}

// named is a rule with its line, as messages have it.
func (l *linter) named(index int) string {
	line, _ := l.policy.Position(index)
	return fmt.Sprintf("rules[%d] (line %d)", index, line)
}

// describe is a request in words, as the proof of a finding.
func describe(r policy.Request) string {
	words := []string{either(r.Verb == "", "OPTIONS of", r.Verb), r.Path}
	if r.Resource != "" {
		words[1] = r.Resource
		if r.Subresource != "" {
			words[1] += "/" + r.Subresource
		}
		if r.Group != "" {
			words[1] += "." + r.Group
		}
	}
	if r.Name != "" {
		words = append(words, r.Name)
	}
	switch {
	case r.Namespace != "":
		words = append(words, "in namespace", r.Namespace)
	case r.Verb == "list" && isNamespaced(r.Group, r.Resource):
		words = append(words, "in all namespaces")
	}
	if r.User == "" {
		return strings.Join(append(words, "with a login that failed"), " ")
	}
	words = append(words, "by", r.User)
	// Some groups follow from the name.
	own := slices.DeleteFunc(slices.Clone(r.Groups), func(g string) bool {
		return g == "system:authenticated" || g == "system:unauthenticated" || strings.HasPrefix(g, "system:serviceaccounts")
	})
	if len(own) > 0 {
		words = append(words, "of", strings.Join(own, ", "))
	}
	return strings.Join(words, " ")
}

// count is a number of things in words.
func count(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
