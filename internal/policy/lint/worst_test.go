package lint

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/policy"

	"auditpatch/internal/policy/policytest"
)

// TestWorst lints the largest policies that Load reads, of kinds that make the
// searches long.
func TestWorst(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	repeat := func(format string, numbered bool) string {
		var b strings.Builder
		b.WriteString(exampleHead)
		for i := 0; b.Len() < policy.MaxSize-len(format)-100; i++ {
			if numbered {
				fmt.Fprintf(&b, format, i)
			} else {
				b.WriteString(format)
			}
		}
		return b.String()
	}
	var users, list strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&users, "- {level: None, users: [u%d]}\n", i)
		fmt.Fprintf(&list, "u%d, ", i)
	}
	for name, text := range map[string]string{
		"the same rule":  repeat("- {level: None, verbs: [get]}\n", false),
		"a rule a user":  repeat("- {level: RequestResponse, users: [u%d]}\n", true),
		"a list of all":  exampleHead + users.String() + "- {level: RequestResponse, users: [" + list.String() + "]}\n",
		"many resources": repeat("- {level: Request, resources: [{group: g, resources: [a, b, c, d, e, f]}]}\n", false),
		"many stars":     repeat("- {level: Request, verbs: [create], namespaces: [n%d], resources: [{group: \"*\", resources: [\"*/status\", \"*\"]}]}\n", true),
		"many verbs":     exampleHead + "- {level: Request, verbs: [" + strings.Repeat("GET, ", 40000) + "]}\n",
		"one long list":  exampleHead + "- {level: Request, resources: [{group: \"\", resources: [" + strings.Repeat("pods, secrets, ", 15000) + "]}]}\n",
	} {
		before := policytest.CPUTime(t)
		report := Check("p.yaml", []byte(text), policy.Version{})
		took := policytest.CPUTime(t) - before
		t.Logf("%-16s %4d KiB, %d rules, %d findings: %v", name, len(text)>>10, rulesOf(report), len(report.Findings), took.Round(time.Millisecond))
		if report.Policy == nil {
			t.Errorf("%s: %q", name, say(report.Findings[:1]))
		}
		if took > 10*time.Second {
			t.Errorf("%s takes %v", name, took)
		}
	}
}

func rulesOf(r *Report) int {
	if r.Policy == nil {
		return 0
	}
	return r.Policy.Rules()
}
