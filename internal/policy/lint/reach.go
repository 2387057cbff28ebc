package lint

import (
	"fmt"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/space"
)

var reachCodes = []*Code{
	{ID: "AP020", Name: "behind-catch-all", Severity: Error, Title: "a rule behind one that takes every request",
		Why:  "The first rule that fits decides: nothing gets past a rule without conditions.",
		Bad:  whole(exampleHead + "- level: Metadata\n- level: None\n  users: [monitor]\n"),
		Good: whole(exampleHead + "- level: None\n  users: [monitor]\n- level: Metadata\n")},
	{ID: "AP021", Name: "shadowed", Severity: Error, Title: "a rule whose requests are all taken by earlier rules, to another effect",
		Why:  "The first rule that fits decides: this one never does, and what it says is not done.",
		Bad:  rules("- level: None\n  users: [monitor]\n- level: RequestResponse\n  users: [monitor]\n  verbs: [update]\n  resources: [{group: apps, resources: [deployments]}]\n"),
		Good: rules("- level: RequestResponse\n  users: [monitor]\n  verbs: [update]\n  resources: [{group: apps, resources: [deployments]}]\n- level: None\n  users: [monitor]\n")},
	{ID: "AP022", Name: "redundant", Severity: Info, Title: "a rule whose requests are all taken by earlier rules, to the same effect",
		Why:  "The first rule that fits decides: this one never does. It can go without a change.",
		Bad:  rules("- level: None\n  users: [monitor]\n- level: None\n  users: [monitor]\n  verbs: [get]\n"),
		Good: rules("- level: None\n  users: [monitor]\n")},
	{ID: "AP023", Name: "no-catch-all", Severity: Warning, Title: "requests that no rule takes",
		Why:  "They are not recorded. At the end of a policy that is easily overlooked: a last rule without conditions says what becomes of them.",
		Bad:  whole(exampleHead + "- level: Metadata\n  verbs: [get, create, update, patch, delete]\n"),
		Good: whole(exampleHead + "- level: Metadata\n")},
	{ID: "AP024", Name: "entry-shadowed", Severity: Warning, Title: "a resource in a list whose requests are all taken by earlier rules, to another effect",
		Why:  "The first rule that fits decides: for this resource the rule never does.",
		Bad:  rules("- level: None\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  verbs: [create, update]\n  resources: [{group: \"\", resources: [services, persistentvolumes]}]\n"),
		Good: rules("- level: None\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  verbs: [create, update]\n  resources: [{group: \"\", resources: [persistentvolumes]}]\n")},
	{ID: "AP025", Name: "never-matches", Severity: Error, Title: "a rule that no request can fit",
		Why:  "Its conditions exclude each other: all of them have to fit at once.",
		Bad:  rules("- level: None\n  verbs: [get]\n  namespaces: [payments]\n  resources: [{group: \"\", resources: [namespaces], resourceNames: [billing]}]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  namespaces: [payments]\n  resources: [{group: \"\", resources: [namespaces], resourceNames: [payments]}]\n")},
	{ID: "AP026", Name: "hardly-reached", Severity: Warning, Title: "a rule or resource that only odd requests reach, such as OPTIONS",
		Why:  "Earlier rules take all its requests with the usual verbs. What is left are requests that nobody makes by way of work, and that are answered with an error: OPTIONS and TRACE, and the old paths below /api/v1/proxy.",
		Bad:  rules("- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Request\n  resources: [{group: \"\", resources: [services]}]\n"),
		Good: rules("- level: Request\n  resources: [{group: \"\", resources: [services]}]\n")},
}

// reach looks for rules that never decide, and requests that no rule decides.
func (l *linter) reach() {
	end := slices.IndexFunc(l.spec.Rules, func(r auditv1.PolicyRule) bool { return (&rule{PolicyRule: &r}).matchesAll() })
	for i := range l.spec.Rules {
		if end >= 0 && i > end {
			if l.sameEffect(i, []taker{{rule: end}}) {
				l.addRule("AP022", i, fmt.Sprintf("rules[%d] is never reached, and would do the same: %s takes every request", i, l.named(end)), "remove it")
				continue
			}
			l.addRule("AP020", i, fmt.Sprintf("rules[%d] is never reached: %s takes every request", i, l.named(end)), fmt.Sprintf("move it before rules[%d], or remove it", end))
			continue
		}
		if l.dead[i] {
			continue // there is a finding that says why
		}
		found := l.search(i, l.rules[i:i+1])
		if found.none {
			l.unreached(i, found.takers)
			continue
		}
		if l.hardly(i, fmt.Sprintf("rules[%d]", i), fmt.Sprintf("rules[%d]", i), found) {
			continue
		}
		l.unreachedEntries(i)
	}
	if end >= 0 {
		return
	}
	if found := l.search(-1, nil); found.ok {
		l.addRule("AP023", len(l.spec.Rules)-1, fmt.Sprintf("no rule takes %q: it is not recorded", describe(found.request)),
			`end the policy with "- level: Metadata" to record everything else, or with "- level: None" to say that it is not`)
	}
}

// hardly tells of a rule, or a part of one, that is reached by requests only that
// nobody makes by way of work. One with their verbs is meant for them.
func (l *linter) hardly(index int, path, words string, found found) bool {
	if !found.ok || !space.IsRare(found.request) || len(l.spec.Rules[index].Verbs) > 0 || len(found.takers) == 0 {
		return false
	}
	if !l.sameEffect(index, found.takers) {
		first := found.takers[0]
		l.add("AP026", path, fmt.Sprintf("%s is hardly ever reached: %s takes %q, and what is left are requests such as %q", words, l.named(first.rule), describe(first.request), describe(found.request)),
			fmt.Sprintf("remove it, or move the rule before rules[%d]", first.rule))
	}
	return true
}

// unreachedEntries looks for resources of a rule that earlier rules take, though
// not the rule as a whole.
func (l *linter) unreachedEntries(index int) {
	for i, gr := range l.spec.Rules[index].Resources {
		for j, name := range gr.Resources {
			path := fmt.Sprintf("rules[%d].resources[%d].resources[%d]", index, i, j)
			if l.work >= maxWork || l.said[path] {
				continue
			}
			entry, err := space.NewRule(auditv1.PolicyRule{Resources: []auditv1.GroupResources{{Group: gr.Group, Resources: []string{name}, ResourceNames: gr.ResourceNames}}})
			if err != nil {
				continue
			}
			must := []*space.Rule{l.rules[index], entry}
			found := l.search(index, must)
			l.hardly(index, path, fmt.Sprintf("%q in rules[%d]", name, index), found)
			if !found.none || len(found.takers) == 0 || l.sameEffect(index, found.takers) {
				continue
			}
			first := found.takers[0]
			l.add("AP024", path, fmt.Sprintf("%q in rules[%d] is never reached: %s takes %q", name, index, l.named(first.rule), describe(first.request)), fmt.Sprintf("remove it, or move the rule before rules[%d]", first.rule))
		}
	}
}

// found is the outcome of a search: a request that a rule decides, or that there
// is none; neither, when the search was given up.
type found struct {
	request  policy.Request
	ok, none bool
	takers   []taker // the earlier rules that were met on the way
}

// maxWork bounds how many rules all searches in one policy compare with requests. A
// policy of a thousand rules takes a tenth.
const maxWork = 40_000_000

// weight is how many words a rule has; of no rule, how many rules there are.
func (l *linter) weight(index int) (n int) {
	if index < 0 {
		return len(l.rules)
	}
	for _, list := range (&rule{PolicyRule: &l.spec.Rules[index]}).lists() {
		n += 1 + len(list.values)
	}
	return n
}

// search looks for a request that all rules of must match and that the rule with the
// index decides, or no rule for -1. It asks the evaluator about one that must
// matches; when an earlier rule takes that, the next one has to avoid the rule.
// That is quicker than to avoid all earlier rules from the beginning.
func (l *linter) search(index int, must []*space.Rule) (out found) {
	var avoid []*space.Rule
	for w := l.weight(index); ; {
		cost := 4*w*(1+len(avoid)) + w*w/4
		if l.work+cost > maxWork {
			return out
		}
		l.work += cost
		a := space.Find(must, avoid)
		if !a.Found {
			out.none = a.Certain
			return out
		}
		l.work += len(l.rules)
		d := l.policy.Evaluate(a.Request.Attributes()).Rule
		if d == index {
			out.request, out.ok = a.Request, true
			return out
		}
		if d < 0 || slices.ContainsFunc(out.takers, func(t taker) bool { return t.rule == d }) {
			return out
		}
		out.takers = append(out.takers, taker{d, a.Request})
		avoid = append(avoid, l.rules[d])
	}
}

// taker is an earlier rule, and a request that it takes from a later one.
type taker struct {
	rule    int
	request policy.Request
}

// unreached tells which earlier rules take all the requests of a rule.
func (l *linter) unreached(index int, takers []taker) {
	if len(takers) == 0 {
		l.addRule("AP025", index, fmt.Sprintf("no request can fit rules[%d]: its conditions exclude each other", index), "make two rules of it, or remove the condition that is too much")
		return
	}
	var words []string
	for _, t := range takers[:min(len(takers), 3)] {
		words = append(words, fmt.Sprintf("%s takes %q", l.named(t.rule), describe(t.request)))
	}
	proof := strings.Join(words, ", ")
	if more := len(takers) - len(words); more > 0 {
		proof += fmt.Sprintf(", and %s the rest", count(more, "more rule"))
	}
	if l.sameEffect(index, takers) {
		l.addRule("AP022", index, fmt.Sprintf("rules[%d] is never reached, and would do the same: %s", index, proof), "remove it")
		return
	}
	l.addRule("AP021", index, fmt.Sprintf("rules[%d] is never reached: %s", index, proof), fmt.Sprintf("move it before rules[%d], or remove it", takers[0].rule))
}

// sameEffect reports whether the earlier rules write what the later one would.
func (l *linter) sameEffect(index int, takers []taker) bool {
	own := l.spec.Rules[index]
	return !slices.ContainsFunc(takers, func(t taker) bool {
		other := l.spec.Rules[t.rule]
		if own.Level == auditv1.LevelNone && other.Level == auditv1.LevelNone {
			return false
		}
		return own.Level != other.Level || !sameStages(l.omitted(own), l.omitted(other)) || l.omitsFields(own) != l.omitsFields(other)
	})
}

// omitted are the stages that the events of a rule do not have.
func (l *linter) omitted(r auditv1.PolicyRule) []auditv1.Stage {
	return slices.Concat(l.spec.OmitStages, r.OmitStages)
}

func (l *linter) omitsFields(r auditv1.PolicyRule) bool {
	if r.OmitManagedFields != nil {
		return *r.OmitManagedFields
	}
	return l.spec.OmitManagedFields
}

func sameStages(a, b []auditv1.Stage) bool {
	in := func(list []auditv1.Stage) func(auditv1.Stage) bool {
		return func(s auditv1.Stage) bool { return !slices.Contains(list, s) }
	}
	return !slices.ContainsFunc(a, in(b)) && !slices.ContainsFunc(b, in(a))
}
