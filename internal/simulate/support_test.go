package simulate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authnv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// load makes a policy of its rules.
func load(t testing.TB, name, rules string) *policy.Policy {
	t.Helper()
	p, err := policy.Load(name, []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// logOf writes lines into a log.
func logOf(t testing.TB, lines ...string) []read.Log {
	t.Helper()
	name := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	logs, err := read.Find([]string{name}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return logs
}

func run(t testing.TB, r Request) *Report {
	t.Helper()
	out, err := Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// began is when the requests of tests begin.
var began = time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)

// made is an event as kube-apiserver makes it, of a request that began at a time.
func made(r policy.Request, stage audit.Stage, level audit.Level, id string, at time.Time) *auditv1.Event {
	e := &auditv1.Event{
		TypeMeta: metav1.TypeMeta{Kind: "Event", APIVersion: "audit.k8s.io/v1"},
		Level:    auditv1.Level(level), AuditID: types.UID(id), Stage: auditv1.Stage(stage), RequestURI: uriOf(r), Verb: r.Verb,
		User: authnv1.UserInfo{Username: r.User, Groups: r.Groups}, SourceIPs: []string{"10.0.0.7"}, UserAgent: "test/<1> é",
		RequestReceivedTimestamp: metav1.NewMicroTime(at), StageTimestamp: metav1.NewMicroTime(at.Add(time.Millisecond)),
	}
	if r.Resource != "" {
		e.ObjectRef = &auditv1.ObjectReference{Resource: r.Resource, Subresource: r.Subresource, Namespace: r.Namespace, Name: r.Name, APIGroup: r.Group, APIVersion: "v1"}
	}
	if stage != audit.StageRequestReceived {
		e.ResponseStatus = &metav1.Status{Code: 200}
		e.Annotations = map[string]string{"authorization.k8s.io/decision": "allow"}
	}
	return e
}

// uriOf is the URL of a request.
func uriOf(r policy.Request) string {
	if r.Resource == "" {
		return r.Path
	}
	uri := "/api/v1"
	if r.Group != "" {
		uri = "/apis/" + r.Group + "/v1"
	}
	if r.Namespace != "" {
		uri += "/namespaces/" + r.Namespace
	}
	uri += "/" + r.Resource
	if r.Name != "" && r.Verb != "create" && r.Verb != "list" && r.Verb != "watch" {
		uri += "/" + r.Name
	}
	if r.Subresource != "" {
		uri += "/" + r.Subresource
	}
	return uri
}

// text is an event as it stands in a log.
func text(t testing.TB, e *auditv1.Event) string {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func raw(object string) *runtime.Unknown {
	return &runtime.Unknown{Raw: []byte(object), ContentType: runtime.ContentTypeJSON}
}

// dice makes random requests and policies.
type dice struct{ *rand.Rand }

func newDice(seed uint64) dice { return dice{rand.New(rand.NewPCG(seed, 17))} }

func pick[T any](d dice, from ...T) T { return from[d.IntN(len(from))] }

// request is a request as an event has it.
func (d dice) request() policy.Request {
	r := policy.Request{User: pick(d, "alice", "system:anonymous", "system:node:n1", "system:node:n2", "system:kube-scheduler",
		"system:serviceaccount:prod:web", "system:serviceaccount:kube-system:job-controller", "")}
	r.Groups = []string{"system:authenticated"}
	switch r.User {
	case "":
		r.Groups = nil
	case "system:anonymous":
		r.Groups = []string{"system:unauthenticated"}
	case "system:node:n1", "system:node:n2":
		r.Groups = []string{"system:nodes", "system:authenticated"}
	}
	if d.IntN(4) == 0 {
		r.Verb, r.Path = pick(d, "get", "post", "head"), pick(d, "/healthz", "/livez", "/metrics", "/api/v1", "/version", "/debug/pprof/heap", "/openapi/v2")
		return r
	}
	r.Version = "v1"
	r.Verb = pick(d, "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
	at := pick(d, [3]string{"", "pods", ""}, [3]string{"", "pods", "exec"}, [3]string{"", "pods", "status"}, [3]string{"", "secrets", ""}, [3]string{"", "nodes", ""},
		[3]string{"apps", "deployments", ""}, [3]string{"coordination.k8s.io", "leases", ""}, [3]string{"rbac.authorization.k8s.io", "roles", ""},
		[3]string{"example.com", "widgets", ""}, [3]string{"", "services", ""}, [3]string{"", "serviceaccounts", "token"})
	r.Group, r.Resource, r.Subresource = at[0], at[1], at[2]
	if r.Resource != "nodes" {
		r.Namespace = pick(d, "prod", "dev", "kube-system")
	}
	if r.Verb != "list" && r.Verb != "watch" && r.Verb != "create" && r.Verb != "deletecollection" || r.Subresource != "" {
		r.Name = pick(d, "a", "b")
	}
	return r
}

// rules are those of a random policy.
func (d dice) rules() string {
	var b strings.Builder
	if d.IntN(3) == 0 {
		fmt.Fprintf(&b, "omitStages: [%s]\n", pick(d, "RequestReceived", "ResponseStarted", "ResponseComplete"))
	}
	if d.IntN(3) == 0 {
		b.WriteString("omitManagedFields: true\n")
	}
	b.WriteString("rules:\n")
	for range 1 + d.IntN(6) {
		fields := []string{"level: " + pick(d, "None", "Metadata", "Request", "RequestResponse")}
		if d.IntN(2) == 0 {
			fields = append(fields, "verbs: ["+pick(d, "get, list, watch", "create", "update, patch", "delete, get")+"]")
		}
		if d.IntN(3) == 0 {
			fields = append(fields, pick(d, `users: [alice, "system:node:n1"]`, `userGroups: ["system:nodes"]`, `users: ["system:anonymous"]`))
		}
		if d.IntN(4) == 0 {
			fields = append(fields, "omitStages: ["+pick(d, "RequestReceived", "ResponseStarted", "ResponseComplete")+"]")
		}
		if d.IntN(4) == 0 {
			fields = append(fields, "omitManagedFields: "+pick(d, "true", "false"))
		}
		switch d.IntN(4) {
		case 0:
			fields = append(fields, `resources: [{group: "", resources: ["pods", "secrets", "pods/exec"]}]`)
		case 1:
			fields = append(fields, `nonResourceURLs: ["/healthz", "/livez*"]`)
		case 2:
			fields = append(fields, `namespaces: [prod]`)
		}
		fmt.Fprintf(&b, "- {%s}\n", strings.Join(fields, ", "))
	}
	return b.String()
}

// record writes what a policy records of requests, with bodies as it has them.
func (d dice) record(t testing.TB, p *policy.Policy, requests []policy.Request) (lines []string) {
	t.Helper()
	asker := explain.NewAsker(p)
	for i, r := range requests {
		answer := asker.Ask(r)
		for _, stage := range answer.Stages {
			e := made(r, stage, answer.Level, fmt.Sprintf("id-%d", i), began.Add(time.Duration(i)*time.Second))
			if d.IntN(4) == 0 && e.ResponseStatus != nil {
				e.ResponseStatus = &metav1.Status{Status: "Failure", Reason: "Forbidden", Message: `no "thing"`, Code: 403}
			}
			managed := `,"managedFields":[{"manager":"x","fieldsV1":{"f:a":{}}}]`
			if answer.OmitManagedFields {
				managed = ""
			}
			if answer.Holds.RequestObject && stage == audit.StageResponseComplete {
				e.RequestObject = raw(`{"kind":"X","metadata":{"name":"a"` + managed + `},"spec":"requestObject\":"}`)
			}
			if answer.Holds.ResponseObject && stage == audit.StageResponseComplete {
				e.ResponseObject = raw(`{"kind":"XList","items":[{"metadata":{"name":"a"` + managed + `}}]}`)
			}
			lines = append(lines, text(t, e))
		}
	}
	return lines
}
