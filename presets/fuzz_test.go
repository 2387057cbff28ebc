package presets_test

import (
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/presets"
)

// FuzzPolicyNamespaces: whatever is given for namespaces is refused, or the policy loads and
// is about these namespaces, and nothing else in it changes.
func FuzzPolicyNamespaces(f *testing.F) {
	for _, s := range []string{"prod", "a b", "prod prod", "", "Prod", "a\"] x", "kube-system ci-1 9", "a\nrules:"} {
		f.Add(s, uint8(0))
		f.Add(s, uint8(1))
	}
	all := presets.All()
	f.Fuzz(func(t *testing.T, text string, which uint8) {
		preset := all[int(which)%len(all)]
		namespaces := strings.Split(text, " ")
		data, err := preset.Policy(namespaces)
		if err != nil {
			return
		}
		p, err := policy.Load("x", data)
		if err != nil {
			t.Fatalf("%s for %q: %v", preset.Name, namespaces, err)
		}
		whole := spec(t, load(t, preset.Name))
		for i, rule := range spec(t, p).Rules {
			for _, n := range rule.Namespaces {
				if n != "" && !slices.Contains(namespaces, n) {
					t.Errorf("%s for %q: namespace %q", preset.Name, namespaces, n)
				}
			}
			for _, n := range namespaces {
				if !slices.Contains(rule.Namespaces, n) {
					t.Errorf("%s for %q: rules[%d] has %q", preset.Name, namespaces, i, rule.Namespaces)
				}
			}
			rule.Namespaces = nil
			if rule.String() != whole.Rules[i].String() {
				t.Errorf("%s for %q: rules[%d] is another one", preset.Name, namespaces, i)
			}
		}
	})
}
