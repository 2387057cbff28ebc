package explain

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	sigsjson "sigs.k8s.io/json"

	"auditpatch/internal/policy"
)

// dice draws policies and requests from few values, so that they meet.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

// some draws a list, empty most often.
func (d dice) some(of ...string) (out []string) {
	if d.IntN(2) == 0 {
		return nil
	}
	for range 1 + d.IntN(2) {
		out = append(out, d.one(of...))
	}
	return out
}

func (d dice) rule() auditv1.PolicyRule {
	r := auditv1.PolicyRule{
		Level:      auditv1.Level(d.one("None", "Metadata", "Request", "RequestResponse")),
		Users:      d.some("alice", "bob", "system:anonymous", "system:serviceaccount:a:b"),
		UserGroups: d.some("devs", "system:authenticated", "system:serviceaccounts"),
		Verbs:      d.some("get", "list", "watch", "create", "delete", "post"),
	}
	for _, s := range d.some("RequestReceived", "ResponseStarted", "ResponseComplete", "Panic") {
		r.OmitStages = append(r.OmitStages, auditv1.Stage(s))
	}
	switch d.IntN(3) {
	case 0:
		r.NonResourceURLs = d.some("/api*", "/healthz", "/version", "*", "/a b")
	case 1:
		r.Namespaces = d.some("", "prod", "dev")
		for range d.IntN(3) {
			g := auditv1.GroupResources{Group: d.one("", "apps", "*"), Resources: d.some("pods", "pods/exec", "pods/*", "*/scale", "*", "deployments", "secrets", "namespaces")}
			if len(g.Resources) > 0 {
				g.ResourceNames = d.some("web", "db", "prod")
			}
			r.Resources = append(r.Resources, g)
		}
	}
	return r
}

func (d dice) policy(t testing.TB) *policy.Policy {
	t.Helper()
	spec := auditv1.Policy{}
	spec.APIVersion, spec.Kind = "audit.k8s.io/v1", "Policy"
	for _, s := range d.some("RequestReceived", "ResponseStarted", "Panic") {
		spec.OmitStages = append(spec.OmitStages, auditv1.Stage(s))
	}
	for range 1 + d.IntN(8) {
		spec.Rules = append(spec.Rules, d.rule())
	}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load("p.json", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return p
}

func (d dice) request() policy.Request {
	who := Who{User: d.one("", "alice", "bob", "carol", "system:anonymous", "system:serviceaccount:a:b"), Groups: d.some("devs", "ops")}
	r := who.request()
	r.Verb = d.one("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "post")
	if d.IntN(3) == 0 {
		r.Path = d.one("/api", "/apis/apps", "/healthz", "/metrics", "/version", "/a b")
		return r
	}
	r.Resource, r.Group = d.one("pods", "deployments", "secrets", "namespaces", "services"), d.one("", "apps")
	r.Subresource, r.Namespace, r.Name = d.one("", "", "exec", "scale", "log"), d.one("", "prod", "dev"), d.one("", "web", "db", "prod")
	return r
}

// FuzzExplain draws policies and requests, and asks the API server's evaluator whether
// the explanation is right.
func FuzzExplain(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		d := dice{rand.New(rand.NewPCG(seed, 1))}
		p := d.policy(t)
		rules, err := rulesOf(p)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			r := d.request()
			e, err := Explain(p, r)
			if err != nil {
				t.Fatal(err)
			}
			checkExplanation(t, rules, r.Attributes(), e)
		}
	})
}

func checkExplanation(t *testing.T, rules []audit.PolicyRule, attrs authorizer.Attributes, e *Explanation) {
	t.Helper()
	first := slices.IndexFunc(rules, func(r audit.PolicyRule) bool { return matches(r, attrs) })
	if first != e.Rule {
		t.Fatalf("%+v: rule %d, the evaluator says %d", attrs, e.Rule, first)
	}
	before := first
	if first < 0 {
		before = len(rules)
	} else if e.Level != rules[first].Level {
		t.Errorf("level %s of a rule of level %s", e.Level, rules[first].Level)
	}
	if len(e.Before) != before {
		t.Fatalf("%d reasons for %d rules", len(e.Before), before)
	}
	for i, m := range e.Before {
		if m.Rule != i {
			t.Errorf("reason %d is of rule %d", i, m.Rule)
		}
		checkMiss(t, rules[i], attrs, m)
	}
}

// checkMiss wants of the field that is named: alone it does not match, and once it and
// every further one is mended, the rule matches.
func checkMiss(t *testing.T, rule audit.PolicyRule, attrs authorizer.Attributes, m Miss) {
	t.Helper()
	for range len(dimensions) {
		if !strings.HasPrefix(m.Reason, m.Field) && !(m.Field == "resources" && strings.HasPrefix(m.Reason, "resourceNames")) {
			t.Errorf("field %s, reason %q", m.Field, m.Reason)
		}
		if matches(only(rule, m.Field), attrs) {
			t.Fatalf("%+v: %s is said not to match, and does\n%+v", attrs, m.Field, rule)
		}
		rule = mend(rule, m.Field, attrs)
		if m.Reason != "" && matches(rule, attrs) {
			return
		}
		m = miss(rule, attrs)
	}
	t.Errorf("%+v: all fields that do not match are mended, and the rule still does not\n%+v", attrs, rule)
}

// only is a rule with one field.
func only(rule audit.PolicyRule, field string) audit.PolicyRule {
	out := audit.PolicyRule{}
	name := map[string]string{"users": "Users", "userGroups": "UserGroups", "verbs": "Verbs", "namespaces": "Namespaces", "resources": "Resources", "nonResourceURLs": "NonResourceURLs"}[field]
	reflect.ValueOf(&out).Elem().FieldByName(name).Set(reflect.ValueOf(rule).FieldByName(name))
	return out
}

// mend changes a field so that it matches a request: what the reason misses is added,
// and what is for another kind of request or for nobody is taken out.
func mend(rule audit.PolicyRule, field string, a authorizer.Attributes) audit.PolicyRule {
	switch field {
	case "users":
		if rule.Users = nil; a.GetUser() != nil {
			rule.Users = []string{"x", a.GetUser().GetName()}
		}
	case "userGroups":
		if rule.UserGroups = nil; a.GetUser() != nil && len(a.GetUser().GetGroups()) > 0 {
			rule.UserGroups = []string{"x", a.GetUser().GetGroups()[0]}
		}
	case "verbs":
		rule.Verbs = append(slices.Clone(rule.Verbs), a.GetVerb())
	case "namespaces":
		if rule.Namespaces = append(slices.Clone(rule.Namespaces), a.GetNamespace()); !a.IsResourceRequest() {
			rule.Namespaces = nil
		}
	case "resources":
		if rule.Resources = append(slices.Clone(rule.Resources), audit.GroupResources{Group: a.GetAPIGroup(), Resources: []string{resource(a)}}); !a.IsResourceRequest() {
			rule.Resources = nil
		}
	case "nonResourceURLs":
		if rule.NonResourceURLs = append(slices.Clone(rule.NonResourceURLs), a.GetPath()); a.IsResourceRequest() {
			rule.NonResourceURLs = nil
		}
	}
	return rule
}

// FuzzScan compares the scanner with a decoder, on the fields that decide.
func FuzzScan(f *testing.F) {
	for _, line := range append(clusterEvents(20),
		`{"user":{"groups":["a\"]","b]","\ud83d\ude00"],"username":"\u00e4"},"verb":"get","requestURI":"/a"}`,
		`{"user":null,"verb":null,"objectRef":null,"requestURI":"/"}`, `{"verb":"a","verb":"b","requestURI":"/"}`,
		"{\"verb\":\"\xff\xfe\",\"requestURI\":\"/\"}", `{"x":[{},[[]],"\\",1e5,true,null],"verb":"get"}`, `{ "verb" : "get" , "user" : { } }`, `{"verb":1}`, `{`, `{}`, `{"a"`, `[]`,
	) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r := newRebuilder()
		var event Event
		reason := r.read(line, &event)
		if !json.Valid([]byte(line)) {
			return // a broken line may be read or not, but without a panic
		}
		strict, err := sigsjson.UnmarshalStrict([]byte(line), &fullEvent{})
		if err != nil && reason == "" {
			t.Errorf("%q is read, and a decoder says %v", line, err)
		}
		if err != nil || slices.ContainsFunc(strict, func(e error) bool { return strings.Contains(e.Error(), "duplicate") }) || reason != "" {
			return
		}
		var full fullEvent
		if err := sigsjson.UnmarshalCaseSensitivePreserveInts([]byte(line), &full); err != nil {
			t.Fatal(err)
		}
		groups := full.User.Groups
		if groups == nil {
			groups = []string{}
		}
		q := event.Request
		got := fmt.Sprintf("%q", []string{r.kind, event.AuditID, r.stage, r.level, r.uri, q.Verb, q.User, fmt.Sprint(q.Groups), fmt.Sprint(r.hasRef), q.Resource})
		ref := objectRef{}
		if full.ObjectRef != nil {
			ref = *full.ObjectRef
		}
		if w := fmt.Sprintf("%q", []string{full.Kind, full.AuditID, full.Stage, full.Level, full.RequestURI, full.Verb, full.User.Username, fmt.Sprint(groups), fmt.Sprint(full.ObjectRef != nil), ref.Resource}); got != w {
			t.Errorf("%q:\n got %s\nwant %s", line, got, w)
		}
	})
}

// fullEvent are the fields that decide, for a decoder.
type fullEvent struct {
	Kind       string `json:"kind"`
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	Level      string `json:"level"`
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	User       struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	} `json:"user"`
	ObjectRef *objectRef `json:"objectRef"`
}

type objectRef struct {
	Resource    string `json:"resource"`
	Subresource string `json:"subresource"`
	Namespace   string `json:"namespace"`
	Name        string `json:"name"`
	APIGroup    string `json:"apiGroup"`
	APIVersion  string `json:"apiVersion"`
}

// FuzzFromURL wants no panic, and of each request that is no error what the API
// server's factory says.
func FuzzFromURL(f *testing.F) {
	for _, u := range []string{"/", "/api/v1/pods", "//api/v1/pods", "/api/v1/watch", "/api/v1/namespaces/a/pods/b/log?x=%zz", "https://a:1/api", "/api/v1//pods", "*", "http://", "/%"} {
		f.Add("GET", u)
		f.Add("delete", u)
	}
	f.Fuzz(func(t *testing.T, method, address string) {
		s, err := FromURL(method, address, Who{User: "alice"})
		if err != nil {
			return
		}
		if s.Path == "" && s.Resource == "" {
			t.Errorf("%q is no request: %+v", address, s)
		}
		if a := s.Attributes(); a.IsResourceRequest() != (s.Resource != "") {
			t.Errorf("%q: %+v", address, s)
		}
		_ = Describe(s.Request)
	})
}

// The evaluator is asked with the whole policy as well, its own levels in place.
func TestExplainLevel(t *testing.T) {
	t.Parallel()
	d := dice{rand.New(rand.NewPCG(3, 3))}
	for range 200 {
		p := d.policy(t)
		rules, err := rulesOf(p)
		if err != nil {
			t.Fatal(err)
		}
		whole := auditpolicy.NewPolicyRuleEvaluator(&audit.Policy{Rules: rules})
		for range 20 {
			r := d.request()
			e, err := Explain(p, r)
			if err != nil {
				t.Fatal(err)
			}
			if want := whole.EvaluatePolicyRule(r.Attributes()).Level; e.Level != want {
				t.Fatalf("%+v: level %s, the evaluator says %s", r, e.Level, want)
			}
		}
	}
}
