//go:build e2e

package roles

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/apiserver"
)

// targets are the requests: a method, a target, then words: the name of a body, a protocol
// to switch to, "hold" for an answer without an end, "as:NAME" for one of headers, and behind <
// what bed-admin does each time before, so that the answer is the same each time.
const targets = `
GET /api/v1/pods
GET /api/v1/pods?watch=true hold
GET /api/v1/pods?fieldSelector=metadata.name%3Dweb
GET /api/v1/namespaces/prod/pods
GET /api/v1/namespaces/prod/pods/web
GET /api/v1/namespaces/prod/pods/missing
GET /api/v1/namespaces/prod/pods/web/status
GET /api/v1/namespaces/prod/pods/web/log
GET /api/v1/namespaces/prod/pods/web/log?follow=true hold
GET /api/v1/namespaces/prod/pods/web/exec?command=ls&stdout=true websocket
POST /api/v1/namespaces/dev/pods/web/exec?command=ls&stdout=true spdy
GET /api/v1/namespaces/prod/pods/missing/exec?command=ls websocket
GET /api/v1/namespaces/prod/pods/web/attach?stdout=true websocket
POST /api/v1/namespaces/dev/pods/web/attach?stdout=true spdy
GET /api/v1/namespaces/prod/pods/web/portforward?ports=80 websocket
POST /api/v1/namespaces/dev/pods/web/portforward spdy
GET /api/v1/namespaces/prod/pods/web/proxy/a/b
POST /api/v1/namespaces/prod/pods/web:8080/proxy/form {}
GET /api/v1/namespaces/prod/services/web/proxy/
GET /api/v1/nodes/n1/proxy/metrics
POST /api/v1/namespaces/prod/pods pod < DELETE /api/v1/namespaces/prod/pods/made?gracePeriodSeconds=0
POST /api/v1/namespaces/prod/pods?dryRun=All generated
PATCH /api/v1/namespaces/prod/pods/web label
PATCH /api/v1/namespaces/prod/pods/web/status {}
PATCH /api/v1/namespaces/prod/pods/web/ephemeralcontainers {}
POST /api/v1/namespaces/prod/pods/missing/eviction eviction
POST /api/v1/namespaces/prod/pods/missing/binding binding
POST /api/v1/namespaces/dev/bindings binding
DELETE /api/v1/namespaces/prod/pods/missing
GET /api/v1/secrets?fieldSelector=metadata.name%3Dpassword
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Dpassword
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name%3Dpassword&watch=true hold
GET /api/v1/namespaces/prod/secrets?fieldSelector=metadata.name!%3Dpassword
GET /api/v1/namespaces/prod/secrets/password
GET /api/v1/namespaces/dev/secrets/password
GET /api/v1/namespaces/prod/secrets/a%20b
GET /api/v1/watch/namespaces/prod/secrets/password hold
GET /api/v1/watch/services hold
GET /api/v1/namespaces/prod/configmaps/settings
GET /api/v1/namespaces/dev/configmaps/settings
GET /api/v1/namespaces/test/configmaps/settings
HEAD /api/v1/namespaces/prod/configmaps/settings
PUT /api/v1/namespaces/prod/configmaps/settings configmap:settings
PATCH /api/v1/namespaces/prod/configmaps/settings label
PATCH /api/v1/namespaces/prod/configmaps/applied?fieldManager=a apply:applied < DELETE /api/v1/namespaces/prod/configmaps/applied
PATCH /api/v1/namespaces/dev/configmaps/applied?fieldManager=a&force=true apply:applied < POST /api/v1/namespaces/dev/configmaps configmap:applied
POST /api/v1/namespaces/test/configmaps configmap:made < DELETE /api/v1/namespaces/test/configmaps/made
DELETE /api/v1/namespaces/test/configmaps/made < POST /api/v1/namespaces/test/configmaps configmap:made
DELETE /api/v1/namespaces/dev/configmaps?labelSelector=a%3Dnothing
DELETE /api/v1/namespaces/dev/services?fieldSelector=metadata.name%3Dmissing
GET /api/v1/namespaces/prod/services
GET /api/v1/namespaces/dev/services
GET /api/v1/namespaces/prod/endpoints
GET /api/v1/namespaces/dev/endpoints
GET /apis/discovery.k8s.io/v1/namespaces/prod/endpointslices
GET /api/v1/namespaces
GET /api/v1/namespaces/prod
GET /api/v1/namespaces/dev
PATCH /api/v1/namespaces/prod label
PATCH /api/v1/namespaces/prod/status {}
GET /api/v1/namespaces?fieldSelector=metadata.name%3Dprod
POST /api/v1/namespaces?dryRun=All namespace
DELETE /api/v1/namespaces/missing
PUT /api/v1/namespaces/prod/finalize {}
GET /api/v1/nodes
GET /api/v1/nodes/n1
PATCH /api/v1/nodes/n1/status {}
PATCH /api/v1/nodes/n1 label
GET /api/v1/events
GET /apis/events.k8s.io/v1/events
POST /api/v1/namespaces/prod/events event
POST /api/v1/namespaces/prod/serviceaccounts/builder/token token
POST /api/v1/namespaces/prod/serviceaccounts/missing/token token
GET /api/v1/nosuchthings
POST /api/v1/namespaces/prod/nosuchthings {}
OPTIONS /api/v1/services
GET /apis/apps/v1/deployments
GET /apis/apps/v1/namespaces/prod/deployments/web
GET /apis/apps/v1/namespaces/prod/deployments/web/scale
PUT /apis/apps/v1/namespaces/prod/deployments/web/scale scale
PATCH /apis/apps/v1/namespaces/prod/deployments/web/scale replicas
PATCH /apis/apps/v1/namespaces/prod/deployments/web/status {}
POST /apis/apps/v1/namespaces/prod/deployments deployment < DELETE /apis/apps/v1/namespaces/prod/deployments/made
DELETE /apis/apps/v1/namespaces/prod/deployments/missing
GET /apis/batch/v1/namespaces/prod/jobs
PUT /apis/coordination.k8s.io/v1/namespaces/prod/leases/lead lease < DELETE /apis/coordination.k8s.io/v1/namespaces/prod/leases/lead
GET /apis/coordination.k8s.io/v1/namespaces/prod/leases/lead
GET /apis/apiregistration.k8s.io/v1/apiservices
GET /apis/apiextensions.k8s.io/v1/customresourcedefinitions/vaults.canary.example.com
GET /apis/canary.example.com/v1/vaults
GET /apis/canary.example.com/v1/namespaces/prod/vaults?watch=true hold
POST /apis/canary.example.com/v1/namespaces/prod/vaults vault:made < DELETE /apis/canary.example.com/v1/namespaces/prod/vaults/made
PATCH /apis/canary.example.com/v1/namespaces/prod/vaults/applied?fieldManager=a applyvault:applied < DELETE /apis/canary.example.com/v1/namespaces/prod/vaults/applied
PATCH /apis/canary.example.com/v1/namespaces/prod/vaults/one/status {}
DELETE /apis/canary.example.com/v1/namespaces/dev/vaults
GET /apis/metrics.k8s.io/v1beta1/namespaces/prod/pods
GET /apis/metrics.k8s.io/v1beta1/nodes/n1
POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews review
POST /apis/authorization.k8s.io/v1/subjectaccessreviews review
POST /apis/authorization.k8s.io/v1/namespaces/prod/localsubjectaccessreviews localreview
POST /apis/authentication.k8s.io/v1/tokenreviews tokenreview
POST /apis/rbac.authorization.k8s.io/v1/namespaces/prod/roles role:secrets < DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/prod/roles/secrets
PUT /apis/rbac.authorization.k8s.io/v1/namespaces/dev/roles/secrets role:secrets < POST /apis/rbac.authorization.k8s.io/v1/namespaces/dev/roles role:secrets
POST /apis/rbac.authorization.k8s.io/v1/namespaces/test/roles role:held < DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/test/roles/held
PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/wide rules < PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/wide norules
POST /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings bind:RoleBinding < DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/prod/rolebindings/made
POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings bind:ClusterRoleBinding < DELETE /apis/rbac.authorization.k8s.io/v1/clusterrolebindings/made
PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/dev/rolebindings/kept label < PATCH /apis/rbac.authorization.k8s.io/v1/namespaces/dev/rolebindings/kept nolabel
DELETE /apis/rbac.authorization.k8s.io/v1/namespaces/prod/roles/missing
POST /apis/certificates.k8s.io/v1/certificatesigningrequests csr < DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/made
PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/made/approval approve < DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/made; POST /apis/certificates.k8s.io/v1/certificatesigningrequests csr
PATCH /apis/certificates.k8s.io/v1/certificatesigningrequests/made/status fail < DELETE /apis/certificates.k8s.io/v1/certificatesigningrequests/made; POST /apis/certificates.k8s.io/v1/certificatesigningrequests csr
GET /
GET /api
GET /apis/apps/v1
GET /version
GET /metrics
HEAD /metrics
GET /healthz/etcd
GET /livez/ping
POST /healthz {}
GET /logs/
OPTIONS /metrics
GET /debug/pprof/cmdline
GET /openid/v1/jwks
GET /api/v1/namespaces/prod/replicationcontrollers as:user
GET /api/v1/namespaces/prod/limitranges as:groups
GET /api/v1/namespaces/prod/resourcequotas/a as:account
POST /api/v1/namespaces/prod/podtemplates?dryRun=All {} as:extra
GET /logs/x as:user
GET /api/v1/nodes as:node
GET /api/v1/persistentvolumes legacy as:legacyuser
GET /api/v1/persistentvolumeclaims legacy as:legacygroups
GET /api/v1/resourcequotas legacy as:legacyaccount
GET /api/v1/limitranges legacy as:legacyextra
`

// headers are impersonations.
var headers = map[string]map[string]string{
	"user":          {"Impersonate-User": "imp-user"},
	"groups":        {"Impersonate-User": "imp-nobody", "Impersonate-Group": "imp-group"},
	"account":       {"Impersonate-User": "system:serviceaccount:prod:builder"},
	"extra":         {"Impersonate-User": "imp-user", "Impersonate-Uid": "17", "Impersonate-Extra-Example.com%2fscope": "a b"},
	"node":          {"Impersonate-User": "system:node:n1"},
	"legacyuser":    {"Impersonate-User": "imp-legacy"},
	"legacygroups":  {"Impersonate-User": "imp-other", "Impersonate-Group": "imp-group-2"},
	"legacyaccount": {"Impersonate-User": "system:serviceaccount:dev:legacy"},
	"legacyextra":   {"Impersonate-User": "imp-legacy", "Impersonate-Uid": "18", "Impersonate-Extra-Scopes": "view"},
}

// Users: operator may do everything; legacy may impersonate by the old verb and nothing else.
var (
	operator = apiserver.User{Name: "operator", Groups: []string{"system:masters"}, Token: "operator-token"}
	legacy   = apiserver.User{Name: "legacy", Token: "legacy-token"}
)

// request is a request with what bed-admin does before.
type request struct {
	apiserver.Request
	line   string
	before []apiserver.Request
	status int // of the first answer
}

// requests reads targets.
func requests(t *testing.T) (out []*request) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSpace(targets), "\n") {
		text, before, _ := strings.Cut(line, " < ")
		q := &request{Request: parse(t, text), line: text}
		q.Header["Audit-ID"] = fmt.Sprintf("request-%03d", i)
		if before != "" {
			for _, b := range strings.Split(before, "; ") {
				p := parse(t, b)
				p.As = apiserver.Admin
				q.before = append(q.before, p)
			}
		}
		out = append(out, q)
	}
	return out
}

func parse(t *testing.T, text string) apiserver.Request {
	t.Helper()
	words := strings.Fields(text)
	q := apiserver.Request{As: operator, Method: words[0], Target: words[1], Header: map[string]string{}}
	for _, w := range words[2:] {
		name, arg, _ := strings.Cut(w, ":")
		switch name {
		case "hold":
			q.Hold = true
		case "legacy":
			q.As = legacy
		case "as":
			maps.Copy(q.Header, headers[arg])
		case "spdy":
			q.Header["Connection"], q.Header["Upgrade"], q.Hold = "Upgrade", "SPDY/3.1", true
			q.Header["X-Stream-Protocol-Version"] = "v4.channel.k8s.io"
		case "websocket":
			q.Header["Connection"], q.Header["Upgrade"], q.Hold = "Upgrade", "websocket", true
			q.Header["Sec-WebSocket-Version"], q.Header["Sec-WebSocket-Key"] = "13", "dGhlIHNhbXBsZSBub25jZQ=="
			q.Header["Sec-WebSocket-Protocol"] = "v5.channel.k8s.io"
		default:
			q.Body = body(t, name, arg).bytes()
			q.Header["Content-Type"] = "application/json"
			if q.Method == http.MethodPatch {
				q.Header["Content-Type"] = "application/merge-patch+json"
			}
			if strings.HasPrefix(name, "apply") {
				q.Header["Content-Type"] = "application/apply-patch+yaml"
			}
		}
	}
	return q
}

const rbacGroup = "rbac.authorization.k8s.io"

// body is an object by its name in targets.
func body(t *testing.T, what, name string) object {
	t.Helper()
	as := func(version, kind string, rest object) object {
		rest["apiVersion"], rest["kind"] = version, kind
		if rest["metadata"] == nil && name != "" {
			rest["metadata"] = object{"name": name}
		}
		return rest
	}
	container := []object{{"name": "main", "image": "none"}}
	attributes := object{"verb": "get", "resource": "pods"}
	switch what {
	case "{}":
		return object{}
	case "label":
		return object{"metadata": object{"labels": object{"a": "b"}}}
	case "pod", "generated":
		meta := object{"name": "made"}
		if what == "generated" {
			meta = object{"generateName": "made-"}
		}
		return as("v1", "Pod", object{"metadata": meta, "spec": object{"automountServiceAccountToken": false, "containers": container}})
	case "configmap", "apply":
		return as("v1", "ConfigMap", object{"data": object{"a": "b"}})
	case "vault", "applyvault":
		return as("canary.example.com/v1", "Vault", object{})
	case "namespace":
		return as("v1", "Namespace", object{"metadata": object{"name": "fresh"}})
	case "eviction":
		return as("policy/v1", "Eviction", object{"metadata": object{"name": "missing"}})
	case "binding":
		return as("v1", "Binding", object{"metadata": object{"name": "missing"}, "target": object{"kind": "Node", "name": "n1"}})
	case "event":
		return as("v1", "Event", object{"metadata": object{"generateName": "e-"}, "involvedObject": object{"kind": "Pod", "name": "web", "namespace": "prod"}})
	case "token":
		return as("authentication.k8s.io/v1", "TokenRequest", object{"spec": object{}})
	case "tokenreview":
		return as("authentication.k8s.io/v1", "TokenReview", object{"spec": object{"token": "none"}})
	case "scale":
		return as("autoscaling/v1", "Scale", object{"metadata": object{"name": "web"}, "spec": object{"replicas": 1}})
	case "replicas":
		return object{"spec": object{"replicas": 1}}
	case "deployment":
		labels := object{"app": "made"}
		return as("apps/v1", "Deployment", object{"metadata": object{"name": "made"}, "spec": object{"selector": object{"matchLabels": labels},
			"template": object{"metadata": object{"labels": labels}, "spec": object{"containers": container}}}})
	case "lease":
		return as("coordination.k8s.io/v1", "Lease", object{"metadata": object{"name": "lead"}})
	case "review":
		return as("authorization.k8s.io/v1", "", object{"kind": "", "spec": object{"user": "x", "resourceAttributes": attributes}}).review()
	case "localreview":
		attributes["namespace"] = "prod"
		return as("authorization.k8s.io/v1", "LocalSubjectAccessReview", object{"metadata": object{"namespace": "prod"}, "spec": object{"user": "x", "resourceAttributes": attributes}})
	case "role":
		rule := object{"apiGroups": []string{""}, "resources": []string{"secrets"}, "verbs": []string{"deletecollection"}}
		if name == "held" {
			rule = object{"apiGroups": []string{""}, "resources": []string{"pods"}, "verbs": []string{"list", "watch"}}
		}
		return as(rbacGroup+"/v1", "Role", object{"rules": []object{rule}})
	case "rules":
		return object{"rules": []object{{"apiGroups": []string{""}, "resources": []string{"secrets"}, "verbs": []string{"*"}}}}
	case "norules":
		return object{"rules": []object{}}
	case "nolabel":
		return object{"metadata": object{"labels": nil}}
	case "bind":
		return as(rbacGroup+"/v1", name, object{"metadata": object{"name": "made"}, "roleRef": object{"apiGroup": rbacGroup, "kind": "ClusterRole", "name": "old-impersonator"},
			"subjects": []object{{"apiGroup": rbacGroup, "kind": "Group", "name": "nobody"}}})
	case "csr":
		return as("certificates.k8s.io/v1", "CertificateSigningRequest", object{"metadata": object{"name": "made"}, "spec": object{
			"request": certificateRequest(t), "signerName": "example.com/signer", "usages": []string{"client auth"}}})
	case "approve", "fail":
		kind := map[string]string{"approve": "Approved", "fail": "Failed"}[what]
		return object{"status": object{"conditions": []object{{"type": kind, "status": "True", "reason": "Test"}}}}
	}
	t.Fatalf("targets has no body %q", what)
	return nil
}

// review leaves the kind to the URL, for it is of two resources.
func (o object) review() object {
	delete(o, "kind")
	delete(o, "apiVersion")
	return o
}

func certificateRequest(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// furnish stores what requests are about.
func furnish(t *testing.T, bed *apiserver.Bed, client *apiserver.Client) {
	t.Helper()
	create := func(collection, version, kind, name string, rest object) {
		t.Helper()
		rest["apiVersion"], rest["kind"], rest["metadata"] = version, kind, object{"name": name}
		admin(t, client, http.MethodPost, collection, rest)
	}
	container := []object{{"name": "main", "image": "none"}}
	create("/api/v1/nodes", "v1", "Node", "n1", object{})
	admin(t, client, http.MethodPatch, "/api/v1/nodes/n1/status", object{"status": object{
		"addresses":       []object{{"type": "InternalIP", "address": "127.0.0.1"}},
		"daemonEndpoints": object{"kubeletEndpoint": object{"Port": bed.Kubelet().Port()}},
	}})
	for _, namespace := range []string{"prod", "dev", "test"} {
		in := "/api/v1/namespaces/" + namespace
		create("/api/v1/namespaces", "v1", "Namespace", namespace, object{})
		for _, account := range []string{"default", "builder", "legacy"} {
			create(in+"/serviceaccounts", "v1", "ServiceAccount", account, object{})
		}
		create(in+"/configmaps", "v1", "ConfigMap", "settings", object{"data": object{"a": "b"}})
		create(in+"/secrets", "v1", "Secret", "password", object{"stringData": object{"a": "b"}})
		create(in+"/pods", "v1", "Pod", "web", object{"spec": object{"nodeName": "n1", "automountServiceAccountToken": false, "containers": container}})
	}
	create("/api/v1/namespaces/prod/services", "v1", "Service", "web", object{"spec": object{"ports": []object{{"port": 80}}}})
	labels := object{"app": "web"}
	create("/apis/apps/v1/namespaces/prod/deployments", "apps/v1", "Deployment", "web", object{"spec": object{"selector": object{"matchLabels": labels},
		"template": object{"metadata": object{"labels": labels}, "spec": object{"containers": container}}}})
	const rbac = "/apis/" + rbacGroup + "/v1"
	create(rbac+"/clusterroles", rbacGroup+"/v1", "ClusterRole", "wide", object{"rules": []object{}})
	create(rbac+"/clusterroles", rbacGroup+"/v1", "ClusterRole", "old-impersonator", object{"rules": []object{
		{"apiGroups": []string{"", "authentication.k8s.io"}, "resources": []string{"*"}, "verbs": []string{"impersonate"}}}})
	bind := func(name, role string, subjects ...object) {
		t.Helper()
		create(rbac+"/clusterrolebindings", rbacGroup+"/v1", "ClusterRoleBinding", name, object{
			"roleRef": object{"apiGroup": rbacGroup, "kind": "ClusterRole", "name": role}, "subjects": subjects})
	}
	subject := func(kind, name string) object { return object{"apiGroup": rbacGroup, "kind": kind, "name": name} }
	bind("legacy", "old-impersonator", subject("User", "legacy"))
	bind("impersonated", "cluster-admin", subject("User", "imp-user"), subject("User", "imp-legacy"), subject("Group", "imp-group"), subject("Group", "imp-group-2"),
		subject("User", "system:node:n1"), object{"kind": "ServiceAccount", "namespace": "prod", "name": "builder"}, object{"kind": "ServiceAccount", "namespace": "dev", "name": "legacy"})
	create(rbac+"/namespaces/dev/rolebindings", rbacGroup+"/v1", "RoleBinding", "kept", object{
		"roleRef": object{"apiGroup": rbacGroup, "kind": "ClusterRole", "name": "old-impersonator"}, "subjects": []object{subject("Group", "nobody")}})
	create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "apiextensions.k8s.io/v1", "CustomResourceDefinition", "vaults.canary.example.com", object{"spec": object{
		"group": "canary.example.com", "scope": "Namespaced", "names": object{"plural": "vaults", "singular": "vault", "kind": "Vault"},
		"versions": []object{{"name": "v1", "served": true, "storage": true, "subresources": object{"status": object{}},
			"schema": object{"openAPIV3Schema": object{"type": "object", "properties": object{"status": object{"type": "object"}}}}}}}})
	await(t, "the custom resource", func() bool {
		answer, err := client.Do(apiserver.Request{As: apiserver.Admin, Method: http.MethodGet, Target: "/apis/canary.example.com/v1/namespaces/prod/vaults"})
		return err == nil && answer.Status == http.StatusOK
	})
	create("/apis/canary.example.com/v1/namespaces/prod/vaults", "canary.example.com/v1", "Vault", "one", object{})
}

// admin does something that must succeed.
func admin(t *testing.T, client *apiserver.Client, method, target string, body object) {
	t.Helper()
	media := "application/json"
	if method == http.MethodPatch {
		media = "application/merge-patch+json"
	}
	answer, err := client.Do(apiserver.Request{As: apiserver.Admin, Method: method, Target: target, Header: map[string]string{"Content-Type": media}, Body: body.bytes()})
	if err != nil || answer.Status/100 != 2 {
		t.Fatalf("%s %s: %d %s (%v)", method, target, answer.Status, answer.Body, err)
	}
}

// await waits until something is so.
func await(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !is() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: it did not come within a minute", what)
		}
		time.Sleep(30 * time.Millisecond)
	}
}
