package difference

import (
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/sensitive"
	"auditpatch/internal/policy/space"
)

// pair is a rule of each policy: what a request has to match, and to avoid, that these
// two decide.
type pair struct {
	*comparison
	i, j        int
	must, avoid []*space.Rule
	specs       []auditv1.PolicyRule // of must
}

// find looks for a request that matches more rules, and avoids more, and notes it.
func (p *pair) find(must, avoid []auditv1.PolicyRule) bool {
	if p.apart(must) {
		return false
	}
	if p.work += 100 + len(p.avoid); p.work > maxWork {
		p.report.Exhaustive = false
		return false
	}
	answer := space.Find(slices.Concat(p.must, p.prepared(must)), slices.Concat(p.avoid, p.prepared(avoid)))
	if answer.Found {
		p.look(answer.Request)
	} else if !answer.Certain {
		p.report.Exhaustive = false
	}
	return answer.Found
}

// prepared are rules for a search, each made once. Those of this package can all be
// converted.
func (c *comparison) prepared(specs []auditv1.PolicyRule) (rules []*space.Rule) {
	for _, s := range specs {
		key := s.String()
		if c.ready[key] == nil {
			r, err := space.NewRule(s)
			if err != nil {
				continue
			}
			c.ready[key] = r
		}
		rules = append(rules, c.ready[key])
	}
	return rules
}

// apart tells of rules that no request matches together with those of the pair, as far as
// that is quickly seen.
func (p *pair) apart(must []auditv1.PolicyRule) bool {
	for _, m := range must {
		for _, s := range p.specs {
			if disjoint(m, s) || len(m.Resources) > 0 && (len(s.NonResourceURLs) > 0 || len(s.Resources) > 0 && !slices.ContainsFunc(m.Resources, func(x auditv1.GroupResources) bool {
				return slices.ContainsFunc(s.Resources, func(y auditv1.GroupResources) bool { return meet(x, y) })
			})) {
				return true
			}
		}
	}
	return false
}

// meet tells whether one resource may be in both entries.
func meet(x, y auditv1.GroupResources) bool {
	if x.Group != y.Group && x.Group != "*" && y.Group != "*" {
		return false
	}
	open := func(list []string) bool {
		return len(list) == 0 || slices.ContainsFunc(list, func(r string) bool { return strings.Contains(r, "*") })
	}
	return open(x.Resources) || open(y.Resources) || slices.ContainsFunc(x.Resources, func(r string) bool { return slices.Contains(y.Resources, r) })
}

// has tells whether the report has a difference of the kind between the two, so bad that
// no other is worth a search.
func (p *pair) has(k Kind, worst int) bool {
	at, ok := p.found[[2]int{p.i, p.j}][k]
	return ok && p.report.Differences[at].weight <= worst
}

// leak looks for the worst object that gets into the log.
func (p *pair) leak() {
	for n, k := range sensitive.Kinds() {
		verbs := k.Leak(p.from.decisions[p.i], p.to.decisions[p.j])
		if len(verbs) == 0 || p.has(Leak, n) {
			continue
		}
		must, avoid := k.Rules(verbs, p.specs...)
		if p.find([]auditv1.PolicyRule{must, somebody}, avoid) {
			return
		}
	}
}

// plain looks for a difference that requests of a class have by their level or stages:
// where something is lost, at first one about secrets, then any that is no leak.
func (p *pair) plain(c class) {
	a, b := p.from.decisions[p.i], p.to.decisions[p.j]
	kind, differs := plainKind(outcomeOf(a, c), outcomeOf(b, c))
	if !differs || p.has(kind, 0) || c == failedLogin && slices.ContainsFunc(p.specs, asksWho) {
		return
	}
	if kind == Lost || kind == Less {
		for _, s := range subsets[c] {
			if p.find(append(slices.Clone(s.must), secrets), s.avoid); p.has(kind, 0) {
				return
			}
		}
	}
	var noLeak []auditv1.PolicyRule
	var customVerbs []string
	if c != failedLogin { // of which nothing that was sent is written
		noLeak, customVerbs = p.notLeaking(a, b)
	}
	for _, s := range subsets[c] {
		if p.has(kind, all) {
			return
		}
		avoid := slices.Concat(s.avoid, noLeak)
		if len(customVerbs) > 0 {
			p.find(append(slices.Clone(s.must), ofKubernetes), avoid)
			avoid = append(avoid, auditv1.PolicyRule{Verbs: customVerbs, Resources: anything})
		}
		if !p.has(kind, all) {
			p.find(s.must, avoid)
		}
	}
}

// all is a weight that none exceeds.
const all = 1000

// notLeaking are rules to avoid whatever would be a leak; for custom resources there is no
// such rule, but verbs without which they do not leak.
func (p *pair) notLeaking(a, b policy.Decision) (avoid []auditv1.PolicyRule, customVerbs []string) {
	kinds := sensitive.Kinds()
	for n, k := range kinds {
		verbs := k.Leak(a, b)
		switch {
		case len(verbs) == 0:
		case n == len(kinds)-1:
			customVerbs = verbs
		default:
			must, _ := k.Rules(verbs)
			avoid = append(avoid, must)
		}
	}
	return avoid, customVerbs
}

// asksWho tells whether a rule does not match a login that failed.
func asksWho(r auditv1.PolicyRule) bool { return len(r.Users)+len(r.UserGroups) > 0 }

var (
	// somebody takes all requests but those with a login that failed.
	somebody = auditv1.PolicyRule{UserGroups: []string{"system:authenticated", "system:unauthenticated"}}
	anything = []auditv1.GroupResources{{Group: "*"}}
	streams  = []auditv1.GroupResources{{Group: "*", Resources: []string{"*/exec", "*/attach", "*/portforward", "*/proxy", "*/log"}}}
	secrets  = auditv1.PolicyRule{Resources: []auditv1.GroupResources{
		{Resources: []string{"secrets", "serviceaccounts/token", "configmaps"}}, {Group: "authentication.k8s.io", Resources: []string{"tokenreviews"}}}}
	// ofKubernetes takes resources that are no custom ones.
	ofKubernetes = auditv1.PolicyRule{Resources: []auditv1.GroupResources{
		{Group: ""}, {Group: "apps"}, {Group: "batch"}, {Group: "policy"}, {Group: "autoscaling"}, {Group: "rbac.authorization.k8s.io"},
		{Group: "networking.k8s.io"}, {Group: "coordination.k8s.io"}, {Group: "events.k8s.io"}, {Group: "storage.k8s.io"}, {Group: "node.k8s.io"}}}
	// endless takes requests that explain.LongRunning is true of.
	endless = []auditv1.PolicyRule{{Verbs: []string{"watch"}}, {Resources: streams}, {NonResourceURLs: []string{"/debug/pprof/*"}}}
)

// subset is a part of a class, by rules that all of it match and none of it does.
type subset struct{ must, avoid []auditv1.PolicyRule }

var subsets = [classes][]subset{
	ordinary: {{[]auditv1.PolicyRule{somebody}, endless}},
	longRunning: {
		{[]auditv1.PolicyRule{somebody, endless[0]}, nil},
		{[]auditv1.PolicyRule{somebody, endless[1]}, nil},
		{[]auditv1.PolicyRule{somebody, endless[2]}, nil},
	},
	failedLogin: {{nil, []auditv1.PolicyRule{somebody}}},
}
