package lint

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	auditpolicy "k8s.io/apiserver/pkg/audit/policy"

	"auditpatch/internal/policy"
)

// repairs carries out the fixes of a policy and tests what they claim. It returns
// how many there were.
func repairs(t *testing.T, name string, src []byte) int {
	t.Helper()
	before := Check(name, src, policy.Version{})
	repaired := Repair(name, src, policy.Version{})
	out, done := repaired.Text, repaired.Done
	if len(done) == 0 {
		if !bytes.Equal(out, src) {
			t.Errorf("%s changed without a fix", name)
		}
		return 0
	}
	after := Check(name, out, policy.Version{})
	if before.Strict && !after.Strict {
		t.Errorf("%s was accepted, and is refused after its fixes: %q", name, say(after.Findings))
		return len(done)
	}
	if before.Policy == nil || after.Policy == nil {
		return len(done)
	}
	keeps := !slices.ContainsFunc(done, func(f Finding) bool { return f.Fix.Changes != "" })
	for _, q := range questions(before.Policy, after.Policy) {
		was, is := before.Policy.Evaluate(q.Attributes()), after.Policy.Evaluate(q.Attributes())
		if keeps && (was.Rule != is.Rule || was.Level != is.Level || was.Level != "None" && !slices.Equal(was.OmitStages, is.OmitStages)) {
			t.Errorf("%s: the fixes claim to keep every decision, and %s was %v and is %v\n%s", name, describe(q), was, is, out)
			return len(done)
		}
	}
	return len(done)
}

// questions are requests made of the words that the policies have.
func questions(policies ...*policy.Policy) (out []policy.Request) {
	words := map[string][]string{
		"user": {"alice", "system:anonymous", ""}, "verb": {"get", "create", "head", "", "proxy"}, "namespace": {"", "default"},
		"name": {"", "web"}, "resource": {"/pods", "/secrets", "apps/deployments", "/pods/exec"}, "path": {"/healthz", "/x"}, "group": {"system:nodes"},
	}
	add := func(kind string, list ...string) {
		for _, w := range list {
			if !slices.Contains(words[kind], w) {
				words[kind] = append(words[kind], w)
			}
		}
	}
	for _, p := range policies {
		v1, err := p.V1()
		if err != nil {
			continue
		}
		for _, r := range v1.Rules {
			add("user", r.Users...)
			add("group", r.UserGroups...)
			add("verb", r.Verbs...)
			add("namespace", r.Namespaces...)
			for _, u := range r.NonResourceURLs {
				add("path", u, strings.TrimSuffix(u, "*")+"x")
			}
			for _, gr := range r.Resources {
				add("name", gr.ResourceNames...)
				for _, name := range gr.Resources {
					add("resource", gr.Group+"/"+name)
				}
			}
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(kind string) string { return words[kind][rnd.IntN(len(words[kind]))] }
	for range 600 {
		q := policy.Request{User: pick("user"), Verb: pick("verb")}
		if rnd.IntN(3) > 0 {
			q.Groups = []string{pick("group"), "system:authenticated"}
		}
		if rnd.IntN(4) == 0 {
			q.Path = pick("path")
		} else {
			parts := strings.SplitN(pick("resource")+"/", "/", 3)
			q.Group, q.Resource, q.Subresource = parts[0], parts[1], strings.TrimSuffix(parts[2], "/")
			q.Namespace, q.Name = pick("namespace"), pick("name")
		}
		// A request for a resource has a verb of the API, any other an HTTP method.
		if slices.Contains(either(q.Resource != "", slices.Concat(resourceVerbs, legacyVerbs), pathVerbs), q.Verb) {
			out = append(out, q)
		}
	}
	return out
}

// TestRepair compares texts before and after.
func TestRepair(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
	}{
		{"case of a level", "- level: metadata # who\n", "- level: Metadata # who\n"},
		{"quoted level", "- level: \"request-response\"\n", "- level: \"RequestResponse\"\n"},
		{"case of a stage", "- level: Metadata\n  omitStages: [requestReceived]\n", "- level: Metadata\n  omitStages: [RequestReceived]\n"},
		{"singular field", "- level: None\n  verb: [get]   # why\n", "- level: None\n  verbs: [get]   # why\n"},
		{"field in capitals", "- level: None\n  Users:\n  - bob\n", "- level: None\n  users:\n  - bob\n"},
		{"boolean in a list", "- level: None\n  users: [no, bob]\n", "- level: None\n  users: [\"no\", bob]\n"},
		{"number in a list", "- level: None\n  namespaces:\n  - 007 # agent\n  - b\n", "- level: None\n  namespaces:\n  - \"007\" # agent\n  - b\n"},
		{"string for a list", "- level: None\n  users: bob\n", "- level: None\n  users: [bob]\n"},
		{"group with a version", "- level: None\n  users: [bob]\n  resources:\n  - group: 'apps/v1'\n", "- level: None\n  users: [bob]\n  resources:\n  - group: 'apps'\n"},
		{"core group", "- level: None\n  users: [bob]\n  resources:\n  - group: core # main\n    resources: [pods]\n", "- level: None\n  users: [bob]\n  resources:\n  - group: \"\" # main\n    resources: [pods]\n"},
		{"verb in capitals", "- level: None\n  users: [bob]\n  verbs: [\"GET\", 'List']\n", "- level: None\n  users: [bob]\n  verbs: [\"get\", 'list']\n"},
		{"HTTP methods", "- level: None\n  users: [bob]\n  verbs: [POST, put]\n  resources: [{group: apps}]\n", "- level: None\n  users: [bob]\n  verbs: [create, update]\n  resources: [{group: apps}]\n"},
		{"method that is there already", "- level: None\n  users: [bob]\n  verbs: [create, POST, get]\n  resources: [{group: apps}]\n", "- level: None\n  users: [bob]\n  verbs: [create, get]\n  resources: [{group: apps}]\n"},
		{"dead verb in lines", "- level: None\n  users: [bob]\n  verbs:\n  - get\n  - impersonate\n  - list\n", "- level: None\n  users: [bob]\n  verbs:\n  - get\n  - list\n"},
		{"dead verb with a comment stays", "- level: None\n  users: [bob]\n  verbs:\n  - get\n  - impersonate # why\n", "- level: None\n  users: [bob]\n  verbs:\n  - get\n  - impersonate # why\n"},
		{"first of a list", "- level: None\n  users: [bob]\n  verbs: [ bind , get ]\n", "- level: None\n  users: [bob]\n  verbs: [ get ]\n"},
		{"star for verbs", "- level: None\n  verbs: [\"*\"]\n  users: [bob]\n", "- level: None\n  users: [bob]\n"},
		{"star for verbs in lines", "- level: None\n  verbs:\n  - '*'\n  users: [bob]\n", "- level: None\n  users: [bob]\n"},
		{"star behind the dash stays", "- verbs: [\"*\"]\n  level: None\n  users: [bob]\n", "- verbs: [\"*\"]\n  level: None\n  users: [bob]\n"},
		{"entry twice", "- level: None\n  users: [bob, eve, bob]\n  verbs: [get, get, get]\n", "- level: None\n  users: [bob, eve]\n  verbs: [get]\n"},
		{"kinds", "- level: None\n  users: [bob]\n  resources: [{group: apps, resources: [Deployment, sts/scale]}]\n", "- level: None\n  users: [bob]\n  resources: [{group: apps, resources: [deployments, statefulsets/scale]}]\n"},
		{"blank", "- level: None\n  users: [\" bob\"]\n", "- level: None\n  users: [\"bob\"]\n"},
		{"service account", "- level: None\n  users: [serviceaccount:a:b]\n", "- level: None\n  users: [system:serviceaccount:a:b]\n"},
		{"stages of none", "- level: None\n  users: [bob]\n  omitStages:\n  - ResponseStarted\n", "- level: None\n  users: [bob]\n"},
		{"shared by an alias", "- level: None\n  users: &u [bob, bob]\n- level: None\n  users: *u\n  verbs: [get]\n", "- level: None\n  users: &u [bob, bob]\n- level: None\n  users: *u\n  verbs: [get]\n"},
	} {
		for _, ends := range []string{"\n", "\r\n"} {
			in, want := exampleHead+tt.in+exampleTail, exampleHead+tt.want+exampleTail
			in, want = strings.ReplaceAll(in, "\n", ends), strings.ReplaceAll(want, "\n", ends)
			r := Repair(tt.name, []byte(in), policy.Version{})
			got, done := r.Text, r.Done
			if string(got) != want {
				t.Errorf("%s (%q):\n%s\nwant\n%s", tt.name, ends, got, want)
			}
			if (len(done) == 0) != (in == want) {
				t.Errorf("%s: %d fixes", tt.name, len(done))
			}
		}
		repairs(t, tt.name, []byte(exampleHead+tt.in+exampleTail))
	}
}

// TestRepairLeavesLeaks: a fix that would put Secrets into the log is not made, and
// the others are.
func TestRepairLeavesLeaks(t *testing.T) {
	in := exampleHead + "- level: RequestResponse\n  verbs: [create]\n  resources: [{group: \"\", resources: [Secret]}]\n- level: None\n  users: [bob]\n  verbs: [GET]\n" + exampleTail
	r := Repair("p.yaml", []byte(in), policy.Version{})
	if want := strings.Replace(in, "GET", "get", 1); string(r.Text) != want {
		t.Errorf("got\n%s\nwant\n%s", r.Text, want)
	}
	if !slices.Equal(ids(r.Done), []string{"AP030"}) || len(r.Left) != 1 || r.Left[0].Code.ID != "AP033" {
		t.Errorf("done %q, left %v", say(r.Done), r.Left)
	}
}

// TestRepairLeavesHarm: a fix that would silence the log is not made, whatever is
// left out of the report.
func TestRepairLeavesHarm(t *testing.T) {
	for _, tt := range []struct{ name, in, tail, harm string }{
		{"stars for all resources", "- level: None\n  resources: [{group: \"\", resources: [\"*/*\"]}]\n", exampleTail, "would not be recorded any more"},
		{"the core group", "- level: None\n  resources: [{group: core}]\n", exampleTail, "would not be recorded any more"},
		{"a star for verbs", "- level: None\n  verbs: [\"*\"]\n", exampleTail, "nothing would be recorded any more"},
		{"verbs in capitals", "- level: None\n  verbs: [GET, LIST]\n", exampleTail, "get secrets"},
		{"a rule before others", "- level: Metadata\n  verbs: [\"*\"]\n- level: Request\n  users: [bob]\n  verbs: [create]\n  resources: [{group: apps}]\n", "", "rules[1] would never be reached any more"},
		{"a rule before one for the same", "- level: None\n  users: [bob]\n  verbs: [GET]\n- level: Metadata\n  users: [bob]\n  verbs: [get]\n", exampleTail, "rules[1] would never be reached any more"},
		{"a namespace", "- level: None\n  namespaces: [\" prod\"]\n", exampleTail, "prod"},
	} {
		in := exampleHead + tt.in + tt.tail
		for _, ignore := range [][]string{nil, {"AP066", "AP067", "AP020", "AP021"}} {
			r := Repair(tt.name, []byte(in), policy.Version{}, ignore...)
			if string(r.Text) != in || len(r.Done) > 0 {
				t.Errorf("%s: it is fixed:\n%s", tt.name, r.Text)
			}
			if len(r.Left) == 0 || !strings.Contains(r.Left[0].Harm, tt.harm) {
				t.Errorf("%s: left %+v, want %q", tt.name, r.Left, tt.harm)
			}
		}
	}
}

// FuzzCheck: no text makes it panic, what is refused has an error, and fixes do
// what they claim.
func FuzzCheck(f *testing.F) {
	for _, c := range Codes() {
		if len(c.Bad.Text) < 4000 {
			f.Add([]byte(c.Bad.Policy()))
			f.Add([]byte(c.Good.Policy()))
		}
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		report := Check("fuzz.yaml", src, policy.Version{})
		if !report.Strict && report.Worst() != Error {
			t.Fatalf("refused without an error: %q", say(report.Findings))
		}
		if _, err := auditpolicy.LoadPolicyFromBytes(src); len(src) <= policy.MaxSize && report.Policy != nil && err != nil {
			t.Fatalf("kube-apiserver does not start with it: %v", err)
		}
		for _, found := range report.Findings {
			if found.Line < 1 || found.Col < 1 || found.Code == nil || found.Message == "" {
				t.Fatalf("%#v", found)
			}
		}
		repairs(t, "fuzz.yaml", src)
	})
}

// FuzzRepair makes policies of words that are nearly right.
func FuzzRepair(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		repairs(t, "fuzz.yaml", []byte(randomPolicy(rand.New(rand.NewPCG(seed, 7)))))
	})
}

// randomPolicy has lists in both styles, with entries that are right, dead, there
// twice, or in the wrong form.
func randomPolicy(rnd *rand.Rand) string {
	lists := map[string][]string{
		"users":      {"bob", "bob", "\"eve \"", "serviceaccount:a:b", "\"system:nodes\"", "''"},
		"verbs":      {"get", "get", "GET", "POST", "list", "impersonate", "create", "\"*\"", "put", "bind"},
		"namespaces": {"default", "default", "a", "\" b\"", "\"\""},
	}
	var b strings.Builder
	b.WriteString(exampleHead)
	for range 1 + rnd.IntN(5) {
		fmt.Fprintf(&b, "- level: %s\n", []string{"None", "Metadata", "Request"}[rnd.IntN(3)])
		for _, name := range []string{"users", "verbs", "namespaces"} {
			if rnd.IntN(2) == 0 {
				writeList(&b, rnd, name, "  ", lists[name])
			}
		}
		if rnd.IntN(2) == 0 {
			fmt.Fprintf(&b, "  resources:\n  - group: %s\n", []string{`""`, "core", "apps", "v1"}[rnd.IntN(4)])
			writeList(&b, rnd, "resources", "    ", []string{"pods", "pods", "Pod", "\"*/*\"", "deploy", "pods/", "\"*\"", "pods/exec"})
		}
		if rnd.IntN(4) == 0 {
			b.WriteString("  omitStages: [RequestReceived, RequestReceived]\n")
		}
	}
	if rnd.IntN(2) == 0 {
		b.WriteString(exampleTail)
	}
	return b.String()
}

func writeList(b *strings.Builder, rnd *rand.Rand, name, indent string, words []string) {
	var items []string
	for range 1 + rnd.IntN(4) {
		items = append(items, words[rnd.IntN(len(words))])
	}
	if rnd.IntN(2) == 0 {
		fmt.Fprintf(b, "%s%s: [%s]\n", indent, name, strings.Join(items, ", "))
		return
	}
	fmt.Fprintf(b, "%s%s:\n", indent, name)
	for _, it := range items {
		fmt.Fprintf(b, "%s- %s%s\n", indent, it, either(rnd.IntN(5) == 0, " # why", ""))
	}
}
