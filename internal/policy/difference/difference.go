// Package difference says what two audit policies do otherwise, by examples.
//
// Start with [Compare]. For each rule of one policy and each of the other that do not do
// the same, it looks for a request that these two decide, so that it finds every
// difference, and shows each pair of rules once. What is compared is what the API
// server's evaluator says of that request.
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
	weight   int // among those of a kind, what is lost with it; smaller is worse
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

// maxSearches bounds the searches of a comparison: with policies of some hundred rules
// that have nothing in common it takes seconds.
const maxSearches = 20_000

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
	c := &comparison{from: a, to: b, found: map[[2]int]bool{}, report: Report{Exhaustive: true}}
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
	rules    []*space.Rule
	specs    []auditv1.PolicyRule
	outcomes []outcome      // of each rule, and of no rule
	keys     []string       // of each rule: what it matches
	first    map[string]int // the first rule with a key
}

// outcome is what a rule does, in a form that can be compared.
type outcome struct {
	level   audit.Level // None as well where no stage is left
	stages  string
	managed bool
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
		s.outcomes = append(s.outcomes, ruleOutcome(v1, r))
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
	s.outcomes = append(s.outcomes, outcome{level: audit.LevelNone})
	return s, nil
}

func ruleOutcome(p *auditv1.Policy, r auditv1.PolicyRule) outcome {
	d := policy.Decision{Level: audit.Level(r.Level), OmitManagedFields: p.OmitManagedFields}
	for _, s := range slices.Concat(p.OmitStages, r.OmitStages) {
		d.OmitStages = append(d.OmitStages, audit.Stage(s))
	}
	if r.OmitManagedFields != nil {
		d.OmitManagedFields = *r.OmitManagedFields
	}
	return outcomeOf(d)
}

// outcomeOf leaves out what has no effect: stages of what is not recorded, and managed
// fields where no object is.
func outcomeOf(d policy.Decision) outcome {
	o := outcome{level: d.Level}
	for _, s := range []audit.Stage{audit.StageRequestReceived, audit.StageResponseStarted, audit.StageResponseComplete, audit.StagePanic} {
		if d.Records(s) {
			o.stages += string(s) + " "
		}
	}
	if o.stages == "" {
		o.level = audit.LevelNone
	}
	o.managed = d.OmitManagedFields && o.level.GreaterOrEqual(audit.LevelRequest)
	return o
}

// comparison looks for differences.
type comparison struct {
	from, to *side
	found    map[[2]int]bool // the pairs of rules that are shown
	searches int
	report   Report
}

// search looks for a request that rule i of the one and rule j of the other decide,
// where these do not do the same. The number after the last is that of no rule.
func (c *comparison) search(i, j int) {
	a, b := c.from, c.to
	if c.found[[2]int{i, j}] || a.outcomes[i] == b.outcomes[j] || a.shadowed(i, i) || b.shadowed(j, j) {
		return
	}
	if i < len(a.rules) && j < len(b.rules) && disjoint(a.specs[i], b.specs[j]) {
		return
	}
	// A rule that the other policy has as well, further up, is decided there.
	if i < len(a.rules) && b.has(a.keys[i], j) || j < len(b.rules) && a.has(b.keys[j], i) {
		return
	}
	if c.searches++; c.searches > maxSearches {
		c.report.Exhaustive = false
		return
	}
	var must []*space.Rule
	if i < len(a.rules) {
		must = append(must, a.rules[i])
	}
	if j < len(b.rules) {
		must = append(must, b.rules[j])
	}
	avoid := slices.Clone(a.rules[:i])
	for n, r := range b.rules[:j] {
		if !a.has(b.keys[n], i) {
			avoid = append(avoid, r)
		}
	}
	answer := space.Find(must, avoid)
	switch {
	case answer.Found && !c.look(answer.Request):
		c.report.Exhaustive = false
	case !answer.Found && !answer.Certain:
		c.report.Exhaustive = false
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

// look asks the evaluator about a request, and notes a difference that is new.
func (c *comparison) look(r policy.Request) (differs bool) {
	attrs := r.Attributes()
	a, b := c.from.Evaluate(attrs), c.to.Evaluate(attrs)
	x, y := outcomeOf(a), outcomeOf(b)
	if x == y {
		return false
	}
	pair := [2]int{c.from.number(a.Rule), c.to.number(b.Rule)}
	if c.found[pair] {
		return true
	}
	c.found[pair] = true
	c.report.Differences = append(c.report.Differences, Difference{kindOf(r, x, y), r, c.from.outcome(a), c.to.outcome(b), weight(r)})
	return true
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

// kindOf is what it comes to that a request has another outcome.
func kindOf(r policy.Request, from, to outcome) Kind {
	switch {
	case to.level == audit.LevelNone:
		return Lost
	case to.level.GreaterOrEqual(audit.LevelRequest) && !from.level.GreaterOrEqual(audit.LevelRequest) && sensitive(r):
		return Leak
	case from.level == audit.LevelNone:
		return Gained
	case to.level.Less(from.level):
		return Less
	case from.level.Less(to.level):
		return More
	case from.stages != to.stages:
		return Stages
	}
	return Managed
}

// sensitive tells whether a request, or its answer, may hold credentials.
func sensitive(r policy.Request) bool {
	switch what := r.Resource + "/" + r.Subresource; {
	case r.Group == "" && (what == "secrets/" || what == "configmaps/" || what == "serviceaccounts/token"):
		return true
	case r.Group == "authentication.k8s.io" && r.Resource == "tokenreviews":
		return true
	}
	return false
}

// weight sorts differences of a kind: secrets, then ways into containers, then changes,
// then reads, then what is no resource.
func weight(r policy.Request) int {
	switch {
	case space.IsRare(r):
		return 5
	case sensitive(r):
		return 0
	case slices.Contains([]string{"exec", "attach", "portforward", "proxy"}, r.Subresource):
		return 1
	case r.Resource == "":
		return 4
	case slices.Contains([]string{"get", "list", "watch"}, r.Verb):
		return 3
	}
	return 2
}
