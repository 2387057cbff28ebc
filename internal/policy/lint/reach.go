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
		// Either there is a finding that says why, or the search does not know the verb.
		if l.dead[i] || slices.ContainsFunc(l.spec.Rules[i].Verbs, func(v string) bool { return slices.Contains(legacyVerbs, v) }) {
			continue
		}
		_, ok := l.decidedBy(i, l.rules[i:i+1])
		if !ok {
			if a := space.Find(l.rules[i:i+1], l.rules[:i]); !a.Found && a.Certain {
				l.unreached(i)
				continue
			}
		}
		l.unreachedEntries(i)
	}
	if end >= 0 {
		return
	}
	if a := space.Find(nil, l.rules); a.Found && l.policy.Evaluate(a.Request.Attributes()).Rule < 0 {
		l.addRule("AP023", len(l.spec.Rules)-1, fmt.Sprintf("no rule takes %q: it is not recorded", describe(a.Request)),
			`end the policy with "- level: Metadata" to record everything else, or with "- level: None" to say that it is not`)
	}
}

// unreachedEntries looks for resources of a rule that earlier rules take, though
// not the rule as a whole.
func (l *linter) unreachedEntries(index int) {
	for i, gr := range l.spec.Rules[index].Resources {
		for j, name := range gr.Resources {
			path := fmt.Sprintf("rules[%d].resources[%d].resources[%d]", index, i, j)
			entry, err := space.NewRule(auditv1.PolicyRule{Resources: []auditv1.GroupResources{{Group: gr.Group, Resources: []string{name}, ResourceNames: gr.ResourceNames}}})
			if err != nil || l.about(path) {
				continue
			}
			must := []*space.Rule{l.rules[index], entry}
			q, ok := l.decidedBy(index, must)
			taken := l.policy.Evaluate(q.Attributes()).Rule
			if ok || q.Verb == "" || taken < 0 || taken >= index || l.sameEffect(index, []taker{{rule: taken}}) {
				continue
			}
			if a := space.Find(must, l.rules[:index]); !a.Found && a.Certain {
				l.add("AP024", path, fmt.Sprintf("%q in rules[%d] is never reached: %s takes %q", name, index, l.named(taken), describe(q)), fmt.Sprintf("remove it, or move the rule before rules[%d]", taken))
			}
		}
	}
}

// about reports whether there is a finding about a field already.
func (l *linter) about(path string) bool {
	return slices.ContainsFunc(l.findings, func(f Finding) bool { return f.Field == path && f.Code.Severity != Info })
}

// decidedBy makes a request that the rules match, and reports whether the one with
// the index decides it. Most often it does, which spares a search in the requests
// that earlier rules leave.
func (l *linter) decidedBy(index int, must []*space.Rule) (policy.Request, bool) {
	a := space.Find(must, nil)
	return a.Request, a.Found && l.policy.Evaluate(a.Request.Attributes()).Rule == index
}

// taker is an earlier rule, and a request that it takes from a later one.
type taker struct {
	rule    int
	request policy.Request
}

// unreached tells which earlier rules take all the requests of a rule.
func (l *linter) unreached(index int) {
	takers := l.takers(index)
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

// takers are earlier rules that together take all requests of a rule: as long as
// some request gets past those that are known, another rule must take it.
func (l *linter) takers(index int) (out []taker) {
	var avoid []*space.Rule
	for range index {
		a := space.Find(l.rules[index:index+1], avoid)
		if !a.Found {
			break
		}
		d := l.policy.Evaluate(a.Request.Attributes())
		if d.Rule < 0 || d.Rule >= index {
			break
		}
		out = append(out, taker{d.Rule, a.Request})
		avoid = append(avoid, l.rules[d.Rule])
	}
	return out
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
