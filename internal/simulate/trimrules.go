package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// Proposal is a rule of level None, with what it hides.
type Proposal struct {
	Rule auditv1.PolicyRule
	Count
	Lost   string // what can no longer be seen, in words
	groups []*group
}

// nodesUser stands for all nodes together.
const nodesUser = "system:nodes"

// doing is a verb on a resource, or on a path.
type doing struct{ verb, group, resource, path string }

// share is what one user does, with the groups by namespace.
type share struct {
	free, kept []*group
}

// proposals makes rules of the groups that may go: for each user the resources with the
// same verbs, and for users that have the same, one rule. A rule never covers a group that
// stays.
func (g *groups) proposals() []Proposal {
	if g.full() {
		return nil // a failure may be among those that were not counted
	}
	drafts := map[string]*draft{}
	for user, does := range g.byUser() {
		for _, d := range draftsOf(user, does) {
			known := drafts[d.key()]
			if known == nil {
				drafts[d.key()] = d
				continue
			}
			known.users = append(known.users, d.users...)
			known.groups = append(known.groups, d.groups...)
		}
	}
	var out []Proposal
	for _, d := range drafts {
		out = append(out, d.proposal())
	}
	slices.SortFunc(out, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Rule.String(), b.Rule.String()))
	})
	return out
}

// byUser are the groups by user and by what these do. Nodes are one user, where each of
// their requests is of the group that all nodes are in.
func (g *groups) byUser() map[string]map[doing]*share {
	asGroup := true
	nodes := map[string]bool{}
	for _, known := range g.of {
		if strings.HasPrefix(known.user, "system:node:") {
			nodes[known.user] = true
			asGroup = asGroup && known.nodes
		} else if known.nodes {
			asGroup = false // whoever else is in that group would be hidden with them
		}
	}
	out := map[string]map[doing]*share{}
	for _, known := range g.of {
		user := known.user
		if asGroup && len(nodes) > 1 && nodes[user] {
			user = nodesUser
		}
		if out[user] == nil {
			out[user] = map[doing]*share{}
		}
		d := doing{known.verb, known.group, known.resource, known.path}
		s := out[user][d]
		if s == nil {
			s = &share{}
			out[user][d] = s
		}
		if known.reason == "" {
			s.free = append(s.free, known)
		} else {
			s.kept = append(s.kept, known)
		}
	}
	return out
}

// draft is a rule in the making.
type draft struct {
	users, verbs, namespaces, paths []string
	resources                       map[string][]string // by API group
	groups                          []*group
}

// mostNamespaces are named in a rule that must leave others out.
const mostNamespaces = 20

// draftsOf are the rules for one user.
func draftsOf(user string, does map[doing]*share) (out []*draft) {
	verbs := map[doing][]string{} // of a resource everywhere, or in some namespaces
	of := map[doing][]*group{}
	for d, s := range does {
		if len(s.free) == 0 {
			continue
		}
		where := doing{group: d.group, resource: d.resource, path: d.path}
		free := s.free
		if len(s.kept) > 0 {
			if free = apart(s); free == nil {
				continue
			}
			where.verb = strings.Join(namespacesOf(free), ",") // stands for the namespaces here
		}
		verbs[where] = append(verbs[where], d.verb)
		of[where] = append(of[where], free...)
	}
	byVerbs := map[string]*draft{}
	for where, list := range verbs {
		slices.Sort(list)
		kind := fmt.Sprint(list, where.verb, where.resource == "")
		d := byVerbs[kind]
		if d == nil {
			d = &draft{users: []string{user}, verbs: list, resources: map[string][]string{}}
			if where.verb != "" {
				d.namespaces = strings.Split(where.verb, ",")
			}
			byVerbs[kind] = d
			out = append(out, d)
		}
		if where.resource == "" {
			d.paths = append(d.paths, where.path)
		} else {
			d.resources[where.group] = append(d.resources[where.group], where.resource)
		}
		d.groups = append(d.groups, of[where]...)
	}
	return out
}

// apart are the groups that a rule with namespaces can tell from those that stay; nil for
// none. What is in no namespace, or across all, has none to name.
func apart(s *share) (free []*group) {
	kept := map[string]bool{}
	for _, k := range s.kept {
		kept[k.namespace] = true
	}
	for _, f := range s.free {
		if f.resource == "" || f.namespace == "" || strings.Contains(f.namespace, ",") || kept[f.namespace] {
			continue
		}
		free = append(free, f)
	}
	if len(namespacesOf(free)) > mostNamespaces {
		return nil
	}
	return free
}

func namespacesOf(groups []*group) (names []string) {
	for _, g := range groups {
		names = append(names, g.namespace)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// key tells drafts apart that are for different requests, whoever sends them.
func (d *draft) key() string {
	for _, list := range d.resources {
		slices.Sort(list)
	}
	slices.Sort(d.paths)
	if slices.Contains(d.users, nodesUser) {
		return "nodes" + fmt.Sprint(d.verbs, d.namespaces, d.paths, d.resources)
	}
	return fmt.Sprint(d.verbs, d.namespaces, d.paths, d.resources)
}

// proposal is the rule.
func (d *draft) proposal() Proposal {
	slices.Sort(d.users)
	p := Proposal{groups: d.groups, Rule: auditv1.PolicyRule{Level: auditv1.LevelNone, Verbs: d.verbs, Namespaces: d.namespaces, NonResourceURLs: d.paths}}
	if slices.Equal(d.users, []string{nodesUser}) {
		p.Rule.UserGroups = d.users
	} else {
		p.Rule.Users = d.users
	}
	var names []string
	for _, group := range slices.Sorted(maps.Keys(d.resources)) {
		p.Rule.Resources = append(p.Rule.Resources, auditv1.GroupResources{Group: group, Resources: d.resources[group]})
		for _, r := range d.resources[group] {
			names = append(names, strings.TrimSuffix(r+"."+group, "."))
		}
	}
	for _, g := range d.groups {
		p.Count.add(g.Count)
	}
	p.Lost = lost(d, append(names, d.paths...))
	return p
}

// lost says what a rule hides, from now on, whether the log has it or not.
func lost(d *draft, what []string) string {
	who := some(d.users, 3)
	if slices.Equal(d.users, []string{nodesUser}) {
		who = "all nodes"
	}
	where := ""
	if len(d.namespaces) > 0 {
		where = " in " + some(d.namespaces, 3)
	}
	return fmt.Sprintf("%s of %s%s by %s, its failures too", strings.Join(d.verbs, ", "), some(what, 5), where, who)
}
