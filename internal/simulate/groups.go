package simulate

import (
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// key are the requests that are counted together.
type key struct{ user, verb, group, resource, namespace, path string }

func keyOf(r policy.Request) key {
	k := key{user: r.User, verb: r.Verb, group: r.Group, resource: r.Resource, namespace: r.Namespace}
	if r.Subresource != "" {
		k.resource += "/" + r.Subresource
	}
	if r.Resource == "" {
		k.path = r.Path
	}
	return k
}

func (k key) own() key {
	return key{clone(k.user), clone(k.verb), clone(k.group), clone(k.resource), clone(k.namespace), clone(k.path)}
}

// group is what the log has of a key.
type group struct {
	key
	Count
	reason Reason // why it stays, "" when it may go
	// nodes says that all its requests are of members of system:nodes.
	nodes bool
}

// groups are all that a log has. It is for one goroutine.
type groups struct {
	people bool
	of     map[key]*group
	all    Count
	stays  map[Reason]Count // those that are in no group
	// acting are users that have acted as others: what they do as these is not seen by a
	// rule, which looks at who has logged in.
	acting map[string]bool
	leases Count // renewals of leases, which policy compose --quiet-leases hides
}

// mostGroups are counted: who sends requests chooses what their URLs name.
const mostGroups = 100_000

func newGroups(people bool) *groups {
	return &groups{people: people, of: map[key]*group{}, stays: map[Reason]Count{}, acting: map[string]bool{}}
}

// add counts an event. failed says that its request was refused or went wrong.
func (g *groups) add(of *class, bytes int64, failed, impersonated bool) {
	r := &of.Request
	c := Count{Events: 1, Size: Size{Bytes: bytes}}
	g.all.add(c)
	if r.Resource == "leases" && r.Group == "coordination.k8s.io" && (r.Verb == "update" || r.Verb == "patch") {
		g.leases.add(c)
	}
	if impersonated && len(g.acting) < mostGroups {
		g.acting[r.User] = true
	}
	known := g.find(of)
	if known == nil {
		plus(g.stays, of.reason, c)
		return
	}
	known.Count.add(c)
	known.nodes = known.nodes && slices.Contains(r.Groups, "system:nodes")
	switch {
	case impersonated:
		known.reason = Impersonated
	case (failed || of.Stage == audit.StagePanic) && known.reason == "":
		known.reason = Failures
	}
}

// find is the group of a class, nil for requests that stay for the class's reason. It is
// looked for once.
func (g *groups) find(of *class) *group {
	if of.group != nil || of.reason != "" {
		return of.group
	}
	if of.reason = Protected(of.Request, g.people); of.reason != "" {
		return nil
	}
	k := keyOf(of.Request)
	known := g.of[k]
	if known == nil {
		if len(g.of) >= mostGroups {
			of.reason = Uncounted
			return nil
		}
		k = k.own()
		known = &group{key: k, nodes: true}
		g.of[k] = known
	}
	of.group = known
	return known
}

// full tells whether requests may be missing from the groups: then nothing is known of
// which of them have failed.
func (g *groups) full() bool { return len(g.of) >= mostGroups }

// settle gives a reason to the groups of users that have acted as others.
func (g *groups) settle() {
	for _, known := range g.of {
		if g.acting[known.user] {
			known.reason = Impersonated
		}
	}
}
