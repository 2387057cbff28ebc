package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/klog/v2"
)

// head begins nearly every policy of these tests.
const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

// The API server's loader, which some tests ask directly, logs what it ignores.
func TestMain(m *testing.M) {
	klog.LogToStderr(false)
	klog.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// mustLoad loads a policy from what follows its head.
func mustLoad(t *testing.T, body string) *Policy {
	t.Helper()
	p, err := Load("p.yaml", []byte(head+body))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// lines writes findings as the tables have them.
func lines(findings []Finding) []string {
	var out []string
	for _, f := range findings {
		out = append(out, fmt.Sprintf("%d:%d %s: %s | %s", f.Line, f.Col, f.Field, f.Message, f.Hint))
	}
	return out
}

func TestLoadRefuses(t *testing.T) {
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Load("p.yaml", []byte(tt.in))
			if p != nil {
				t.Error("a policy came back beside the error")
			}
			var refused *Error
			if !errors.As(err, &refused) {
				t.Fatalf("error is %#v, want an *Error", err)
			}
			if diff := cmp.Diff(tt.want, lines(refused.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestError(t *testing.T) {
	_, err := Load("broken.yaml", []byte("# who reads what\n"+head+"rules:\n  # all reads\n  - level: Metadata\n    verb: get\n"))
	const want = `broken.yaml:7:5: unknown field "verb" in rules[0]: the rule would match every verb`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
	a := Finding{Line: 2, Col: 3, Message: "a", Hint: "type a"}
	b := Finding{Line: 2, Col: 1, Message: "b", Hint: "type b"}
	c := Finding{Line: 1, Col: 9, Message: "c"}
	tests := []struct {
		findings   []Finding
		want, hint string
	}{
		{[]Finding{a}, "p.yaml:2:3: a", "type a"},
		{[]Finding{a, b}, "p.yaml:2:1: b (and 1 more finding)", "type b; auditpatch policy lint --policy p.yaml shows all 2 findings"},
		{[]Finding{a, b, c}, "p.yaml:1:9: c (and 2 more findings)", "auditpatch policy lint --policy p.yaml shows all 3 findings"},
		{nil, "p.yaml: refused", ""},
	}
	for _, tt := range tests {
		err := newError("p.yaml", tt.findings)
		if err.Error() != tt.want || err.Remedy().String() != tt.hint {
			t.Errorf("%q with hint %q, want %q with hint %q", err, err.Remedy(), tt.want, tt.hint)
		}
	}
}

// TestStyle keeps the sentences in the form that all messages of the tool have.
func TestStyle(t *testing.T) {
	for _, tt := range refusals {
		_, err := Load("p.yaml", []byte(tt.in))
		var refused *Error
		errors.As(err, &refused)
		for _, f := range refused.Findings {
			for _, text := range []string{f.Message, f.Hint} {
				if strings.HasSuffix(text, ".") || strings.ContainsAny(text, "\n\r") {
					t.Errorf("%s: %q ends with a full stop or has two lines", tt.name, text)
				}
			}
			if first := f.Message[:1]; first != strings.ToLower(first) {
				t.Errorf("%s: %q begins with a capital", tt.name, f.Message)
			}
		}
	}
}

// acceptances are texts that are accepted.
var acceptances = []struct{ name, in string }{
	{"block style", head + "rules:\n- level: None\n"},
	{"no kind", "apiVersion: audit.k8s.io/v1\nrules: [{level: None}]\n"},
	{"JSON", `{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "None"}]}`},
	{"JSON with tabs", "{\t\"apiVersion\": \"audit.k8s.io/v1\",\n\t\"rules\":\t[{\"level\": \"None\"}]\n}"},
	{"flow mapping after a document mark", "---\n{apiVersion: audit.k8s.io/v1, rules: [{level: None}]}"},
	{"byte order mark", "\ufeff" + head + "rules: [{level: None}]\n"},
	{"Windows line ends", strings.ReplaceAll(head+"rules:\n- level: None\n", "\n", "\r\n")},
	{"directive and marks", "%YAML 1.1\n---\n" + head + "rules: [{level: None}]\n...\n"},
	{"empty documents behind", head + "rules: [{level: None}]\n---\n# nothing\n---\nnull\n"},
	{"aliases", head + "rules:\n- level: None\n  users: &a [bob]\n- level: Metadata\n  userGroups: *a\n"},
	{"merged mapping", head + "rules:\n- &a\n  level: None\n- <<: *a\n  users: [bob]\n"},
	{"group of all groups", head + "rules:\n- level: None\n  resources: [{group: \"*\"}]\n"},
	{"all stages left out", head + "rules:\n- level: Metadata\n  omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]\n"},
	{"metadata", head + "metadata: {name: a, creationTimestamp: null, labels: {a.b/c: d}}\nrules: [{level: None}]\n"},
	{"quoted field names", head + "\"rules\":\n- \"level\": 'None'\n"},
	{"explicit key", head + "rules:\n- ? level\n  : None\n"},
}

func TestLoadAccepts(t *testing.T) {
	for _, tt := range acceptances {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Load("p.yaml", []byte(tt.in))
			if err != nil {
				t.Fatal(err)
			}
			if p.Rules() == 0 || p.Name() != "p.yaml" {
				t.Errorf("%d rules, name %q", p.Rules(), p.Name())
			}
		})
	}
}

// TestLoadJSONBeyondYAML is about JSON that only a JSON parser can read: there is
// no tree, and a position is the beginning of the file.
func TestLoadJSONBeyondYAML(t *testing.T) {
	text := `{"apiVersion": "audit.k8s.io/v1", "metadata": {"name": "\ud83d\ude00"},
 "rules": [{"level": "None", "omitManagedFields": true}]}`
	p, err := Load("p.json", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if line, col := p.Position(0); line != 1 || col != 1 {
		t.Errorf("position %d:%d", line, col)
	}
	tests := []struct{ old, new, want string }{
		{"None", "none", `p.json:1:1: unknown level "none" in rules[0]: kube-apiserver would not start`},
		{`"level"`, `"verb": "get", "level"`, `p.json:1:1: unknown field "rules[0].verb": kube-apiserver would ignore it`},
		{`"level"`, `"level": "None", "level"`, `p.json:1:1: a key stands twice in one mapping: kube-apiserver takes one of the two and ignores the other`},
		{`true`, `1`, `p.json:1:1: rules.omitManagedFields is a number, not a boolean: kube-apiserver would not start`},
	}
	for _, tt := range tests {
		_, err := Load("p.json", []byte(strings.Replace(text, tt.old, tt.new, 1)))
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s for %s: error is %v, want %s", tt.new, tt.old, err, tt.want)
		}
	}
}

func TestLoadLimits(t *testing.T) {
	// Each list names the one before ten times: 10^9 strings of 100 bytes.
	bomb := head + "rules:\n- level: None\n  users: [\"" + strings.Repeat("x", 100) + "\"]\nx0: &x0 [a]\n"
	for i := range 9 {
		alias := fmt.Sprintf("*x%d,", i)
		bomb += fmt.Sprintf("x%d: &x%d [%s]\n", i+1, i+1, strings.Repeat(alias, 10))
	}
	tests := []struct{ name, in, want string }{
		{"long", head + "rules: [{level: None}]\n#" + strings.Repeat(" ", MaxSize),
			"p.yaml:1:1: the file is larger than 256 KiB: no audit policy is"},
		{"long when its aliases are written out", bomb,
			"p.yaml:1:1: with its aliases written out, the file is larger than 4096 KiB: no audit policy is"},
		{"one long string by many aliases", head + "metadata: {annotations: {a: &a \"" + strings.Repeat("x", MaxSize/4) + "\"}}\nx: [" +
			strings.Repeat("*a,", 1000) + "]\n",
			"p.yaml:1:1: with its aliases written out, the file is larger than 4096 KiB: no audit policy is"},
		{"deep", head + "rules: " + strings.Repeat("[", 20_000),
			"p.yaml:3:1: exceeded max depth of 10000: kube-apiserver would not start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load("p.yaml", []byte(tt.in))
			if err == nil || err.Error() != tt.want {
				t.Errorf("error is %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestLoadBoundsFindings(t *testing.T) {
	_, err := Load("p.yaml", []byte(head+"rules:\n"+strings.Repeat("- users: 1\n", 1000)))
	var refused *Error
	if !errors.As(err, &refused) || len(refused.Findings) != maxFindings {
		t.Errorf("%v", err)
	}
}

// TestLoadIsSilent holds klog to silence: the text makes the API server's loader
// write a warning.
func TestLoadIsSilent(t *testing.T) {
	var log bytes.Buffer
	klog.SetOutput(&log)
	defer klog.SetOutput(io.Discard)
	if _, err := Load("p.yaml", []byte(head+"rules:\n- level: None\n  verb: get\n")); err == nil {
		t.Error("accepted")
	}
	mustLoad(t, "rules: [{level: None}]\n")
	klog.Flush()
	if log.Len() > 0 {
		t.Errorf("klog wrote %s", &log)
	}
}
