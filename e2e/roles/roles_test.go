//go:build e2e

package roles

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/version"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/answer/roles"
	"auditpatch/internal/auditlog/event"
)

// modes are the values of --names.
var modes = []struct {
	name  string
	names roles.Names
}{{"always", roles.Always}, {"auto", roles.Auto}, {"never", roles.Never}}

// mostAtoms is how many users there are, of whom each lacks one atom.
const mostAtoms = 400

// TestRoles: what was done may be done again by somebody who has the roles and nothing else; and
// not by somebody who lacks any verb, resource, name or URL of them.
func TestRoles(t *testing.T) {
	users := []apiserver.User{operator, legacy}
	for _, m := range modes {
		users = append(users, user("fresh-"+m.name))
		for i := range mostAtoms {
			users = append(users, user(lacking(m.name, i)))
		}
	}
	bed := start(t, users...)
	server := serve(t, bed, everything)
	client := server.Client()
	furnish(t, bed, client)
	all := requests(t)
	for _, q := range all {
		q.status = send(t, client, q, q.As).Status
		if q.status == http.StatusForbidden || q.status == http.StatusUnauthorized {
			t.Errorf("%s: %d for %s", q.line, q.status, q.As.Name)
		}
	}
	client.Close()
	log := end(t, server)
	keep(t, "audit.jsonl", log)

	server = serve(t, bed, nothing)
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			client := server.Client()
			defer client.Close()
			w := world{T: t, client: client, server: server, ca: bed.CAFile(), mode: m.name}
			set := computed(t, log, m.names, "")
			w.apply(set)
			w.again(all)
			w.lacking(set, all, log)
		})
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
}

func user(name string) apiserver.User {
	return apiserver.User{Name: name, Token: name + "-token"}
}

func lacking(mode string, i int) string { return fmt.Sprintf("lacking-%s-%03d", mode, i) }

// send does what comes before, and the request as somebody.
func send(t *testing.T, client *apiserver.Client, q *request, as apiserver.User) apiserver.Answer {
	t.Helper()
	for _, b := range q.before {
		answer, err := client.Do(b)
		if err != nil || answer.Status >= 500 || answer.Status == http.StatusForbidden {
			t.Fatalf("%s, before it %s %s: %d %s (%v)", q.line, b.Method, b.Target, answer.Status, answer.Body, err)
		}
	}
	r := q.Request
	r.As = as
	for try := 1; ; try++ {
		answer, err := client.Do(r)
		if err != nil {
			t.Fatalf("%s as %s: %v", q.line, as.Name, err)
		}
		if answer.Status != http.StatusTooManyRequests || try == 50 {
			return answer
		}
		time.Sleep(200 * time.Millisecond) // the server is not ready for this resource yet
	}
}

// computed are the roles of what operator and legacy did; with an id, of that request alone.
func computed(t *testing.T, log []byte, names roles.Names, id string) roles.Set {
	t.Helper()
	c := roles.New(roles.Options{Together: true, Names: names, Who: func(user string) bool { return user == operator.Name || user == legacy.Name }})
	for line := range bytes.Lines(log) {
		var e event.Event
		if err := e.Parse(line, roles.Fields); err != nil {
			t.Fatalf("%v: %.300s", err, line)
		}
		if id != "" && string(e.AuditID) != id {
			continue
		}
		if err := c.Add(&e); err != nil {
			t.Fatal(err)
		}
	}
	sets := c.Sets("computed")
	if len(sets) == 0 {
		return roles.Set{}
	}
	return sets[0]
}

// world is a server with roles.
type world struct {
	*testing.T
	client *apiserver.Client
	server *apiserver.Server
	ca     string
	mode   string
}

// apply gives the roles to kubectl.
func (w *world) apply(set roles.Set) {
	w.Helper()
	for i := range set.Roles {
		set.Roles[i].Name += "-" + w.mode
	}
	var yaml bytes.Buffer
	if err := set.WriteYAML(&yaml, roles.Subject{Kind: "User", Name: "fresh-" + w.mode}); err != nil {
		w.Fatal(err)
	}
	keep(w.T, "roles.yaml", yaml.Bytes())
	kubectl := exec.CommandContext(w.Context(), os.Getenv("E2E_KUBECTL"), "--kubeconfig=/dev/null", "--cache-dir="+w.TempDir(),
		"--server="+w.server.URL(), "--certificate-authority="+w.ca, "--token="+apiserver.Admin.Token, "apply", "-f", "-")
	kubectl.Stdin = &yaml
	if out, err := kubectl.CombinedOutput(); err != nil {
		w.Fatalf("kubectl apply: %v\n%s", err, out)
	}
}

// again sends all as the user who has the roles. The answers are those of the first time.
func (w *world) again(all []*request) {
	w.Helper()
	fresh := user("fresh-" + w.mode)
	for _, q := range all {
		var answer apiserver.Answer
		for try := range 100 { // the API server learns of roles a little later
			if answer = send(w.T, w.client, q, fresh); answer.Status != http.StatusForbidden {
				break
			}
			time.Sleep(time.Duration(try) * time.Millisecond)
		}
		if answer.Status != q.status {
			w.Errorf("%s: %d, and with the roles %d %.400s", q.line, q.status, answer.Status, answer.Body)
		}
	}
}

// atom is one verb for one resource, name or URL, in one place.
type atom struct {
	namespace string
	rule      rbacv1.PolicyRule
}

func (a atom) String() string {
	r := a.rule
	return fmt.Sprintf("%s of %q %q%q named %q in %q", r.Verbs, r.APIGroups, r.Resources, r.NonResourceURLs, r.ResourceNames, a.namespace)
}

func atoms(set roles.Set) (out []atom) {
	for _, r := range set.Roles {
		places := r.Namespaces
		if r.Everywhere {
			places = []string{""}
		}
		for _, namespace := range places {
			for _, rule := range r.Rules {
				for _, single := range singles(rule.PolicyRule) {
					out = append(out, atom{namespace, single})
				}
			}
		}
	}
	return out
}

func singles(r rbacv1.PolicyRule) (out []rbacv1.PolicyRule) {
	for _, verb := range r.Verbs {
		for _, u := range r.NonResourceURLs {
			out = append(out, rbacv1.PolicyRule{Verbs: []string{verb}, NonResourceURLs: []string{u}})
		}
		for _, g := range r.APIGroups {
			for _, resource := range r.Resources {
				one := rbacv1.PolicyRule{Verbs: []string{verb}, APIGroups: []string{g}, Resources: []string{resource}}
				if len(r.ResourceNames) == 0 {
					out = append(out, one)
				}
				for _, name := range r.ResourceNames {
					one.ResourceNames = []string{name}
					out = append(out, one)
				}
			}
		}
	}
	return out
}

// allows says that whoever has a has other.
func (a atom) allows(other atom) bool {
	r, o := a.rule, other.rule
	return (a.namespace == "" || a.namespace == other.namespace) && r.Verbs[0] == o.Verbs[0] && fmt.Sprint(r.APIGroups, r.Resources, r.NonResourceURLs) == fmt.Sprint(o.APIGroups, o.Resources, o.NonResourceURLs) &&
		(len(r.ResourceNames) == 0 || len(o.ResourceNames) > 0 && r.ResourceNames[0] == o.ResourceNames[0])
}

// lacking gives one user after the other all atoms but one: a request must be refused, and be
// allowed as soon as the user gets the atom, too.
func (w *world) lacking(set roles.Set, all []*request, log []byte) {
	w.Helper()
	every := atoms(set)
	if len(every) > mostAtoms {
		w.Fatalf("%d atoms, for which there are %d users", len(every), mostAtoms)
	}
	for i := range every {
		w.grant(lacking(w.mode, i), without(every, i))
	}
	needs := map[*request][]atom{}
	for _, q := range all {
		needs[q] = atoms(computed(w.T, log, roles.Always, q.Header["Audit-ID"]))
	}
	proven := 0
	for i, a := range every {
		if w.later(a) {
			continue
		}
		if w.needed(i, a, all, needs) {
			proven++
		}
	}
	rules := 0
	for _, r := range set.Roles {
		rules += len(r.Rules)
	}
	w.Logf("names %s: %d requests; %d roles with %d rules; %d of %d atoms needed", w.mode, len(all), len(set.Roles), rules, proven, len(every))
}

// later is what only newer releases ask for, which is granted for all: create for a WebSocket,
// from 1.35 on.
func (w *world) later(a atom) bool {
	v, err := version.ParseGeneric(os.Getenv("E2E_KUBERNETES"))
	if err != nil {
		w.Fatalf("E2E_KUBERNETES: %v", err)
	}
	r := a.rule
	return v.Minor() < 35 && r.Verbs[0] == "create" && len(r.Resources) > 0 && a.namespace == "prod" &&
		slices.Contains([]string{"pods/exec", "pods/attach", "pods/portforward"}, r.Resources[0])
}

func (w *world) needed(i int, a atom, all []*request, needs map[*request][]atom) bool {
	w.Helper()
	who := user(lacking(w.mode, i))
	tried := 0
	for _, q := range all {
		if !needsOne(needs[q], a) {
			continue
		}
		tried++
		if send(w.T, w.client, q, who).Status != http.StatusForbidden {
			continue
		}
		w.grant(who.Name+"-again", map[string][]rbacv1.PolicyRule{a.namespace: {a.rule}}, who.Name)
		var answer apiserver.Answer
		for try := range 60 {
			if answer = send(w.T, w.client, q, who); answer.Status != http.StatusForbidden {
				return true
			}
			time.Sleep(time.Duration(try) * time.Millisecond)
		}
		w.Errorf("%s: refused without %s, and with it: %s", q.line, a, answer.Body)
		return false
	}
	w.Errorf("%s is superfluous: %d requests that may need it are allowed without", a, tried)
	return false
}

func needsOne(needs []atom, a atom) bool {
	for _, n := range needs {
		if a.allows(n) {
			return true
		}
	}
	return false
}

// without are the rules by place, without one.
func without(every []atom, but int) map[string][]rbacv1.PolicyRule {
	out := map[string][]rbacv1.PolicyRule{}
	for i, a := range every {
		if i != but {
			out[a.namespace] = append(out[a.namespace], a.rule)
		}
	}
	return out
}

// grant makes roles of rules by namespace, bound to a user of that name unless another is given.
func (w *world) grant(name string, rules map[string][]rbacv1.PolicyRule, to ...string) {
	w.Helper()
	if len(to) == 0 {
		to = []string{name}
	}
	for namespace, r := range rules {
		kind, in := "ClusterRole", "/apis/"+rbacGroup+"/v1"
		if namespace != "" {
			kind, in = "Role", in+"/namespaces/"+namespace
		}
		text, err := json.Marshal(r)
		if err != nil {
			w.Fatal(err)
		}
		role := object{"apiVersion": rbacGroup + "/v1", "kind": kind, "metadata": object{"name": name}, "rules": json.RawMessage(text)}
		binding := object{"apiVersion": rbacGroup + "/v1", "kind": kind + "Binding", "metadata": object{"name": name},
			"roleRef":  object{"apiGroup": rbacGroup, "kind": kind, "name": name},
			"subjects": []object{{"apiGroup": rbacGroup, "kind": "User", "name": to[0]}}}
		plural := strings.ToLower(kind)
		admin(w.T, w.client, http.MethodPost, in+"/"+plural+"s", role)
		admin(w.T, w.client, http.MethodPost, in+"/"+plural+"bindings", binding)
	}
}
