package roles_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/answer/roles"
	"auditpatch/internal/auditlog/event"
)

func kind(name string) metav1.TypeMeta {
	return metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: name}
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// FuzzScalar: whatever a text is, YAML has the same text, on one line that a terminal may show.
func FuzzScalar(f *testing.F) {
	for _, s := range []string{"", "a", "no", "1e3", "~", "- a", "a: b", "#", "system:serviceaccount:a:b", "\x00\x1b[31m", "\u2028", "\u0085", "é", "😀", "\U000e0001", "a\nb", `"\`, "null", "=", "0x1", "a:", "2026-01-01", "\ufeff", "\x7f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ToValidUTF8(s, "\ufffd")
		a := attributes{verb: "get", namespace: "prod", resource: "secrets", name: s}
		if s == "" {
			a.name = "x"
		}
		c := roles.New(roles.Options{Names: roles.Always})
		collect(t, c, []step{a.step("u"+s, nil, 200)})
		out := text(t, c)
		for line := range strings.Lines(out) {
			for _, r := range strings.TrimSuffix(line, "\n") {
				if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 {
					t.Fatalf("%q", line)
				}
			}
		}
		got := parse(t, out)
		if len(got.bindings) != 1 || got.bindings[0].Subjects[0].Name != "u"+s || got.roles["prod/"+got.bindings[0].RoleRef.Name][0].ResourceNames[0] != a.name {
			t.Errorf("%q becomes\n%s", s, out)
		}
	})
}

// TestVerdict: which events count.
func TestVerdict(t *testing.T) {
	const get = `{"stage":"ResponseComplete","verb":"get","requestURI":"/api/v1/namespaces/a/pods/b","objectRef":{"resource":"pods","namespace":"a","name":"b","apiVersion":"v1"},"user":{"username":"alice"},` +
		`"responseStatus":{"code":CODE MESSAGE}ANNOTATIONS}`
	for _, c := range []struct {
		code, message, decision string
		want                    string
	}{
		{"200", "", "allow", "role"}, {"404", "", "allow", "role"}, {"403", "", "allow", "role later"}, {"500", "", "allow", "role"},
		{"403", "", "forbid", "refused"}, {"403", "", "", "refused"}, {"401", "", "", "unknown"}, {"429", "", "", "unknown"}, {"503", "", "", "unknown"},
		{"200", "", "", "role"}, {"404", "", "", "role"}, {"409", "", "", "role"}, {"400", "", "", "unknown"}, {"0", "", "", "unknown"},
		{"403", `users "bob" is forbidden: User "alice" cannot impersonate resource "users" in API group "" at the cluster scope`, "", "become"},
		{"403", `users.authentication.k8s.io "bob" is forbidden: User "alice" cannot impersonate:user-info resource "users" in API group "authentication.k8s.io" at the cluster scope`, "", "become"},
	} {
		annotations := ""
		if c.decision != "" {
			annotations = `,"annotations":{"authorization.k8s.io/decision":"` + c.decision + `"}`
		}
		message := ""
		if c.message != "" {
			message = `,"message":"` + strings.ReplaceAll(c.message, `"`, `\"`) + `"`
		}
		col := roles.New(roles.Options{})
		add(t, col, []byte(strings.NewReplacer("CODE ", c.code, "MESSAGE", message, "ANNOTATIONS", annotations).Replace(get)))
		set := col.Sets("")[0]
		got := ""
		for _, w := range []struct {
			is   bool
			word string
		}{
			{len(set.Roles) > 0, "role"}, {set.Counts.Later > 0, "later"}, {set.Counts.Refused > 0, "refused"},
			{set.Counts.Become > 0, "become"}, {set.Counts.Unknown > 0, "unknown"},
		} {
			if w.is {
				got += " " + w.word
			}
		}
		if strings.TrimSpace(got) != c.want {
			t.Errorf("%s %q %s: %s, want %s", c.code, c.message, c.decision, got, c.want)
		}
	}
}

// TestLong: a watch has two events and counts once; one that has not ended counts, too.
func TestLong(t *testing.T) {
	line := func(id, stage string) []byte {
		return []byte(`{"auditID":"` + id + `","stage":"` + stage + `","verb":"watch","requestURI":"/api/v1/pods?watch=1","objectRef":{"resource":"pods","apiVersion":"v1"},` +
			`"user":{"username":"alice"},"responseStatus":{"code":200},"annotations":{"authorization.k8s.io/decision":"allow"}}`)
	}
	c := roles.New(roles.Options{})
	for _, e := range []string{"1 RequestReceived", "1 ResponseStarted", "2 ResponseStarted", "1 ResponseComplete", "3 ResponseComplete"} {
		id, stage, _ := strings.Cut(e, " ")
		add(t, c, line(id, stage))
	}
	if s := c.Sets("")[0]; s.Counts.Requests != 3 || s.Roles[0].Rules[0].Use.Times != 3 {
		t.Errorf("%+v", s)
	}
}

// TestInexpressible: what no rule can allow alone is left out and counted.
func TestInexpressible(t *testing.T) {
	for _, a := range []attributes{
		{verb: "get", namespace: "prod", resource: "*", name: "a"}, {verb: "get", namespace: "prod", resource: "*", subresource: "log", name: "a"},
		{verb: "get", group: "*", resource: "pods", name: "a"}, {verb: "*", path: "/metrics"}, {verb: "get", path: "/metrics*"}, {verb: "get", path: "/*"},
		{verb: "get", namespace: "no/such", resource: "pods", name: "a"}, {verb: "get", namespace: "UPPER", resource: "pods", name: "a"},
	} {
		c := roles.New(roles.Options{Names: roles.Always})
		collect(t, c, []step{a.step("alice", nil, 404)})
		if s := c.Sets("")[0]; len(s.Roles) > 0 || s.Counts.Unnamed != 1 {
			t.Errorf("%+v: %+v", a, s)
		}
	}
	// Nor is the right to give rights in a namespace that cannot be.
	role := attributes{verb: "create", namespace: "UPPER", group: "rbac.authorization.k8s.io", resource: "roles"}.step("alice", nil, 201)
	role.event["requestObject"] = object{"rules": []object{{"apiGroups": []string{""}, "resources": []string{"pods"}, "verbs": []string{"get"}}}}
	c := roles.New(roles.Options{})
	collect(t, c, []step{role})
	if s := c.Sets("")[0]; len(s.Roles) > 0 || s.Escalates {
		t.Errorf("%+v", s)
	}
	// A name is nothing but a name.
	c = roles.New(roles.Options{Names: roles.Always})
	collect(t, c, []step{attributes{verb: "get", namespace: "prod", resource: "pods", name: "*"}.step("alice", nil, 404)})
	if s := c.Sets("")[0]; len(s.Roles) != 1 || s.Roles[0].Rules[0].ResourceNames[0] != "*" {
		t.Errorf("%+v", s)
	}
}

// TestNobody: who acts in an empty group, or with an empty value, may not act in all groups.
func TestNobody(t *testing.T) {
	for _, names := range []roles.Names{roles.Auto, roles.Always, roles.Never} {
		s := attributes{verb: "get", namespace: "prod", resource: "pods", name: "a"}.step("eve", nil, 200)
		s.event["impersonatedUser"] = object{"username": "bob", "groups": []string{"dev", "", "system:authenticated"}, "extra": object{"k": []string{""}}}
		c := roles.New(roles.Options{Names: names, Who: func(user string) bool { return user == "eve" }})
		collect(t, c, []step{s})
		set := c.Sets("")[0]
		for _, r := range set.Roles[0].Rules {
			if len(r.ResourceNames) == 0 {
				t.Errorf("%v allows to become anyone: %+v", names, r)
			}
		}
		if set.Counts.Unnamed != 2 {
			t.Errorf("%+v", set.Counts)
		}
	}
}

// TestDefaults: what Kubernetes' own roles allow everybody is left out.
func TestDefaults(t *testing.T) {
	for _, c := range []struct {
		user   string
		groups []string
		attributes
		left bool
	}{
		{"alice", nil, attributes{verb: "get", path: "/api/v1"}, true},
		{"alice", nil, attributes{verb: "get", path: "/openapi/v3/apis/apps/v1"}, true},
		{"alice", nil, attributes{verb: "post", path: "/api/v1"}, false},
		{"alice", nil, attributes{verb: "get", path: "/healthz/etcd"}, false},
		{"alice", nil, attributes{verb: "get", path: "/metrics"}, false},
		{"alice", nil, attributes{verb: "create", group: "authorization.k8s.io", resource: "selfsubjectaccessreviews"}, true},
		{"alice", nil, attributes{verb: "create", group: "authentication.k8s.io", resource: "selfsubjectreviews"}, true},
		{"alice", nil, attributes{verb: "create", group: "authorization.k8s.io", resource: "subjectaccessreviews"}, false},
		{"alice", nil, attributes{verb: "get", path: "/openid/v1/jwks"}, false},
		{"system:serviceaccount:a:b", []string{"system:serviceaccounts"}, attributes{verb: "get", path: "/openid/v1/jwks"}, true},
	} {
		col := roles.New(roles.Options{})
		collect(t, col, []step{c.step(c.user, c.groups, 200)})
		if s := col.Sets("")[0]; (len(s.Roles) == 0) != c.left || (s.Counts.Defaults == 1) != c.left {
			t.Errorf("%s %+v: %+v", c.user, c.attributes, s)
		}
	}
	anonymous := func(path string) int {
		s := attributes{verb: "get", path: path}.step("x", nil, 200)
		s.event["user"] = object{"username": "system:anonymous", "groups": []string{"system:unauthenticated"}}
		col := roles.New(roles.Options{})
		collect(t, col, []step{s})
		return len(col.Sets("")[0].Roles)
	}
	if anonymous("/version") != 0 || anonymous("/api") != 1 {
		t.Error("of anonymous, /version needs no role, and /api does")
	}
}

// TestGiving: whoever makes a role needs its rights, or escalate; whoever binds one needs bind.
func TestGiving(t *testing.T) {
	role := func(verb, name string, rules ...object) step {
		a := attributes{verb: verb, namespace: "prod", group: "rbac.authorization.k8s.io", resource: "roles", name: name}
		s := a.step("alice", nil, 200)
		s.event["requestObject"] = object{"kind": "Role", "rules": rules}
		return s
	}
	pods := object{"apiGroups": []string{""}, "resources": []string{"pods"}, "verbs": []string{"get"}}
	own := attributes{verb: "get", namespace: "prod", resource: "pods", name: "a"}.step("alice", nil, 200)
	list := attributes{verb: "list", namespace: "prod", resource: "pods"}.step("alice", nil, 200)
	binding := attributes{verb: "create", namespace: "prod", group: "rbac.authorization.k8s.io", resource: "rolebindings"}.step("alice", nil, 201)
	bare := attributes{verb: "create", namespace: "prod", group: "rbac.authorization.k8s.io", resource: "rolebindings"}.step("alice", nil, 201)
	binding.event["requestObject"] = object{"roleRef": object{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"}}
	csr := attributes{verb: "update", group: "certificates.k8s.io", resource: "certificatesigningrequests", subresource: "approval", name: "c"}.step("alice", nil, 200)
	csr.event["requestObject"] = object{"spec": object{"signerName": "kubernetes.io/kube-apiserver-client"}}
	for _, c := range []struct {
		name  string
		steps []step
		want  string // in the YAML
		not   string
		warns bool
	}{
		{"has the right", []step{own, list, role("create", "", pods)}, "roles", "escalate", false},
		{"has it for one name", []step{own, role("create", "", pods)}, "verbs: [create, escalate]", "resourceNames: [r]", true},
		{"has it not", []step{list, role("update", "r", pods)}, "resourceNames: [r]\n  verbs: [update, escalate]", "zzz", true},
		{"gives nothing", []step{role("create", "")}, "verbs: [create]", "escalate", false},
		{"binds", []step{binding}, "resources: [clusterroles]\n  resourceNames: [edit]\n  verbs: [bind]", "zzz", false},
		{"no body", []step{bare}, "left out is bind", "[bind]", true},
		{"approves", []step{csr}, "resources: [signers]\n  resourceNames: [kubernetes.io/kube-apiserver-client]\n  verbs: [approve]", "zzz", false},
	} {
		col := roles.New(roles.Options{})
		collect(t, col, c.steps)
		out := text(t, col)
		warned := strings.Contains(strings.Join(col.Sets("")[0].Warnings(), "\n"), "rights")
		if !strings.Contains(out, c.want) || strings.Contains(out, c.not) || warned != c.warns {
			t.Errorf("%s: warns %v, and\n%s", c.name, warned, out)
		}
	}
}

// TestReadGranted: lists, JSON, bindings, and what is no role.
func TestReadGranted(t *testing.T) {
	const role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: %K\nmetadata: {name: r, namespace: a}\nrules:\n- {apiGroups: [\"\"], resources: [pods], verbs: [get]}\n"
	read := func(text string) string {
		got, others, err := roles.ReadGranted("f.yaml", []byte(text))
		if err != nil {
			return err.Error()
		}
		out, err := yaml.Marshal(map[string]any{"roles": got, "others": others})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for _, c := range []struct{ name, text, want string }{
		{"role", strings.Replace(role, "%K", "Role", 1), "Kind: Role"},
		{"list", `{"apiVersion":"v1","kind":"List","items":[{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"r","namespace":"a"},"rules":[]},{"kind":"ConfigMap","apiVersion":"v1"}]}`, "others:\n- ConfigMap"},
		{"typed list", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleList","items":[{"metadata":{"name":"r"},"rules":[]}]}`, "Kind: ClusterRole"},
		{"bound", strings.Replace(role, "%K", "ClusterRole", 1) + "---\nkind: RoleBinding\nmetadata: {name: b, namespace: prod}\nroleRef: {kind: ClusterRole, name: r}\n", "Bound:\n  - prod"},
		{"misspelt", strings.Replace(strings.Replace(role, "%K", "Role", 1), "verbs", "verb", 1), `unknown field "verb"`},
		{"no role", "kind: ConfigMap\napiVersion: v1\n", "f.yaml has no Role or ClusterRole"},
		{"no object", "a: b\n", "document 1 is no object"},
		{"no YAML", "a: [\n", "f.yaml: document 1"},
		{"empty", "", "f.yaml has no Role or ClusterRole"},
		{"comments", "# a\n---\n" + strings.Replace(role, "%K", "Role", 1), "Kind: Role"},
	} {
		if got := read(c.text); !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestCorpus: real logs of many clusters give roles that are valid and the same each time.
func TestCorpus(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(os.Getenv("AUDITPATCH_CORPUS"), "events", "*"))
	if err != nil || os.Getenv("AUDITPATCH_CORPUS") == "" || len(files) == 0 {
		t.Skip("no logs: set AUDITPATCH_CORPUS to a folder with events/")
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c := roles.New(roles.Options{})
		n := 0
		for line := range strings.Lines(string(data)) {
			var e event.Event
			if e.Parse([]byte(line), roles.Fields) != nil {
				continue
			}
			if n++; c.Add(&e) != nil {
				t.Fatal(name)
			}
		}
		out := text(t, c)
		parse(t, out)
		if out != text(t, c) {
			t.Errorf("%s: the second time is different", name)
		}
		t.Logf("%s: %d events, %d users", filepath.Base(name), n, len(c.Sets("")))
	}
}

// TestBounded: neither long URLs, nor many users, nor many made roles fill the memory.
func TestBounded(t *testing.T) {
	long := strings.Repeat("x", 8000)
	rules := make([]string, 0, 400)
	for i := range 400 {
		rules = append(rules, fmt.Sprintf(`{"verbs":["get"],"apiGroups":[""],"resources":["r%d"]}`, i))
	}
	made := `{"rules":[` + strings.Join(rules, ",") + `]}`
	for name, line := range map[string]string{
		"URLs":  `{"kind":"Event","auditID":"a","level":"Metadata","stage":"ResponseComplete","verb":"get","requestURI":"/N/` + long + `","user":{"username":"u"},"responseStatus":{"code":200}}`,
		"roles": `{"kind":"Event","auditID":"a","level":"Request","stage":"ResponseComplete","verb":"update","requestURI":"/apis/rbac.authorization.k8s.io/v1/namespaces/nN/roles/x","objectRef":{"resource":"roles","namespace":"nN","name":"x","apiGroup":"rbac.authorization.k8s.io","apiVersion":"v1"},"user":{"username":"u"},"responseStatus":{"code":200},"requestObject":` + made + `}`,
		"users": `{"kind":"Event","auditID":"a","level":"Metadata","stage":"ResponseComplete","verb":"get","requestURI":"/x","user":{"username":"N` + long + `"},"responseStatus":{"code":200}}`,
	} {
		c := roles.New(roles.Options{})
		var err error
		for i := 0; i < 10_000 && err == nil; i++ {
			var e event.Event
			if err := e.Parse([]byte(strings.ReplaceAll(line, "N", strconv.Itoa(i))), roles.Fields); err != nil {
				t.Fatal(err)
			}
			err = c.Add(&e)
		}
		if !errors.Is(err, roles.ErrTooMany) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
