package presets_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/presets"
)

// load returns a preset as a policy, for the namespaces.
func load(t *testing.T, name string, namespaces ...string) *policy.Policy {
	t.Helper()
	preset, err := presets.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := preset.Policy(namespaces)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(name+".yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// spec is the policy as the API server has it.
func spec(t *testing.T, p *policy.Policy) *auditv1.Policy {
	t.Helper()
	v1, err := p.V1()
	if err != nil {
		t.Fatal(err)
	}
	return v1
}

func TestAll(t *testing.T) {
	var names []string
	for _, p := range presets.All() {
		names = append(names, p.Name)
	}
	want := []string{"baseline", "metadata", "writes", "incident", "who-reads-secrets", "pod-deletions", "falco", "cis", "stig",
		"kubernetes-docs", "gke", "openshift-default", "openshift-write-bodies", "openshift-all-bodies", "everything", "none"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if names[0] != presets.Default {
		t.Errorf("%s is not first", presets.Default)
	}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) != len(want) {
		t.Errorf("files %v for presets %v", files, want)
	}
}

func TestGet(t *testing.T) {
	const all = "there are baseline, metadata, writes, incident, who-reads-secrets, pod-deletions, falco, cis, stig, kubernetes-docs, gke, " +
		"openshift-default, openshift-write-bodies, openshift-all-bodies, everything, none"
	tests := []struct{ name, want string }{
		{"basline", `no preset "basline": did you mean "baseline"? ` + all},
		{"Metadata", `no preset "Metadata": did you mean "metadata"? ` + all},
		{"write", `no preset "write": did you mean "writes"? ` + all},
		{"pod-deletion", `no preset "pod-deletion": did you mean "pod-deletions"? ` + all},
		{"openshift", `no preset "openshift": ` + all},
		{"everyting", `no preset "everyting": did you mean "everything"? ` + all},
		{"", `no preset "": ` + all},
	}
	for _, tt := range tests {
		_, err := presets.Get(tt.name)
		if err == nil || err.Error() != tt.want {
			t.Errorf("Get(%q): %v\nwant %s", tt.name, err, tt.want)
		}
	}
	p, err := presets.Get("falco")
	if err != nil || p.Name != "falco" {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestPolicyNamespaces(t *testing.T) {
	p := load(t, "pod-deletions", "prod", "ci-1", "prod")
	for i, rule := range spec(t, p).Rules {
		if diff := cmp.Diff([]string{"prod", "ci-1"}, rule.Namespaces); diff != "" {
			t.Errorf("rule %d (-want +got):\n%s", i, diff)
		}
	}
	for _, tt := range []struct {
		request policy.Request
		want    audit.Level
	}{
		{on(alice, "delete", "", "pods", "prod", "web"), audit.LevelRequest},
		{on(alice, "deletecollection", "", "pods", "ci-1", ""), audit.LevelRequestResponse},
		{on(alice, "create", "", "pods/eviction", "prod", "web"), audit.LevelRequest},
		{on(alice, "delete", "", "pods", "other", "web"), audit.LevelNone},
		{on(alice, "deletecollection", "", "pods", "other", ""), audit.LevelNone},
		{on(alice, "create", "", "pods/eviction", "other", "web"), audit.LevelNone},
		{on(alice, "delete", "", "secrets", "prod", "web"), audit.LevelNone},
	} {
		if got := p.Evaluate(tt.request.Attributes()).Level; got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.request, got, tt.want)
		}
	}
	preset, err := presets.Get("pod-deletions")
	if err != nil {
		t.Fatal(err)
	}
	text, err := preset.Policy([]string{"a", "b"})
	if err != nil || strings.Count(string(text), "\n    namespaces: [\"a\", \"b\"]\n") != 3 {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestPolicyAcross: a list across all namespaces shows the secrets of each, and stays in.
func TestPolicyAcross(t *testing.T) {
	p := load(t, "who-reads-secrets", "prod")
	for namespace, want := range map[string]audit.Level{"prod": audit.LevelMetadata, "": audit.LevelMetadata, "other": audit.LevelNone} {
		if got := p.Evaluate(on(alice, "list", "", "secrets", namespace, "").Attributes()).Level; got != want {
			t.Errorf("list in %q: %s, want %s", namespace, got, want)
		}
	}
}

func TestPolicyRefuses(t *testing.T) {
	label := `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an ` +
		`alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`
	tests := []struct {
		preset    string
		namespace string
		want      string
	}{
		{"pod-deletions", "Prod", `"Prod" is not the name of a namespace: ` + label},
		{"pod-deletions", "a\"]\n", `"a\"]\n" is not the name of a namespace: ` + label},
		{"pod-deletions", "", `"" is not the name of a namespace: ` + label},
		{"pod-deletions", strings.Repeat("a", 64), `"` + strings.Repeat("a", 64) + `" is not the name of a namespace: must be no more than 63 characters`},
		{"baseline", "prod", "preset baseline takes no namespaces, it is about the whole cluster"},
		{"none", "prod", "preset none takes no namespaces, it is about the whole cluster"},
	}
	for _, tt := range tests {
		preset, err := presets.Get(tt.preset)
		if err != nil {
			t.Fatal(err)
		}
		text, err := preset.Policy([]string{tt.namespace})
		if text != nil || err == nil || err.Error() != tt.want {
			t.Errorf("%s for %q: %v\nwant %s", tt.preset, tt.namespace, err, tt.want)
		}
	}
}

// TestLoads loads each preset strictly and asks for each version from the oldest that
// a kubeadm of today may still meet to the newest.
func TestLoads(t *testing.T) {
	for _, preset := range presets.All() {
		p := load(t, preset.Name)
		for minor := 23; minor <= 37; minor++ {
			if err := p.CheckTarget(policy.Version{Major: 1, Minor: minor}); err != nil {
				t.Errorf("%s for 1.%d: %v", preset.Name, minor, err)
			}
		}
		if got, want := p.Records(), preset.Name != "none"; got != want {
			t.Errorf("%s: Records() = %t", preset.Name, got)
		}
		if preset.Namespaced != slices.Contains([]string{"pod-deletions", "who-reads-secrets"}, preset.Name) {
			t.Errorf("%s: Namespaced = %t", preset.Name, preset.Namespaced)
		}
	}
}

// levels are the letters of the table.
var levels = map[byte]audit.Level{
	'-': audit.LevelNone,
	'M': audit.LevelMetadata,
	'Q': audit.LevelRequest,
	'R': audit.LevelRequestResponse,
}

// cornered are the presets that the table of corners has a column for.
var cornered = []string{"baseline", "metadata", "writes", "kubernetes-docs", "pod-deletions", "falco", "none"}

// TestLevels holds the edges of rules; docs/presets.md holds the catalogue.
func TestLevels(t *testing.T) {
	for column, name := range cornered {
		t.Run(name, func(t *testing.T) {
			p := load(t, name)
			for _, tt := range corners {
				d := p.Evaluate(tt.request.Attributes())
				if want := levels[tt.want[column]]; d.Level != want {
					t.Errorf("%s: %s by rules[%d], want %s", tt.name, d.Level, d.Rule, want)
				}
			}
		})
	}
	t.Logf("%d requests", len(corners))
}

// TestRulesAlive finds a request for each rule, so that no rule is there in vain.
func TestRulesAlive(t *testing.T) {
	all := slices.Clone(foreign)
	for _, r := range requests.All() {
		all = append(all, r.Request)
	}
	for _, r := range corners {
		all = append(all, r.request)
	}
	for _, preset := range presets.All() {
		p := load(t, preset.Name)
		hit := make([]bool, p.Rules())
		for _, r := range all {
			if d := p.Evaluate(r.Attributes()); d.Rule >= 0 {
				hit[d.Rule] = true
			}
		}
		if preset.Name == "kubernetes-docs" {
			last := len(hit) - 1
			if hit[last] {
				t.Error("the last rule of kubernetes-docs is reached, though its comment says never")
			}
			hit = hit[:last]
		}
		for i, ok := range hit {
			if !ok {
				line, _ := p.Position(i)
				t.Errorf("%s: no request hits rules[%d] in line %d", preset.Name, i, line)
			}
		}
	}
}

// TestFailedLogins: they have no user and are written at ResponseStarted only.
func TestFailedLogins(t *testing.T) {
	for _, name := range []string{"baseline", "metadata", "incident", "falco", "cis", "stig", "kubernetes-docs", "openshift-default"} {
		p := load(t, name)
		for _, r := range []policy.Request{on(nobody, "get", "", "secrets", "a", "b"), on(nobody, "list", "", "nodes", "", ""), at(nobody, "get", "/healthz"), at(nobody, "get", "/apis")} {
			if d := p.Evaluate(r.Attributes()); !d.Records(audit.StageResponseStarted) {
				t.Errorf("%s: %+v is not recorded", name, r)
			}
		}
	}
}

// TestLikeTheDocs compares with the page that the preset is the example of.
func TestLikeTheDocs(t *testing.T) {
	file := os.Getenv("AUDITPATCH_SEED")
	if file == "" {
		file = filepath.Join("..", "..", "shared", "seed", "audit-logging.txt")
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("no page to compare with: %v; AUDITPATCH_SEED names another", err)
	}
	_, text, ok := strings.Cut(string(page), "/etc/kubernetes/audit-policy.yaml\n")
	text, _, end := strings.Cut(text, "Key policy fields:")
	if !ok || !end {
		t.Fatal("no policy in the page")
	}
	published, err := policy.Load(file, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	ours := load(t, "kubernetes-docs")
	if diff := cmp.Diff(spec(t, published), spec(t, ours), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-page +preset):\n%s", diff)
	}
	t.Logf("%d rules", ours.Rules())
}

// TestFiles keeps the files in the form that operators and readHead rely on.
func TestFiles(t *testing.T) {
	for _, preset := range presets.All() {
		text, err := preset.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		checkHead(t, preset, string(text))
		lines := strings.Split(string(text), "\n")
		for i, line := range lines {
			if len(line) > 100 || strings.ContainsAny(line, "\t\r") || strings.TrimRight(line, " ") != line {
				t.Errorf("%s:%d: too long, or a tab, or blanks at the end", preset.Name, i+1)
			}
			if strings.HasPrefix(line, "  - level:") && !strings.HasPrefix(lines[i-1], "  # ") {
				t.Errorf("%s:%d: a rule without a comment", preset.Name, i+1)
			}
		}
		if strings.Count(string(text), "\n  - level:") != load(t, preset.Name).Rules() || !strings.HasSuffix(string(text), "\n") {
			t.Errorf("%s: rules are not written as items of two blanks", preset.Name)
		}
	}
}

func checkHead(t *testing.T, preset presets.Preset, text string) {
	t.Helper()
	if !strings.HasPrefix(text, "# Purpose: "+preset.Purpose+"\n# For: ") {
		t.Errorf("%s: head does not begin with Purpose in one line, then For", preset.Name)
	}
	fields := map[string]string{"Purpose": preset.Purpose, "For": preset.For, "Volume": preset.Volume, "Cost": preset.Cost,
		"Hides": preset.Hides, "Sources": preset.Sources}
	if preset.Leaks != "" {
		fields["Leaks"] = preset.Leaks
	}
	for name, value := range fields {
		if value == "" || strings.HasSuffix(value, ".") || strings.ContainsAny(value, "#\n|") {
			t.Errorf("%s: %s is %q", preset.Name, name, value)
		}
		if name != "Sources" && strings.ToLower(value[:1]) != value[:1] && !strings.HasPrefix(value, "CIS ") && !strings.HasPrefix(value, "OpenShift") {
			t.Errorf("%s: %s begins with a capital: %q", preset.Name, name, value)
		}
	}
	volumes := []string{"none", "very low", "low", "moderate", "moderate to high", "high", "very high"}
	if !slices.Contains(volumes, preset.Volume) {
		t.Errorf("%s: Volume is %q, not one of %q", preset.Name, preset.Volume, volumes)
	}
}

// TestPlainText wants a preset that writes Pods with what is in them, or the
// address of an exec, to say so before it is chosen.
func TestPlainText(t *testing.T) {
	for _, preset := range presets.All() {
		p := load(t, preset.Name)
		said := preset.Cost + preset.Leaks
		for _, c := range []struct {
			request policy.Request
			least   audit.Level
			word    string
		}{
			{policy.Request{Verb: "create", Version: "v1", Resource: "pods", Namespace: "prod", Name: "db"}, audit.LevelRequest, "environment"},
			{policy.Request{Verb: "deletecollection", Version: "v1", Resource: "pods", Namespace: "prod"}, audit.LevelRequestResponse, "environment"},
			{policy.Request{Verb: "get", Version: "v1", Resource: "pods", Subresource: "exec", Namespace: "prod", Name: "db"}, audit.LevelMetadata, "exec"},
		} {
			c.request.User, c.request.Groups = "alice", []string{"system:authenticated"}
			if writes := !p.Evaluate(c.request.Attributes()).Level.Less(c.least); writes && !strings.Contains(said, c.word) {
				t.Errorf("%s writes what %s a pod sends and says nothing of %q: %s", preset.Name, c.request.Verb, c.word, said)
			}
		}
	}
}
