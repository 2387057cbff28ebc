// Package sensitive knows the objects whose contents do not belong into a log, and which
// requests bring them there.
//
// Start with [Of], the kind that a request is about, and [Written], what its event holds
// of it. Which objects an event has is the answer of [explain.Contents]. A [Kind] gives
// the rules for a search in [space].
package sensitive

import (
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// Kind is a kind of object.
type Kind struct {
	Name     string
	Group    string
	Resource string   // with its subresource; empty for all of the group
	Sent     []string // verbs of requests that have it in their body
	Answered []string // verbs of requests that are answered with it
	custom   bool     // all groups that Kubernetes does not have
}

var (
	writes = []string{"create", "update", "patch"}
	reads  = []string{"get", "list", "create", "update", "patch", "delete", "deletecollection"}
	kinds  = []Kind{
		{Name: "secrets", Resource: "secrets", Sent: writes, Answered: reads},
		{Name: "tokens of service accounts", Resource: "serviceaccounts/token", Answered: []string{"create"}},
		{Name: "tokens that are reviewed", Group: "authentication.k8s.io", Resource: "tokenreviews", Sent: []string{"create"}, Answered: []string{"create"}},
		{Name: "configmaps", Resource: "configmaps", Sent: writes, Answered: reads},
		{Name: "certificate requests", Group: "certificates.k8s.io", Sent: writes, Answered: reads},
		{Name: "custom resources", Sent: writes, Answered: reads, custom: true},
	}
	// grouped are the groups of Kubernetes without a domain; the others end with k8s.io,
	// as do those of its own extensions.
	grouped = []string{"", "apps", "autoscaling", "batch", "extensions", "policy"}
)

// Kinds are all of them, the worst first. The last stands for objects of which nobody can
// know what they hold.
func Kinds() []Kind { return slices.Clone(kinds) }

// Of is the kind that a request is about, by its place in [Kinds]; ok is false for any
// other object.
func Of(r policy.Request) (kind int, ok bool) {
	if r.Resource == "" {
		return 0, false
	}
	kind = slices.IndexFunc(kinds, func(k Kind) bool { return k.has(r) })
	return kind, kind >= 0
}

func (k Kind) has(r policy.Request) bool {
	if k.custom {
		return !builtin(r.Group)
	}
	name, sub, _ := strings.Cut(k.Resource, "/")
	return r.Group == k.Group && (k.Resource == "" || r.Resource == name && r.Subresource == sub)
}

func builtin(group string) bool {
	return slices.Contains(grouped, group) || strings.HasSuffix(group, ".k8s.io")
}

// Contents tells which of the two bodies has a sensitive object.
type Contents struct{ Sent, Answered bool }

// Written is what the event of a request holds of a sensitive object. Of a login that
// failed nothing is read, and its answer is an error.
func Written(d policy.Decision, r policy.Request) Contents {
	i, ok := Of(r)
	if !ok || r.User == "" {
		return Contents{}
	}
	c := explain.ContentsOf(d, r)
	return Contents{c.RequestObject && slices.Contains(kinds[i].Sent, r.Verb), c.ResponseObject && slices.Contains(kinds[i].Answered, r.Verb)}
}

// Beyond tells whether c has a body with a sensitive object that other has not.
func (c Contents) Beyond(other Contents) bool {
	return c.Sent && !other.Sent || c.Answered && !other.Answered
}

// Leak are the verbs of requests about this kind of which after writes a body that before
// does not.
func (k Kind) Leak(before, after policy.Decision) (verbs []string) {
	r := policy.Request{User: "somebody", Group: k.Group}
	if r.Resource, r.Subresource, _ = strings.Cut(k.Resource, "/"); r.Resource == "" {
		r.Resource = "certificatesigningrequests"
	}
	if k.custom {
		r.Group, r.Resource = "example.com", "widgets"
	}
	for _, r.Verb = range reads {
		if Written(after, r).Beyond(Written(before, r)) {
			verbs = append(verbs, r.Verb)
		}
	}
	return verbs
}

// Rules are what a request about this kind must match, and what it must avoid, beside
// other rules that it must match.
func (k Kind) Rules(verbs []string, others ...auditv1.PolicyRule) (must auditv1.PolicyRule, avoid []auditv1.PolicyRule) {
	entry := auditv1.GroupResources{Group: k.Group}
	if k.Resource != "" {
		entry.Resources = []string{k.Resource}
	}
	if !k.custom {
		return auditv1.PolicyRule{Verbs: verbs, Resources: []auditv1.GroupResources{entry}}, nil
	}
	none := auditv1.PolicyRule{}
	for _, g := range grouped {
		none.Resources = append(none.Resources, auditv1.GroupResources{Group: g})
	}
	for _, r := range others {
		for _, gr := range r.Resources {
			if gr.Group != "*" && builtin(gr.Group) {
				none.Resources = append(none.Resources, auditv1.GroupResources{Group: gr.Group})
			}
		}
	}
	return auditv1.PolicyRule{Verbs: verbs, Resources: []auditv1.GroupResources{{Group: "*"}}}, []auditv1.PolicyRule{none}
}
