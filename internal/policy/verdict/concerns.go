package verdict

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/cis"
	"auditpatch/internal/policy/space"
)

// concern is a part of CIS 3.2.2, as requests.
type concern struct{ cis.Concern }

// humming are what a cluster changes all the time, and what nobody would look for.
var humming = []auditv1.GroupResources{
	cis.Kinds("", "events", "endpoints"), cis.Kinds("events.k8s.io"), cis.Kinds("coordination.k8s.io"), cis.Kinds("discovery.k8s.io"),
	cis.Kinds("*", "*/status"),
}

// everybody is a rule that whoever has a user fits, anonymous or not.
var everybody = auditv1.PolicyRule{UserGroups: []string{"system:authenticated", "system:unauthenticated"}}

// authenticated is a rule that all who have logged in fit.
var authenticated = auditv1.PolicyRule{UserGroups: []string{"system:authenticated"}}

// own are the groups of Kubernetes' components: kubelets, and the controllers and addons
// with a service account in kube-system.
var own = []string{"system:nodes", "system:serviceaccounts:kube-system"}

// component tells whether a user is one of the others.
func component(user string) bool {
	switch user {
	case "system:apiserver", "system:cloud-controller-manager", "system:konnectivity-server":
		return true
	}
	return strings.HasPrefix(user, "system:kube-") || strings.HasPrefix(user, "system:node:")
}

// maxWork bounds the searches in one policy, to a few seconds. A policy of a hundred
// rules takes a tenth.
const maxWork = 200_000

// auditor looks for requests that a policy does not record as CIS 3.2.2 wants it.
type auditor struct {
	policy *policy.Policy
	specs  []auditv1.PolicyRule
	omits  []auditv1.Stage // of all rules
	rules  []*space.Rule
	left   int // of the budget
	gaveUp bool
}

// keyConcerns is CIS 3.2.2, decided by the evaluator: for each concern and for each rule
// that would not do, a request is looked for that the rule decides, whoever makes it and
// whatever its namespace and name. The first is shown.
func keyConcerns(p *policy.Policy) content { return within(maxWork, p) }

func within(budget int, p *policy.Policy) content {
	v1, err := p.V1()
	if err != nil {
		return content{verdict: Unknown, reason: err.Error()}
	}
	rules, err := space.Rules(p)
	if err != nil {
		return content{verdict: Unknown, reason: err.Error()}
	}
	a := &auditor{policy: p, specs: v1.Rules, omits: v1.OmitStages, rules: rules, left: budget}
	for _, c := range cis.Concerns {
		for i := range len(a.rules) + 1 {
			if found, ok := a.gap(concern{c}, i); ok {
				return found
			}
		}
	}
	if a.gaveUp {
		return content{verdict: Unknown, reason: "the policy has so many words that the search for a request that it does not record as wanted was given up"}
	}
	return content{verdict: Pass}
}

// gap looks for a request that a rule decides, or that none does for the index behind
// the last, and that is against the concern.
func (a *auditor) gap(c concern, index int) (found content, ok bool) {
	// What a rule does with a request is the same for all that it decides.
	d := policy.Decision{Rule: -1, Level: audit.LevelNone}
	if index < len(a.rules) {
		spec := a.specs[index]
		d = policy.Decision{Rule: index, Level: audit.Level(spec.Level), OmitStages: a.omitted(spec)}
	}
	why, leaks := c.against(d)
	if why == "" || index < len(a.rules) && !c.touches(a.specs[index]) {
		return content{}, false
	}
	r, ok := a.search(c, index, !leaks && c.Own, leaks)
	if !ok {
		return content{}, false
	}
	return content{Fail, fmt.Sprintf("%s by rule %d", d.Level, d.Rule), Sentence(r) + ": " + why, another()}, true
}

// against says what is wrong with a decision; "" for nothing.
func (c concern) against(d policy.Decision) (why string, leaks bool) {
	recorded := d.Records(audit.StageResponseComplete) || d.Records(audit.StageRequestReceived)
	switch {
	case c.Exact && recorded && d.Level != audit.LevelMetadata:
		return fmt.Sprintf("level %s puts contents into the log, Metadata is wanted", d.Level), true
	case !recorded:
		return "not recorded", false
	}
	return "", false
}

// omitted are the stages that a rule does not write, with those of the whole policy.
func (a *auditor) omitted(r auditv1.PolicyRule) (out []audit.Stage) {
	for _, s := range slices.Concat(a.omits, r.OmitStages) {
		out = append(out, audit.Stage(s))
	}
	return out
}

// search looks for a request of the concern that the rule with the index decides. It
// asks the evaluator about one that fits; when an earlier rule takes that, the next one
// has to avoid the rule, which is quicker than to avoid all earlier rules at once.
// Contents are looked for in the requests of anonymous callers too; that those are not
// recorded is no gap, since they may read nothing of what the concerns are about.
func (a *auditor) search(c concern, index int, excuse, anonymous bool) (policy.Request, bool) {
	who := authenticated
	if anonymous {
		who = everybody
	}
	must := a.prepared(auditv1.PolicyRule{Resources: c.Of, Verbs: c.Verbs}, who)
	if index < len(a.rules) {
		must = append(must, a.rules[index])
	} else {
		index = -1
	}
	avoid := a.excused(c, index, excuse)
	cost := c.cost(must, avoid, a.specs, index)
	met := map[int]bool{}
	for {
		if a.left -= cost; a.left < 0 {
			a.gaveUp = true
			return policy.Request{}, false
		}
		found := space.Find(must, avoid)
		if !found.Found {
			a.gaveUp = a.gaveUp || !found.Certain
			return policy.Request{}, false
		}
		d := a.policy.Evaluate(found.Request.Attributes())
		if d.Rule == index {
			return found.Request, true
		}
		if d.Rule < 0 || met[d.Rule] { // neither happens, as all rules are the evaluator's
			a.gaveUp = true
			return policy.Request{}, false
		}
		met[d.Rule] = true
		avoid = append(avoid, a.rules[d.Rule])
		cost += words(a.specs[d.Rule])/300 + 1
	}
}

// excused are rules for requests that need not be recorded.
func (a *auditor) excused(c concern, index int, excuse bool) (rules []*space.Rule) {
	if c.Most {
		rules = a.prepared(auditv1.PolicyRule{Resources: humming})
	}
	if !excuse {
		return rules
	}
	rules = append(rules, a.prepared(auditv1.PolicyRule{UserGroups: own})...)
	var users []string
	for i, r := range a.specs {
		if i != index {
			continue
		}
		for _, u := range r.Users {
			reader := c.Most && c.Verbs[0] == cis.Reads[0] && strings.HasPrefix(u, "system:serviceaccount:")
			if component(u) || reader {
				users = append(users, u)
			}
		}
	}
	if len(users) > 0 {
		rules = append(rules, a.prepared(auditv1.PolicyRule{Users: users})...)
	}
	return rules
}

// prepared are rules of ours, as a search takes them.
func (a *auditor) prepared(specs ...auditv1.PolicyRule) (rules []*space.Rule) {
	for _, s := range specs {
		r, err := space.NewRule(s)
		if err != nil { // they are all constant but for users
			a.gaveUp = true
			continue
		}
		rules = append(rules, r)
	}
	return rules
}

// cost is what one search takes, in units of some microseconds: it tries the concern's
// resources with those of the rule, and reads the other words once.
func (c concern) cost(must, avoid []*space.Rule, specs []auditv1.PolicyRule, index int) int {
	n, resources := 0, 1
	for _, gr := range c.Of {
		n += 1 + len(gr.Resources)
	}
	if index < 0 {
		return n + len(avoid)
	}
	for _, gr := range specs[index].Resources {
		resources += 1 + len(gr.Resources)
	}
	return n*resources + words(specs[index])/300 + len(must) + len(avoid)
}

// words is how many words a rule has besides its resources.
func words(r auditv1.PolicyRule) int {
	n := len(r.Users) + len(r.UserGroups) + len(r.Verbs) + len(r.Namespaces)
	for _, gr := range r.Resources {
		n += len(gr.ResourceNames)
	}
	return n
}

// touches is false for a rule that names neither resources nor verbs of the concern: no
// search is worth while then. It is no judgement, that is the evaluator's.
func (c concern) touches(r auditv1.PolicyRule) bool {
	if len(r.NonResourceURLs) > 0 && len(r.Resources)+len(r.Namespaces) == 0 || !meet(c.Verbs, r.Verbs) {
		return false
	}
	return len(r.Resources) == 0 || slices.ContainsFunc(r.Resources, func(theirs auditv1.GroupResources) bool {
		return slices.ContainsFunc(c.Of, func(ours auditv1.GroupResources) bool {
			return meet([]string{ours.Group}, []string{theirs.Group}) && meet(ours.Resources, theirs.Resources)
		})
	})
}

// meet tells whether two lists may have a word in common: an empty one has all, and so
// may one with a star.
func meet(a, b []string) bool {
	star := func(s string) bool { return strings.Contains(s, "*") }
	return len(a) == 0 || len(b) == 0 || slices.ContainsFunc(a, star) || slices.ContainsFunc(b, star) ||
		slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}

// Sentence is a request in words.
func Sentence(r policy.Request) string {
	what := r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	if r.Group != "" {
		what += "." + r.Group
	}
	who := r.User
	// Who has logged in is in system:authenticated anyway, and a service account in its groups.
	for _, g := range r.Groups {
		if g != "system:authenticated" && !strings.HasPrefix(g, "system:serviceaccounts") {
			who += " of " + g
			break
		}
	}
	if r.Name != "" {
		what += " " + r.Name
	}
	if r.Namespace == "" {
		return fmt.Sprintf("%s %s %s", who, r.Verb, what)
	}
	return fmt.Sprintf("%s %s %s in %s", who, r.Verb, what, r.Namespace)
}
