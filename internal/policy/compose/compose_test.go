package compose

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	return Source{Name: name, Data: []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n" + rules)}
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
		out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(text)}, QuietLeases: true,
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
	if out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(base)}}); string(out.Text) != base {
		t.Errorf("with nothing laid over it, the base is\n%s", out.Text)
	}
}

// TestStagesMove wants each part to keep its stages: the base's go into its rules.
func TestStagesMove(t *testing.T) {
	out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(base)},
		Add: []Source{file("a.yaml", "rules:\n- level: Metadata\n  verbs: [create]\n")}})
	const want = `# who did what
apiVersion: audit.k8s.io/v1
kind: Policy
# omitStages: see each rule # once each
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
		out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(text)}, QuietLeases: true})
		if !strings.Contains(string(out.Text), "# base.yaml:") || len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "written anew") {
			t.Errorf("%s\nnotes %q\n%s", text, out.Notes, out.Text)
		}
	}
}

func TestRefusals(t *testing.T) {
	plain := Source{Name: "base.yaml", Data: []byte(base)}
	all := file("all.yaml", "rules:\n- level: Metadata\n")
	for _, c := range []struct {
		name, want, hint string
		Request
	}{
		{"a broken part", `b.yaml:5:3: unknown field "verb"`, "verbs", Request{Base: plain, Add: []Source{file("b.yaml", "rules:\n- level: Metadata\n  verb: [get]\n")}}},
		{"a user that is no text", `--quiet-user "a\xffb": this is not UTF-8`, "NAME", Request{Base: plain, QuietUsers: []string{"a\xffb"}}},
		{"a group that is no text", `--group-profile "a\xff": this is not UTF-8`, "NAME", Request{Base: plain, Profiles: []Profile{{"a\xff", plain}}}},
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
	out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(base)}, QuietLeases: true, QuietUsers: []string{bot},
		Profiles: []Profile{{"devs", devs}}, Version: policy.Version{Major: 1, Minor: 30}})
	p := load(t, Source{Name: "composed.yaml", Data: out.Text})
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
	if !strings.Contains(string(out.Text), "Left out: the rule of it that is about members of other groups, also of who is in both.") ||
		len(out.Notes) != 4 || !strings.Contains(out.Notes[0], "devs.yaml:4 is about other groups and left out") || !strings.HasSuffix(out.Notes[0], "devs.yaml:6 records more") {
		t.Errorf("notes %q\n%s", out.Notes, out.Text)
	}
}

const bob = "bob"

// TestLouder wants no part to record what its base does not.
func TestLouder(t *testing.T) {
	metadata := file("m.yaml", "rules:\n- level: Metadata\n")
	for _, c := range []struct{ name, base, want string }{
		{"nothing", "rules:\n- level: None\n", ""},
		{"writes", "rules:\n- level: Metadata\n  verbs: [create, update]\n", "update leases"},
		{"some secrets", "rules:\n- level: None\n  resources: [{resources: [secrets]}]\n- level: Metadata\n  verbs: [get, update]\n", "get pods"},
		{"of others", "rules:\n- level: Metadata\n  users: [eve]\n", ""},
		{"in one namespace", "rules:\n- level: Metadata\n  verbs: [get]\n  namespaces: [prod]\n", "get pods"},
	} {
		base := file("base.yaml", c.base)
		out, err := Compose(Request{Base: base, QuietUsers: []string{bob}})
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), "--quiet-user bob would do nothing") {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		} else if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		before, after := load(t, base), load(t, Source{Name: "composed.yaml", Data: out.Text})
		for _, verb := range []string{"get", "list", "watch", "create", "update"} {
			for _, resource := range guarded[0].Resources {
				r := policy.Request{User: bob, Verb: verb, Namespace: "prod", Name: "x"}
				r.Resource, r.Subresource, _ = strings.Cut(resource, "/")
				if was, is := before.Evaluate(r.Attributes()).Level, after.Evaluate(r.Attributes()).Level; was != is {
					t.Errorf("%s: bob %s %s: %s, and now %s", c.name, verb, resource, was, is)
				}
			}
		}
		r := policy.Request{User: bob, Namespace: "prod", Name: "x"}
		if r.Verb, r.Resource, _ = strings.Cut(c.want, " "); r.Resource == "leases" {
			r.Group = "coordination.k8s.io"
		}
		if is := after.Evaluate(r.Attributes()).Level; is != "None" {
			t.Errorf("%s: bob's %s is recorded: %s", c.name, c.want, is)
		}
	}
	// What a group's own policy records of bob's reads of secrets stays as well.
	out := mustCompose(t, Request{Base: file("none.yaml", "rules:\n- level: None\n"), QuietUsers: []string{bob}, Profiles: []Profile{{"devs", metadata}}})
	r := policy.Request{User: bob, Groups: []string{"devs", "system:authenticated"}, Verb: "get", Resource: "secrets", Namespace: "prod"}
	if level := load(t, Source{Name: "composed.yaml", Data: out.Text}).Evaluate(r.Attributes()).Level; level != "Metadata" {
		t.Errorf("of devs, bob's reads of secrets are at level %s", level)
	}
	if _, err := Compose(Request{Base: file("none.yaml", "rules:\n- level: None\n"), QuietLeases: true}); err == nil || !strings.Contains(err.Error(), "--quiet-leases would do nothing") {
		t.Errorf("leases that nobody records are hidden: %v", err)
	}
}

// TestProfileNotes is about what whoever gives a group its own policy may not expect.
func TestProfileNotes(t *testing.T) {
	metadata := file("m.yaml", "rules:\n- level: Metadata\n")
	none := file("none.yaml", "rules:\n- level: None\n")
	both := file("both.yaml", "rules:\n- level: Metadata\n  userGroups: [devs]\n  resources: [{resources: [secrets]}]\n- level: RequestResponse\n")
	for _, c := range []struct {
		name, group  string
		base, policy Source
		want         []string
	}{
		{"secrets of accounts are hidden", "system:serviceaccounts", metadata, none, []string{"--group-profile system:serviceaccounts=none.yaml: no longer recorded of this group: get a secret, list secrets of all namespaces, create a secret, delete a secret and 13 more"}},
		{"secrets of people", "devs", metadata, none, []string{"--group-profile devs=none.yaml: no longer recorded of this group: get a secret,"}},
		{"they were not recorded before", "devs", none, none, nil},
		{"who is in two groups", "ops", metadata, both, []string{"--group-profile ops=both.yaml: both.yaml:4 is about other groups and left out, since a rule cannot ask for two groups: of who is in one of them as well, both.yaml:7 records more"}},
		{"nobody is in both", "system:serviceaccounts:ci", metadata, both, nil},
		{"less is recorded", "ops", metadata, file("less.yaml", "rules:\n- level: Request\n  userGroups: [devs]\n- level: Metadata\n"), nil},
		{"taken before", "ops", metadata, file("early.yaml", "rules:\n- level: Metadata\n  resources: [{resources: [secrets]}]\n- level: Metadata\n  userGroups: [devs]\n  resources: [{resources: [secrets]}]\n- level: Request\n"), nil},
		{"an end by its group", "ops", metadata, file("end.yaml", "rules:\n- level: Request\n  verbs: [create]\n- level: Metadata\n  userGroups: [system:authenticated]\n"), nil},
		{"no end", "ops", metadata, file("open.yaml", "rules:\n- level: Metadata\n  resources: [{group: ''}, {group: certificates.k8s.io}, {group: authentication.k8s.io}]\n"), []string{"what no rule of open.yaml matches is not recorded of this group"}},
	} {
		out, err := Compose(Request{Base: c.base, Profiles: []Profile{{c.group, c.policy}}})
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		ok := len(out.Notes) == len(c.want)
		for i := range min(len(out.Notes), len(c.want)) {
			ok = ok && strings.Contains(out.Notes[i], c.want[i])
		}
		if !ok {
			t.Errorf("%s: notes %q, want %q", c.name, out.Notes, c.want)
		}
	}
}

// TestLeaks wants a warning for what the result writes, by whatever part.
func TestLeaks(t *testing.T) {
	plain := Source{Name: "base.yaml", Data: []byte(base)}
	secrets := file("sec.yaml", "omitStages: [RequestReceived]\nrules:\n# auditpatch:ignore AP060\n- level: RequestResponse\n  resources: [{resources: [secrets]}]\n")
	request := Request{Base: plain, Add: []Source{secrets}}
	if out := mustCompose(t, request); len(out.Leaks) != 3 || !strings.Contains(out.Leaks[0], "Secrets get into the log") || !strings.Contains(out.Leaks[2], "ConfigMaps get") {
		t.Errorf("leaks %q", out.Leaks)
	}
	if out := mustCompose(t, Request{Base: file("m.yaml", "rules:\n- level: Metadata\n"), QuietLeases: true}); len(out.Leaks) != 0 {
		t.Errorf("leaks %q", out.Leaks)
	}
}

// TestHead wants the record of a preset to go, and what else stands at the top to stay.
func TestHead(t *testing.T) {
	const head = "# mine\n# Purpose: this\n#   and that\n# Passes: CIS 3.2.2\n#\n# note: stays\n"
	const rest = "apiVersion: audit.k8s.io/v1\nkind: Policy\n# Passes: of course\nrules:\n- level: Metadata\n"
	const want = `# mine
# Composed: in this order, the first rule that matches decides
#   --quiet-leases: 2 rules
#   my.yaml: 1 rule
# Ask: what it passes, leaks and hides is not what its parts do by themselves
#   auditpatch policy verdict --policy FILE
#   auditpatch policy lint --policy FILE
#   auditpatch policy diff --from my.yaml --to FILE
#
# note: stays
apiVersion: audit.k8s.io/v1
`
	out := mustCompose(t, Request{Base: Source{Name: "my.yaml", Data: []byte(head + rest)}, QuietLeases: true})
	if !strings.HasPrefix(string(out.Text), want) || !strings.Contains(string(out.Text), "# Passes: of course\n") {
		t.Errorf("got\n%s", out.Text)
	}
	again := mustCompose(t, Request{Base: Source{Name: "two.yaml", Data: out.Text}, QuietUsers: []string{bob}})
	if n := strings.Count(string(again.Text), "# Composed: "); n != 1 || !strings.Contains(string(again.Text), "#   two.yaml: 3 rules\n") {
		t.Errorf("%d heads\n%s", n, again.Text)
	}
	crlf := mustCompose(t, Request{Base: Source{Name: "my.yaml", Data: []byte(strings.ReplaceAll(head+rest, "\n", "\r\n"))}, QuietLeases: true})
	if strings.ReplaceAll(string(crlf.Text), "\r\n", "\n") != string(out.Text) {
		t.Errorf("with CRLF\n%q", crlf.Text)
	}
	if out := mustCompose(t, Request{Base: Source{Name: "my.yaml", Data: []byte(head + rest)}}); string(out.Text) != head+rest {
		t.Errorf("with nothing laid over it, got\n%s", out.Text)
	}
}

// TestCommentsOfStages wants comments in lists that move to stay.
func TestCommentsOfStages(t *testing.T) {
	text := "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitStages: # why\n- RequestReceived # once\n- Panic\nrules:\n- level: Metadata\n  omitStages: [ResponseStarted] # own\n"
	out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(text)}, Add: []Source{file("a.yaml", "omitStages: [Panic]\nrules:\n- level: Metadata\n  verbs: [create]\n")}})
	for _, want := range []string{"\nomitStages: [\"Panic\"] # why # once\n", "\n  omitStages: [\"RequestReceived\", \"ResponseStarted\"] # own\n"} {
		if !strings.Contains(string(out.Text), want) {
			t.Errorf("%q is missing in\n%s", want, out.Text)
		}
	}
}

// TestOlderCluster wants what an API server ignores to be told, and not refused: a preset
// cannot be edited.
func TestOlderCluster(t *testing.T) {
	old := file("old.yaml", "omitManagedFields: true\nrules:\n- level: Request\n")
	out := mustCompose(t, Request{Base: old, QuietLeases: true, Version: policy.Version{Major: 1, Minor: 22}})
	if len(out.Notes) != 1 || !strings.Contains(out.Notes[0], "old.yaml: omitManagedFields needs Kubernetes 1.23") {
		t.Errorf("notes %q", out.Notes)
	}
}

// TestNamespaces limits what is laid over the base.
func TestNamespaces(t *testing.T) {
	out := mustCompose(t, Request{Base: Source{Name: "base.yaml", Data: []byte(base)}, Namespaces: []string{"prod", "web"},
		Add: []Source{file("a.yaml", "omitStages: [RequestReceived]\nrules:\n- level: RequestResponse\n  namespaces: [prod, dev]\n- level: RequestResponse\n  verbs: [delete]\n")}})
	p := load(t, Source{Name: "composed.yaml", Data: out.Text})
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
		return Source{Name: "preset " + p.Name, Data: data}
	}
	var baseline Source
	for _, p := range presets.All() {
		if p.Name == presets.Default {
			baseline = text(p)
		}
	}
	for _, p := range presets.All() {
		out, err := Compose(Request{Base: text(p), QuietLeases: true, QuietUsers: []string{"system:serviceaccount:ci:bot"}})
		if quiet := slices.Contains([]string{"none", "pod-deletions", "who-reads-secrets", "writes"}, p.Name); err != nil || quiet {
			if !quiet || err == nil || !strings.HasPrefix(err.Error(), "--quiet-") || !strings.Contains(err.Error(), "would do nothing") {
				t.Errorf("%s: refused %t: %v", p.Name, quiet, err)
			}
			mustCompose(t, Request{Base: baseline, Profiles: []Profile{{"devs", text(p)}}})
			continue
		}
		if leaks := len(out.Leaks) > 0; leaks != slices.ContainsFunc(p.MayLeak, func(k string) bool {
			return !slices.Contains([]string{"certificatesigningrequests", "podcertificaterequests", "custom resources"}, k)
		}) {
			t.Errorf("%s: leaks %q, its record has %q", p.Name, out.Leaks, p.MayLeak)
		}
		if claims := regexp.MustCompile("(?m)^# (Passes|Fails|Purpose|Not written|Hides): ").FindString(string(out.Text)); claims != "" {
			t.Errorf("%s: the result has %s of its base", p.Name, claims)
		}
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
		theirs := Source{Name: filepath.Base(name), Data: data2}
		out, err := Compose(Request{Base: theirs, QuietUsers: []string{"system:serviceaccount:ci:bot"}})
		if err != nil && strings.Contains(err.Error(), "would do nothing") {
			continue // it records nothing that such a user reads
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
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
			{Base: Source{Name: "preset baseline", Data: data}, Profiles: []Profile{{"devs", theirs}}},
			{Base: Source{Name: "preset baseline", Data: data}, Add: []Source{theirs}},
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
