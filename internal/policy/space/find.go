package space

import (
	"slices"

	"auditpatch/internal/policy"
)

// maxSteps bounds a search: how often it asks whether a rule fits. A policy of a
// thousand rules takes a few thousand for each rule.
const maxSteps = 2_000_000

// Answer is the outcome of a search.
type Answer struct {
	Request policy.Request
	Found   bool
	Certain bool // always when Found; else false if the search was given up, and there may be such a request
}

// Find looks for a request that all rules of must match and no rule of avoid
// does. With an empty must, any request that avoids the others will do. Of
// several it prefers one that looks familiar; it comes back with one that [IsRare]
// only when there is no other.
func Find(must, avoid []*Rule) Answer {
	s := &search{must: must, values: newValues(must, avoid)}
	r, ok := s.next(byKind, policy.Request{}, avoid)
	if !ok && s.steps <= maxSteps && all(must, (*Rule).takesRare) {
		s.values.rare = true
		r, ok = s.next(byKind, policy.Request{}, avoid)
	}
	if ok {
		return Answer{Request: r, Found: true, Certain: true}
	}
	return Answer{Certain: s.steps <= maxSteps}
}

// search walks through the dimensions, one after the other, and goes on with
// those rules to be avoided that all values so far fit.
type search struct {
	must   []*Rule
	values *values
	steps  int
}

// next fills in dimension d of the request, and all after it. alive are the rules
// that still have to be avoided.
func (s *search) next(d dimension, r policy.Request, alive []*Rule) (policy.Request, bool) {
	if d == dimensions {
		return r, len(alive) == 0 && all(s.must, func(m *Rule) bool { return m.Matches(r) })
	}
	for _, candidate := range s.values.of(d, r, s.must, alive) {
		rest, ok := s.narrow(d, candidate, alive)
		if !ok {
			continue
		}
		if found, ok := s.next(d+1, candidate, rest); ok {
			return found, true
		}
	}
	return policy.Request{}, false
}

// narrow is what remains of alive with the candidate's value in dimension d. ok is
// false when the value does not do: a rule of must does not take it, a rule to be
// avoided takes it with whatever comes after, or there have been too many steps.
func (s *search) narrow(d dimension, candidate policy.Request, alive []*Rule) (rest []*Rule, ok bool) {
	s.steps += len(s.must) + len(alive)
	if s.steps > maxSteps {
		return nil, false
	}
	attrs := candidate.Attributes()
	for _, m := range s.must {
		if !m.fits(d, attrs) {
			return nil, false
		}
	}
	for _, a := range alive {
		if !a.fits(d, attrs) {
			continue
		}
		if !a.looksBeyond(d, candidate) {
			return nil, false
		}
		rest = append(rest, a)
	}
	return rest, true
}

// looksBeyond reports whether a later dimension can still keep the rule from
// matching.
func (r *Rule) looksBeyond(d dimension, candidate policy.Request) bool {
	for later := d + 1; later < dimensions; later++ {
		if r.only[later] == nil || later == byPath && candidate.Resource != "" {
			continue
		}
		if later == byName && !r.hasNames() {
			continue // what resource has said already
		}
		return true
	}
	return false
}

func (r *Rule) hasNames() bool {
	for _, gr := range r.spec.Resources {
		if len(gr.ResourceNames) > 0 {
			return true
		}
	}
	return false
}

func all(rules []*Rule, is func(*Rule) bool) bool {
	return !slices.ContainsFunc(rules, func(r *Rule) bool { return !is(r) })
}
