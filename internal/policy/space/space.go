// Package space searches the space of all requests: it finds one that some rules
// of audit policies match and others do not.
//
// Find is the name to know. A rule that no request reaches is one for which
// Find, told to avoid all earlier rules, comes back with nothing; two policies
// differ where it finds a request that a rule of each decides, with different
// levels.
//
// Whether a rule matches is decided by the API server's own evaluator, a
// dimension at a time: it gets the rule with all other fields left out. What
// this package knows by itself is which values are worth trying, and what real
// requests look like: which verbs exist, that a create has no name in its URL,
// and that whoever logged in is a member of system:authenticated.
package space

import (
	"fmt"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	auditinternal "k8s.io/apiserver/pkg/audit"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"auditpatch/internal/policy"
)

// Rule is a rule of a policy, prepared for many searches. Make it with [Rules]
// or [NewRule].
type Rule struct {
	spec  audit.PolicyRule
	whole auditinternal.PolicyRuleEvaluator
	only  [dimensions]auditinternal.PolicyRuleEvaluator // the rule without its other fields; nil where it takes everything
}

// dimension is what a rule looks at in a request. They are in the order in which
// a search fills them in.
type dimension int

const (
	byKind     dimension = iota // a resource, or a path
	byPath                      // of a request that is not for a resource
	byResource                  // group, resource and subresource
	byNamespace
	byVerb
	byName // the resource again, with the names of objects
	byUser
	byGroup
	dimensions // how many there are
)

// Rules are all rules of a policy, in its order.
func Rules(p *policy.Policy) ([]*Rule, error) {
	v1, err := p.V1()
	if err != nil {
		return nil, err
	}
	var rules []*Rule
	for i := range v1.Rules {
		r, err := NewRule(v1.Rules[i])
		if err != nil {
			return nil, fmt.Errorf("rules[%d]: %w", i, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// NewRule prepares one rule. Its level does not matter.
func NewRule(v1 auditv1.PolicyRule) (*Rule, error) {
	r := &Rule{}
	if err := auditinternal.Scheme.Convert(&v1, &r.spec, nil); err != nil {
		return nil, fmt.Errorf("convert rule: %w", err)
	}
	s := r.spec
	r.whole = evaluator(s)
	if len(s.Namespaces)+len(s.Resources) > 0 {
		r.only[byKind] = evaluator(audit.PolicyRule{Resources: anyResource})
	} else if len(s.NonResourceURLs) > 0 {
		r.only[byKind] = evaluator(audit.PolicyRule{NonResourceURLs: []string{"*"}})
		r.only[byPath] = evaluator(audit.PolicyRule{NonResourceURLs: s.NonResourceURLs})
	}
	if len(s.Resources) > 0 {
		r.only[byResource] = evaluator(audit.PolicyRule{Resources: withoutNames(s.Resources)})
		r.only[byName] = evaluator(audit.PolicyRule{Resources: s.Resources})
	}
	if len(s.Namespaces) > 0 {
		r.only[byNamespace] = evaluator(audit.PolicyRule{Namespaces: s.Namespaces})
	}
	if len(s.Verbs) > 0 {
		r.only[byVerb] = evaluator(audit.PolicyRule{Verbs: s.Verbs})
	}
	if len(s.Users) > 0 {
		r.only[byUser] = evaluator(audit.PolicyRule{Users: s.Users})
	}
	if len(s.UserGroups) > 0 {
		r.only[byGroup] = evaluator(audit.PolicyRule{UserGroups: s.UserGroups})
	}
	return r, nil
}

// anyResource takes every request for a resource. A group "*" is known to the
// evaluator whatever the version of the cluster.
var anyResource = []audit.GroupResources{{Group: "*"}}

func withoutNames(list []audit.GroupResources) []audit.GroupResources {
	var out []audit.GroupResources
	for _, gr := range list {
		out = append(out, audit.GroupResources{Group: gr.Group, Resources: gr.Resources})
	}
	return out
}

// evaluator is a policy of this rule alone.
func evaluator(r audit.PolicyRule) auditinternal.PolicyRuleEvaluator {
	r.Level = audit.LevelMetadata
	return auditpolicy.NewPolicyRuleEvaluator(&audit.Policy{Rules: []audit.PolicyRule{*r.DeepCopy()}})
}

// Matches reports whether the rule takes the request.
func (r *Rule) Matches(request policy.Request) bool { return takes(r.whole, request.Attributes()) }

// fits reports whether the rule takes what the request has in one dimension.
func (r *Rule) fits(d dimension, attrs authorizer.Attributes) bool {
	return r.only[d] == nil || takes(r.only[d], attrs)
}

func takes(e auditinternal.PolicyRuleEvaluator, attrs authorizer.Attributes) bool {
	return e.EvaluatePolicyRule(attrs).Level != audit.LevelNone
}
