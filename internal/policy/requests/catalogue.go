package requests

import "auditpatch/internal/policy"

const (
	apps  = "apps"
	authn = "authentication.k8s.io"
	authz = "authorization.k8s.io"
	certs = "certificates.k8s.io"
	coord = "coordination.k8s.io"
	rbac  = "rbac.authorization.k8s.io"
	slice = "discovery.k8s.io"
)

type entry struct {
	name    string
	request policy.Request
}

// catalogue has the requests by topic: first what an intruder or an auditor cares
// about, at the end what a cluster does all day without anybody asking for it.
var catalogue = []struct {
	name     string
	requests []entry
}{
	{"Secrets and other credentials", []entry{
		{"get a secret", On(Alice, "get", "", "secrets", "prod", "db")},
		{"list secrets of all namespaces", On(Alice, "list", "", "secrets", "", "")},
		{"list secrets without a login", On(Anonymous, "list", "", "secrets", "", "")},
		{"list secrets with a wrong token", On(Nobody, "list", "", "secrets", "", "")},
		{"watch a secret as a kubelet", On(Kubelet, "watch", "", "secrets", "prod", "db")},
		{"create a secret", On(Alice, "create", "", "secrets", "prod", "")},
		{"delete a secret", On(Alice, "delete", "", "secrets", "prod", "db")},
		{"get a configmap", On(Alice, "get", "", "configmaps", "prod", "app")},
		{"update a configmap", On(Alice, "update", "", "configmaps", "prod", "app")},
		{"update a configmap of kube-system", On(Alice, "update", "", "configmaps", "kube-system", "kubeadm-config")},
		{"request a token of a service account", On(Alice, "create", "", "serviceaccounts/token", "kube-system", "admin")},
		{"request a token as a kubelet", On(Kubelet, "create", "", "serviceaccounts/token", "prod", "default")},
		{"review a token as a service account", On(Account("monitoring", "prometheus"), "create", authn, "tokenreviews", "", "")},
		{"request a certificate", On(Alice, "create", certs, "certificatesigningrequests", "", "")},
		{"approve a certificate", On(Alice, "update", certs, "certificatesigningrequests/approval", "", "bob")},
	}},
	{"Ways into containers and around the network policy", []entry{
		{"exec into a pod by POST", On(Alice, "create", "", "pods/exec", "prod", "web")},
		{"exec into a pod by websocket", On(Alice, "get", "", "pods/exec", "prod", "web")},
		{"attach to a pod", On(Alice, "get", "", "pods/attach", "prod", "web")},
		{"forward a port", On(Alice, "get", "", "pods/portforward", "prod", "web")},
		{"proxy to a service", On(Alice, "get", "", "services/proxy", "prod", "web")},
		{"proxy to a node", On(Alice, "get", "", "nodes/proxy", "", "n1")},
		{"add a debug container", On(Alice, "patch", "", "pods/ephemeralcontainers", "prod", "web")},
	}},
	{"Workloads", []entry{
		{"create a pod", On(Alice, "create", "", "pods", "prod", "")},
		{"delete a pod", On(Alice, "delete", "", "pods", "prod", "web")},
		{"delete all pods of a namespace", On(Alice, "deletecollection", "", "pods", "prod", "")},
		{"evict a pod", On(Alice, "create", "", "pods/eviction", "prod", "web")},
		{"list pods", On(Alice, "list", "", "pods", "prod", "")},
		{"read the log of a pod", On(Alice, "get", "", "pods/log", "prod", "web")},
		{"create a deployment", On(Alice, "create", apps, "deployments", "prod", "")},
		{"create a deployment as a service account", On(Account("argocd", "controller"), "create", apps, "deployments", "prod", "")},
		{"get a deployment", On(Alice, "get", apps, "deployments", "prod", "web")},
		{"scale a deployment", On(Alice, "patch", apps, "deployments/scale", "prod", "web")},
	}},
	{"Permissions and the cluster itself", []entry{
		{"bind a cluster role", On(Alice, "create", rbac, "clusterrolebindings", "", "")},
		{"get a cluster role", On(Alice, "get", rbac, "clusterroles", "", "admin")},
		{"list one's own permissions", On(Alice, "create", authz, "selfsubjectrulesreviews", "", "")},
		{"create a namespace", On(Alice, "create", "", "namespaces", "", "")},
		{"delete a namespace", On(Alice, "delete", "", "namespaces", "", "prod")},
		{"update a service", On(Alice, "update", "", "services", "prod", "web")},
		{"delete a network policy", On(Alice, "delete", "networking.k8s.io", "networkpolicies", "prod", "web")},
		{"create an admission webhook", On(Alice, "create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "")},
		{"create a custom resource", On(Alice, "create", "example.com", "widgets", "prod", "")},
		{"get a custom resource", On(Alice, "get", "example.com", "widgets", "prod", "x")},
		{"delete a node", On(Alice, "delete", "", "nodes", "", "n1")},
		{"delete an event", On(Alice, "delete", "", "events", "prod", "x")},
	}},
	{"What a cluster does all day", []entry{
		{"renew a node's lease as its kubelet", On(Kubelet, "update", coord, "leases", "kube-node-lease", "n1")},
		{"renew the scheduler's lease as the scheduler", On(Scheduler, "update", coord, "leases", "kube-system", "kube-scheduler")},
		{"take the scheduler's lease", On(Alice, "update", coord, "leases", "kube-system", "kube-scheduler")},
		{"get a node as its kubelet", On(Kubelet, "get", "", "nodes", "", "n1")},
		{"report a node's status as its kubelet", On(Kubelet, "patch", "", "nodes/status", "", "n1")},
		{"report a pod's status as its kubelet", On(Kubelet, "patch", "", "pods/status", "prod", "web")},
		{"watch services as kube-proxy", On(Account("kube-system", "kube-proxy"), "watch", "", "services", "", "")},
		{"update an endpoint slice as its controller", On(Account("kube-system", "endpointslice-controller"), "update", slice, "endpointslices", "prod", "web")},
		{"review a caller's access as a kubelet", On(Kubelet, "create", authz, "subjectaccessreviews", "", "")},
		{"write an event as a kubelet", On(Kubelet, "create", "", "events", "prod", "")},
		{"list events", On(Alice, "list", "", "events", "", "")},
	}},
	{"Addresses that are no resources", []entry{
		{"check the health without a login", At(Anonymous, "get", "/livez")},
		{"check the health with a wrong token", At(Nobody, "get", "/livez")},
		{"discover the API", At(Alice, "get", "/apis/apps/v1")},
		{"discover the API without a login", At(Anonymous, "get", "/apis")},
		{"read the version", At(Alice, "get", "/version")},
		{"scrape metrics as a service account", At(Account("monitoring", "prometheus"), "get", "/metrics")},
		{"take a memory profile of the API server", At(Alice, "get", "/debug/pprof/heap")},
	}},
}
