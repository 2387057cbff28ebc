package simulate

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
)

// observed is a log of some requests, each so many times.
type observed struct {
	t     *testing.T
	lines []string
}

func (o *observed) add(times int, code int32, impersonates bool, r policy.Request) {
	for range times {
		e := made(r, audit.StageResponseComplete, audit.LevelMetadata, fmt.Sprint(len(o.lines)), began)
		e.ResponseStatus.Code = code
		if impersonates {
			e.ImpersonatedUser = &e.User
		}
		o.lines = append(o.lines, text(o.t, e))
	}
}

// by is a request by a service account, with the groups that an event has.
func by(account, verb, group, resource, namespace, name string) policy.Request {
	r := requests.On(requests.Account("prod", account), verb, group, resource, namespace, name)
	r.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	return r
}

// TestTrim proposes rules for a log that has all that must stay.
func TestTrim(t *testing.T) {
	o := &observed{t: t}
	o.add(40, 200, false, by("web", "list", "", "pods", "prod", ""))
	o.add(30, 200, false, by("web", "list", "", "services", "prod", ""))
	o.add(20, 200, false, by("api", "list", "", "pods", "prod", ""))
	o.add(20, 200, false, by("api", "list", "", "services", "dev", ""))
	o.add(10, 200, false, by("job", "get", "", "nodes", "", "n1"))
	// What stays.
	o.add(50, 200, false, by("web", "update", "", "pods", "prod", "a"))
	o.add(50, 200, false, by("web", "get", "", "secrets", "prod", "a"))
	o.add(50, 200, false, by("web", "get", "", "pods/exec", "prod", "a"))
	o.add(50, 200, false, by("web", "list", "rbac.authorization.k8s.io", "roles", "prod", ""))
	o.add(50, 200, false, requests.At(requests.Anonymous, "get", "/livez"))
	o.add(50, 200, false, requests.On(requests.Alice, "list", "", "pods", "prod", ""))
	o.add(50, 200, true, by("proxy", "list", "", "pods", "prod", ""))
	// A failure in one namespace leaves the others.
	o.add(30, 200, false, by("job", "watch", "", "pods", "dev", ""))
	o.add(1, 403, false, by("job", "watch", "", "pods", "prod", ""))
	o.add(5, 200, false, by("job", "watch", "", "pods", "prod", ""))
	// One of what is in no namespace leaves nothing.
	o.add(30, 200, false, by("job", "list", "", "persistentvolumes", "", ""))
	o.add(1, 500, false, by("job", "list", "", "persistentvolumes", "", ""))
	base := load(t, "base", "rules: [{level: Metadata}]\n")
	r := TrimRequest{Logs: logOf(t, o.lines...), Base: base, Source: sourceOf("base", "rules: [{level: Metadata}]\n")}
	found, err := Trim(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range found.Rules {
		got = append(got, fmt.Sprint(p.Events, p.Rule.Users, p.Rule.Verbs, p.Rule.Resources, p.Rule.Namespaces))
	}
	want := []string{
		"110 [system:serviceaccount:prod:api system:serviceaccount:prod:web] [list] [{ [pods services] []}] []",
		"30 [system:serviceaccount:prod:job] [watch] [{ [pods] []}] [dev]",
		"10 [system:serviceaccount:prod:job] [get] [{ [nodes] []}] []",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	stays := map[Reason]int64{}
	for reason, c := range found.Stays {
		stays[reason] = c.Events
	}
	if diff := cmp.Diff(map[Reason]int64{Writes: 50, Sensitive: 50, WaysIn: 50, Rights: 50, Nobody: 50, People: 50, Impersonated: 50, Failures: 37}, stays); diff != "" {
		t.Errorf("stays (-want +got):\n%s", diff)
	}
	out, proof, err := found.Compose(t.Context(), r)
	if err != nil || proof != (Proof{Hidden: 150, Same: 387}) {
		t.Fatalf("%+v, %v", proof, err)
	}
	if !strings.HasSuffix(string(out.Text), string(r.Source.Data[len("apiVersion: audit.k8s.io/v1\nkind: Policy\n"):])) && !strings.Contains(string(out.Text), "- level: Metadata") {
		t.Errorf("the base is not in\n%s", out.Text)
	}

	r.People = true
	if found, err = Trim(t.Context(), r); err != nil || found.Saved.Events != 200 {
		t.Errorf("with people %+v, %v", found.Saved, err)
	}
	r.People, r.Save = false, 0.05
	if found, err = Trim(t.Context(), r); err != nil || len(found.Rules) != 1 {
		t.Errorf("a twentieth takes %d rules, %v", len(found.Rules), err)
	}
}

// TestTrimNodes proposes one rule for all nodes, unless others are in their group.
func TestTrimNodes(t *testing.T) {
	o := &observed{t: t}
	for _, name := range []string{"n1", "n2", "n3"} {
		r := requests.On(requests.Kubelet, "get", "", "nodes", "", name)
		r.User = "system:node:" + name
		o.add(5, 200, false, r)
	}
	groupsOf := func() []string {
		found, err := Trim(t.Context(), TrimRequest{Logs: logOf(t, o.lines...)})
		if err != nil || len(found.Rules) != 1 {
			t.Fatalf("%+v, %v", found, err)
		}
		return slices.Concat(found.Rules[0].Rule.UserGroups, found.Rules[0].Rule.Users)
	}
	if got := groupsOf(); !slices.Equal(got, []string{"system:nodes"}) {
		t.Errorf("%q", got)
	}
	other := by("web", "get", "", "nodes", "", "n1")
	other.Groups = []string{"system:nodes"}
	o.add(1, 200, false, other)
	if got := groupsOf(); !slices.Contains(got, "system:node:n1") || slices.Contains(got, "system:nodes") {
		t.Errorf("%q", got)
	}
}

// TestProtected has names that mean more in a rule than in a URL.
func TestProtected(t *testing.T) {
	for _, r := range []policy.Request{
		by("web", "get", "", "*", "prod", "a"), by("web", "get", "", "pods/*", "prod", "a"), by("web", "get", "*", "pods", "prod", "a"),
		requests.At(requests.Scheduler, "get", "/api*"), requests.At(requests.Scheduler, "get", "/a\n"), requests.At(requests.Scheduler, "get", ""),
		requests.At(requests.Scheduler, "get", "/debug/pprof/heap"), requests.At(requests.Scheduler, "post", "/livez"),
		requests.On(requests.Account("prod", "web"), "escalate", "", "pods", "", ""),
		{User: "system:bootstrap:abcdef", Verb: "get", Path: "/api"},
	} {
		if Protected(r, false) == "" {
			t.Errorf("%+v may be hidden", r)
		}
	}
}
