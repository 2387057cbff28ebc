// Package policy reads audit policies the way kube-apiserver reads them, only
// more strictly, and answers what a policy does with a request.
//
// Load is the first name to know: it accepts a file or returns an *Error that
// tells every fault with line and column. A loaded *Policy answers Evaluate
// (which rule matches, at which level), Records (whether it ever writes an
// event) and CheckTarget (whether a given Kubernetes version understands it).
//
// Decoding, validation and evaluation are the API server's own code, from
// k8s.io/apiserver. What this package adds is the strictness that
// kube-apiserver gives up (it drops a misspelt field with a log line, and the
// rule then matches more than was meant), and positions.
package policy

import (
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	auditinternal "k8s.io/apiserver/pkg/audit"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Policy is an audit policy that kube-apiserver accepts. It does not change
// after Load, so that several goroutines may use one.
type Policy struct {
	name      string
	spec      *audit.Policy
	root      *yaml.Node // for positions; nil when only the API server's parser reads the text
	evaluator auditinternal.PolicyRuleEvaluator
}

// Name is the file name that was given to Load.
func (p *Policy) Name() string { return p.name }

// Rules is the number of rules, at least one.
func (p *Policy) Rules() int { return len(p.spec.Rules) }

// Position tells where a rule, counted from 0, stands in the file.
func (p *Policy) Position(rule int) (line, col int) {
	return position(first(p.root, fmt.Sprintf("rules[%d]", rule)))
}

// Spec is the policy as the API server has it. It is shared and must not be changed;
// [Policy.V1] is a copy, which takes longer.
func (p *Policy) Spec() *audit.Policy { return p.spec }

// V1 returns the policy in the published form, as a copy that the caller may
// change.
func (p *Policy) V1() (*auditv1.Policy, error) {
	out := &auditv1.Policy{}
	if err := auditinternal.Scheme.Convert(p.spec.DeepCopy(), out, nil); err != nil {
		return nil, fmt.Errorf("convert policy to %s: %w", auditv1.SchemeGroupVersion, err)
	}
	out.SetGroupVersionKind(auditv1.SchemeGroupVersion.WithKind("Policy"))
	return out, nil
}

// Records reports whether the policy can ever write an event. It is false when
// each rule that can be reached is of level None or leaves out all stages, or
// when such a rule takes every request before the others.
func (p *Policy) Records() bool {
	for _, rule := range p.spec.Rules {
		if rule.Level != audit.LevelNone && keepsStage(p.spec.OmitStages, rule.OmitStages) {
			return true
		}
		if matchesAll(rule) {
			return false
		}
	}
	return false
}

// stages are all stages that an event can have, in the order of a request.
var stages = []audit.Stage{
	audit.StageRequestReceived,
	audit.StageResponseStarted,
	audit.StageResponseComplete,
	audit.StagePanic,
}

// keepsStage reports whether the two lists together leave any stage.
func keepsStage(policy, rule []audit.Stage) bool {
	return slices.ContainsFunc(stages, func(s audit.Stage) bool {
		return !slices.Contains(policy, s) && !slices.Contains(rule, s)
	})
}

// matchesAll reports whether no request gets past the rule.
func matchesAll(r audit.PolicyRule) bool {
	return len(r.Users)+len(r.UserGroups)+len(r.Verbs)+len(r.Resources)+
		len(r.Namespaces)+len(r.NonResourceURLs) == 0
}
