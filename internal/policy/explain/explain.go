package explain

import (
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditinternal "k8s.io/apiserver/pkg/audit"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"auditpatch/internal/policy"
)

// Explanation is what a policy does with one request, and why.
type Explanation struct {
	Answer
	Request policy.Request
	Panic   bool   // an event of stage Panic is written if the handler panics
	Before  []Miss // the rules in front of the one that decides
	Holds   Contents
}

// Miss says why a rule does not match a request.
type Miss struct {
	Rule, Line, Col int
	Level           audit.Level
	// Field is the first field that does not fit, in the order of the evaluator: users,
	// userGroups, verbs, namespaces, resources, nonResourceURLs. A rule with this field
	// alone does not match either.
	Field  string
	Reason string // in words, such as: verbs has no "list"
}

// Explain asks a policy about one request.
func Explain(p *policy.Policy, r policy.Request) (*Explanation, error) {
	asker := NewAsker(p)
	e := asker.Ask(r)
	rules, err := rulesOf(p)
	if err != nil {
		return nil, err
	}
	before := e.Rule
	if before < 0 {
		before = len(rules)
	}
	attrs := r.Attributes()
	for i := range before {
		m := miss(rules[i], attrs)
		at := asker.answers.rules[i]
		m.Rule, m.Line, m.Col, m.Level = i, at.line, at.col, rules[i].Level
		e.Before = append(e.Before, m)
	}
	return e, nil
}

// Asker asks one policy about many requests.
type Asker struct{ answers *answers }

// NewAsker makes ready what all requests have in common.
func NewAsker(p *policy.Policy) *Asker { return &Asker{newAnswers(p)} }

// Ask is what Explain says of a request without the reasons of the rules before.
func (a *Asker) Ask(r policy.Request) *Explanation {
	decision := a.answers.policy.Evaluate(r.Attributes())
	return &Explanation{
		Answer:  a.answers.of(decision, courseOf(r.User, r.Verb, r.Resource, r.Subresource, r.Path)),
		Request: r,
		Panic:   decision.Records(audit.StagePanic) && r.User != "",
		Holds:   ContentsOf(decision, r),
	}
}

// rulesOf are the rules as the evaluator takes them.
func rulesOf(p *policy.Policy) ([]audit.PolicyRule, error) {
	v1, err := p.V1()
	if err != nil {
		return nil, err
	}
	spec := &audit.Policy{}
	if err := auditinternal.Scheme.Convert(v1, spec, nil); err != nil {
		return nil, fmt.Errorf("convert the policy: %w", err)
	}
	return spec.Rules, nil
}

// matches asks the API server's evaluator whether a rule alone matches.
func matches(rule audit.PolicyRule, attrs authorizer.Attributes) bool {
	rule.Level = audit.LevelMetadata
	alone := auditpolicy.NewPolicyRuleEvaluator(&audit.Policy{Rules: []audit.PolicyRule{rule}})
	return alone.EvaluatePolicyRule(attrs).Level == audit.LevelMetadata
}

// dimension is one field of a rule: the rule with nothing else, and why it does not
// match a request.
type dimension struct {
	field string
	alone func(audit.PolicyRule) audit.PolicyRule
	why   func(audit.PolicyRule, authorizer.Attributes) string
}

var dimensions = []dimension{
	{"users", func(r audit.PolicyRule) audit.PolicyRule { return audit.PolicyRule{Users: r.Users} }, whyUsers},
	{"userGroups", func(r audit.PolicyRule) audit.PolicyRule { return audit.PolicyRule{UserGroups: r.UserGroups} }, whyGroups},
	{"verbs", func(r audit.PolicyRule) audit.PolicyRule { return audit.PolicyRule{Verbs: r.Verbs} }, whyVerbs},
	{"namespaces", func(r audit.PolicyRule) audit.PolicyRule { return audit.PolicyRule{Namespaces: r.Namespaces} }, whyNamespaces},
	{"resources", func(r audit.PolicyRule) audit.PolicyRule { return audit.PolicyRule{Resources: r.Resources} }, whyResources},
	{"nonResourceURLs", func(r audit.PolicyRule) audit.PolicyRule {
		return audit.PolicyRule{NonResourceURLs: r.NonResourceURLs}
	}, whyURLs},
}

// miss is the first field of a rule that keeps it from matching. The evaluator wants
// all fields to match, so there is one in each rule that does not match.
func miss(rule audit.PolicyRule, attrs authorizer.Attributes) Miss {
	for _, d := range dimensions {
		if !matches(d.alone(rule), attrs) {
			return Miss{Field: d.field, Reason: d.why(rule, attrs)}
		}
	}
	return Miss{Reason: "it does not match"}
}

func whyUsers(_ audit.PolicyRule, a authorizer.Attributes) string {
	if a.GetUser() == nil {
		return "users: nobody has logged in"
	}
	return fmt.Sprintf("users has no %q", a.GetUser().GetName())
}

func whyGroups(_ audit.PolicyRule, a authorizer.Attributes) string {
	if a.GetUser() == nil {
		return "userGroups: nobody has logged in"
	}
	groups := a.GetUser().GetGroups()
	switch len(groups) {
	case 0:
		return fmt.Sprintf("userGroups: %q is in no group", a.GetUser().GetName())
	case 1:
		return fmt.Sprintf("userGroups has no %q", groups[0])
	}
	return fmt.Sprintf("userGroups has none of %s", quoted(groups))
}

func whyVerbs(rule audit.PolicyRule, a authorizer.Attributes) string {
	verb := a.GetVerb()
	for _, v := range rule.Verbs {
		switch {
		case v == "*":
			return fmt.Sprintf("verbs has no %q: \"*\" is no wildcard there", verb)
		case strings.EqualFold(v, verb):
			return fmt.Sprintf("verbs has no %q: %q is written otherwise", verb, v)
		}
	}
	return fmt.Sprintf("verbs has no %q", verb)
}

func whyNamespaces(_ audit.PolicyRule, a authorizer.Attributes) string {
	switch {
	case !a.IsResourceRequest():
		return "namespaces: a request for a path has none"
	case a.GetNamespace() == "":
		return `namespaces has no "", which stands for all namespaces at once and for what is in none`
	}
	return fmt.Sprintf("namespaces has no %q", a.GetNamespace())
}

// whyResources looks for what does not fit in the entries: group, resource, name.
func whyResources(rule audit.PolicyRule, a authorizer.Attributes) string {
	if !a.IsResourceRequest() {
		return "resources: the request is for a path"
	}
	of := func(keep func(audit.GroupResources) audit.GroupResources) bool {
		reduced := audit.PolicyRule{}
		for _, g := range rule.Resources {
			reduced.Resources = append(reduced.Resources, keep(g))
		}
		return matches(reduced, a)
	}
	group := func(g audit.GroupResources) audit.GroupResources { return audit.GroupResources{Group: g.Group} }
	if !of(group) {
		return fmt.Sprintf("resources has no group %q", a.GetAPIGroup())
	}
	named := func(g audit.GroupResources) audit.GroupResources {
		return audit.GroupResources{Group: g.Group, Resources: g.Resources}
	}
	if !of(named) {
		return fmt.Sprintf("resources has no %q in group %q", resource(a), a.GetAPIGroup())
	}
	if a.GetName() == "" {
		return fmt.Sprintf("resourceNames: the URL of this %s names no object", a.GetVerb())
	}
	return fmt.Sprintf("resourceNames has no %q", a.GetName())
}

func whyURLs(_ audit.PolicyRule, a authorizer.Attributes) string {
	if a.IsResourceRequest() {
		return "nonResourceURLs: the request is for a resource"
	}
	return fmt.Sprintf("nonResourceURLs has nothing for %q", a.GetPath())
}

// resource is a resource as policies name it.
func resource(a authorizer.Attributes) string {
	if a.GetSubresource() == "" {
		return a.GetResource()
	}
	return a.GetResource() + "/" + a.GetSubresource()
}

func quoted(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = fmt.Sprintf("%q", s)
	}
	return strings.Join(out, ", ")
}

// Rule is one rule of a policy by what people look for first.
type Rule struct {
	Line, Col int
	Level     audit.Level
}

// Rules are the rules of a policy, in order.
func Rules(p *policy.Policy) []Rule {
	rules, err := rulesOf(p)
	if err != nil {
		return nil
	}
	out := make([]Rule, len(rules))
	for i, r := range rules {
		out[i].Level = r.Level
		out[i].Line, out[i].Col = p.Position(i)
	}
	return out
}
