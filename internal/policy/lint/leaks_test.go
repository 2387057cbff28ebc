package lint

import (
	"os"
	"testing"

	"auditpatch/internal/policy"
)

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
