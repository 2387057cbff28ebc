package roles_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/answer/roles"
	"auditpatch/internal/auditlog/event"
)

// attributes are what the authorizer is asked.
type attributes struct{ verb, namespace, group, resource, subresource, name, path string }

// objects are RBAC as a cluster has it.
type objects struct {
	roles               map[string][]rbacv1.PolicyRule // by namespace/name, of ClusterRoles /name
	bindings            []rbacv1.RoleBinding
	clusterRoleBindings []rbacv1.ClusterRoleBinding
}

// parse reads YAML as strictly as an API server does.
func parse(t testing.TB, text string) objects {
	t.Helper()
	out := objects{roles: map[string][]rbacv1.PolicyRule{}}
	for _, doc := range strings.Split("\n"+text, "\n---\n") {
		var kind struct{ Kind string }
		if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
		var err error
		switch kind.Kind {
		case "":
			if strings.Trim(doc, "\n") != "" && !strings.HasPrefix(strings.TrimSpace(doc), "#") {
				t.Fatalf("no kind: %q", doc)
			}
		case "Role", "ClusterRole":
			var r rbacv1.Role
			err = yaml.UnmarshalStrict([]byte(doc), &r)
			key := r.Namespace + "/" + r.Name
			if _, twice := out.roles[key]; twice || r.Name == "" || (r.Namespace == "") != (kind.Kind == "ClusterRole") {
				t.Fatalf("%s %q stands twice, or is in the wrong place", kind.Kind, key)
			}
			valid(t, r)
			out.roles[key] = r.Rules
		case "RoleBinding":
			var b rbacv1.RoleBinding
			err = yaml.UnmarshalStrict([]byte(doc), &b)
			out.bindings = append(out.bindings, b)
		case "ClusterRoleBinding":
			var b rbacv1.ClusterRoleBinding
			err = yaml.UnmarshalStrict([]byte(doc), &b)
			out.clusterRoleBindings = append(out.clusterRoleBindings, b)
		default:
			t.Fatalf("kind %q", kind.Kind)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, doc)
		}
	}
	return out
}

// valid is what kube-apiserver checks of rules.
func valid(t testing.TB, r rbacv1.Role) {
	t.Helper()
	for _, rule := range r.Rules {
		urls, resources := len(rule.NonResourceURLs) > 0, len(rule.Resources) > 0 && len(rule.APIGroups) > 0
		if len(rule.Verbs) == 0 || urls == resources || urls && (r.Namespace != "" || len(rule.ResourceNames) > 0 || len(rule.APIGroups) > 0) {
			t.Fatalf("%s/%s has a rule that kube-apiserver refuses: %v", r.Namespace, r.Name, rule)
		}
	}
}

// atom is one thing that a rule grants in one place: without any name it grants all.
type atom struct {
	scope string // namespace, "" everywhere
	attributes
	anyName bool
}

// atoms are what the bindings grant to a subject.
func (o objects) atoms(subject rbacv1.Subject) (out []atom) {
	for _, b := range o.clusterRoleBindings {
		if slices.Contains(b.Subjects, subject) {
			out = append(out, atoms(o.roles["/"+b.RoleRef.Name], "")...)
		}
	}
	for _, b := range o.bindings {
		if !slices.Contains(b.Subjects, subject) {
			continue
		}
		key := b.Namespace + "/" + b.RoleRef.Name
		if b.RoleRef.Kind == "ClusterRole" {
			key = "/" + b.RoleRef.Name
		}
		out = append(out, atoms(o.roles[key], b.Namespace)...)
	}
	return out
}

func atoms(rules []rbacv1.PolicyRule, scope string) (out []atom) {
	for _, r := range rules {
		for _, verb := range r.Verbs {
			for _, path := range r.NonResourceURLs {
				if scope == "" {
					out = append(out, atom{"", attributes{verb: verb, path: path}, true})
				}
			}
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					main, sub, _ := strings.Cut(resource, "/")
					a := atom{scope, attributes{verb: verb, group: group, resource: main, subresource: sub}, len(r.ResourceNames) == 0}
					if a.anyName {
						out = append(out, a)
					}
					for _, a.name = range r.ResourceNames {
						out = append(out, a)
					}
				}
			}
		}
	}
	return out
}

// allows is the authorizer for one atom.
func (a atom) allows(q attributes) bool {
	star := func(pattern, v string) bool { return pattern == "*" || pattern == v }
	if !star(a.verb, q.verb) || a.scope != "" && a.scope != q.namespace {
		return false
	}
	if q.path != "" || a.path != "" {
		return a.path != "" && q.path != "" && (a.path == "*" || a.path == q.path || strings.HasSuffix(a.path, "*") && strings.HasPrefix(q.path, a.path[:len(a.path)-1]))
	}
	resource := a.resource == "*" && (a.subresource == "" || a.subresource == q.subresource) || a.resource == q.resource && a.subresource == q.subresource
	return star(a.group, q.group) && resource && (a.anyName || a.name == q.name)
}

// step is a request with the event that kube-apiserver writes about it, and what the
// authorizer is asked.
type step struct {
	event map[string]any
	needs []attributes
	same  []attributes // that allow only the same
}

// object is a JSON object.
type object = map[string]any

// line is the event as it stands in a log.
func (s step) line(t testing.TB) []byte {
	t.Helper()
	text, err := json.Marshal(s.event)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// uri is the URL of a request.
func (a attributes) uri() string {
	if a.path != "" {
		return a.path
	}
	out := "/api/v1"
	if a.group != "" {
		out = "/apis/" + a.group + "/v1"
	}
	if a.namespace != "" {
		out += "/namespaces/" + a.namespace
	}
	for _, part := range []string{a.resource, a.name, a.subresource} {
		if part != "" {
			out += "/" + part
		}
	}
	return out
}

// step makes an allowed request of a user.
func (a attributes) step(user string, groups []string, code int) step {
	s := step{needs: []attributes{a}, event: object{
		"stage": "ResponseComplete", "verb": a.verb, "requestURI": a.uri(),
		"user":           object{"username": user, "groups": append(groups, "system:authenticated")},
		"responseStatus": object{"code": code}, "stageTimestamp": "2026-11-20T10:00:00.000000Z",
		"annotations": object{"authorization.k8s.io/decision": "allow"},
	}}
	if a.path == "" {
		s.event["objectRef"] = object{"resource": a.resource, "subresource": a.subresource, "apiGroup": a.group, "apiVersion": "v1", "namespace": a.namespace, "name": a.name}
	}
	return s
}

// random draws a request of alice from few values, so that much of it is alike.
func random(r *rand.Rand) step {
	const alice = "alice"
	a := attributes{namespace: pick(r, "", "", "prod", "dev", "test"), name: pick(r, "a", "b", "web", "web-7c5ddbdf54-x2x4z", "#1: \"é\"")}
	a.group = pick(r, "", "apps", "extensions")
	a.resource = pick(r, "pods", "deployments", "things")
	if r.IntN(4) == 0 {
		a.subresource = pick(r, "status", "log")
	}
	switch a.verb = pick(r, "namespace", "get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "url", "apply", "exec", "as", "asgroup"); a.verb {
	case "list", "watch", "deletecollection":
		a.subresource = ""
		if r.IntN(3) > 0 || a.verb == "deletecollection" {
			a.name = ""
		}
	case "create":
		if a.subresource == "" {
			a.name = ""
		}
		s := a.step(alice, nil, 201)
		if ref := s.event["objectRef"].(object); a.name == "" {
			ref["name"] = "from-the-body"
		}
		return s
	case "namespace":
		a = attributes{verb: pick(r, "get", "delete", "patch"), namespace: a.namespace, name: a.namespace, resource: "namespaces"}
		if a.name == "" {
			a.verb = "list"
		}
		s := a.step(alice, nil, pick(r, 200, 404))
		outside, inside := a, a
		outside.namespace, inside.name = "", "" // both allow the same and nothing else
		s.same = []attributes{outside, inside}
		return s
	case "url":
		return attributes{verb: pick(r, "get", "post"), path: pick(r, "/metrics", "/healthz/etcd", "/logs/a b")}.step(alice, nil, 200)
	case "apply":
		a.verb = "patch"
		s, c := a.step(alice, nil, 201), a
		c.verb = "create"
		s.needs = append(s.needs, c)
		return s
	case "exec":
		a.verb, a.group, a.resource, a.subresource = "get", "", "pods", pick(r, "exec", "attach", "portforward")
		s, c := a.step(alice, nil, 101), a
		c.verb = "create"
		s.needs = append(s.needs, c)
		return s
	case "as", "asgroup":
		return impersonating(r, a)
	}
	return a.step(alice, nil, 200)
}

// impersonating is a request that alice sends as somebody else.
func impersonating(r *rand.Rand, a attributes) step {
	as := a.verb == "as"
	a.verb = "delete"
	s := a.step("alice", nil, 200)
	whom := object{"username": "bob", "groups": []string{"system:authenticated"}}
	s.event["impersonatedUser"] = whom
	s.needs = []attributes{{verb: "impersonate", resource: "users", name: "bob"}}
	switch {
	case as && r.IntN(2) == 0:
		whom["username"] = "system:serviceaccount:prod:builder"
		whom["groups"] = []string{"system:serviceaccounts", "system:serviceaccounts:prod", "system:authenticated"}
		s.needs = []attributes{{verb: "impersonate", namespace: "prod", resource: "serviceaccounts", name: "builder"}}
	case !as:
		whom["groups"] = []string{"devs", "system:authenticated"}
		whom["extra"] = object{"example.com/scope": []string{"a", "b"}}
		whom["uid"] = "17"
		s.needs = append(s.needs, attributes{verb: "impersonate", resource: "groups", name: "devs"})
		for _, v := range []string{"a", "b"} {
			s.needs = append(s.needs, attributes{verb: "impersonate", group: "authentication.k8s.io", resource: "userextras", subresource: "example.com/scope", name: v})
		}
		s.needs = append(s.needs, attributes{verb: "impersonate", group: "authentication.k8s.io", resource: "uids", name: "17"})
	}
	if r.IntN(2) == 0 { // as kube-apiserver asks from 1.36 on
		mode := "user-info"
		if as && whom["username"] != "bob" {
			mode = "serviceaccount"
		}
		s.event["authenticationMetadata"] = object{"impersonationConstraint": "impersonate:" + mode}
		for i := range s.needs {
			s.needs[i].verb, s.needs[i].group = "impersonate:"+mode, "authentication.k8s.io"
		}
		a.verb = "impersonate-on:" + mode + ":delete"
		s.needs = append(s.needs, a)
	}
	return s
}

func collect(t testing.TB, c *roles.Collector, steps []step) {
	t.Helper()
	for _, s := range steps {
		add(t, c, s.line(t))
	}
}

func add(t testing.TB, c *roles.Collector, line []byte) {
	t.Helper()
	line = append([]byte(`{"kind":"Event","apiVersion":"audit.k8s.io/v1",`), line[1:]...)
	var e event.Event
	if err := e.Parse(line, roles.Fields); err != nil {
		t.Fatal(err)
	}
	if err := c.Add(&e); err != nil {
		t.Fatal(err)
	}
}

var aliceSubject = rbacv1.Subject{Kind: "User", APIGroup: rbacv1.GroupName, Name: "alice"}

// text is the YAML of alice's roles.
func text(t testing.TB, c *roles.Collector) string {
	t.Helper()
	var out bytes.Buffer
	for _, s := range c.Sets("") {
		if err := s.WriteYAML(&out, roles.SubjectOf(s.User)); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

func onlyAlice(user string) bool { return user == "alice" }

// FuzzRoles: the roles allow all that was done; with names, they allow nothing else; without
// any of their atoms something that was done would be refused; and the order of the events does
// not matter.
func FuzzRoles(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, uint8(seed*4), uint8(seed%3))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n, names uint8) {
		r := rand.New(rand.NewPCG(seed, 1))
		o := roles.Options{Who: onlyAlice, Names: []roles.Names{roles.Auto, roles.Always, roles.Never}[names%3], Defaults: true}
		var steps []step
		for range int(n) {
			steps = append(steps, random(r))
		}
		c := roles.New(o)
		collect(t, c, steps)
		out := text(t, c)
		granted := parse(t, out).atoms(aliceSubject)
		asked, same := map[attributes]bool{}, map[attributes]bool{}
		for _, s := range steps {
			for _, other := range s.same {
				same[other] = true
			}
			for _, need := range s.needs {
				asked[need] = true
			}
		}
		needed := make([]int, len(granted))
		for q := range asked {
			var by []int
			for i, a := range granted {
				if a.allows(q) {
					by = append(by, i)
				}
			}
			if len(by) == 0 {
				t.Fatalf("%+v is refused by\n%s", q, out)
			}
			if len(by) == 1 {
				needed[by[0]]++
			}
		}
		for i, a := range granted {
			exact := a.attributes
			if exact.namespace = a.scope; o.Names == roles.Always && !asked[exact] && !same[exact] {
				t.Errorf("%+v was never asked for, and allowed by\n%s", a, out)
			}
			if needed[i] == 0 {
				t.Errorf("%+v is superfluous in\n%s", a, out)
			}
		}
		r.Shuffle(len(steps), func(i, j int) { steps[i], steps[j] = steps[j], steps[i] })
		c = roles.New(o)
		collect(t, c, steps)
		if again := text(t, c); again != out {
			t.Errorf("another order gives\n%s\nwant\n%s", again, out)
		}
	})
}

// randomRole is a role with rules of few values, and wildcards.
func randomRole(r *rand.Rand) (rules []rbacv1.PolicyRule) {
	some := func(from ...string) (out []string) {
		for len(out) == 0 {
			for _, v := range from {
				if r.IntN(4) == 0 {
					out = append(out, v)
				}
			}
		}
		return out
	}
	for range 1 + r.IntN(4) {
		rule := rbacv1.PolicyRule{Verbs: some("get", "list", "watch", "create", "delete", "patch", "*")}
		if r.IntN(5) == 0 {
			rule.NonResourceURLs = some("/metrics", "/healthz/*", "/logs/*", "*")
		} else {
			rule.APIGroups, rule.Resources = some("", "apps", "extensions", "*"), some("pods", "pods/log", "deployments", "*/status", "things", "*")
			if r.IntN(3) == 0 {
				rule.ResourceNames = some("a", "b", "web")
			}
		}
		rules = append(rules, rule)
	}
	return rules
}

// FuzzUnused: a role without what was not used allows the same of what was done, grants nothing
// that the role did not, and has nothing superfluous. What is called unused can be taken out of
// its rule without any request being refused.
func FuzzUnused(f *testing.F) {
	for seed := range uint64(60) {
		f.Add(seed, uint8(seed))
	}
	f.Fuzz(func(t *testing.T, seed uint64, n uint8) {
		r := rand.New(rand.NewPCG(seed, 2))
		var asked []attributes
		c := roles.NewComparison(roles.Options{Who: onlyAlice})
		for range int(n) {
			s := random(r)
			collect(t, c, []step{s})
			asked = append(asked, s.needs...)
		}
		rules := randomRole(r)
		manifest, err := yaml.Marshal(rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: named("r"), Rules: rules})
		if err != nil {
			t.Fatal(err)
		}
		granted, others, err := roles.ReadGranted("r.yaml", manifest)
		if err != nil || len(others) > 0 {
			t.Fatal(err, others)
		}
		used := c.Compare(granted)[0]
		check(t, rules, used, asked)
		var out bytes.Buffer
		if err := roles.WriteSmaller(&out, []roles.RoleUse{used}); err != nil {
			t.Fatal(err)
		}
		if got := parse(t, out.String()).roles["/r"]; fmt.Sprint(got) != fmt.Sprint(used.Smaller) {
			t.Errorf("written: %v, want %v", got, used.Smaller)
		}
	})
}

func check(t *testing.T, rules []rbacv1.PolicyRule, used roles.RoleUse, asked []attributes) {
	t.Helper()
	before, after := atoms(rules, ""), atoms(used.Smaller, "")
	by := func(all []atom, q attributes) (n int) {
		for _, a := range all {
			if a.allows(q) {
				n++
			}
		}
		return n
	}
	alone := map[atom]bool{}
	for _, q := range asked {
		if (by(before, q) > 0) != (by(after, q) > 0) {
			t.Errorf("%+v: allowed %v, afterwards %v\n%v\n%v", q, by(before, q), by(after, q), rules, used.Smaller)
		}
		for _, a := range after {
			if a.allows(q) && by(after, q) == 1 {
				alone[a] = true
			}
		}
	}
	for _, a := range after {
		probe := a.attributes
		if a.anyName {
			probe.name = "another"
		}
		if by(before, probe) == 0 {
			t.Errorf("%+v was not granted by %v", a, rules)
		}
		if !alone[a] {
			t.Errorf("%+v is superfluous in %v", a, used.Smaller)
		}
	}
	for i, u := range used.Rules {
		smaller := slices.Clone(rules)
		smaller[i].Verbs = without(rules[i].Verbs, u.Unused.Verbs)
		smaller[i].APIGroups = without(rules[i].APIGroups, u.Unused.APIGroups)
		smaller[i].Resources = without(rules[i].Resources, u.Unused.Resources)
		smaller[i].NonResourceURLs = without(rules[i].NonResourceURLs, u.Unused.NonResourceURLs)
		if smaller[i].ResourceNames = without(rules[i].ResourceNames, u.Unused.ResourceNames); len(smaller[i].ResourceNames) == 0 && len(rules[i].ResourceNames) > 0 {
			smaller[i].Verbs = nil // a rule without names is for all
		}
		for _, q := range asked {
			if by(before, q) > 0 && by(atoms(smaller, ""), q) == 0 {
				t.Errorf("%+v needs what is called unused in rules[%d]: %+v of %v", q, i, u.Unused, rules[i])
			}
		}
	}
}

func without(values, unused []string) (out []string) {
	for _, v := range values {
		if !slices.Contains(unused, v) {
			out = append(out, v)
		}
	}
	return out
}
