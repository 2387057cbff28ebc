package cis

import (
	"slices"
	"testing"
)

// TestExamples wants each example to be of its concern, and one for each resource and
// way of a concern but that of most other requests.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, c := range Concerns {
		named := map[string]bool{}
		for _, e := range c.Examples {
			name, of := e.Resource, false
			if e.Subresource != "" {
				name += "/" + e.Subresource
			}
			for _, gr := range c.Of {
				of = of || gr.Group == e.Group && slices.Contains(gr.Resources, name)
			}
			if !of || !slices.Contains(c.Verbs, e.Verb) || e.Words == "" {
				t.Errorf("%+v is not of %+v", e, c.Of)
			}
			named[name] = true
		}
		for _, gr := range c.Of {
			for _, name := range gr.Resources {
				// lint has findings of its own about tokens.
				if !named[name] && !c.Most && name != "serviceaccounts/token" {
					t.Errorf("%s has no example", name)
				}
			}
		}
	}
	if len(Examples()) < 10 {
		t.Error("examples are missing")
	}
}
