// Package difference says what two audit policies do otherwise, by examples.
//
// Start with [Compare]. For each rule of one policy and each of the other that do not do
// the same, it looks for a request that these two decide, so that it finds every
// difference. Of each pair of rules it shows one example for each [Kind]: for that it also
// looks for logins that fail, for requests that go on for long, and for those about
// objects with secrets. What is compared is what the API server's evaluator says of that
// request, and what its events then hold.
package difference

import (
	"cmp"
	"fmt"
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/internal/policy/space"
)

// Kind is what a difference comes to. They are in the order of their importance.
type Kind string

// The kinds of differences.
const (
	Lost    Kind = "lost"    // recorded before, and not any more
	Leak    Kind = "leak"    // contents of a sensitive object get into the log now
	Less    Kind = "less"    // recorded with less of the request or the answer
	Gained  Kind = "gained"  // recorded now, and not before
	More    Kind = "more"    // recorded with more of the request or the answer
	Stages  Kind = "stages"  // recorded at other stages
	Managed Kind = "managed" // recorded with managed fields, or without
)

// Kinds are all of them, in order.
func Kinds() []Kind { return []Kind{Lost, Leak, Less, Gained, More, Stages, Managed} }

// Outcome is what one policy does with the request.
type Outcome struct {
	Level             audit.Level   `json:"level"`
	OmitStages        []audit.Stage `json:"omitStages"`
	OmitManagedFields bool          `json:"omitManagedFields"`
	Rule              int           `json:"rule"` // from 0; -1: no rule matches
	Line              int           `json:"line"` // of the rule; 0 without one
}

// Difference is a request with which the policies do not do the same.
type Difference struct {
	Kind     Kind
	Request  policy.Request
	From, To Outcome
	weight   int // among those of a kind; smaller is worse
}

// Report holds the differences, the most important first.
type Report struct {
	Differences []Difference
	// Exhaustive says that requests of every other kind are treated alike: no search was
	// given up.
	Exhaustive bool
}

// Of are the differences of one kind.
func (r Report) Of(k Kind) []Difference {
	return slices.DeleteFunc(slices.Clone(r.Differences), func(d Difference) bool { return d.Kind != k })
}

// maxWork bounds a comparison, by the rules that its searches look at and a hundred more for
// each search. Two policies of fifty rules that have nothing in common stay below it; above,
// some pairs of rules are left out, and the comparison ends within ten seconds of one CPU.
const maxWork = 6_000_000

// Compare compares two policies.
func Compare(from, to *policy.Policy) (Report, error) {
	a, err := newSide(from)
	if err != nil {
		return Report{}, err
	}
	b, err := newSide(to)
	if err != nil {
		return Report{}, err
	}
	c := &comparison{from: a, to: b, found: map[[2]int]map[Kind]int{}, ready: map[string]*space.Rule{}, report: Report{Exhaustive: true}}
	for _, r := range requests.All() {
		c.look(r.Request)
	}
	for i := range len(a.rules) + 1 {
		for j := range len(b.rules) + 1 {
			c.search(i, j)
		}
	}
	slices.SortStableFunc(c.report.Differences, func(x, y Difference) int {
		return cmp.Or(cmp.Compare(slices.Index(Kinds(), x.Kind), slices.Index(Kinds(), y.Kind)), cmp.Compare(x.weight, y.weight),
			cmp.Compare(x.From.Line, y.From.Line), cmp.Compare(x.To.Line, y.To.Line))
	})
	return c.report, nil
}

// side is one of the two policies.
type side struct {
	*policy.Policy
	rules     []*space.Rule
	specs     []auditv1.PolicyRule
	decisions []policy.Decision  // of each rule, and of no rule
	outcomes  [][classes]outcome // of these
	keys      []string           // of each rule: what it matches
	first     map[string]int     // the first rule with a key
}

func newSide(p *policy.Policy) (*side, error) {
	s := &side{Policy: p, first: map[string]int{}}
	v1, err := p.V1()
	if err != nil {
		return nil, err
	}
	if s.rules, err = space.Rules(p); err != nil {
		return nil, err
	}
	s.specs = v1.Rules
	for i, r := range v1.Rules {
		s.decisions = append(s.decisions, decisionOf(v1, i))
		r.Level, r.OmitStages, r.OmitManagedFields = "", nil, nil
		key, err := yaml.Marshal(r)
		if err != nil {
			return nil, fmt.Errorf("%s: rule %d: %w", p.Name(), i, err)
		}
		s.keys = append(s.keys, string(key))
		if _, known := s.first[string(key)]; !known {
			s.first[string(key)] = i
		}
	}
	s.decisions = append(s.decisions, policy.Decision{Rule: -1, Level: audit.LevelNone})
	for _, d := range s.decisions {
		var all [classes]outcome
		for c := range classes {
			all[c] = outcomeOf(d, c)
		}
		s.outcomes = append(s.outcomes, all)
	}
	return s, nil
}

func decisionOf(p *auditv1.Policy, rule int) policy.Decision {
	r := p.Rules[rule]
	d := policy.Decision{Rule: rule, Level: audit.Level(r.Level), OmitManagedFields: p.OmitManagedFields}
	for _, s := range slices.Concat(p.OmitStages, r.OmitStages) {
		d.OmitStages = append(d.OmitStages, audit.Stage(s))
	}
	if r.OmitManagedFields != nil {
		d.OmitManagedFields = *r.OmitManagedFields
	}
	return d
}

// comparison looks for differences.
type comparison struct {
	from, to *side
	found    map[[2]int]map[Kind]int // of each pair of rules, where in the report its differences are
	ready    map[string]*space.Rule
	work     int
	report   Report
}

// search looks for requests that rule i of the one and rule j of the other decide,
// where these do not do the same. The number after the last is that of no rule.
func (c *comparison) search(i, j int) {
	a, b := c.from, c.to
	if c.work > maxWork || a.outcomes[i] == b.outcomes[j] || a.shadowed(i, i) || b.shadowed(j, j) {
		return
	}
	if i < len(a.rules) && j < len(b.rules) && disjoint(a.specs[i], b.specs[j]) {
		return
	}
	// A rule that the other policy has as well, further up, is decided there.
	if i < len(a.rules) && b.has(a.keys[i], j) || j < len(b.rules) && a.has(b.keys[j], i) {
		return
	}
	p := &pair{comparison: c, i: i, j: j}
	if i < len(a.rules) {
		p.must, p.specs = append(p.must, a.rules[i]), append(p.specs, a.specs[i])
	}
	if j < len(b.rules) {
		p.must, p.specs = append(p.must, b.rules[j]), append(p.specs, b.specs[j])
	}
	p.avoid = slices.Clone(a.rules[:i])
	for n, r := range b.rules[:j] {
		if !a.has(b.keys[n], i) {
			p.avoid = append(p.avoid, r)
		}
	}
	if c.found[[2]int{i, j}] != nil || p.find(nil, nil) {
		p.leak()
		for class := range classes {
			p.plain(class)
		}
	}
}

// disjoint tells of two rules that a request has no user, verb or namespace for which
// both match: it has one of each, and these are compared as whole words. It spares
// searches, and misses rules that are disjoint otherwise.
func disjoint(a, b auditv1.PolicyRule) bool {
	apart := func(x, y []string) bool {
		return len(x) > 0 && len(y) > 0 && !slices.ContainsFunc(x, func(word string) bool { return slices.Contains(y, word) })
	}
	return apart(a.Users, b.Users) || apart(a.Verbs, b.Verbs) || apart(a.Namespaces, b.Namespaces)
}

// has tells whether one of the rules before rule n matches what the key says.
func (s *side) has(key string, n int) bool {
	i, known := s.first[key]
	return known && i < n
}

// shadowed tells whether rule i stands a second time before rule n.
func (s *side) shadowed(i, n int) bool { return i < len(s.keys) && s.has(s.keys[i], n) }

// look asks the evaluator about a request, and notes a difference that is new, or worse
// than the one of its kind that these two rules had.
func (c *comparison) look(r policy.Request) {
	attrs := r.Attributes()
	a, b := c.from.Evaluate(attrs), c.to.Evaluate(attrs)
	kind, differs := kindOf(r, a, b)
	if !differs {
		return
	}
	d := Difference{kind, r, c.from.outcome(a), c.to.outcome(b), weight(r, kind)}
	rules := [2]int{c.from.number(a.Rule), c.to.number(b.Rule)}
	if c.found[rules] == nil {
		c.found[rules] = map[Kind]int{}
	}
	at, known := c.found[rules][kind]
	switch {
	case !known:
		c.found[rules][kind] = len(c.report.Differences)
		c.report.Differences = append(c.report.Differences, d)
	case d.weight < c.report.Differences[at].weight:
		c.report.Differences[at] = d
	}
}

// number is that of a rule, or the one after the last for none.
func (s *side) number(rule int) int {
	if rule < 0 {
		return len(s.rules)
	}
	return rule
}

func (s *side) outcome(d policy.Decision) Outcome {
	o := Outcome{Level: d.Level, OmitStages: append([]audit.Stage{}, d.OmitStages...), OmitManagedFields: d.OmitManagedFields, Rule: d.Rule}
	if d.Rule >= 0 {
		o.Line, _ = s.Position(d.Rule)
	}
	return o
}
