//go:build e2e

package policies

import (
	"net/http"
	"testing"
	"time"

	"auditpatch/e2e/apiserver"
)

// Namespaces and a custom resource that every test uses.
const (
	prod   = "prod"
	dev    = "dev"
	vaults = "/apis/canary.example.com/v1/namespaces/prod/vaults"
)

// nothing records nothing.
const nothing = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"

// furnish stores what requests are about: namespaces, a node and a pod on it, a custom
// resource, roles. It is done under a server of its own.
func furnish(t *testing.T, bed *apiserver.Bed) {
	t.Helper()
	server := serve(t, bed, []byte(nothing))
	client := server.Client()
	defer client.Close()
	f := furnisher{T: t, client: client}
	for _, namespace := range []string{prod, dev} {
		f.create("/api/v1/namespaces", "v1", "Namespace", namespace, object{})
		f.create("/api/v1/namespaces/"+namespace+"/serviceaccounts", "v1", "ServiceAccount", "default", object{})
	}
	f.create("/api/v1/namespaces/prod/serviceaccounts", "v1", "ServiceAccount", "builder", object{})
	f.create("/api/v1/namespaces/prod/configmaps", "v1", "ConfigMap", "settings", object{"data": object{"a": "b"}})
	f.create("/api/v1/namespaces/prod/secrets", "v1", "Secret", "password", object{"stringData": object{"a": "b"}})
	f.node(bed.Kubelet().Port())
	f.roles()
	f.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", "apiextensions.k8s.io/v1", "CustomResourceDefinition",
		"vaults.canary.example.com", vaultDefinition())
	f.await(vaults)
	if end(t, server); t.Failed() {
		t.FailNow()
	}
}

type furnisher struct {
	*testing.T
	client *apiserver.Client
}

func (f furnisher) create(collection, version, kind, name string, rest object) {
	f.Helper()
	rest["apiVersion"], rest["kind"], rest["metadata"] = version, kind, object{"name": name}
	f.send(http.MethodPost, collection, "application/json", rest)
}

func (f furnisher) send(method, target, media string, body object) {
	f.Helper()
	answer, err := f.client.Do(apiserver.Request{As: apiserver.Admin, Method: method, Target: target,
		Header: map[string]string{"Content-Type": media}, Body: body.bytes()})
	if err != nil || answer.Status/100 != 2 {
		f.Fatalf("%s %s: %d %s (%v)", method, target, answer.Status, answer.Body, err)
	}
}

// node has the stand-in for a kubelet, and a pod.
func (f furnisher) node(port int) {
	f.Helper()
	f.create("/api/v1/nodes", "v1", "Node", "n1", object{})
	f.send(http.MethodPatch, "/api/v1/nodes/n1/status", "application/merge-patch+json", object{"status": object{
		"addresses":       []object{{"type": "InternalIP", "address": "127.0.0.1"}},
		"daemonEndpoints": object{"kubeletEndpoint": object{"Port": port}},
	}})
	f.create("/api/v1/namespaces/prod/pods", "v1", "Pod", "web", object{"spec": object{
		"nodeName": "n1", "automountServiceAccountToken": false,
		"containers": []object{{"name": "main", "image": "none"}},
	}})
	f.create("/api/v1/namespaces/prod/services", "v1", "Service", "web", object{"spec": object{"ports": []object{{"port": 80}}}})
}

// roles: group devs may edit in dev and view in prod, operators may do what they like as
// somebody else.
func (f furnisher) roles() {
	f.Helper()
	const rbac = "/apis/rbac.authorization.k8s.io/v1"
	role := func(kind, name string) object {
		return object{"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
	}
	bind := func(collection, kind, name, to, group string) {
		f.create(rbac+collection, "rbac.authorization.k8s.io/v1", kind, name, object{
			"roleRef": role("ClusterRole", to), "subjects": []object{role("Group", group)},
		})
	}
	bind("/namespaces/dev/rolebindings", "RoleBinding", "devs", "edit", "devs")
	bind("/namespaces/prod/rolebindings", "RoleBinding", "devs", "view", "devs")
	f.create(rbac+"/clusterroles", "rbac.authorization.k8s.io/v1", "ClusterRole", "impersonator", object{"rules": []object{
		{"apiGroups": []string{""}, "resources": []string{"users", "groups", "serviceaccounts"}, "verbs": []string{"impersonate"}},
	}})
	bind("/clusterrolebindings", "ClusterRoleBinding", "operators", "impersonator", "operators")
}

func vaultDefinition() object {
	password := object{"type": "string", "maxLength": 200}
	return object{"spec": object{
		"group": "canary.example.com", "scope": "Namespaced",
		"names": object{"plural": "vaults", "singular": "vault", "kind": "Vault"},
		"versions": []object{{
			"name": "v1", "served": true, "storage": true,
			"subresources": object{"status": object{}},
			"schema": object{"openAPIV3Schema": object{"type": "object", "properties": object{
				"spec": object{"type": "object", "properties": object{
					"password": password,
					"code":     object{"type": "string", "pattern": "^[0-9]*$"},
				}},
				"status": object{"type": "object", "properties": object{"password": password}},
			}}},
		}},
	}}
}

// await asks until a resource is served.
func (f furnisher) await(target string) {
	f.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		answer, err := f.client.Do(apiserver.Request{As: apiserver.Admin, Method: http.MethodGet, Target: target})
		if err == nil && answer.Status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			f.Fatalf("%s: %d (%v)", target, answer.Status, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
