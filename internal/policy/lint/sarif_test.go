package lint

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
)

// TestSARIF holds the output against what GitHub's code scanning asks of a file:
// version and schema, a driver with rules that have help, and for each result a
// rule, a message, one location with a relative path and a region that counts from
// 1, and a fingerprint.
func TestSARIF(t *testing.T) {
	src := exampleHead + "# auditpatch:ignore AP066 it asks every second\n- level: None\n  userGroups: [\"system:nodes\"]\n" +
		"- level: None\n  users: [\"é\", bob, bob]\n  verbs: [GET]\n- level: None\n  users: [eve, eve]\n  verbs: [get]\n" + exampleTail
	report := Check("policies/audit policy.yaml", []byte(src), policy.Version{})
	out, err := SARIF("./policies/audit policy.yaml", "v1.2.3", report)
	if err != nil {
		t.Fatal(err)
	}
	var log sarifLog
	d := json.NewDecoder(strings.NewReader(string(out)))
	d.DisallowUnknownFields()
	if err := d.Decode(&log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || !strings.Contains(log.Schema, "sarif-2.1.0") || len(log.Runs) != 1 {
		t.Fatalf("version %q, schema %q, %d runs", log.Version, log.Schema, len(log.Runs))
	}
	run := log.Runs[0]
	if run.Tool.Driver.Name == "" || run.Tool.Driver.Version != "1.2.3" {
		t.Errorf("driver %q %q", run.Tool.Driver.Name, run.Tool.Driver.Version)
	}
	levels := []string{"error", "warning", "note"}
	for _, r := range run.Tool.Driver.Rules {
		if r.ID == "" || len(r.Name) > 255 || r.ShortDescription.Text == "" || len(r.ShortDescription.Text) > 1024 || r.FullDescription.Text == "" || len(r.FullDescription.Text) > 1024 ||
			r.Help.Text == "" || r.Help.Markdown == "" || !slices.Contains(levels, r.DefaultConfiguration["level"]) {
			t.Errorf("rule %s is not complete: %+v", r.ID, r)
		}
	}
	if want := len(report.Findings) + len(report.Ignored); len(run.Results) != want || want < 4 {
		t.Errorf("%d results, want %d", len(run.Results), want)
	}
	prints, suppressed := map[string]bool{}, 0
	for _, r := range run.Results {
		at := r.Locations[0].PhysicalLocation
		if len(r.Locations) != 1 || run.Tool.Driver.Rules[r.RuleIndex].ID != r.RuleID || !slices.Contains(levels, r.Level) || r.Message.Text == "" ||
			at.ArtifactLocation.URI != "policies/audit%20policy.yaml" || at.Region.StartLine < 1 || at.Region.StartColumn < 1 {
			t.Errorf("result %+v", r)
		}
		print := r.PartialFingerprints["primaryLocationLineHash"]
		if !regexp.MustCompile(`^[0-9a-f]{16}:\d+$`).MatchString(print) || prints[print] {
			t.Errorf("fingerprint %q is malformed, or there twice", print)
		}
		prints[print] = true
		suppressed += len(r.Suppressions)
	}
	if suppressed != 1 {
		t.Errorf("%d results are suppressed, want 1", suppressed)
	}
	moved, err := SARIF("./policies/audit policy.yaml", "v1.2.3", Check("p", []byte("# a comment\n"+src), policy.Version{}))
	if err != nil {
		t.Fatal(err)
	}
	for print := range prints {
		if !strings.Contains(string(moved), print) {
			t.Errorf("fingerprint %s is another one when lines move", print)
		}
	}
}

func TestURI(t *testing.T) {
	for in, want := range map[string]string{"./a b/p.yaml": "a%20b/p.yaml", "a/../a/p.yaml": "a/p.yaml", "/etc/p.yaml": "file:///etc/p.yaml", "stdin": "stdin"} {
		if got := uri(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
