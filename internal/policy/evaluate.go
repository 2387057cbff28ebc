package policy

import (
	"slices"
	"strconv"

	"k8s.io/apiserver/pkg/apis/audit"
	auditinternal "k8s.io/apiserver/pkg/audit"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Decision is what a policy does with one request.
type Decision struct {
	Rule              int // index of the rule that matched first; -1 when none did
	Level             audit.Level
	OmitStages        []audit.Stage // sorted; shared between decisions, not to be changed
	OmitManagedFields bool
}

// Records reports whether an event is written when the request is at the stage.
func (d Decision) Records(stage audit.Stage) bool {
	return d.Level != audit.LevelNone && !slices.Contains(d.OmitStages, stage)
}

// Evaluate asks the API server's own evaluator. The attributes are those of
// the authenticated user, before impersonation, as in the API server.
func (p *Policy) Evaluate(attrs authorizer.Attributes) Decision {
	config := p.evaluator.EvaluatePolicyRule(attrs)
	d := Decision{
		Rule:              -1,
		Level:             audit.LevelNone,
		OmitStages:        config.OmitStages,
		OmitManagedFields: config.OmitManagedFields,
	}
	if rule, err := strconv.Atoi(string(config.Level)); err == nil {
		d.Rule, d.Level = rule, p.spec.Rules[rule].Level
	}
	return d
}

// newEvaluator builds an evaluator that answers with the number of the rule in
// place of its level, since the API server's evaluator does not say which rule
// it was. The constructor changes the policy that it is given, hence the copy;
// and it leaves the stages in random order, hence the sorting.
func newEvaluator(spec *audit.Policy) auditinternal.PolicyRuleEvaluator {
	numbered := spec.DeepCopy()
	numbered.OmitStages = sorted(numbered.OmitStages)
	for i := range numbered.Rules {
		numbered.Rules[i].Level = audit.Level(strconv.Itoa(i))
	}
	evaluator := auditpolicy.NewPolicyRuleEvaluator(numbered)
	for i := range numbered.Rules {
		numbered.Rules[i].OmitStages = sorted(numbered.Rules[i].OmitStages)
	}
	return evaluator
}

// sorted returns the stages once each, sorted, without room to append to.
func sorted(list []audit.Stage) []audit.Stage {
	slices.Sort(list)
	return slices.Clip(slices.Compact(list))
}
