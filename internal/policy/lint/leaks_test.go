package lint

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
)

// TestLeaks compares the quick question with what Check finds.
func TestLeaks(t *testing.T) {
	files, err := filepath.Glob("../../../presets/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no presets: %v", err)
	}
	texts := map[string]string{}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = strings.ReplaceAll(string(data), "# auditpatch:ignore", "#")
	}
	for _, c := range bodyCodes {
		texts[c.ID+" bad"], texts[c.ID+" good"] = c.Bad.Policy(), c.Good.Policy()
	}
	found := 0
	for name, text := range texts {
		p, err := policy.Load(name, []byte(text))
		if err != nil {
			continue // a preset that takes namespaces is a template
		}
		var want, got []string
		for _, f := range Check(name, []byte(text), policy.Version{}).Findings {
			if f.Code.ID == "AP060" {
				want = append(want, f.Message)
			}
		}
		for _, f := range Leaks(p) {
			if got = append(got, f.Message); f.Line < 2 {
				t.Errorf("%s: a rule in line %d", name, f.Line)
			}
		}
		if found += len(got); !slices.Equal(got, want) {
			t.Errorf("%s: %q, and Check has %q", name, got, want)
		}
	}
	if found < 3 {
		t.Errorf("%d leaks", found)
	}
}

// BenchmarkLeaks is what a run of enable that changes nothing pays for the question.
func BenchmarkLeaks(b *testing.B) {
	data, err := os.ReadFile("../../../presets/baseline.yaml")
	if err != nil {
		b.Fatal(err)
	}
	p, err := policy.Load("baseline.yaml", data)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if len(Leaks(p)) > 0 {
			b.Fatal("baseline writes Secrets")
		}
	}
}
