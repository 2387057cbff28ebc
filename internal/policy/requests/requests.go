// Package requests is a catalogue of the requests that an audit log is kept for,
// or drowns in: what somebody asks about when they choose, compare or check a
// policy. All lists them; On and At make further ones.
//
// The page docs/presets.md shows the level that each preset gives to each of
// them. What a policy does with them is the answer of [policy.Policy.Evaluate].
package requests

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// Named is a request in words.
type Named struct {
	Name    string // what is done, beginning with the verb; by a person unless it says who
	Topic   string // what it is about, for a heading; requests of a topic stand together
	Request policy.Request
}

// Who asks, with the groups that the API server gives them. Only User and Groups
// are set.
var (
	Nobody            = policy.Request{} // a login that failed: rules with users or groups do not match
	Anonymous         = policy.Request{User: "system:anonymous", Groups: []string{"system:unauthenticated"}}
	Alice             = policy.Request{User: "alice", Groups: []string{"devs", "system:authenticated"}}
	Admin             = policy.Request{User: "kubernetes-admin", Groups: []string{"kubeadm:cluster-admins", "system:authenticated"}}
	Kubelet           = policy.Request{User: "system:node:n1", Groups: []string{"system:nodes", "system:authenticated"}}
	Scheduler         = policy.Request{User: "system:kube-scheduler"}
	ControllerManager = policy.Request{User: "system:kube-controller-manager"}
	KubeProxy         = policy.Request{User: "system:kube-proxy"}
	APIServer         = policy.Request{User: "system:apiserver", Groups: []string{"system:masters", "system:authenticated"}}
)

// Account is a service account.
func Account(namespace, name string) policy.Request {
	return policy.Request{User: "system:serviceaccount:" + namespace + ":" + name}
}

// On is a request for a resource of an API group, "" being the core group. The
// resource may have a subresource behind a slash. Namespace and name are empty
// where the request has none.
func On(who policy.Request, verb, group, resource, namespace, name string) policy.Request {
	r := who
	r.Verb, r.Group, r.Version, r.Namespace, r.Name = verb, group, "v1", namespace, name
	r.Resource, r.Subresource, _ = strings.Cut(resource, "/")
	return r
}

// At is a request for a URL path that is no resource; its verb is an HTTP method
// in lower case.
func At(who policy.Request, verb, path string) policy.Request {
	r := who
	r.Verb, r.Path = verb, path
	return r
}

// All returns the catalogue, always in the same order. The list is the caller's.
func All() []Named {
	var all []Named
	for _, topic := range catalogue {
		for _, r := range topic.requests {
			all = append(all, Named{r.name, topic.name, r.request})
		}
	}
	return all
}

// Hidden returns what a policy hides in full: those of the catalogue of which it
// writes no event.
func Hidden(p *policy.Policy) []Named {
	return slices.DeleteFunc(All(), func(r Named) bool { return written(p, r.Request) })
}

// Written returns those of the catalogue of which a policy writes an event.
func Written(p *policy.Policy) []Named {
	return slices.DeleteFunc(All(), func(r Named) bool { return !written(p, r.Request) })
}

// written tells whether there is an event at a stage that each such request has: one
// that failed to log in has ResponseStarted alone (apiserver's withFailedRequest).
func written(p *policy.Policy, r policy.Request) bool {
	d := p.Evaluate(r.Attributes())
	if r.User == "" {
		return d.Records(audit.StageResponseStarted)
	}
	return d.Records(audit.StageRequestReceived) || d.Records(audit.StageResponseComplete)
}
