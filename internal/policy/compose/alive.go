package compose

import (
	"fmt"
	"slices"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/lint"
	"auditpatch/internal/policy/space"
)

// checkAlive refuses a part of which no request reaches any rule: what it was given for
// would not happen. Of a single rule that no request reaches it only tells.
func (c *composer) checkAlive(out *Result) error {
	p, err := policy.Load("the composed policy", out.Text)
	if err != nil {
		return err
	}
	rules, err := space.Rules(p)
	if err != nil {
		return err
	}
	at := 0
	for _, part := range c.parts {
		var dead []string
		for i, r := range part.rules {
			if !reached(rules, at+i) {
				dead = append(dead, r.from)
			}
		}
		if len(dead) == len(part.rules) {
			return hint.Errorf(hint.Words("leave out %s, or what stands before it", part.name),
				"%s would do nothing: rules before it take every request that it is about", part.name)
		}
		for _, from := range dead {
			out.Notes = append(out.Notes, fmt.Sprintf("%s: rules before it take every request that it is about", from))
		}
		at += len(part.rules)
	}
	for i := at; i < len(rules); i++ {
		if reached(rules, i) {
			return nil
		}
	}
	return hint.Errorf(hint.Words("lint the parts: auditpatch policy lint --policy FILE"),
		"nothing of %s would be left: the rules laid over it take every request", c.Base.Name)
}

// reached tells whether a request may get to a rule. A search that was given up says
// yes.
func reached(rules []*space.Rule, i int) bool {
	answer := space.Find(rules[i:i+1], rules[:i])
	return answer.Found || !answer.Certain
}

// checkContents notes what of Secrets, tokens and ConfigMaps gets into the log by the
// result, whatever its parts are called. Comments that switch findings off do not count.
func (c *composer) checkContents(out *Result) error {
	report := lint.Check("the composed policy", out.Text, c.Version)
	for _, f := range slices.Concat(report.Findings, report.Ignored) {
		if f.Code.ID == "AP060" || f.Code.ID == "AP061" {
			out.Leaks = append(out.Leaks, fmt.Sprintf("line %d of the result: %s", f.Line, f.Message))
		}
	}
	return nil
}
