package expect

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// Result is what came of one request.
type Result struct {
	Test      string
	Line, Col int            // of the request in the file
	Request   policy.Request // whose rule decided
	// Wrong are the expectations that were not met, each with what came instead; none
	// when all were.
	Wrong []Mismatch
	// Rule decides, from 0; -1 for none. RuleLine and RuleCol are 0 then.
	Rule, RuleLine, RuleCol int
	Level                   audit.Level
	Stages                  []audit.Stage
}

// Mismatch is an expectation that was not met.
type Mismatch struct {
	Field          string // level, stages, rule or contents
	Expected, Came string
}

// Run asks a policy about all requests of a file, in their order.
func (f *File) Run(p *policy.Policy) []Result {
	var out []Result
	somebody, asker := explain.Somebody(p), explain.NewAsker(p)
	for _, t := range f.Tests {
		for _, c := range t.cases {
			r := c.sent.Request
			if c.anybody && r.User != "" {
				r.User = somebody.User
			}
			e := asker.Ask(r)
			out = append(out, Result{t.Name, c.line, c.col, e.Request, c.want.compare(e), e.Rule, e.Line, e.Col, e.Level, e.Stages})
		}
	}
	return out
}

// compare are the expectations that an answer does not meet.
func (w want) compare(e *explain.Explanation) (wrong []Mismatch) {
	if w.level != nil && !w.level.has(e.Level) {
		wrong = append(wrong, Mismatch{"level", w.level.words, string(e.Level)})
	}
	if !w.anyStage && !slices.Equal(w.stages, e.Stages) {
		wrong = append(wrong, Mismatch{"stages", words(w.stages), words(e.Stages)})
	}
	if w.rule != nil && *w.rule != e.Rule {
		wrong = append(wrong, Mismatch{"rule", ruleName(*w.rule), ruleName(e.Rule)})
	}
	if got := contents(e.Holds); w.contents != "" && w.contents != got {
		wrong = append(wrong, Mismatch{"contents", w.contents, got})
	}
	return wrong
}

func contents(c explain.Contents) string {
	switch {
	case c.RequestObject && c.ResponseObject:
		return "both"
	case c.RequestObject:
		return "request"
	case c.ResponseObject:
		return "response"
	}
	return "none"
}

func words(stages []audit.Stage) string {
	if len(stages) == 0 {
		return "none"
	}
	var out []string
	for _, s := range stages {
		out = append(out, string(s))
	}
	return strings.Join(out, ", ")
}

func ruleName(rule int) string {
	if rule < 0 {
		return "none"
	}
	return fmt.Sprintf("rules[%d]", rule)
}
