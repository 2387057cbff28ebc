package presets_test

import (
	"os"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/expect"
	"auditpatch/presets"
)

// TestExpectations holds each preset against the file that says what it is for, and
// this file against a policy that cannot be meant: its expectations are some.
func TestExpectations(t *testing.T) {
	t.Parallel()
	for _, preset := range presets.All() {
		t.Run(preset.Name, func(t *testing.T) {
			name := "tests/" + preset.Name + ".yaml"
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatalf("each preset has a file that says what it is for: %v", err)
			}
			file, err := expect.Load(name, text)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range run(t, file, preset) {
				for _, w := range r.Wrong {
					t.Errorf("%s:%d:%d: %s: %+v: %s is %s, expected %s (rule %d, line %d)", name, r.Line, r.Col, r.Test, r.Request, w.Field, w.Came, w.Expected, r.Rule, r.RuleLine)
				}
			}
			other := "none"
			if preset.Name == other {
				other = "metadata"
			}
			foreign, err := presets.Get(other)
			if err != nil {
				t.Fatal(err)
			}
			wrong := 0
			for _, r := range run(t, file, foreign) {
				wrong += len(r.Wrong)
			}
			if wrong == 0 {
				t.Errorf("the preset %s does all that %s expects", other, name)
			}
		})
	}
}

func run(t *testing.T, file *expect.File, preset presets.Preset) []expect.Result {
	t.Helper()
	text, err := preset.Policy(nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(preset.Name, text)
	if err != nil {
		t.Fatal(err)
	}
	return file.Run(p)
}
