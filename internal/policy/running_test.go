package policy

import (
	"strings"
	"testing"
)

// TestLoadRunning compares with whether kube-apiserver's own loader takes a text.
func TestLoadRunning(t *testing.T) {
	const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	for _, c := range []struct {
		name, text string
		minor      int
		rules      int // 0: it is not loaded
	}{
		{"sound", head + "rules: [{level: Metadata}]\n", 30, 1},
		{"an unknown field", head + "rules:\n- {level: Metadata, verb: [get]}\n- {level: None}\n", 30, 2},
		{"a key twice", head + "rules:\n- {level: Metadata, level: None}\n", 30, 1},
		{"an unknown level", head + "rules:\n- {level: All, verb: [get]}\n", 30, 0},
		{"no rules", head + "verb: x\n", 30, 0},
		{"no YAML", "rules: {", 30, 0},
		{"too new", head + "rules:\n- {level: Metadata, verb: [get], resources: [{group: '*'}]}\n", 30, 0},
		{"as new as that", head + "rules:\n- {level: Metadata, verb: [get], resources: [{group: '*'}]}\n", 36, 1},
		{"a field that is ignored", head + "omitManagedFields: true\nrules:\n- {level: Metadata, verb: [get]}\n", 22, 1},
		{"large", head + "rules: [{level: Metadata}]\n#" + strings.Repeat("x", MaxSize), 30, 0},
	} {
		p, err := LoadRunning("p.yaml", []byte(c.text), Version{Major: 1, Minor: c.minor})
		if (err == nil) != (c.rules > 0) {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if err == nil && (p.Rules() != c.rules || !Starts([]byte(c.text))) {
			t.Errorf("%s: %d rules", c.name, p.Rules())
		}
	}
}
