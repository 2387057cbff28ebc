package explain

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// decisions remembers what the evaluator said of requests: those of a cluster repeat
// themselves, and a policy of many rules takes longer than looking one up.
type decisions struct {
	policy *policy.Policy
	few    bool // rules, which are asked faster than looked up
	named  bool // the policy looks at the names of objects
	known  map[alike]policy.Decision
	size   int // of the texts in known, in bytes
}

// alike are requests that no policy can tell apart; without name, those that a policy
// without resourceNames cannot.
type alike struct {
	who                                                       *identity
	verb, group, resource, subresource, namespace, name, path string
}

const (
	fewRules = 4
	// mostKnown decisions are remembered at a time, with texts of mostText bytes. Who
	// sends requests chooses their texts: long ones are not remembered.
	mostKnown = 20_000
	mostText  = 8 << 20
	longText  = 1 << 10
)

func newDecisions(p *policy.Policy) *decisions {
	rules, err := rulesOf(p)
	return &decisions{
		policy: p,
		few:    err != nil || len(rules) < fewRules,
		named: slices.ContainsFunc(rules, func(r audit.PolicyRule) bool {
			return slices.ContainsFunc(r.Resources, func(g audit.GroupResources) bool { return len(g.ResourceNames) > 0 })
		}),
		known: map[alike]policy.Decision{},
	}
}

// of is the decision about the event that was read last.
func (d *decisions) of(r *rebuilder) policy.Decision {
	if d.few || r.who == nil {
		return d.policy.Evaluate(r.attributes())
	}
	q := &r.event.Request
	k := alike{r.who, q.Verb, q.Group, q.Resource, q.Subresource, q.Namespace, q.Name, q.Path}
	if !d.named {
		k.name = ""
	}
	size := k.size()
	if size > longText {
		return d.policy.Evaluate(r.attributes())
	}
	if known, ok := d.known[k]; ok {
		return known
	}
	decision := d.policy.Evaluate(r.attributes())
	if d.size += size; len(d.known) == mostKnown || d.size > mostText {
		clear(d.known)
		d.size = size
	}
	d.known[k.own()] = decision
	return decision
}

// size is that of the texts, in bytes.
func (k alike) size() int {
	return len(k.verb) + len(k.group) + len(k.resource) + len(k.subresource) +
		len(k.namespace) + len(k.name) + len(k.path)
}

// own is a copy that does not keep the text that the event was read from.
func (k alike) own() alike {
	for _, s := range []*string{&k.verb, &k.group, &k.resource, &k.subresource, &k.namespace, &k.name, &k.path} {
		*s = strings.Clone(*s)
	}
	return k
}
