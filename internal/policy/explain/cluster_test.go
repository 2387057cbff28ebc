package explain

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// clusterEvents are events as a small cluster writes them at level Metadata.
func clusterEvents(n int) []string {
	random := rand.New(rand.NewPCG(7, 7))
	users := []struct{ name, groups string }{
		{"system:node:worker-1", `"system:nodes","system:authenticated"`},
		{"system:kube-controller-manager", `"system:authenticated"`},
		{"system:kube-scheduler", `"system:authenticated"`},
		{"system:serviceaccount:kube-system:coredns", `"system:serviceaccounts","system:serviceaccounts:kube-system","system:authenticated"`},
		{"system:serviceaccount:monitoring:prometheus", `"system:serviceaccounts","system:serviceaccounts:monitoring","system:authenticated"`},
		{"kubernetes-admin", `"kubeadm:cluster-admins","system:authenticated"`},
		{"system:anonymous", `"system:unauthenticated"`},
	}
	requests := []struct{ verb, uri, ref string }{
		{"update", "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/worker-1?timeout=10s", `"resource":"leases","namespace":"kube-node-lease","name":"worker-1","uid":"5c1a3a2e-0a55-4dd4-95a4-3a3a7dfc2a11","apiGroup":"coordination.k8s.io","apiVersion":"v1","resourceVersion":"81231"`},
		{"watch", "/api/v1/pods?allowWatchBookmarks=true&resourceVersion=1234&timeout=7m12s&watch=true", `"resource":"pods","apiVersion":"v1"`},
		{"get", "/api/v1/namespaces/prod/pods/web-5d4f8c7b9-x2x7p", `"resource":"pods","namespace":"prod","name":"web-5d4f8c7b9-x2x7p","apiVersion":"v1"`},
		{"list", "/api/v1/secrets?limit=500", `"resource":"secrets","apiVersion":"v1"`},
		{"create", "/apis/authorization.k8s.io/v1/subjectaccessreviews", `"resource":"subjectaccessreviews","apiGroup":"authorization.k8s.io","apiVersion":"v1"`},
		{"create", "/api/v1/namespaces/prod/serviceaccounts/default/token", `"resource":"serviceaccounts","namespace":"prod","name":"default","apiVersion":"v1","subresource":"token"`},
		{"patch", "/api/v1/nodes/worker-1/status?timeout=10s", `"resource":"nodes","name":"worker-1","apiVersion":"v1","subresource":"status"`},
		{"get", "/api/v1/namespaces/prod/pods/web/exec?command=sh&stdin=true&tty=true", `"resource":"pods","namespace":"prod","name":"web","apiVersion":"v1","subresource":"exec"`},
		{"get", "/healthz", ""}, {"get", "/apis?timeout=32s", ""}, {"get", "/metrics", ""},
		{"delete", "/apis/apps/v1/namespaces/prod/deployments/web", `"resource":"deployments","namespace":"prod","name":"web","apiGroup":"apps","apiVersion":"v1"`},
	}
	out := make([]string, n)
	for i := range out {
		u, r := users[random.IntN(len(users))], requests[random.IntN(len(requests))]
		ref := ""
		if r.ref != "" {
			ref = `"objectRef":{` + r.ref + `},`
		}
		out[i] = fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"%08x-5f6e-4f0e-9a42-1c3d5e7f9a0b","stage":"ResponseComplete",`+
			`"requestURI":"%s","verb":"%s","user":{"username":"%s","uid":"2b3c7a0e-6f3e-45c1-9d0c-8b1f7a3f5f10","groups":[%s],"extra":{"authentication.kubernetes.io/credential-id":["JTI=0b9a3f5e-31d3-4f1a-8a53-5b5d3a3f1d11"],"authentication.kubernetes.io/node-name":["worker-1"],"authentication.kubernetes.io/pod-name":["web-5d4f8c7b9-x2x7p"]}},`+
			`"sourceIPs":["10.0.0.11"],"userAgent":"kubelet/v1.37.0 (linux/amd64) kubernetes/8f1c2d3",%s`+
			`"responseStatus":{"metadata":{},"code":200},"requestReceivedTimestamp":"2026-11-20T10:00:00.123456Z","stageTimestamp":"2026-11-20T10:00:00.125456Z",`+
			`"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":"RBAC: allowed by ClusterRoleBinding \"system:basic-user\" of ClusterRole \"system:basic-user\" to Group \"system:authenticated\""}}`,
			random.Uint32(), r.uri, r.verb, u.name, u.groups, ref)
		if random.IntN(4) == 0 { // Pods and nodes have names of their own
			out[i] = strings.NewReplacer("web", fmt.Sprintf("w%x", random.Uint32()), "worker-1", fmt.Sprintf("worker-%d", random.IntN(100))).Replace(out[i])
		}
	}
	return out
}
