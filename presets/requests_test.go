package presets_test

import (
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
)

// Users and requests, by the names that the table below has for them.
var (
	nobody    = requests.Nobody
	anonymous = requests.Anonymous
	alice     = requests.Alice
	admin     = requests.Admin
	kubelet   = requests.Kubelet
	scheduler = requests.Scheduler
	kcm       = requests.ControllerManager
	kubeProxy = requests.KubeProxy
	loopback  = requests.APIServer

	account, on, at = requests.Account, requests.On, requests.At
)

const (
	apps    = "apps"
	authn   = "authentication.k8s.io"
	authz   = "authorization.k8s.io"
	certs   = "certificates.k8s.io"
	coord   = "coordination.k8s.io"
	rbac    = "rbac.authorization.k8s.io"
	network = "networking.k8s.io"
)

// corners are requests at the edges of rules, beyond those of the catalogue, each with
// the level that it gets from the presets of cornered. A dash is None, M Metadata, Q
// Request and R RequestResponse.
var corners = []struct {
	name, want string
	request    policy.Request
}{
	{"get a secret", "MM-M-M-", on(alice, "get", "", "secrets", "prod", "db")},
	{"list secrets of a namespace", "MM-M-M-", on(alice, "list", "", "secrets", "prod", "")},
	{"list secrets of all namespaces", "MM-M-M-", on(alice, "list", "", "secrets", "", "")},
	{"list secrets without a login", "MM-M-M-", on(anonymous, "list", "", "secrets", "", "")},
	{"list secrets with a wrong token", "MM-M-M-", on(nobody, "list", "", "secrets", "", "")},
	{"watch secrets as a kubelet", "MM-M-M-", on(kubelet, "watch", "", "secrets", "prod", "db")},
	{"get a secret as kube-proxy", "MM-M-M-", on(kubeProxy, "get", "", "secrets", "prod", "db")},
	{"get a secret as the scheduler", "MM-M-M-", on(scheduler, "get", "", "secrets", "kube-system", "db")},
	{"create a secret", "MMMM-M-", on(alice, "create", "", "secrets", "prod", "")},
	{"update a secret of kube-system", "MMMM-M-", on(account("kube-system", "x"), "update", "", "secrets", "kube-system", "db")},
	{"delete a secret", "MMMM-M-", on(alice, "delete", "", "secrets", "prod", "db")},
	{"delete all secrets", "MMMM-M-", on(alice, "deletecollection", "", "secrets", "prod", "")},
	{"get a configmap", "MM-M-M-", on(alice, "get", "", "configmaps", "prod", "a")},
	{"update a configmap", "MMMM-M-", on(alice, "update", "", "configmaps", "prod", "a")},
	{"update a configmap of kube-system", "MMMQ-M-", on(alice, "update", "", "configmaps", "kube-system", "kubeadm-config")},
	{"get the old lock", "MM---M-", on(kcm, "get", "", "configmaps", "kube-system", "controller-leader")},
	{"ask for a token", "MMMQ-M-", on(kubelet, "create", "", "serviceaccounts/token", "prod", "default")},
	{"ask for a token as a person", "MMMQ-M-", on(alice, "create", "", "serviceaccounts/token", "kube-system", "admin")},
	{"have a token reviewed", "MMMM-M-", on(kubelet, "create", authn, "tokenreviews", "", "")},
	{"ask for a certificate", "MMMM-M-", on(kubelet, "create", certs, "certificatesigningrequests", "", "")},
	{"approve a certificate", "MMMM-M-", on(alice, "update", certs, "certificatesigningrequests/approval", "", "x")},

	{"exec by POST", "MMMQ-M-", on(alice, "create", "", "pods/exec", "prod", "web")},
	{"exec by websocket", "MMMQ-M-", on(alice, "get", "", "pods/exec", "prod", "web")},
	{"exec in kube-system as a component", "MMMQ-M-", on(kcm, "create", "", "pods/exec", "kube-system", "etcd")},
	{"attach", "MMMQ-M-", on(alice, "create", "", "pods/attach", "prod", "web")},
	{"forward a port", "MMMQ-M-", on(alice, "get", "", "pods/portforward", "prod", "web")},
	{"proxy to a pod", "MMMQ-M-", on(alice, "get", "", "pods/proxy", "prod", "web")},
	{"proxy to a service", "MMMQ-M-", on(alice, "create", "", "services/proxy", "prod", "web")},
	{"proxy to a node", "MMMQ-M-", on(alice, "get", "", "nodes/proxy", "", "n1")},
	{"proxy to a node as a kubelet", "MMMQ-M-", on(kubelet, "get", "", "nodes/proxy", "", "n2")},

	{"create a pod", "RMQR-R-", on(alice, "create", "", "pods", "prod", "")},
	{"create a pod with a wrong token", "RMQR-R-", on(nobody, "create", "", "pods", "prod", "")},
	{"update a pod", "RMQR-R-", on(alice, "update", "", "pods", "prod", "web")},
	{"delete a pod", "RMQRQR-", on(alice, "delete", "", "pods", "prod", "web")},
	{"delete a pod as its kubelet", "RMQRQR-", on(kubelet, "delete", "", "pods", "prod", "web")},
	{"delete all pods", "RMQRRR-", on(alice, "deletecollection", "", "pods", "prod", "")},
	{"delete all pods of a dying namespace", "RMQRRR-", on(account("kube-system", "namespace-controller"), "deletecollection", "", "pods", "prod", "")},
	{"evict a pod", "RMQQQM-", on(alice, "create", "", "pods/eviction", "prod", "web")},
	{"debug a pod", "RMQQ-R-", on(alice, "patch", "", "pods/ephemeralcontainers", "prod", "web")},
	{"bind a pod", "MMQQ-M-", on(scheduler, "create", "", "pods/binding", "prod", "web")},
	{"get a pod", "MM-R-M-", on(alice, "get", "", "pods", "prod", "web")},
	{"list pods everywhere", "MM-R-M-", on(kubelet, "list", "", "pods", "", "")},
	{"list pods with a wrong token", "MM-R-M-", on(nobody, "list", "", "pods", "prod", "")},
	{"read a pod's log", "MM-M-M-", on(alice, "get", "", "pods/log", "prod", "web")},
	{"report on a pod", "MMMM-M-", on(kubelet, "patch", "", "pods/status", "prod", "web")},

	{"create a deployment", "RMQM-Q-", on(alice, "create", apps, "deployments", "prod", "web")},
	{"get a deployment", "MM-M-M-", on(alice, "get", apps, "deployments", "prod", "web")},
	{"scale a deployment", "RMQM-M-", on(alice, "patch", apps, "deployments/scale", "prod", "web")},
	{"report on a deployment", "MMMM-M-", on(account("kube-system", "deployment-controller"), "update", apps, "deployments/status", "prod", "web")},
	{"update a replica set", "RMQM-M-", on(account("kube-system", "deployment-controller"), "update", apps, "replicasets", "prod", "web")},
	{"delete a daemon set", "RMQM-Q-", on(alice, "delete", apps, "daemonsets", "kube-system", "kube-proxy")},
	{"create a job", "RMQM-Q-", on(alice, "create", "batch", "jobs", "prod", "x")},
	{"patch an autoscaler", "RMQM-M-", on(alice, "patch", "autoscaling", "horizontalpodautoscalers", "prod", "x")},

	{"bind a cluster role", "RMQM-Q-", on(alice, "create", rbac, "clusterrolebindings", "", "x")},
	{"delete a role", "RMQM-Q-", on(alice, "delete", rbac, "roles", "prod", "x")},
	{"get a cluster role", "MM-M-M-", on(alice, "get", rbac, "clusterroles", "", "admin")},

	{"create a namespace", "QMQQ-Q-", on(alice, "create", "", "namespaces", "", "")},
	{"delete a namespace", "QMQQ-Q-", on(alice, "delete", "", "namespaces", "", "prod")},
	{"delete kube-system", "QMQQ-Q-", on(alice, "delete", "", "namespaces", "", "kube-system")},
	{"get a namespace", "MM-Q-M-", on(alice, "get", "", "namespaces", "", "prod")},
	{"create a service account", "QMQQ-Q-", on(alice, "create", "", "serviceaccounts", "kube-system", "x")},
	{"update a service", "QMQQ-Q-", on(alice, "update", "", "services", "prod", "web")},
	{"update a service as kube-proxy", "QMQQ-Q-", on(kubeProxy, "update", "", "services", "prod", "web")},
	{"create a volume", "MMQQ-M-", on(alice, "create", "", "persistentvolumes", "", "x")},

	{"join a node", "QMQQ-Q-", on(kubelet, "create", "", "nodes", "", "n1")},
	{"label a node as its kubelet", "QMQQ-Q-", on(kubelet, "patch", "", "nodes", "", "n1")},
	{"delete a node", "QMQQ-Q-", on(alice, "delete", "", "nodes", "", "n1")},
	{"get a node as its kubelet", "-M-Q-M-", on(kubelet, "get", "", "nodes", "", "n1")},
	{"list nodes as a kubelet", "MM-Q-M-", on(kubelet, "list", "", "nodes", "", "")},
	{"get a node", "MM-Q-M-", on(alice, "get", "", "nodes", "", "n1")},
	{"report on a node", "-MMQ-M-", on(kubelet, "patch", "", "nodes/status", "", "n1")},
	{"report on a node as a person", "MMMQ-M-", on(alice, "patch", "", "nodes/status", "", "n1")},

	{"renew a node's lease", "-M-M---", on(kubelet, "update", coord, "leases", "kube-node-lease", "n1")},
	{"renew the scheduler's lease", "-M-M---", on(scheduler, "update", coord, "leases", "kube-system", "kube-scheduler")},
	{"renew the controller manager's lease", "-M-M---", on(kcm, "update", coord, "leases", "kube-system", "kube-controller-manager")},
	{"renew the API server's lease", "-M-M---", on(loopback, "update", coord, "leases", "kube-system", "apiserver-x")},
	{"get the scheduler's lease", "-M-M---", on(scheduler, "get", coord, "leases", "kube-system", "kube-scheduler")},
	{"take the scheduler's lease as a person", "MMQM-M-", on(alice, "update", coord, "leases", "kube-system", "kube-scheduler")},
	{"take the scheduler's lease as a kubelet", "MMQM-M-", on(kubelet, "update", coord, "leases", "kube-system", "kube-scheduler")},
	{"renew a node's lease as a person", "MMQM-M-", on(admin, "update", coord, "leases", "kube-node-lease", "n1")},
	{"update another lease as the scheduler", "MMQM-M-", on(scheduler, "update", coord, "leases", "prod", "x")},
	{"delete a lease", "MMQM-M-", on(kcm, "delete", coord, "leases", "kube-system", "x")},

	{"write an event", "-M-Q---", on(kubelet, "create", "", "events", "prod", "")},
	{"write an event of the new group", "-M-M---", on(scheduler, "create", "events.k8s.io", "events", "prod", "")},
	{"list events", "-M-Q---", on(alice, "list", "", "events", "", "")},
	{"write an event without a login", "MMQQ-M-", on(anonymous, "create", "", "events", "prod", "")},
	{"list events with a wrong token", "MM-Q-M-", on(nobody, "list", "", "events", "", "")},
	{"delete an event", "MMQQ-M-", on(alice, "delete", "", "events", "prod", "x")},
	{"delete all events", "MMMM-M-", on(alice, "deletecollection", "events.k8s.io", "events", "prod", "")},

	{"health check without a login", "-M-M---", at(anonymous, "get", "/healthz")},
	{"probe of the kubelet", "-M-M---", at(anonymous, "get", "/livez")},
	{"one health check", "-M-M---", at(alice, "get", "/readyz/etcd")},
	{"health check with a wrong token", "MM-M-M-", at(nobody, "get", "/healthz")},
	{"post to a health check", "MM-M-M-", at(anonymous, "post", "/healthz")},
	{"version", "-M-----", at(alice, "get", "/version")},
	{"version without a login", "MM-M-M-", at(anonymous, "get", "/version")},
	{"discovery", "-M-----", at(alice, "get", "/apis/apps/v1")},
	{"discovery of the core group", "-M-----", at(alice, "get", "/api")},
	{"discovery without a login", "MM-M-M-", at(anonymous, "get", "/api")},
	{"schemas", "-M-M---", at(alice, "get", "/openapi/v3")},
	{"metrics", "-M-M-M-", at(account("monitoring", "prometheus"), "get", "/metrics")},
	{"logs of the node", "MM-M-M-", at(alice, "get", "/logs/kubelet.log")},
	{"profile", "MM-M-M-", at(alice, "get", "/debug/pprof/heap")},
	{"metrics without a login", "MM-M-M-", at(anonymous, "get", "/metrics")},

	{"watch services as kube-proxy", "-M---M-", on(kubeProxy, "watch", "", "services", "", "")},
	{"watch services as kubeadm's kube-proxy", "-M-Q-M-", on(account("kube-system", "kube-proxy"), "watch", "", "services", "", "")},
	{"watch endpoint slices as kubeadm's kube-proxy", "-M-M-M-", on(account("kube-system", "kube-proxy"), "watch", "discovery.k8s.io", "endpointslices", "", "")},
	{"watch services", "MM-Q-M-", on(alice, "watch", "", "services", "", "")},
	{"update endpoints as their controller", "-MMQ-M-", on(account("kube-system", "endpoint-controller"), "update", "", "endpoints", "prod", "web")},
	{"update a slice as its controller", "-MMM-M-", on(account("kube-system", "endpointslice-controller"), "update", "discovery.k8s.io", "endpointslices", "prod", "web")},
	{"delete a slice as its controller", "MMMM-M-", on(account("kube-system", "endpointslice-controller"), "delete", "discovery.k8s.io", "endpointslices", "prod", "web")},
	{"update endpoints as a person", "MMMQ-M-", on(alice, "update", "", "endpoints", "prod", "web")},
	{"ask about a caller as a kubelet", "-MMM-M-", on(kubelet, "create", authz, "subjectaccessreviews", "", "")},
	{"ask about a caller as metrics-server", "-MMM-M-", on(account("kube-system", "metrics-server"), "create", authz, "subjectaccessreviews", "", "")},
	{"ask about oneself", "MMMM-M-", on(alice, "create", authz, "selfsubjectaccessreviews", "", "")},
	{"ask about oneself as a kubelet", "MMMM-M-", on(kubelet, "create", authz, "selfsubjectaccessreviews", "", "")},
	{"ask for all one's rights", "MMMM-M-", on(account("kube-system", "x"), "create", authz, "selfsubjectrulesreviews", "", "")},

	{"create a resource definition", "MMMM-M-", on(alice, "create", "apiextensions.k8s.io", "customresourcedefinitions", "", "x")},
	{"create a webhook", "QMQM-M-", on(alice, "create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", "", "x")},
	{"register an API", "QMQM-M-", on(alice, "create", "apiregistration.k8s.io", "apiservices", "", "x")},
	{"delete a network policy", "QMQM-M-", on(alice, "delete", network, "networkpolicies", "prod", "x")},
	{"create an ingress", "QMQM-Q-", on(alice, "create", network, "ingresses", "prod", "x")},
	{"create a custom resource", "MMMM-M-", on(alice, "create", "example.com", "widgets", "prod", "x")},
	{"get a custom resource", "MM-M-M-", on(alice, "get", "example.com", "widgets", "prod", "x")},
	{"read metrics of pods", "MM-M-M-", on(alice, "list", "metrics.k8s.io", "pods", "prod", "")},
}

// foreign are requests that only clusters of others have, for the rules about them.
var foreign = []policy.Request{
	on(loopback, "update", "apiserver.openshift.io", "apirequestcounts/status", "", "cronjobs.v1beta1.batch"),
	on(alice, "create", "user.openshift.io", "identities", "", ""),
	on(account("kube-system", "endpoint-controller"), "update", "", "endpoints", "kube-system", "kube-dns"),
	on(loopback, "get", "", "namespaces", "", "prod"),
	on(account("kube-system", "horizontal-pod-autoscaler"), "list", "metrics.k8s.io", "pods", "prod", ""),
}
