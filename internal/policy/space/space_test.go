package space

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/policy"
)

// rules are those of a policy in YAML, without its head.
func rules(t *testing.T, text string) []*Rule {
	t.Helper()
	p, err := policy.Load("policy.yaml", []byte("apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"+text))
	if err != nil {
		t.Fatal(err)
	}
	list, err := Rules(p)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestFind looks for requests of the last rule that none before it takes.
func TestFind(t *testing.T) {
	for _, c := range []struct{ name, rules, want string }{
		{"alone", "- level: None\n", "alice get pods default/web"},
		{"after a catch-all", "- level: None\n- level: Metadata\n  verbs: [get]\n", "none"},
		{"a subset", "- level: None\n  resources: [{group: \"\", resources: [secrets, pods]}]\n- level: Metadata\n  verbs: [get]\n  resources: [{group: \"\", resources: [pods]}]\n", "none"},
		{"one more resource", "- level: None\n  resources: [{group: \"\", resources: [pods]}]\n- level: Metadata\n  verbs: [get]\n  resources: [{group: \"\", resources: [pods, secrets]}]\n", "alice get secrets default/web"},
		{"two together", "- level: None\n  verbs: [get, list, watch]\n- level: None\n  verbs: [create, update, patch, delete, deletecollection, \"\", proxy]\n- level: Metadata\n  resources: [{group: \"\", resources: [pods]}]\n", "none"},
		{"all but one verb", "- level: None\n  verbs: [get, list, watch, create, update, patch, deletecollection]\n- level: Metadata\n  resources: [{group: \"\", resources: [pods]}]\n", "alice delete pods default/web"},
		{"who logged in", "- level: None\n  userGroups: [system:authenticated]\n- level: Metadata\n", "system:anonymous get pods default/web"},
		{"who logged in, by name", "- level: None\n  userGroups: [system:authenticated]\n- level: Metadata\n  users: [bob]\n", "none"},
		{"whoever did not", "- level: None\n  userGroups: [system:authenticated, system:unauthenticated]\n- level: Metadata\n", "nobody get pods default/web"},
		{"a service account is in its groups", "- level: None\n  userGroups: [\"system:serviceaccounts:ci\"]\n- level: Metadata\n  users: [\"system:serviceaccount:ci:x\"]\n", "none"},
		{"the group of anonymous callers", "- level: None\n  users: [nobody]\n- level: Metadata\n  userGroups: [\"system:unauthenticated\"]\n", "system:anonymous get pods default/web"},
		{"the anonymous user is in it", "- level: None\n  users: [\"system:anonymous\"]\n- level: Metadata\n  userGroups: [\"system:unauthenticated\"]\n", "none"},
		{"a group", "- level: None\n  users: [alice]\n- level: Metadata\n  userGroups: [devs]\n", "bob+devs get pods default/web"},
		{"one of two groups", "- level: None\n  userGroups: [ops]\n- level: Metadata\n  userGroups: [ops, devs]\n", "alice+devs get pods default/web"},
		{"pods/* takes pods", "- level: None\n  resources: [{group: \"\", resources: [\"pods/*\"]}]\n- level: Metadata\n  resources: [{group: \"\", resources: [pods]}]\n", "none"},
		{"pods leaves their subresources", "- level: None\n  resources: [{group: \"\", resources: [pods]}]\n- level: Metadata\n  resources: [{group: \"\", resources: [\"pods/*\"]}]\n", "alice get pods/status default/web"},
		{"a whole group", "- level: None\n  resources: [{group: apps}]\n- level: Metadata\n  resources: [{group: apps, resources: [deployments]}]\n", "none"},
		{"names do not cover lists", "- level: None\n  resources: [{group: \"\", resources: [secrets], resourceNames: [a]}]\n- level: Metadata\n  verbs: [get, list]\n  resources: [{group: \"\", resources: [secrets], resourceNames: [a]}]\n", "none"},
		{"names", "- level: None\n  resources: [{group: \"\", resources: [secrets], resourceNames: [a]}]\n- level: Metadata\n  verbs: [get]\n  resources: [{group: \"\", resources: [secrets], resourceNames: [a, b]}]\n", "alice get secrets default/b"},
		{"names with create", "- level: Metadata\n  verbs: [create]\n  resources: [{group: \"\", resources: [secrets], resourceNames: [a]}]\n", "none"},
		{"names with create of a subresource", "- level: Metadata\n  verbs: [create]\n  resources: [{group: \"\", resources: [pods/exec], resourceNames: [a]}]\n", "alice create pods/exec default/a"},
		{"names with create of anything", "- level: Metadata\n  verbs: [create]\n  resources: [{group: \"\", resources: [\"*\"], resourceNames: [a]}]\n", "alice create pods/parts default/a"},
		{"a namespace is in itself", "- level: None\n  namespaces: [prod]\n- level: Metadata\n  verbs: [get]\n  resources: [{group: \"\", resources: [namespaces], resourceNames: [prod]}]\n", "none"},
		{"another namespace", "- level: None\n  namespaces: [prod]\n- level: Metadata\n  verbs: [get]\n  resources: [{group: \"\", resources: [namespaces], resourceNames: [prod, stage]}]\n", "alice get namespaces stage/stage"},
		{"cluster-scoped", "- level: Metadata\n  resources: [{group: \"\", resources: [nodes]}]\n", "alice get nodes /web"},
		{"namespaces leave paths", "- level: None\n  namespaces: [default, \"\"]\n- level: Metadata\n", "alice get pods prod/web"},
		{"all resources leave paths", "- level: None\n  resources: [{group: \"*\"}]\n- level: Metadata\n", "alice get /version"},
		{"paths by prefix", "- level: None\n  nonResourceURLs: [\"/healthz*\"]\n- level: Metadata\n  nonResourceURLs: [/healthz/etcd]\n", "none"},
		{"the prefix itself", "- level: None\n  nonResourceURLs: [\"/healthz/*\"]\n- level: Metadata\n  nonResourceURLs: [\"/healthz*\"]\n", "alice get /healthz"},
		{"behind the prefix", "- level: None\n  nonResourceURLs: [/healthz, \"/healthz/o*\"]\n- level: Metadata\n  nonResourceURLs: [\"/healthz*\"]\n", "alice get /healthz/2-other"},
		{"API verbs on a path", "- level: Metadata\n  verbs: [list]\n  nonResourceURLs: [\"*\"]\n", "none"},
		{"HTTP methods on a path", "- level: Metadata\n  verbs: [post]\n", "alice post /version"},
		{"OPTIONS have no verb", "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n- level: Metadata\n  resources: [{group: \"\", resources: [services]}]\n", "alice  services default/web"},
		{"another resource before OPTIONS", "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection]\n  resources: [{group: \"\", resources: [services]}]\n- level: Metadata\n  resources: [{group: \"\", resources: [services, secrets]}]\n", "alice get secrets default/web"},
		{"the old proxy", "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection, \"\"]\n- level: Metadata\n  resources: [{group: \"\", resources: [services]}]\n", "alice proxy services default/web"},
		{"the old proxy has no subresources", "- level: None\n  verbs: [get, list, watch, create, update, patch, delete, deletecollection, \"\"]\n- level: Metadata\n  resources: [{group: \"\", resources: [services/proxy]}]\n", "none"},
		{"methods that no handler takes", "- level: None\n  verbs: [get, post, put, patch, delete, head, options]\n- level: Metadata\n  nonResourceURLs: [/version]\n", "alice trace /version"},
		{"verbs that no request has", "- level: Metadata\n  verbs: [impersonate, exec]\n", "none"},
	} {
		list := rules(t, c.rules)
		last := len(list) - 1
		got := Find(list[last:], list[:last])
		if s := show(got); s != c.want {
			t.Errorf("%s: got %s, want %s", c.name, s, c.want)
		}
		if got.Found && slices.ContainsFunc(list[:last], func(r *Rule) bool { return r.Matches(got.Request) }) {
			t.Errorf("%s: an earlier rule takes %s", c.name, show(got))
		}
	}
}

// TestFindBoth wants a request that two rules take.
func TestFindBoth(t *testing.T) {
	list := rules(t, "- level: None\n  resources: [{group: \"*\", resources: [\"*/scale\"]}]\n- level: None\n  resources: [{group: apps, resources: [\"deployments/*\"]}]\n  userGroups: [a, b]\n- level: None\n  userGroups: [c]\n")
	if got, want := show(Find(list, nil)), "alice+a+c get deployments.apps/scale default/web"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := show(Find(list, list[2:])); got != "none" {
		t.Errorf("got %s, want none", got)
	}
}

func show(a Answer) string {
	r := a.Request
	if !a.Found {
		return "none" + map[bool]string{false: ", perhaps"}[a.Certain]
	}
	who := r.User
	for _, g := range r.Groups {
		if !strings.HasPrefix(g, "system:") {
			who += "+" + g
		}
	}
	if who == "" {
		who = "nobody"
	}
	if r.Resource == "" {
		return fmt.Sprintf("%s %s %s", who, r.Verb, r.Path)
	}
	what := r.Resource
	if r.Group != "" {
		what += "." + r.Group
	}
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	return fmt.Sprintf("%s %s %s %s/%s", who, r.Verb, what, r.Namespace, r.Name)
}

// The words of random policies and requests; each dimension has one that no
// policy names.
var (
	someUsers  = []string{"u1", "u2", "system:anonymous", "system:serviceaccount:n1:s", "u9", ""}
	someGroups = []string{"g1", "g2", "system:authenticated", "system:unauthenticated", "system:serviceaccounts", "system:serviceaccounts:n1"}
	someVerbs  = []string{"get", "list", "create", "delete", "post", "", "proxy", "trace"}
	someSpaces = []string{"n1", "n2", ""}
	someGrps   = []string{"", "apps", "*"}
	someRes    = []string{"pods", "pods/log", "pods/*", "*", "*/log", "namespaces", "deployments"}
	someNames  = []string{"n1", "x"}
	somePaths  = []string{"/a", "/a*", "/a/b", "/a/*", "*"}
)

func pick(r *rand.Rand, list []string) []string {
	var out []string
	for _, w := range list {
		if r.IntN(3) == 0 {
			out = append(out, w)
		}
	}
	return out
}

func randomRule(r *rand.Rand) auditv1.PolicyRule {
	rule := auditv1.PolicyRule{Level: auditv1.LevelMetadata}
	if r.IntN(3) == 0 {
		rule.Users = pick(r, someUsers[:4])
	}
	if r.IntN(3) == 0 {
		rule.UserGroups = pick(r, someGroups)
	}
	if r.IntN(2) == 0 {
		rule.Verbs = pick(r, someVerbs)
	}
	switch r.IntN(5) {
	case 0:
		rule.NonResourceURLs = pick(r, somePaths)
	case 1, 2:
		rule.Namespaces = pick(r, someSpaces)
	case 3:
	}
	for len(rule.NonResourceURLs) == 0 && r.IntN(2) == 0 {
		gr := auditv1.GroupResources{Group: someGrps[r.IntN(3)], Resources: pick(r, someRes)}
		if len(gr.Resources) > 0 && r.IntN(3) == 0 {
			gr.ResourceNames = pick(r, someNames)
		}
		rule.Resources = append(rule.Resources, gr)
	}
	return rule
}

// every is each request of the small world.
func every(yield func(policy.Request) bool) {
	for _, r := range everyWhat() {
		for _, u := range someUsers {
			r.User = u
			for groups := range 4 {
				r.Groups = nil
				if groups > 0 && (u == "" || strings.HasPrefix(u, "system:")) {
					break
				}
				if groups > 0 {
					r.Groups = []string{"system:authenticated"}
					if groups&1 != 0 {
						r.Groups = append(r.Groups, "g1")
					}
					if groups&2 != 0 {
						r.Groups = append(r.Groups, "g2")
					}
				}
				if !yield(r) {
					return
				}
			}
		}
	}
}

func everyWhat() []policy.Request {
	var out []policy.Request
	for _, p := range []string{"/a", "/a/b", "/ab", "/a/c", "/z"} {
		for _, v := range []string{"get", "delete", "post", "put", "trace", "connect"} {
			out = append(out, policy.Request{Verb: v, Path: p})
		}
	}
	for _, res := range []string{"pods", "namespaces", "deployments", "other"} {
		for _, g := range []string{"", "apps", "x"} {
			for _, sub := range []string{"", "log", "y"} {
				for _, v := range []string{"get", "list", "create", "delete", "update", "", "proxy"} {
					for _, ns := range []string{"n1", "n2", "n9", ""} {
						for _, name := range []string{"", "n1", "x", "z"} {
							r := policy.Request{Verb: v, Group: g, Resource: res, Subresource: sub, Namespace: ns, Name: name}
							if isReal(r) {
								out = append(out, r)
							}
						}
					}
				}
			}
		}
	}
	return out
}

// isReal tells whether there are such requests.
func isReal(r policy.Request) bool {
	switch {
	case r.Verb == "proxy" && r.Subresource != "":
		return false
	case r.Verb == "" || r.Verb == "proxy":
		return r.Resource != "namespaces" || r.Name == r.Namespace
	case r.Verb == "list":
		return r.Name == "" || r.Resource != "namespaces"
	case r.Verb == "create" && r.Subresource == "":
		return r.Name == ""
	case r.Resource == "namespaces":
		return r.Namespace != "" && r.Name == r.Namespace
	}
	return r.Name != ""
}

// FuzzFind compares with a look at every request of a small world.
func FuzzFind(f *testing.F) {
	for i := range uint64(40) {
		f.Add(i, 1+i%4, i%5)
	}
	f.Fuzz(func(t *testing.T, seed, musts, avoids uint64) {
		r := rand.New(rand.NewPCG(seed, 0))
		var specs []auditv1.PolicyRule
		var list []*Rule
		m := int(musts % 3)
		for range m + int(avoids%7) {
			spec := randomRule(r)
			rule, err := NewRule(spec)
			if err != nil {
				t.Fatal(err)
			}
			specs, list = append(specs, spec), append(list, rule)
		}
		must, avoid := list[:m], list[m:]
		fits := func(r policy.Request) bool {
			return all(must, func(m *Rule) bool { return m.Matches(r) }) && all(avoid, func(a *Rule) bool { return !a.Matches(r) })
		}
		got := Find(must, avoid)
		switch {
		case got.Found && !fits(got.Request):
			t.Errorf("%s does not fit", show(got))
		case !got.Found && !got.Certain:
			t.Error("gave up")
		case !got.Found:
			for r := range every {
				if fits(r) {
					text, _ := yaml.Marshal(specs)
					t.Fatalf("did not find %s: must %d of\n%s", show(Answer{Request: r, Found: true}), m, text)
				}
			}
		}
	})
}

// BenchmarkFind searches a request for the last of 1,000 rules.
func BenchmarkFind(b *testing.B) {
	var list []*Rule
	for i := range 1000 {
		r, err := NewRule(auditv1.PolicyRule{Verbs: []string{"get", "list"}, Namespaces: []string{fmt.Sprint("n", i%100)},
			Resources: []auditv1.GroupResources{{Group: "", Resources: []string{"pods", fmt.Sprint("r", i)}}}})
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, r)
	}
	for b.Loop() {
		if a := Find(list[999:], list[:999]); !a.Found {
			b.Fatal("nothing found")
		}
	}
}
