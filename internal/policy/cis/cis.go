// Package cis has our reading of CIS 3.2.2, "ensure that the audit policy covers key
// security concerns": Concerns has it as requests, Examples one of each kind.
package cis

import (
	"slices"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
)

// Concern is a part of CIS 3.2.2, as requests.
type Concern struct {
	Of    []auditv1.GroupResources
	Verbs []string
	// Exact wants level Metadata, and nothing that the request or the answer holds.
	Exact bool
	// Own excuses that requests of Kubernetes' own components are not recorded.
	Own bool
	// Most is about "most other requests": what is humming all the time is excused, and
	// so are the reads of single service accounts.
	Most     bool
	Examples []Example // none for most other requests
}

// Example is a request of a concern, with the words for its kind.
type Example struct {
	Words string
	policy.Request
}

var (
	// Reads are the verbs that change nothing; they are not to be changed.
	Reads  = []string{"get", "list", "watch"}
	writes = []string{"create", "update", "patch", "delete", "deletecollection"}
	ways   = []string{"create", "get"} // over a websocket exec is a get
)

// Kinds are resources of one API group.
func Kinds(group string, resources ...string) auditv1.GroupResources {
	return auditv1.GroupResources{Group: group, Resources: resources}
}

// Concerns are our reading of CIS 3.2.2, which is a manual check: Secrets, ConfigMaps
// and TokenReviews at Metadata only, to keep their contents out of the log; changes of
// Pods and Deployments; exec, port-forward and the proxies; most other requests at
// Metadata at least: all changes of what Kubernetes has itself, and the reads that tell
// an intruder what there is.
var Concerns = []Concern{
	{Of: []auditv1.GroupResources{Kinds("", "secrets")}, Verbs: slices.Concat(Reads, writes), Exact: true,
		Examples: []Example{
			{"secrets", policy.Request{User: "alice", Verb: "get", Resource: "secrets", Namespace: "default", Name: "db"}},
		}},
	{Of: []auditv1.GroupResources{Kinds("", "configmaps")}, Verbs: slices.Concat(Reads, writes), Exact: true, Own: true,
		Examples: []Example{
			{"configmaps", policy.Request{User: "alice", Verb: "update", Resource: "configmaps", Namespace: "default", Name: "web"}},
		}},
	{Of: []auditv1.GroupResources{Kinds("authentication.k8s.io", "tokenreviews"), Kinds("", "serviceaccounts/token")}, Verbs: []string{"create"}, Exact: true, Own: true,
		Examples: []Example{
			{"tokenreviews", policy.Request{User: "alice", Verb: "create", Group: "authentication.k8s.io", Resource: "tokenreviews"}},
		}},
	{Of: []auditv1.GroupResources{Kinds("", "pods"), Kinds("apps", "deployments")}, Verbs: writes,
		Examples: []Example{
			{"changes of pods", policy.Request{User: "alice", Verb: "create", Resource: "pods", Namespace: "default"}},
			{"changes of deployments", policy.Request{User: "alice", Verb: "update", Group: "apps", Resource: "deployments", Namespace: "default", Name: "web"}},
		}},
	{Of: []auditv1.GroupResources{Kinds("", "pods/exec", "pods/portforward", "pods/proxy", "services/proxy")}, Verbs: ways,
		Examples: []Example{
			{"pods/exec", policy.Request{User: "alice", Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "default", Name: "web"}},
			{"pods/exec over a websocket (get)", policy.Request{User: "alice", Verb: "get", Resource: "pods", Subresource: "exec", Namespace: "default", Name: "web"}},
			{"pods/portforward", policy.Request{User: "alice", Verb: "create", Resource: "pods", Subresource: "portforward", Namespace: "default", Name: "web"}},
			{"pods/portforward over a websocket (get)", policy.Request{User: "alice", Verb: "get", Resource: "pods", Subresource: "portforward", Namespace: "default", Name: "web"}},
			{"pods/proxy", policy.Request{User: "alice", Verb: "get", Resource: "pods", Subresource: "proxy", Namespace: "default", Name: "web"}},
			{"services/proxy", policy.Request{User: "alice", Verb: "get", Resource: "services", Subresource: "proxy", Namespace: "default", Name: "web"}},
		}},
	{Of: []auditv1.GroupResources{rbac, Kinds("", "services", "nodes", "namespaces", "serviceaccounts")}, Verbs: Reads, Own: true, Most: true},
	{Of: []auditv1.GroupResources{rbac, Kinds(""), Kinds("apps"), Kinds("batch"), Kinds("networking.k8s.io"), Kinds("admissionregistration.k8s.io"),
		Kinds("apiextensions.k8s.io"), Kinds("apiregistration.k8s.io"), Kinds("certificates.k8s.io"), Kinds("policy"), Kinds("storage.k8s.io"),
		Kinds("autoscaling"), Kinds("example.com", "widgets")}, Verbs: writes, Own: true, Most: true},
}

var rbac = Kinds("rbac.authorization.k8s.io", "clusterroles", "clusterrolebindings", "roles", "rolebindings")

// Examples are those of all concerns.
func Examples() (all []Example) {
	for _, c := range Concerns {
		all = append(all, c.Examples...)
	}
	return all
}
