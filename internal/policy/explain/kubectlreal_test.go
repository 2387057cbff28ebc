package explain

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"auditpatch/internal/policy/builtin"
)

// cluster answers kubectl as an API server would that has one of everything, and keeps
// what it was asked.
type cluster struct {
	mu                sync.Mutex
	asked, discovered []string
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if text := discoveryOf(r.URL.Path); text != nil {
		c.mu.Lock()
		c.discovered = append(c.discovered, "get "+r.URL.Path)
		c.mu.Unlock()
		_ = json.NewEncoder(w).Encode(text)
		return
	}
	sent, err := FromURL(r.Method, r.URL.RequestURI(), Who{User: "alice"})
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	c.mu.Lock()
	c.asked = append(c.asked, Describe(sent.Request))
	c.mu.Unlock()
	_ = json.NewEncoder(w).Encode(objectOf(r, sent))
}

// discoveryOf is what kubectl reads of any API server first; nil for other paths.
func discoveryOf(path string) any {
	type m = map[string]any
	if path == "/api" {
		return m{"kind": "APIVersions", "versions": []string{"v1"}}
	}
	if path == "/apis/"+metricsGroup+"/v1beta1" {
		return m{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": metricsGroup + "/v1beta1", "resources": []m{
			{"name": "nodes", "kind": "NodeMetrics", "verbs": []string{"get", "list"}}, {"name": "pods", "kind": "PodMetrics", "namespaced": true, "verbs": []string{"get", "list"}}}}
	}
	if path == "/version" {
		return m{"major": "1", "minor": "37", "gitVersion": "v1.37.2"}
	}
	groups := []m{{"name": metricsGroup, "versions": []m{{"groupVersion": metricsGroup + "/v1beta1", "version": "v1beta1"}}}}
	for _, r := range builtin.All() {
		if r.Group == "" || slices.ContainsFunc(groups, func(g m) bool { return g["name"] == r.Group }) {
			continue
		}
		gv := m{"groupVersion": r.Group + "/" + versionOf(r.Group), "version": versionOf(r.Group)}
		groups = append(groups, m{"name": r.Group, "versions": []m{gv}, "preferredVersion": gv})
	}
	if path == "/apis" {
		return m{"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
	}
	if strings.HasPrefix(path, "/openapi/") {
		return m{"paths": m{}}
	}
	list := []m{}
	group := "none"
	for _, r := range builtin.All() {
		at := "/apis/" + r.Group + "/" + versionOf(r.Group)
		if r.Group == "" {
			at = "/api/v1"
		}
		if at != path {
			continue
		}
		group = strings.TrimPrefix(strings.TrimPrefix(at, "/apis/"), "/api/")
		verbs := []string{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
		one := m{"name": r.Name, "singularName": r.Singular(), "namespaced": r.Namespaced, "kind": r.Kind, "shortNames": r.Short, "verbs": verbs}
		switch r.Name { // those of kubectl get all
		case "pods", "replicationcontrollers", "services", "daemonsets", "deployments", "replicasets", "statefulsets", "horizontalpodautoscalers", "cronjobs", "jobs":
			one["categories"] = []string{"all"}
		}
		list = append(list, one)
		for _, sub := range r.Subresources {
			s := m{"name": r.Name + "/" + sub, "namespaced": r.Namespaced, "kind": r.Kind, "verbs": []string{"get", "patch", "update"}}
			if sub == "scale" {
				s["group"], s["version"], s["kind"] = "autoscaling", "v1", "Scale"
			}
			list = append(list, s)
		}
	}
	if group == "none" {
		return nil
	}
	return m{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": list}
}

func versionOf(group string) string {
	if group == "autoscaling" {
		return "v2"
	}
	return "v1"
}

// objectOf is an answer of which kubectl can make something, whatever it asked for.
func objectOf(r *http.Request, s Sent) any {
	type m = map[string]any
	kind, group := "Status", s.Group
	if b := builtin.Find(s.Group, s.Resource); b != nil {
		kind = b.Kind
	} else if s.Group == metricsGroup {
		kind = map[string]string{"nodes": "NodeMetrics", "pods": "PodMetrics"}[s.Resource]
	}
	version := strings.TrimPrefix(group+"/"+s.Version, "/")
	name := s.Name
	if name == "" {
		name = "NAME"
	}
	meta := m{"name": name, "resourceVersion": "1", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z", "labels": m{"x": "y"}}
	if s.Namespace != "" {
		meta["namespace"] = s.Namespace
	}
	containers := []m{{"name": "web", "image": "nginx", "ports": []m{{"containerPort": 80}}}}
	template := m{"metadata": m{"labels": m{"a": "b"}}, "spec": m{"containers": containers}}
	spec := m{"selector": m{"matchLabels": m{"a": "b"}}, "replicas": 1, "template": template}
	status := m{}
	switch s.Resource {
	case "pods":
		spec = m{"containers": containers, "nodeName": "n1", "securityContext": m{}}
		status = m{"phase": "Running", "containerStatuses": []m{{"name": "web", "ready": true, "state": m{"running": m{}}}}}
	case "services":
		spec = m{"selector": m{"a": "b"}, "ports": []m{{"port": 80, "targetPort": 80}}}
	case "certificatesigningrequests":
		spec = m{"request": "", "signerName": "x", "usages": []string{"client auth"}}
	case "nodes":
		spec = m{"unschedulable": s.Name == "n2"}
	case "configmaps", "secrets", "namespaces":
		spec = m{}
	}
	out := m{"kind": kind, "apiVersion": version, "metadata": meta, "spec": spec, "status": status}
	if s.Group == metricsGroup {
		return m{"kind": kind + "List", "apiVersion": version, "items": []m{{"metadata": meta, "usage": m{"cpu": "1", "memory": "1"}, "containers": []m{}}}}
	}
	if s.Subresource == "scale" {
		out["kind"], out["apiVersion"], out["spec"] = "Scale", "autoscaling/v1", m{"replicas": 1}
	}
	if s.Resource == "configmaps" || s.Resource == "secrets" || s.Resource == "serviceaccounts" {
		delete(out, "spec")
		delete(out, "status")
	}
	switch {
	case r.Method == http.MethodGet && s.Verb == "list":
		if strings.HasPrefix(r.Header.Get("Accept"), "application/json;as=Table") {
			row := m{"cells": []any{name}, "object": m{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta}}
			return m{"kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": m{"resourceVersion": "1"}, "columnDefinitions": []m{{"name": "Name", "type": "string"}}, "rows": []m{row}}
		}
		return m{"kind": kind + "List", "apiVersion": version, "metadata": m{"resourceVersion": "1"}, "items": []m{out}}
	case r.Method == http.MethodDelete:
		return m{"kind": "Status", "apiVersion": "v1", "status": "Success"}
	}
	return out
}

// realKubectl are command lines whose requests a kubectl is asked for. Those that wait,
// or that open a stream, end by their error or with their time.
var realKubectl = []string{
	"get secrets -A", "get secret -n prod db", "get po,deploy", "get pod/web svc/x -n a", "get pods web api", "get pods --field-selector metadata.name=web -A",
	"get nodes -o wide", "get ns prod", "get deploy web --subresource=scale", "get --raw /healthz", "get --raw /api/v1/namespaces/prod/pods", "get all -n a",
	"get pods -l a=b -n prod", "get pods -n prod -o yaml", "get events -n prod", "get roles,rolebindings -A", "get csr", "get crd x", "get pdb -A",
	"delete pod web --wait=false", "delete pods --all --wait=false", "delete pod -l a=b --wait=false", "delete deploy/web svc/x --wait=false", "delete ns x --wait=false", "delete pod web --dry-run=server",
	"create secret generic db --from-literal=a=b -n prod", "create ns x", "create token builder -n ci", "create deployment web --image=nginx", "create configmap a --from-literal=a=b",
	"create sa x", "create role r --verb=get --resource=pods", "create rolebinding r --role=r --user=bob", "create clusterrole r --verb=get --resource=pods", "create clusterrolebinding r --clusterrole=r --user=bob",
	"create job j --image=busybox", "create cronjob j --image=busybox --schedule=@daily", "create service clusterip x --tcp=80", "create quota q --hard=pods=1", "create ingress i --rule=a/b=c:80", "create pdb p --selector=a=b --min-available=1", "create priorityclass p --value=1",
	"run web --image nginx", "run web --image nginx --expose --port 80 -l a=b",
	"exec -n prod web -- ls", "logs web", "logs -p web", "logs -l app=web -n prod", "logs deploy/web", "attach web", "port-forward pod/web 18080:80",
	"scale deploy/web --replicas=3", "scale deploy --all --replicas=1", "scale deploy/web --replicas 3 --current-replicas 1",
	"label pod web a=c", "label pod web --list", "annotate pod web a=c", "label pods --all a=c", "patch svc x -p {\"spec\":{}}", "patch deploy web --subresource=scale -p {}",
	"taint node n1 a=b:NoSchedule", "rollout restart deploy web", "rollout restart deploy", "rollout pause deploy/web", "rollout history deploy/web", "rollout undo deploy/web",
	"set image deploy/web web=nginx:2", "set env deploy/web A=b", "set env deploy/web --list", "set sa deploy web x", "set resources deploy web --limits=cpu=1", "set selector svc x a=c",
	"cordon n1", "uncordon n2", "drain n1 --force --ignore-daemonsets", "autoscale deploy web --max=3", "expose deploy web --port=80",
	"auth can-i delete pods", "auth can-i --list", "auth whoami", "certificate approve bob", "certificate deny bob", "top nodes", "top pods -A", "describe pod web", "describe secret db", "describe nodes n1", "version", "api-resources", "api-versions", "cluster-info", "explain pods", "debug node/n1 --image=busybox", "debug web --image=busybox", "wait --for=delete pod/web --timeout=1s",
	"delete pod web --timeout=1s", "cp prod/web:/etc/passwd p", "exec deploy/web -- sh", "exec svc/web -- sh", "port-forward svc/web 18081:80", "logs svc/web", "logs job/j", "get pods -w -n prod", "get pods --watch-only -A", "attach deploy/web", "scale rs/web --replicas=2", "label nodes n1 a=b", "annotate deploy web a-", "cordon -l a=b", "delete sts web --cascade=orphan --wait=false", "auth can-i get pods/log -n x", "certificate approve a b", "top pod web -n x", "get sa -A", "get hpa,cj,job -A", "get pv,pvc,sc -A", "debug web --copy-to=x --image=busybox",
}

// TestKubectlItself compares the requests of a kubectl with those that FromKubectl says.
// What is discovery is told by few commands alone, and counted where it is.
func TestKubectlItself(t *testing.T) {
	program := os.Getenv("E2E_KUBECTL")
	if program == "" {
		t.Skip("E2E_KUBECTL is not set: it is the path of a kubectl of 1.31 or newer")
	}
	if out, err := exec.Command(program, "version", "--client").CombinedOutput(); err != nil || strings.Contains(string(out), "v1.30.") {
		t.Skipf("kubectl 1.30 opens a port-forward by POST alone: %v, %s", err, out)
	}
	compared := 0
	for _, words := range realKubectl {
		sent, err := FromKubectl(words, Who{User: "alice"})
		if err != nil {
			t.Logf("%s: not answered: %v", words, err)
			continue
		}
		var want []string
		for _, s := range sent {
			want = append(want, Describe(s.Request))
		}
		got, discovered, said := ask(t, program, words)
		want = slices.DeleteFunc(want, func(w string) bool { return slices.Contains(discovered, w) })
		compared++
		if !alikeRequests(got, want) {
			t.Errorf("kubectl %s\n asked %s\n want %s\n %s", words, strings.Join(got, "; "), strings.Join(want, "; "), said)
		}
	}
	t.Logf("%d command lines of %d compared", compared, len(realKubectl))
	if compared < 60 {
		t.Errorf("only %d command lines are compared", compared)
	}
}

// alikeRequests compares what was asked with what was said, once each.
func alikeRequests(got, want []string) bool {
	once := func(list []string) []string {
		list = slices.Clone(list)
		slices.Sort(list)
		return slices.Compact(list)
	}
	return slices.Equal(once(got), once(want))
}

// ask runs a kubectl against a cluster of its own.
func ask(t *testing.T, program, words string) (asked, discovered []string, said string) {
	t.Helper()
	c := &cluster{}
	server := httptest.NewServer(c)
	defer server.Close()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf(`{"apiVersion":"v1","kind":"Config","current-context":"c","clusters":[{"name":"c","cluster":{"server":%q}}],"users":[{"name":"u","user":{}}],"contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}]}`, server.URL)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, strings.Fields(words)...)
	cmd.Env = []string{"HOME=" + dir, "KUBECONFIG=" + config, "PATH=/usr/bin:/bin"}
	out, err := cmd.CombinedOutput()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked, c.discovered, fmt.Sprintf("%.300s (%v)", out, err)
}
