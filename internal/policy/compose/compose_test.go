package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/presets"
)

const base = `# who did what
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: ["RequestReceived"] # once each
rules:
  # credentials
  - level: Metadata
    resources: [{group: "", resources: [secrets]}]
  - level: None   # noise
    users: ["system:kube-proxy"]
  - level: Request
`

func file(name, rules string) Source {
	return Source{name, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n" + rules)}
}

func mustCompose(t *testing.T, r Request) Result {
	t.Helper()
	out, err := Compose(r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestBaseStays wants every byte of the base to stay, where no stage is in the way.
func TestBaseStays(t *testing.T) {
	for name, text := range map[string]string{
		"as it is":                      base,
		"CRLF":                          strings.ReplaceAll(base, "\n", "\r\n"),
		"no indent":                     "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages:\n- RequestReceived\nrules:\n# first\n- level: Metadata",
		"rules first, and a dash alone": "rules:\n    -\n        level: Metadata\nomitStages: [RequestReceived]\nkind: Policy\napiVersion: audit.k8s.io/v1\n",
	} {
		out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(text)}, QuietLeases: true,
			Add: []Source{file("a.yaml", "omitStages: [RequestReceived]\nrules:\n- level: Metadata\n  verbs: [create]\n")}})
		before, after, _ := strings.Cut(text, "rules:")
		got := string(out.Text)
		eol, rest, _ := strings.Cut(after, "\n")
		if !strings.HasPrefix(got, before+"rules:"+eol+"\n") || !strings.HasSuffix(got, "\n"+rest) || len(out.Notes) > 0 {
			t.Errorf("%s: %q\n%s", name, out.Notes, got)
		}
		if strings.Count(got, "\r\n") > 0 && strings.Count(got, "\r\n") != strings.Count(got, "\n") {
			t.Errorf("%s: line ends are mixed:\n%q", name, got)
		}
	}
	if out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(base)}}); string(out.Text) != base {
		t.Errorf("with nothing laid over it, the base is\n%s", out.Text)
	}
}

// TestStagesMove wants each part to keep its stages: the base's go into its rules.
func TestStagesMove(t *testing.T) {
	out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(base)},
		Add: []Source{file("a.yaml", "rules:\n- level: Metadata\n  verbs: [create]\n")}})
	const want = `# who did what
apiVersion: audit.k8s.io/v1
kind: Policy
# omitStages: see each rule
rules:
  # From a.yaml: 1 rule.
  # a.yaml:4
  - level: Metadata
    verbs: ["create"]

  # From here on base.yaml, whose omitStages now stands in each rule.
  # credentials
  - omitStages: ["RequestReceived"]
    level: Metadata
    resources: [{group: "", resources: [secrets]}]
  - level: None   # noise
    users: ["system:kube-proxy"]
  - omitStages: ["RequestReceived"]
    level: Request
`
	if string(out.Text) != want {
		t.Errorf("got\n%s", out.Text)
	}
	const note = `a.yaml:4 records the stage RequestReceived, which base.yaml leaves out: that now stands in each of its rules; with omitStages: ["RequestReceived"] in the former it would not have to`
	if len(out.Notes) != 1 || out.Notes[0] != note {
		t.Errorf("notes %q", out.Notes)
	}
}

// TestWrittenAnew is about texts that cannot be edited.
func TestWrittenAnew(t *testing.T) {
	for _, text := range []string{
		`{"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}`,
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n",
		"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n  [{level: Metadata}]\n",
		"apiVersion: audit.k8s.io/v1\nkind: Policy\n? rules\n: - level: Metadata\n",
	} {
		out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(text)}, QuietLeases: true})
		if !strings.Contains(string(out.Text), "# base.yaml:") || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "written anew") {
			t.Errorf("%s\nnotes %q\n%s", text, out.Notes, out.Text)
		}
	}
}

func TestRefusals(t *testing.T) {
	plain := Source{"base.yaml", []byte(base)}
	all := file("all.yaml", "rules:\n- level: Metadata\n")
	for _, c := range []struct {
		name, want, hint string
		Request
	}{
		{"a broken part", `b.yaml:5:3: unknown field "verb"`, "verbs", Request{Base: plain, Add: []Source{file("b.yaml", "rules:\n- level: Metadata\n  verb: [get]\n")}}},
		{"nothing left of the base", "nothing of base.yaml would be left", "lint", Request{Base: plain, Add: []Source{all}}},
		{"nothing left of a part", "--quiet-user bob would do nothing", "leave out --quiet-user bob", Request{Base: plain, Add: []Source{all}, QuietUsers: []string{"bob"}}},
		{"a user twice", "--quiet-user bob would do nothing", "leave out", Request{Base: plain, QuietUsers: []string{"bob", "bob"}}},
		{"a group as a user", "--quiet-user system:masters: that is a group", "--quiet-user", Request{Base: plain, QuietUsers: []string{"system:masters"}}},
		{"accounts of a namespace", "--quiet-user system:serviceaccounts:ci: that is a group", "--quiet-user", Request{Base: plain, QuietUsers: []string{"system:serviceaccounts:ci"}}},
		{"a wildcard", "there are no wildcards", "NAME", Request{Base: plain, QuietUsers: []string{"system:*"}}},
		{"half an account", "no service account is called so", "NAMESPACE:NAME", Request{Base: plain, QuietUsers: []string{"system:serviceaccount:ci"}}},
		{"an account without system:", "no service account is called so", "--quiet-user system:serviceaccount:ci:bot", Request{Base: plain, QuietUsers: []string{"serviceaccount:ci:bot"}}},
		{"no user", "a name is missing", "--quiet-user", Request{Base: plain, QuietUsers: []string{" "}}},
		{"no group", "the group is missing", "GROUP=PRESET", Request{Base: plain, Profiles: []Profile{{"", plain}}}},
		{"a user as a group", "that is a user", "--add", Request{Base: plain, Profiles: []Profile{{"system:serviceaccount:ci:bot", plain}}}},
		{"a group twice", "--group-profile devs=base.yaml would do nothing", "leave out", Request{Base: plain, Profiles: []Profile{{"devs", plain}, {"devs", plain}}}},
		{"namespaces of nothing", "--namespace limits what is laid over the base", "--add FILE", Request{Base: plain, Namespaces: []string{"prod"}}},
		{"no name of a namespace", `--namespace "Prod" is not the name of a namespace`, "--namespace NAME", Request{Base: plain, Namespaces: []string{"Prod"}, QuietLeases: true}},
		{"paths in a namespace", "a.yaml:4: this rule of --add a.yaml has no request in the namespaces", "leave out --namespace", Request{Base: plain, Namespaces: []string{"prod"}, Add: []Source{file("a.yaml", "rules:\n- level: None\n  nonResourceURLs: [/healthz]\n")}}},
		{"too new for the cluster", `group "*" needs Kubernetes 1.36`, "apps", Request{Base: plain, Version: policy.Version{Major: 1, Minor: 30}, Add: []Source{file("a.yaml", "rules:\n- level: None\n  resources: [{group: \"*\"}]\n")}}},
	} {
		_, err := Compose(c.Request)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		} else if got := hint.Of(err).String(); !strings.Contains(got, c.hint) {
			t.Errorf("%s: hint %q, want %q", c.name, got, c.hint)
		}
	}
}

// TestDecisions asks the evaluator what comes of the parts.
func TestDecisions(t *testing.T) {
	const bot = "system:serviceaccount:ci:bot"
	devs := file("devs.yaml", "rules:\n- level: None\n  userGroups: [ops]\n- level: RequestResponse\n  userGroups: ['system:authenticated']\n  verbs: [create]\n")
	out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(base)}, QuietLeases: true, QuietUsers: []string{bot},
		Profiles: []Profile{{"devs", devs}}, Version: policy.Version{Major: 1, Minor: 30}})
	p := load(t, Source{"composed.yaml", out.Text})
	dev := policy.Request{User: "alice", Groups: []string{"devs", "system:authenticated"}}
	as := func(r policy.Request, verb, group, resource string) policy.Request {
		r.Verb, r.Group, r.Namespace = verb, group, "prod"
		r.Resource, r.Subresource, _ = strings.Cut(resource, "/")
		return r
	}
	for _, c := range []struct {
		r    policy.Request
		want string
	}{
		{as(policy.Request{User: bot}, "get", "", "pods"), "None"},
		{as(policy.Request{User: bot}, "watch", "example.com", "widgets"), "None"},
		{as(policy.Request{User: bot}, "get", "", "secrets"), "Metadata"},
		{as(policy.Request{User: bot}, "create", "", "secrets"), "Metadata"},
		{as(policy.Request{User: bot}, "delete", "", "secrets"), "Metadata"},
		{as(policy.Request{User: bot}, "get", "", "pods/exec"), "Metadata"},
		{as(policy.Request{User: bot}, "create", "", "pods"), "Request"},
		{as(policy.Request{User: bot}, "create", "events.k8s.io", "events"), "None"},
		{as(policy.Request{User: bot}, "delete", "events.k8s.io", "events"), "Request"},
		{as(policy.Request{User: bot}, "update", "coordination.k8s.io", "leases"), "None"},
		{as(policy.Request{User: "system:kube-scheduler"}, "update", "coordination.k8s.io", "leases"), "None"},
		{as(policy.Request{User: "bob"}, "update", "coordination.k8s.io", "leases"), "Request"},
		{as(policy.Request{User: "bob"}, "get", "", "pods"), "Request"},
		{as(dev, "create", "", "pods"), "RequestResponse"},
		{as(dev, "get", "", "secrets"), "None"},
	} {
		if got := string(p.Evaluate(c.r.Attributes()).Level); got != c.want {
			t.Errorf("%+v: %s, want %s", c.r, got, c.want)
		}
	}
	if !strings.Contains(string(out.Text), "Left out: the rule of it that is about members of other groups.") || len(out.Notes) != 2 {
		t.Errorf("notes %q\n%s", out.Notes, out.Text)
	}
}

// TestNamespaces limits what is laid over the base.
func TestNamespaces(t *testing.T) {
	out := mustCompose(t, Request{Base: Source{"base.yaml", []byte(base)}, Namespaces: []string{"prod", "web"},
		Add: []Source{file("a.yaml", "omitStages: [RequestReceived]\nrules:\n- level: RequestResponse\n  namespaces: [prod, dev]\n- level: RequestResponse\n  verbs: [delete]\n")}})
	p := load(t, Source{"composed.yaml", out.Text})
	for place, want := range map[string]string{"prod": "RequestResponse", "web": "Request", "dev": "Request", "": "Request"} {
		r := policy.Request{User: "bob", Verb: "get", Resource: "pods", Namespace: place}
		if got := string(p.Evaluate(r.Attributes()).Level); got != want {
			t.Errorf("get in %q: %s, want %s", place, got, want)
		}
	}
	if got := string(p.Evaluate(policy.Request{User: "bob", Verb: "delete", Resource: "pods", Namespace: "web"}.Attributes()).Level); got != "RequestResponse" {
		t.Errorf("delete in web: %s", got)
	}
}

// TestPresets lays everything over each preset, and each preset over the default.
func TestPresets(t *testing.T) {
	text := func(p presets.Preset) Source {
		data, err := p.Policy(nil)
		if err != nil {
			t.Fatal(err)
		}
		return Source{"preset " + p.Name, data}
	}
	var baseline Source
	for _, p := range presets.All() {
		if p.Name == presets.Default {
			baseline = text(p)
		}
	}
	for _, p := range presets.All() {
		out := mustCompose(t, Request{Base: text(p), QuietLeases: true, QuietUsers: []string{"system:serviceaccount:ci:bot"}})
		if len(out.Notes) > 0 || !strings.HasSuffix(string(out.Text), string(text(p).Data[strings.Index(string(text(p).Data), "\nrules:\n")+8:])) {
			t.Errorf("%s is not as it was: %q", p.Name, out.Notes)
		}
		mustCompose(t, Request{Base: baseline, Profiles: []Profile{{"devs", text(p)}}})
	}
}

// TestCorpus lays rules over policies that others wrote. Each result is proven to mean
// what its parts mean before it is returned.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob("../../../../shared/corpus/policies/*")
	if err != nil || len(files) == 0 {
		t.Skip("there is no corpus of policies beside this checkout")
	}
	data, err := presets.All()[0].Policy(nil)
	if err != nil {
		t.Fatal(err)
	}
	edited, anew := 0, 0
	for _, name := range files {
		data2, err := os.ReadFile(name)
		if err != nil {
			continue // a folder
		}
		if _, err := policy.Load(name, data2); err != nil {
			continue // it is refused, which is for others to test
		}
		theirs := Source{filepath.Base(name), data2}
		out := mustCompose(t, Request{Base: theirs, QuietUsers: []string{"system:serviceaccount:ci:bot"}})
		if len(out.Notes) == 0 {
			edited++
			without := strings.Replace(string(out.Text), string(out.Text[blockStart(out.Text):blockEnd(out.Text)]), "", 1)
			if without != string(data2) {
				t.Errorf("%s is not as it was:\n%s", name, out.Text)
			}
		} else {
			anew++
			t.Logf("%s: %s", name, out.Notes[0])
		}
		for _, r := range []Request{
			{Base: Source{"preset baseline", data}, Profiles: []Profile{{"devs", theirs}}},
			{Base: Source{"preset baseline", data}, Add: []Source{theirs}},
		} {
			if _, err := Compose(r); err != nil && !strings.Contains(err.Error(), "nothing of preset baseline would be left") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	t.Logf("%d policies are edited, %d written anew", edited, anew)
	if edited == 0 {
		t.Error("no policy could be edited")
	}
}

// blockStart and blockEnd are where the inserted lines begin and end.
func blockStart(text []byte) int {
	return bytes.LastIndexByte(text[:bytes.Index(text, []byte("# --quiet-user"))], '\n') + 1
}

func blockEnd(text []byte) int {
	at := bytes.Index(text, []byte("# From here on"))
	return at + bytes.IndexByte(text[at:], '\n') + 1
}
