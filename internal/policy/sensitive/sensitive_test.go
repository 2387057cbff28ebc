package sensitive

import (
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/space"
	"auditpatch/presets"
)

func load(t *testing.T, rules string) *policy.Policy {
	t.Helper()
	p, err := policy.Load("policy.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func request(verb, group, resource string) policy.Request {
	r := policy.Request{User: "alice", Verb: verb, Group: group, Namespace: "prod", Name: "x"}
	r.Resource, r.Subresource, _ = strings.Cut(resource, "/")
	return r
}

// TestWritten is about what events hold of objects with secrets.
func TestWritten(t *testing.T) {
	const request1, answer = "rules:\n- level: Request\n", "rules:\n- level: RequestResponse\n"
	nobody := request("list", "", "secrets")
	nobody.User = ""
	for _, c := range []struct {
		rules string
		r     policy.Request
		want  Contents
	}{
		{"rules:\n- level: Metadata\n", request("create", "", "secrets"), Contents{}},
		{request1, request("create", "", "secrets"), Contents{Sent: true}},
		{request1, request("get", "", "secrets"), Contents{}},
		{request1, request("delete", "", "secrets"), Contents{}},
		{answer, request("get", "", "secrets"), Contents{Answered: true}},
		{answer, request("update", "", "configmaps"), Contents{true, true}},
		{answer, request("watch", "", "secrets"), Contents{}},
		{answer, nobody, Contents{}},
		{request1, request("create", "", "serviceaccounts/token"), Contents{}},
		{answer, request("create", "", "serviceaccounts/token"), Contents{Answered: true}},
		{request1, request("create", "authentication.k8s.io", "tokenreviews"), Contents{Sent: true}},
		{answer, request("update", "certificates.k8s.io", "certificatesigningrequests/approval"), Contents{true, true}},
		{answer, request("get", "vault.example", "tokens"), Contents{Answered: true}},
		{answer, request("get", "", "pods"), Contents{}},
		{answer, request("get", "networking.k8s.io", "networkpolicies"), Contents{}},
		{"omitStages: [ResponseComplete, Panic]\n" + answer, request("create", "", "secrets"), Contents{}},
	} {
		if got := Written(load(t, c.rules).Evaluate(c.r.Attributes()), c.r); got != c.want {
			t.Errorf("%s%+v: %+v, want %+v", c.rules, c.r, got, c.want)
		}
	}
}

// TestRules looks for a request of each kind that leaks, and wants it to be of that kind.
func TestRules(t *testing.T) {
	before, after := load(t, "rules:\n- level: Metadata\n"), load(t, "rules:\n- level: RequestResponse\n")
	for i, k := range Kinds() {
		verbs := k.Leak(before.Evaluate(request("get", "", "pods").Attributes()), after.Evaluate(request("get", "", "pods").Attributes()))
		must, avoid := k.Rules(verbs)
		one, err := space.NewRule(must)
		if err != nil {
			t.Fatal(err)
		}
		var others []*space.Rule
		for _, a := range avoid {
			r, err := space.NewRule(a)
			if err != nil {
				t.Fatal(err)
			}
			others = append(others, r)
		}
		answer := space.Find([]*space.Rule{one}, others)
		if kind, ok := Of(answer.Request); !answer.Found || !ok || kind != i {
			t.Errorf("%s: found %+v, of kind %d", k.Name, answer.Request, kind)
		}
		if w := Written(after.Evaluate(answer.Request.Attributes()), answer.Request); !w.Beyond(Contents{}) {
			t.Errorf("%s: the event of %+v holds nothing", k.Name, answer.Request)
		}
	}
}

// TestPresets wants the kinds that the records of presets tell of, and no others.
func TestPresets(t *testing.T) {
	names := map[string]string{"serviceaccounts/token": "tokens of service accounts", "tokenreviews": "tokens that are reviewed",
		"certificatesigningrequests": "certificate requests", "podcertificaterequests": "certificate requests"}
	var want, got []string
	for _, name := range presets.Sensitive() {
		if known := names[name]; known != "" {
			name = known
		}
		want = append(want, name)
	}
	for _, k := range Kinds() {
		got = append(got, k.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if want = slices.Compact(want); !slices.Equal(want, got) {
		t.Errorf("kinds %q, those of the presets are %q", got, want)
	}
}
