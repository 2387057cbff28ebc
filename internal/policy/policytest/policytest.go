// Package policytest draws policies and requests for the tests of what reads policies:
// Words has what they are made of, its Policy and Request draw one.
package policytest

import (
	"math/rand/v2"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/builtin"
)

// Words are those of policies and requests. The last of each list but Paths and
// APIGroups is in no policy, so that there are requests that no rule names.
type Words struct {
	Users, Groups, Verbs, Resources, Namespaces, Paths, APIGroups []string
	Stages                                                        []auditv1.Stage
}

func one(r *rand.Rand, list []string) string { return list[r.IntN(len(list))] }

func some[T any](r *rand.Rand, list []T) (out []T) {
	for _, w := range list {
		if r.IntN(3) == 0 {
			out = append(out, w)
		}
	}
	return out
}

// named are those of a list that policies may have.
func named(r *rand.Rand, list []string) []string { return some(r, list[:len(list)-1]) }

// Policy is one of up to five rules.
func (w Words) Policy(r *rand.Rand) *auditv1.Policy {
	p := &auditv1.Policy{OmitStages: some(r, w.Stages), OmitManagedFields: r.IntN(2) == 0}
	p.APIVersion, p.Kind = "audit.k8s.io/v1", "Policy"
	for range 1 + r.IntN(5) {
		p.Rules = append(p.Rules, w.rule(r))
	}
	return p
}

func (w Words) rule(r *rand.Rand) auditv1.PolicyRule {
	rule := auditv1.PolicyRule{Level: []auditv1.Level{"None", "Metadata", "Request", "RequestResponse"}[r.IntN(4)],
		Users: named(r, w.Users), UserGroups: named(r, w.Groups), Verbs: named(r, w.Verbs)}
	if r.IntN(3) == 0 {
		rule.OmitStages = some(r, w.Stages)
	}
	if r.IntN(3) == 0 {
		managed := r.IntN(2) == 0
		rule.OmitManagedFields = &managed
	}
	switch r.IntN(4) {
	case 0:
		rule.NonResourceURLs = some(r, w.Paths)
	case 1:
		rule.Namespaces = named(r, w.Namespaces)
	case 2:
		rule.Resources = []auditv1.GroupResources{{Group: one(r, w.APIGroups), Resources: named(r, w.Resources)}}
	}
	return rule
}

// Request is one that an API server can get: a list has no name, and what belongs to the
// cluster no namespace.
func (w Words) Request(r *rand.Rand) policy.Request {
	q := policy.Request{User: one(r, append([]string{""}, w.Users...)), Verb: one(r, w.Verbs)}
	if q.Groups = []string{"system:authenticated"}; r.IntN(2) == 0 {
		q.Groups = append(q.Groups, one(r, w.Groups))
	}
	if r.IntN(5) == 0 {
		q.Verb, q.Path = "get", one(r, []string{"/healthz", "/healthz/etcd", "/metrics", "/apis", "/version"})
		return q
	}
	name := "*"
	for strings.Contains(name, "*") {
		name = one(r, w.Resources)
	}
	q.Group = one(r, w.APIGroups)
	if q.Resource, q.Subresource, _ = strings.Cut(name, "/"); q.Subresource != "" {
		q.Verb = one(r, []string{"get", "create"})
	}
	if cluster := builtin.ClusterScoped(q.Resource); !cluster && (several(q.Verb) || r.IntN(4) > 0) {
		q.Namespace = one(r, []string{"prod", "dev", "test"})
	} else if !cluster {
		q.Verb, q.Subresource = one(r, []string{"list", "watch"}), "" // across all namespaces
	}
	if !several(q.Verb) && q.Verb != "create" || q.Subresource != "" {
		q.Name = "x"
	}
	return q
}

func several(verb string) bool { return verb == "list" || verb == "watch" }
