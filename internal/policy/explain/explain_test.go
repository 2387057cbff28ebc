package explain

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// TestWhy compares the reasons with what a person would say.
func TestWhy(t *testing.T) {
	t.Parallel()
	alice := Who{User: "alice", Groups: []string{"devs"}}
	pod := policy.Request{Verb: "get", Resource: "pods", Subresource: "exec", Namespace: "prod", Name: "web"}
	for _, c := range []struct {
		rule, want string
		request    policy.Request
		who        Who
	}{
		{"users: [bob]", `users has no "alice"`, pod, alice},
		{"users: [bob]", "users: nobody has logged in", pod, Who{}},
		{"userGroups: [ops]", `userGroups has none of "devs", "system:authenticated"`, pod, alice},
		{"userGroups: [ops]", `userGroups has no "system:unauthenticated"`, pod, Who{User: "system:anonymous"}},
		{"userGroups: [ops]", "userGroups: nobody has logged in", pod, Who{}},
		{"verbs: [list]", `verbs has no "get"`, pod, alice},
		{`verbs: ["*"]`, `verbs has no "get": "*" is no wildcard there`, pod, alice},
		{"verbs: [GET]", `verbs has no "get": "GET" is written otherwise`, pod, alice},
		{"namespaces: [dev]", `namespaces has no "prod"`, pod, alice},
		{"namespaces: [dev]", `namespaces has no "", which stands for all namespaces at once and for what is in none`, policy.Request{Verb: "list", Resource: "pods"}, alice},
		{"namespaces: [dev]", "namespaces: a request for a path has none", policy.Request{Verb: "get", Path: "/api"}, alice},
		{`resources: [{group: apps}]`, `resources has no group ""`, pod, alice},
		{`resources: [{group: "", resources: [pods]}]`, `resources has no "pods/exec" in group ""`, pod, alice},
		{`resources: [{group: "", resources: [pods/exec], resourceNames: [api]}]`, `resourceNames has no "web"`, pod, alice},
		{`resources: [{group: "", resources: [pods], resourceNames: [api]}]`, "resourceNames: the URL of this list names no object", policy.Request{Verb: "list", Resource: "pods"}, alice},
		{`resources: [{group: ""}]`, "resources: the request is for a path", policy.Request{Verb: "get", Path: "/api"}, alice},
		{`nonResourceURLs: ["/api*"]`, "nonResourceURLs: the request is for a resource", pod, alice},
		{`nonResourceURLs: ["/api*"]`, `nonResourceURLs has nothing for "/healthz"`, policy.Request{Verb: "get", Path: "/healthz"}, alice},
		{`{userGroups: [devs], verbs: [get], users: [bob]}`, `users has no "alice"`, pod, alice},
	} {
		rule := strings.Trim(c.rule, "{}")
		if strings.Contains(c.rule, "resources:") || strings.Contains(c.rule, "nonResourceURLs") {
			rule = c.rule
		}
		r := c.request
		who := c.who.request()
		r.User, r.Groups = who.User, who.Groups
		e, err := Explain(mustLoad(t, "rules: [{level: Metadata, "+rule+"}]"), r)
		if err != nil || len(e.Before) != 1 {
			t.Errorf("%s: %+v, %v", c.rule, e, err)
			continue
		}
		if e.Before[0].Reason != c.want {
			t.Errorf("%s: got %s, want %s", c.rule, e.Before[0].Reason, c.want)
		}
	}
}

// TestContents says what an event holds. The facts were seen in the log of a
// kube-apiserver that records everything.
func TestContents(t *testing.T) {
	t.Parallel()
	p := mustLoad(t, `omitManagedFields: true
rules:
- {level: None, users: [none]}
- {level: Metadata, users: [metadata]}
- {level: Request, users: [request]}
- {level: RequestResponse, users: [lost], omitStages: [ResponseComplete, Panic]}
- {level: RequestResponse, omitManagedFields: false, users: [managed]}
- {level: RequestResponse}
`)
	for _, c := range []struct{ user, request, want string }{
		{"none", "POST /api/v1/namespaces/a/pods", "nothing"},
		{"metadata", "POST /api/v1/namespaces/a/pods", "metadata"},
		{"request", "POST /api/v1/namespaces/a/pods", "metadata, request"},
		{"request", "GET /api/v1/pods", "metadata; a list sends no object, so Request records what Metadata does"},
		{"all", "POST /api/v1/namespaces/a/pods", "metadata, request, response"},
		{"managed", "POST /api/v1/namespaces/a/pods", "metadata, request, response, managed fields"},
		{"all", "GET /api/v1/pods", "metadata, response"},
		{"all", "DELETE /api/v1/namespaces/a/pods", "metadata, request, response"},
		{"all", "PATCH /api/v1/namespaces/a/pods/web", "metadata, request, response; the body of a patch is written as it was sent: omitManagedFields does not touch it"},
		{"all", "GET /api/v1/pods?watch=1", "metadata; the objects of a watch are never recorded; at RequestResponse, a refusal has its error"},
		{"all", "GET /api/v1/namespaces/a/pods/web/log", "metadata; what is streamed is never recorded; at RequestResponse, a refusal has its error"},
		{"all", "POST /api/v1/namespaces/a/pods/web/exec", "metadata; the command that is run stands in requestURI, at every level; what is streamed is never recorded; at RequestResponse, a refusal has its error"},
		{"all", "GET /apis/apps/v1", "metadata, response; the answer is a list of what is served"},
		{"all", "GET /apis/metrics.k8s.io/v1beta1/nodes", "metadata; this group is another API server's: kube-apiserver passes its requests on, and records no objects of them"},
		{"all", "GET /apis/metrics.k8s.io/v1beta1", "metadata; this group is another API server's: kube-apiserver passes its requests on, and records no objects of them"},
		{"metadata", "GET /apis/metrics.k8s.io/v1beta1/nodes", "metadata"},
		{"all", "POST /apis/example.com/v1/widgets", "metadata, request, response; no objects if this group is another API server's (an APIService), to which kube-apiserver passes requests on"},
		{"all", "GET /healthz", "metadata; a request for this path has no objects; at RequestResponse, a refusal has its error"},
		{"", "POST /api/v1/namespaces/a/pods", "metadata, response; nobody has logged in: nothing that was sent is read, and the answer is an error"},
		{"lost", "POST /api/v1/namespaces/a/pods", "metadata; no objects, although the level would have them: they come with stage ResponseComplete, which is left out"},
	} {
		method, address, _ := strings.Cut(c.request, " ")
		s, err := FromURL(method, address, Who{User: c.user})
		if err != nil {
			t.Fatal(err)
		}
		e, err := Explain(p, s.Request)
		if err != nil {
			t.Fatal(err)
		}
		var has []string
		for _, part := range []struct {
			is   bool
			name string
		}{{!e.Holds.Metadata, "nothing"}, {e.Holds.Metadata, "metadata"}, {e.Holds.RequestObject, "request"}, {e.Holds.ResponseObject, "response"}, {e.Holds.ManagedFields, "managed fields"}} {
			if part.is {
				has = append(has, part.name)
			}
		}
		if got := strings.Join(append([]string{strings.Join(has, ", ")}, e.Holds.Notes...), "; "); got != c.want && !(c.user == "managed" && strings.HasPrefix(got, c.want)) {
			t.Errorf("%s as %s:\n got %s\nwant %s", c.request, c.user, got, c.want)
		}
	}
}

// requestOf is a request with all that decides.
func requestOf(s Sent) string {
	r := s.Request
	if r.Resource == "" {
		return fmt.Sprintf("%s %s", r.Verb, r.Path)
	}
	return fmt.Sprintf("%s %s.%s/%s ns=%s name=%s", r.Verb, r.Resource, r.Group, r.Subresource, r.Namespace, r.Name)
}

func TestFromURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"GET /api/v1/pods":                                            "list pods./ ns= name=",
		"HEAD /api/v1/namespaces/a/pods/b":                            "get pods./ ns=a name=b",
		"post https://10.0.0.1:6443/api/v1/namespaces/a/pods":         "create pods./ ns=a name=",
		"DELETE /apis/apps/v1/namespaces/a/deployments":               "deletecollection deployments.apps/ ns=a name=",
		"PATCH /apis/apps/v1/namespaces/a/deployments/b/scale":        "patch deployments.apps/scale ns=a name=b",
		"GET /api/v1/pods?fieldSelector=metadata.name%3Dx&watch=true": "watch pods./ ns= name=x",
		"GET /api/v1/watch/pods":                                      "watch pods./ ns= name=",
		"PUT /api/v1/namespaces/a/finalize":                           "update namespaces./finalize ns=a name=a",
		"GET /api/v1/namespaces?fieldSelector=metadata.name%3Da":      "list namespaces./ ns= name=a",
		"OPTIONS /api/v1/pods":                                        " pods./ ns= name=",
		"GET /apis/apps/v1":                                           "get /apis/apps/v1",
		"GET /a%20b?x=y":                                              "get /a b",
		"GET //api/v1/pods":                                           "list pods./ ns= name=",
		"GET https://10.0.0.1":                                        "get /",
	} {
		method, address, _ := strings.Cut(in, " ")
		s, err := FromURL(method, address, Who{User: "alice"})
		if err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := requestOf(s); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
	for _, in := range []string{"GET ", "GET pods", "GET /%zz", "GET /api/v1/watch", "GET /api/v1//pods", "GET /apis/apps/v1/namespaces/a//b", "GRAB /api", "GET mailto:a@b", "GET ftp://a/b"} {
		method, address, _ := strings.Cut(in, " ")
		if _, err := FromURL(method, address, Who{User: "alice"}); err == nil || len(hint.Of(err)) == 0 {
			t.Errorf("%s: %v, or nothing to type", in, err)
		}
	}
}

// TestBadTimeout: the API server refuses it before the login, unless the request is
// long-running.
func TestBadTimeout(t *testing.T) {
	t.Parallel()
	for address, user := range map[string]string{
		"/api/v1/pods?timeout=x": "", "/api/v1/pods?timeout=1s": "alice", "/api/v1/pods?timeout=x&watch=1": "alice", "/healthz?timeout=5": "", "/api/v1/pods?timeout=": "alice",
	} {
		s, err := FromURL("GET", address, Who{User: "alice"})
		if err != nil || s.User != user || (s.Note == "") != (user != "") {
			t.Errorf("%s: user %q, note %q, %v", address, s.User, s.Note, err)
		}
	}
}

func TestFromFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   Fields
		want string
	}{
		{Fields{Verb: "create", Resource: "pods/exec", Namespace: "a", Name: "web"}, "create pods./exec ns=a name=web"},
		{Fields{Verb: "create", Resource: "pods", Namespace: "a", Name: "web"}, "create pods./ ns=a name="},
		{Fields{Verb: "patch", Resource: "deployments/scale"}, "patch deployments.apps/scale ns= name="},
		{Fields{Verb: "get", Resource: "deploy.apps/scale"}, "get deployments.apps/scale ns= name="},
		{Fields{Verb: "get", Resource: "deployments."}, "get deployments./ ns= name="},
		{Fields{Verb: "get", Resource: "events.events.k8s.io"}, "get events.events.k8s.io/ ns= name="},
		{Fields{Verb: "get", Resource: "events"}, "get events./ ns= name="},
		{Fields{Verb: "get", Resource: "widgets.v1beta1.example.com"}, "get widgets.example.com/ ns= name="},
		{Fields{Verb: "list", Resource: "pods", FieldSelector: "metadata.name=web,spec.nodeName!=a"}, "list pods./ ns= name=web"},
		{Fields{Verb: "deletecollection", Resource: "pods", Name: "web"}, "deletecollection pods./ ns= name="},
		{Fields{Verb: "get", Resource: "namespaces", Name: "a"}, "get namespaces./ ns= name=a"},
	} {
		s, err := FromFields(c.in, Who{User: "alice"})
		if err != nil {
			t.Errorf("%+v: %v", c.in, err)
		} else if got := requestOf(s); got != c.want {
			t.Errorf("%+v: got %s, want %s", c.in, got, c.want)
		}
	}
	for _, c := range []struct {
		in   Fields
		want string
	}{
		{Fields{Resource: "pods"}, "the request has no verb | --verb=get"},
		{Fields{Verb: "get"}, "the request has no resource | --resource=pods"},
		{Fields{Verb: "exec", Resource: "pods"}, `"exec" is no verb of a request for a resource | --verb create --resource pods/exec`},
		{Fields{Verb: "crate", Resource: "pods"}, `"crate" is no verb of a request for a resource | --verb=create`},
		{Fields{Verb: "get", Resource: "pods/"}, `resource "pods/": one subresource follows the slash | --resource=pods/exec`},
		{Fields{Verb: "get", Resource: "deployments/scale.apps"}, `resource "deployments/scale.apps": the group follows the resource, and the subresource comes last | --resource=deployments.apps/scale`},
		{Fields{Verb: "get", Resource: "depolyments"}, `"depolyments" is no built-in resource | --resource=deployments`},
		{Fields{Verb: "get", Resource: "Widgets/a"}, `"Widgets" is no built-in resource | write it with its group, such as widgets.example.com/a`},
		{Fields{Verb: "get", Resource: "Widget.example.com"}, `resource "Widget.example.com": the plural in small letters comes first | --resource=widgets.example.com`},
		{Fields{Verb: "get", Resource: "pods/exce"}, `resource "pods/exce": pods have no "exce" | --resource=pods/exec`},
		{Fields{Verb: "get", Resource: "pods/scale"}, `resource "pods/scale": pods have no "scale" | pods have attach, binding, ephemeralcontainers, eviction, exec, log, portforward, proxy, resize, status`},
		{Fields{Verb: "get", Resource: "deployments.ap"}, `resource "deployments.ap": there is none in this group | --resource=deployments.apps`},
		{Fields{Verb: "get", Resource: "deploymnts.apps/scale"}, `resource "deploymnts.apps/scale": there is none in this group | --resource=deployments.apps/scale`},
		{Fields{Verb: "get", Resource: "secrets.apps"}, `resource "secrets.apps": there is none in this group | --resource=secrets`},
		{Fields{Verb: "get", Resource: "secretz."}, `resource "secretz.": there is none in this group | --resource=secrets`},
		{Fields{Verb: "get", Resource: "pods", Namespace: "*"}, `"*" is the name of no namespace | leave it out for all namespaces at once`},
		{Fields{Verb: "get", Resource: "nodes", Namespace: "a"}, "nodes lie in no namespace | leave the namespace out"},
		{Fields{Verb: "list", Resource: "pods", FieldSelector: "a"}, `"a" is no field selector: invalid selector: 'a'; can't understand 'a' | --field-selector=metadata.name=web`},
	} {
		_, err := FromFields(c.in, Who{User: "alice"})
		if got := fmt.Sprintf("%v | %s", err, hint.Of(err)); got != c.want {
			t.Errorf("%+v:\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

// TestLongRunning has the lists of kube-apiserver.
func TestLongRunning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		verb, resource, sub, path string
		want                      bool
	}{
		{"watch", "pods", "", "", true}, {"proxy", "pods", "", "", true}, {"get", "pods", "", "", false},
		{"get", "pods", "log", "", true}, {"get", "pods", "exec", "", true}, {"create", "pods", "attach", "", true}, {"create", "pods", "portforward", "", true},
		{"get", "nodes", "proxy", "", true}, {"update", "pods", "status", "", false}, {"create", "pods", "eviction", "", false},
		{"get", "", "", "/debug/pprof/heap", true}, {"get", "", "", "/debug/pprof", false}, {"get", "", "", "/healthz", false}, {"get", "", "exec", "/x", false},
	} {
		if got := LongRunning(c.verb, c.resource, c.sub, c.path); got != c.want {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// TestSomebody is a user of no rule.
func TestSomebody(t *testing.T) {
	t.Parallel()
	p := mustLoad(t, "rules: [{level: None, users: [somebody, bob]}, {level: Metadata, users: [somebody-else]}]")
	if got := Somebody(p); got.User != "somebody-else-else" {
		t.Errorf("got %+v", got)
	}
}

// TestGroups adds those that the API server gives.
func TestGroups(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		who  Who
		want []string
	}{
		{Who{}, nil},
		{Who{User: "alice"}, []string{"system:authenticated"}},
		{Who{User: "alice", Groups: []string{"devs", "system:authenticated"}}, []string{"devs", "system:authenticated"}},
		{Who{User: "system:anonymous"}, []string{"system:unauthenticated"}},
		{Who{User: "system:serviceaccount:a:b", Groups: []string{"x"}}, []string{"x", "system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"}},
	} {
		if diff := cmp.Diff(c.want, c.who.request().Groups); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", c.who, diff)
		}
	}
}

// TestFromFieldsUnnamed says what a request stands for that has no URL as it is.
func TestFromFieldsUnnamed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fields Fields
		note   string
	}{
		{Fields{Verb: "get", Resource: "pods", Namespace: "a"}, "the URL of a get has a name: this is for one that no rule has in resourceNames"},
		{Fields{Verb: "update", Resource: "nodes"}, "the URL of an update has a name: this is for one that no rule has in resourceNames"},
		{Fields{Verb: "delete", Resource: "pods", Namespace: "a"}, "the URL of a delete has a name: this is for one that no rule has in resourceNames"},
		{Fields{Verb: "get", Resource: "pods", Name: "web"}, "the URL of a get has a namespace: without one, rules with namespaces do not match"},
		{Fields{Verb: "create", Resource: "pods"}, "the URL of a create has a namespace: without one, rules with namespaces do not match"},
		{Fields{Verb: "list", Resource: "pods"}, ""},
		{Fields{Verb: "create", Resource: "nodes"}, ""},
		{Fields{Verb: "get", Resource: "pods.metrics.k8s.io", Namespace: "a", Name: "web"}, ""},
		{Fields{Verb: "get", Resource: "deployments.extensions", Namespace: "a", Name: "web"}, ""},
		{Fields{Verb: "get", Resource: "pods/exec", Namespace: "a", Name: "web"}, ""},
	} {
		s, err := FromFields(c.fields, Who{User: "alice"})
		if err != nil || s.Note != c.note {
			t.Errorf("%+v: %q, %v", c.fields, s.Note, err)
		}
	}
}
