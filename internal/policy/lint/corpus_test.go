package lint

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	auditpolicy "k8s.io/apiserver/pkg/audit/policy"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/policytest"
	"auditpatch/presets"
)

// corpus are policies that other people wrote. They do not ship with the project.
func corpus(t testing.TB) []string {
	dir := os.Getenv("AUDITPATCH_CORPUS")
	if dir == "" {
		dir = "../../../../shared/corpus"
	}
	files, _ := filepath.Glob(filepath.Join(dir, "policies", "*"))
	if len(files) == 0 {
		t.Skipf("no corpus in %s: set AUDITPATCH_CORPUS to a folder with policies/", dir)
	}
	return files
}

// TestCorpus lints real policies: whatever kube-apiserver refuses has an error
// with a line, and repairing one does what it says.
func TestCorpus(t *testing.T) {
	found := map[string]int{}
	files := map[string]map[string]bool{}
	refused, fixes := 0, 0
	for _, file := range corpus(t) {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		report := Check(filepath.Base(file), src, policy.Version{})
		for _, f := range report.Findings {
			found[f.Code.ID]++
			if files[f.Code.ID] == nil {
				files[f.Code.ID] = map[string]bool{}
			}
			files[f.Code.ID][file] = true
			if os.Getenv("AUDITPATCH_CORPUS_FINDINGS") != "" {
				t.Logf("%.40s:%d:%d %s %s | %s", filepath.Base(file), f.Line, f.Col, f.Code.ID, f.Message, f.Hint)
			}
		}
		if _, err := auditpolicy.LoadPolicyFromBytes(src); err != nil {
			refused++
			if !slices.ContainsFunc(report.Findings, func(f Finding) bool { return f.Code.Severity == Error && f.Line > 0 }) {
				t.Errorf("%s is refused and has no error: %v", file, err)
			}
		}
		fixes += repairs(t, file, src)
	}
	var table strings.Builder
	for _, c := range Codes() {
		if found[c.ID] > 0 {
			fmt.Fprintf(&table, "%s %-24s %-7s %4d findings in %2d files\n", c.ID, c.Name, c.Severity, found[c.ID], len(files[c.ID]))
		}
	}
	t.Logf("%d policies, %d refused by kube-apiserver, %d fixes\n%s", len(corpus(t)), refused, fixes, table.String())
}

// TestPresets wants each finding in what ships with the program to be explained by its
// record, and nothing explained that is not there.
func TestPresets(t *testing.T) {
	for _, p := range presets.All() {
		text, err := p.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		explained := map[string]bool{}
		for _, e := range p.Lint {
			for _, code := range e.Codes {
				explained[code] = true
			}
		}
		found := map[string]bool{}
		for _, f := range Check(p.Name+".yaml", text, policy.Version{}).Findings {
			found[f.Code.ID] = true
			if !explained[f.Code.ID] {
				t.Errorf("%s: %s", p.Name, strings.Join(say([]Finding{f}), ""))
			}
		}
		for code := range explained {
			if !found[code] {
				t.Errorf("%s: its record explains %s, which it does not have", p.Name, code)
			}
		}
	}
}

// BenchmarkCheck lints a policy of 1,000 rules. The processor's time is printed too:
// it is what the check takes on a machine that has nothing else to do.
func BenchmarkCheck(b *testing.B) {
	text := []byte(large(1000))
	start := policytest.CPUTime(b)
	for b.Loop() {
		if r := Check("large.yaml", text, policy.Version{}); r.Policy == nil {
			b.Fatal(say(r.Findings))
		}
	}
	b.ReportMetric((policytest.CPUTime(b)-start).Seconds()/float64(b.N), "cpu-s/op")
}

// large is a policy with many rules, of the kinds that real ones have.
func large(n int) string {
	var b strings.Builder
	b.WriteString(exampleHead)
	levels := []string{"None", "Metadata", "Request", "RequestResponse"}
	for i := range n - 1 {
		fmt.Fprintf(&b, "- level: %s\n  users: [\"system:serviceaccount:team-%d:deployer\", bob-%d]\n  verbs: [get, update, patch]\n  namespaces: [team-%d]\n", levels[i%4], i, i%50, i)
		fmt.Fprintf(&b, "  resources:\n  - group: \"\"\n    resources: [pods, secrets, services]\n  - group: apps\n    resources: [deployments]\n")
	}
	b.WriteString(exampleTail)
	return b.String()
}
