package expect

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/policy/policytest"
)

func mustPolicy(t testing.TB, rules string) *policy.Policy {
	t.Helper()
	p, err := policy.Load("p.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\n"+rules))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const rules = `rules:
- level: None
  users: [bob]
- level: RequestResponse
  verbs: [create, update]
  resources: [{group: "", resources: [pods]}]
- level: Metadata
  userGroups: [devs]
- level: Request
  verbs: [delete]
`

// TestRun tells of each request what is not as expected.
func TestRun(t *testing.T) {
	t.Parallel()
	file, err := Load("t.yaml", []byte(`
users:
  alice: {groups: [devs]}
  robert: {name: bob}
tests:
- name: all kinds
  as: [alice, robert, anonymous, failed-login, "system:kube-scheduler"]
  requests: [kubectl get secrets -A]
  level: [Metadata, None, None, None, at least Metadata]
- levels:
    {verb: [create, update], resource: pods, namespace: [a, b], name: x}: RequestResponse
    "DELETE /api/v1/pods": at least Metadata
    {kubectl: delete pod web --wait=false}: Request
    {url: [/api, /apis], method: [GET, HEAD]}: None
- as: alice
  requests: [GET /api]
  rule: 1
  stages: [ResponseComplete]
  contents: request
- as: robert
  requests: [POST /api/v1/namespaces/a/pods]
  rule: 0
  stages: []
- requests: ["GET /api/v1/pods?watch=1"]
  as: alice
  stages: [ResponseComplete, ResponseStarted, RequestReceived, ResponseComplete]
- requests: [POST /api/v1/namespaces/a/pods, "/x?timeout=y"]
  rule: 1
  contents: both
`))
	if err != nil {
		t.Fatal(err)
	}
	results := file.Run(mustPolicy(t, rules))
	var got []string
	for _, r := range results {
		line := fmt.Sprintf("%d:%d %s, %s", r.Line, r.Col, explain.Describe(r.Request), r.Request.User)
		for _, w := range r.Wrong {
			line += fmt.Sprintf("; %s: %s, not %s", w.Field, w.Came, w.Expected)
		}
		got = append(got, line)
	}
	want := []string{
		"8:14 list secrets in all namespaces, alice",
		"8:14 list secrets in all namespaces, bob",
		"8:14 list secrets in all namespaces, system:anonymous",
		"8:14 list secrets in all namespaces, ",
		"8:14 list secrets in all namespaces, system:kube-scheduler; level: None, not at least Metadata",
		"11:5 create pods in namespace a, somebody",
		"11:5 create pods in namespace b, somebody",
		"11:5 update pods x in namespace a, somebody",
		"11:5 update pods x in namespace b, somebody",
		"12:5 deletecollection pods, somebody; level: None, not at least Metadata",
		"13:5 delete pods web in namespace default, somebody",
		"14:5 get /api, somebody", "14:5 head /api, somebody", "14:5 get /apis, somebody", "14:5 head /apis, somebody",
		"16:14 get /api, alice; stages: RequestReceived, ResponseComplete, not ResponseComplete; rule: rules[2], not rules[1]; contents: none, not request",
		"21:14 create pods in namespace a, bob",
		"24:14 watch pods in all namespaces, alice",
		"27:14 create pods in namespace a, somebody",
		"27:46 get /x, ; rule: none, not rules[1]; contents: none, not both",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnybody takes a user whom no rule names.
func TestAnybody(t *testing.T) {
	t.Parallel()
	file, err := Load("t.yaml", []byte("tests: [{requests: [GET /x], level: Metadata}]"))
	if err != nil {
		t.Fatal(err)
	}
	results := file.Run(mustPolicy(t, "rules: [{level: None, users: [somebody, somebody-else]}, {level: Metadata}]"))
	if len(results) != 1 || len(results[0].Wrong) > 0 {
		t.Errorf("%+v", results)
	}
}

func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":         "1:1 the file is empty | tests: [{requests: [kubectl get secrets -A], level: Metadata}]",
		"a: [":     "1:1 it is no YAML: did not find expected node content | ",
		"tests: x": "1:8 tests: it has to be a list of tests | begin each test with a dash",
		"[]":       "1:1 the file: it has to be a mapping of names to values | ; 1:1 there are no tests | tests: [{requests: [kubectl get secrets -A], level: Metadata}]",
		"test: []": `1:1 unknown field "test" in the file | write "tests"; 1:1 there are no tests | tests: [{requests: [kubectl get secrets -A], level: Metadata}]`,
		"tests:\n- {requests: [GET /x], level: Metadata}\n---\na: b":                        "4:1 a second document follows | put all tests into one document",
		"tests:\n- name: a\n  lvel: None":                                                   `3:3 unknown field "lvel" in tests[0] | write "level"`,
		"tests:\n- {requests: [GET /x], requests: [], level: None}":                         `2:24 key "requests" stands twice in tests[0] | remove one "requests"`,
		"tests:\n- requests: [GET /x]":                                                      "2:3 tests[0] expects nothing | level: Metadata",
		"tests:\n- level: None":                                                             "2:3 tests[0] has no requests | requests: [kubectl get secrets -A]",
		"tests:\n- requests: []\n  level: None":                                             "2:3 tests[0]: the list of requests is empty | requests: [kubectl get secrets -A]",
		"tests:\n- {requests: [GET /x], level: metadata}":                                   `2:31 level "metadata": there is no such level | write "Metadata"`,
		"tests:\n- {requests: [GET /x], level: at least metadata}":                          `2:31 level "at least metadata": there is no such level | write "at least Metadata"`,
		"tests:\n- {requests: [GET /x], level: [None, None]}":                               "2:31 2 levels for 1 user | one level for each user, or one for all",
		"tests:\n- {as: alcie, requests: [GET /x], level: None}\nusers: {alice: }":          `2:8 user "alcie" is not in users | write "alice", or declare it in users`,
		"tests:\n- {as: [], requests: [GET /x], level: None}":                               "2:8 as: the list is empty | leave it out for a user whom no rule names",
		"users: {anonymous: {}}\ntests:\n- {requests: [GET /x], level: None}":               `1:9 user "anonymous" is there already | take another name`,
		"users: {a: {group: b}}\ntests:\n- {requests: [GET /x], level: None}":               `1:13 unknown field "group" in user a | write "groups"`,
		"tests:\n- {requests: [get pods], level: None}":                                     `2:15 "get pods" is no request | kubectl get pods; or GET /api/v1/pods; or {verb: get, resource: pods}`,
		"tests:\n- requests:\n  - kubectl get widgets\n  level: None":                       `3:5 "widgets" is no built-in resource | write it with its group, such as widgets.example.com`,
		"tests:\n- requests:\n  - {verb: exec, resource: pods}\n  level: None":              `3:5 "exec" is no verb of a request for a resource | verb create resource pods/exec`,
		"tests:\n- requests:\n  - {verb: get, url: /x}\n  level: None":                      "3:5 these fields do not go together | {verb: get, resource: pods, namespace: prod}, {kubectl: get pods}, or {url: /healthz, method: GET}",
		"tests:\n- {requests: [GET /x], rule: -1}":                                          `2:30 rule "-1": it is the number of a rule, from 0 | rule: 0 is the first; rule: none is that none matches`,
		"tests:\n- {requests: [GET /x], stages: [Responsestarted]}":                         `2:33 stages: "Responsestarted" is none of them | write "ResponseStarted"`,
		"tests:\n- {requests: [GET /x], contents: all}":                                     `2:34 contents: "all" is none of them | there are none, request, response, both`,
		"tests:\n- {requests: [GET /api/v1/secret], level: None}":                           `2:15 resource "secret": there is none in this group | secrets`,
		"tests:\n- {requests: [GET /api/v1/namespaces/a/pods/x/exce], level: None}":         `2:15 resource "pods/exce": pods have no "exce" | resource=pods/exec`,
		"tests:\n- {requests: [GET /apis/app/v1/deployments], level: None}":                 `2:15 resource "deployments.app": there is none in this group | resource=deployments.apps`,
		"tests:\n- {requests: [{url: /apis/apps/v1/deployment, method: GET}], level: None}": `2:15 resource "deployment.apps": there is none in this group | deployments.apps`,
		"tests:\n- {requests: [GET /api/v1/namespace/a/secrets], level: None}":              `2:15 resource "namespace/secrets": namespaces have no "secrets" | namespaces have finalize, status`,
		"tests:\n- {requests: '', level: None}":                                             "2:14 a request: it is empty | ",
		"tests:\n- {requests: [GET /x, ' '], level: None}":                                  "2:23 a request: it is empty | ",
		"tests:\n- {levels: {}}":                                                            "2:12 levels: the mapping is empty | levels: {kubectl get secrets -A: Metadata}",
		"tests:\n- {levels: {GET /x: ''}}":                                                  "2:21 level: it is empty | ",
		"tests:\n- {requests: [GET /x], level: ''}":                                         "2:31 level: it is empty | ",
		"tests:\n- {requests: [GET /x], contents: ''}":                                      "2:34 contents: it is empty | ",
		"tests:\n- {requests: [GET /x], rule: ''}":                                          "2:30 rule: it is empty | ",
		"tests:\n- {requests: [GET /x], stages: ['']}":                                      "2:33 stages: it is empty | ",
		"tests:\n- {requests: [{verb: get, resource: pods, name: []}], level: None}":        "2:49 name: the list is empty | ",
		"tests:\n- {as: '', requests: [GET /x], level: None}":                               "2:8 as: it is empty | ",
		"users: {bob: {name: ''}}\ntests:\n- {requests: [GET /x], level: None}":             "1:21 name: it is empty | ",
		"users: {bob: {groups: ['']}}\ntests:\n- {requests: [GET /x], level: None}":         "1:24 groups: it is empty | ",
		"users: {m: {name: system:masters}}\ntests:\n- {requests: [GET /x], level: None}":   `1:19 user "system:masters": it is a group | users: {bob: {groups: ["system:masters"]}}`,
		"tests:\n- {as: system:masters, requests: [GET /x], level: None}":                   `2:8 user "system:masters": it is a group | users: {bob: {groups: ["system:masters"]}}, and as: bob`,
		"tests:\n- {as: system:anonymus, requests: [GET /x], level: None}":                  `2:8 user "system:anonymus" is not in users | write "system:anonymous", or declare it in users`,
		"tests:\n- {as: system:noed:n1, requests: [GET /x], level: None}":                   `2:8 user "system:noed:n1" is not in users | users: {"system:noed:n1": {groups: []}}`,
		"tests:\n- {as: system:serviceaccount:x, requests: [GET /x], level: None}":          `2:8 user "system:serviceaccount:x" is not in users | users: {"system:serviceaccount:x": {groups: []}}`,
		"tests:\n- {level: None, levels: {GET /x: Metadata}}":                               "2:3 tests[0] has no requests | requests: [kubectl get secrets -A]",
		"tests:\n- {requests: [GET /x], level: at least None}":                              `2:31 level "at least None": each level is | "at least Metadata", "at most Metadata"`,
		"tests:\n- {requests: [GET /x], level: at most RequestResponse}":                    `2:31 level "at most RequestResponse": each level is | "at least Metadata", "at most Metadata"`,
		"tests:\n- {requests: [GET /x], contents: [none]}":                                  "2:34 contents: it has to be a text | ",
	} {
		_, err := Load("t.yaml", []byte(in))
		var refused *Error
		if !errors.As(err, &refused) {
			t.Errorf("%q: %v", in, err)
			continue
		}
		var got []string
		for _, f := range refused.Findings {
			got = append(got, fmt.Sprintf("%d:%d %s | %s", f.Line, f.Col, f.Message, f.Hint))
		}
		if diff := cmp.Diff(want, strings.Join(got, "; ")); diff != "" {
			t.Errorf("%q (-want +got):\n%s", in, diff)
		}
	}
}

// TestLoadBounds refuses a file that multiplies to more than it looks like.
func TestLoadBounds(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a,", 400) + "a"
	_, err := Load("t.yaml", []byte("tests: [{requests: [{verb: get, resource: pods, namespace: ["+many+"], name: ["+many+"]}], level: None}]"))
	if err == nil || !strings.Contains(err.Error(), "more than 100000 combinations") {
		t.Error(err)
	}
}

// TestManyRequests takes time in proportion to the requests: a file of 1 MB has many.
func TestManyRequests(t *testing.T) {
	var words strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&words, " p%d", i)
	}
	file, err := Load("t.yaml", []byte("tests: [{requests: [kubectl get pods"+words.String()+"], level: None}]"))
	if err != nil {
		t.Fatal(err)
	}
	began := policytest.CPUTime(t)
	results := file.Run(mustPolicy(t, "rules: ["+strings.Repeat("{level: Metadata, users: [nobody]}, ", 500)+"{level: None}]"))
	if took := policytest.CPUTime(t) - began; len(results) != 50_000 || took > 30*time.Second {
		t.Errorf("%d results in %s", len(results), took)
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{
		"tests: [{requests: [GET /x, {verb: get, resource: pods}], level: [None]}]", "users: {a: {groups: [b]}}\ntests:\n- as: [a, anonymous]\n  levels:\n    kubectl get pods: [None, at least Metadata]",
		"a: &a [*a]", "tests: &t\n- {levels: *t}", "? [a]\n: b", "tests:\n- <<: {level: None}", "tests: [{requests: [null, [x], 1], level: ~}]",
	} {
		f.Add(s)
	}
	p := mustPolicy(f, rules)
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Load("t.yaml", []byte(text))
		var refused *Error
		if err != nil && !errors.As(err, &refused) {
			t.Fatalf("%v is no *Error", err)
		}
		if refused != nil {
			for _, f := range refused.Findings {
				if f.Line < 1 || f.Col < 1 || f.Message == "" {
					t.Errorf("%+v", f)
				}
			}
			return
		}
		if len(text) > 300 {
			return // lists multiply, and the run is not what is in question
		}
		results := file.Run(p)
		if len(results) == 0 {
			t.Errorf("%q: no results", text)
		}
	})
}
