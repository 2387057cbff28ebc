package requests_test

import (
	"strings"
	"testing"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
)

// TestAll wants names that can be told apart, requests that the API server could
// have seen, and every kind of caller.
func TestAll(t *testing.T) {
	names, topics, last := map[string]bool{}, map[string]bool{}, ""
	callers := map[string]bool{}
	for _, r := range requests.All() {
		if r.Name == "" || names[r.Name] || strings.ContainsAny(r.Name, ";,:|\n") {
			t.Errorf("%q is no name, or one that stands twice", r.Name)
		}
		if r.Topic != last && topics[r.Topic] {
			t.Errorf("topic %q stands in two places", r.Topic)
		}
		names[r.Name], topics[r.Topic], last = true, true, r.Topic
		if (r.Request.Resource == "") == (r.Request.Path == "") || r.Request.Verb == "" {
			t.Errorf("%s: %+v is about a resource or a path, not both", r.Name, r.Request)
		}
		switch user := r.Request.User; {
		case user == "":
			callers["failed"] = true
		case strings.HasPrefix(user, "system:serviceaccount:"):
			callers["account"] = true
		default:
			callers[user] = true
		}
	}
	for _, who := range []string{"failed", "account", "alice", "system:anonymous", "system:node:n1"} {
		if !callers[who] {
			t.Errorf("no request by %s", who)
		}
	}
	t.Logf("%d requests about %d topics", len(names), len(topics))
}

// TestCopy: a caller may change its list.
func TestCopy(t *testing.T) {
	requests.All()[0] = requests.Named{}
	if requests.All()[0].Name == "" {
		t.Error("the catalogue has changed")
	}
}

func TestOn(t *testing.T) {
	got := requests.On(requests.Account("a", "b"), "patch", "apps", "deployments/scale", "prod", "web").Attributes()
	if got.GetResource() != "deployments" || got.GetSubresource() != "scale" || got.GetAPIGroup() != "apps" || !got.IsResourceRequest() {
		t.Errorf("%+v", got)
	}
	if groups := strings.Join(got.GetUser().GetGroups(), " "); groups != "system:serviceaccounts system:serviceaccounts:a system:authenticated" {
		t.Errorf("groups %s", groups)
	}
	if at := requests.At(policy.Request{}, "get", "/livez").Attributes(); at.IsResourceRequest() || at.GetPath() != "/livez" || at.GetUser() != nil {
		t.Errorf("%+v", at)
	}
}

func TestHidden(t *testing.T) {
	const head = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"
	for _, c := range []struct {
		rules  string
		hidden func(policy.Request) bool
	}{
		{"rules: [{level: Metadata}]", func(policy.Request) bool { return false }},
		{"rules: [{level: None}]", func(policy.Request) bool { return true }},
		{"omitStages: [ResponseStarted]\nrules: [{level: Metadata}]", func(r policy.Request) bool { return r.User == "" }},
		{"omitStages: [RequestReceived, ResponseComplete]\nrules: [{level: Metadata}]", func(r policy.Request) bool { return r.User != "" }},
		{"rules: [{level: Request, users: [alice]}]", func(r policy.Request) bool { return r.User != "alice" }},
	} {
		p, err := policy.Load("x", []byte(head+c.rules))
		if err != nil {
			t.Fatal(err)
		}
		hidden := map[string]bool{}
		for _, r := range requests.Hidden(p) {
			hidden[r.Name] = true
		}
		for _, r := range requests.All() {
			if hidden[r.Name] != c.hidden(r.Request) {
				t.Errorf("%s: %s is hidden: %t", c.rules, r.Name, hidden[r.Name])
			}
		}
		if n := len(requests.Written(p)) + len(hidden); n != len(requests.All()) {
			t.Errorf("%s: %d requests", c.rules, n)
		}
	}
}
