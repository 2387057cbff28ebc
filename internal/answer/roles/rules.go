package roles

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Rule is a rule of a role with its use.
type Rule struct {
	rbacv1.PolicyRule
	Use Use
}

// block is a set of grants of one namespace: all that have one of the values on each axis.
type block struct {
	axes [axes][]string // sorted
	use  Use
}

// The axes of a block.
const (
	verbAxis = iota
	nameAxis
	resourceAxis
	groupAxis
	urlAxis
	axes
)

// orders are the ways to put grants together, the easiest to read first.
var orders = [][]int{
	{verbAxis, nameAxis, resourceAxis}, {verbAxis, resourceAxis, nameAxis}, {nameAxis, verbAxis, resourceAxis},
	{resourceAxis, nameAxis, verbAxis}, {resourceAxis, verbAxis, nameAxis}, {nameAxis, resourceAxis, verbAxis},
}

// merge makes rules of grants of one namespace, or of those that are everywhere. The rules grant
// what the grants do and nothing else, each of them once: putting two blocks together that
// differ on one axis alone changes nothing. For each API group that way is taken which needs
// the fewest rules.
func merge(grants map[Grant]Use) (out []Rule) {
	groups, urls := map[string][]block{}, []block{}
	for g, u := range grants {
		b := block{[axes][]string{{g.Verb}, {g.Name}, {g.Resource}, {g.Group}, {g.URL}}, u}
		if g.URL != "" {
			urls = append(urls, b)
			continue
		}
		groups[g.Group] = append(groups[g.Group], b)
	}
	var all []block
	for _, blocks := range groups {
		all = append(all, fewest(blocks)...)
	}
	all = append(fold(all, groupAxis), fold(fold(urls, verbAxis), urlAxis)...)
	slices.SortFunc(all, block.compare)
	for _, b := range all {
		out = append(out, b.rule())
	}
	return out
}

// manyGrants is from where on only the first order is tried.
const manyGrants = 5000

func fewest(blocks []block) (best []block) {
	for _, order := range orders {
		next := blocks
		for _, axis := range order {
			next = fold(next, axis)
		}
		if best == nil || len(next) < len(best) {
			best = next
		}
		if len(blocks) > manyGrants {
			break
		}
	}
	return best
}

// fold puts blocks together that are equal but for one axis.
func fold(blocks []block, axis int) (out []block) {
	at := map[string]int{}
	for _, b := range blocks {
		others := b.axes
		others[axis] = nil
		key := fmt.Sprintf("%q", others)
		i, ok := at[key]
		if !ok {
			at[key] = len(out)
			b.axes[axis] = slices.Clone(b.axes[axis])
			out = append(out, b)
			continue
		}
		out[i].axes[axis] = append(out[i].axes[axis], b.axes[axis]...)
		out[i].use.add(b.use)
	}
	for _, b := range out {
		if axis == verbAxis {
			slices.SortFunc(b.axes[axis], compareVerbs)
		} else {
			slices.Sort(b.axes[axis])
		}
	}
	return out
}

// compare orders rules by what they are about.
func (b block) compare(other block) int {
	for _, axis := range []int{urlAxis, groupAxis, resourceAxis, nameAxis, verbAxis} {
		if d := slices.Compare(b.axes[axis], other.axes[axis]); d != 0 {
			return d
		}
	}
	return 0
}

func (b block) rule() Rule {
	r := Rule{Use: b.use}
	r.Verbs = b.axes[verbAxis]
	if b.axes[urlAxis][0] != "" {
		r.NonResourceURLs = b.axes[urlAxis]
		return r
	}
	r.APIGroups, r.Resources = b.axes[groupAxis], b.axes[resourceAxis]
	if b.axes[nameAxis][0] != "" {
		r.ResourceNames = b.axes[nameAxis]
	}
	return r
}

// grantsOf are the grants of a rule, with * where it has one.
func grantsOf(r rbacv1.PolicyRule, namespace string) iter.Seq[Grant] {
	names := r.ResourceNames
	if len(names) == 0 {
		names = []string{""}
	}
	return func(yield func(Grant) bool) {
		for _, verb := range r.Verbs {
			for _, u := range r.NonResourceURLs {
				if !yield(Grant{Verb: verb, URL: u}) {
					return
				}
			}
			for _, group := range r.APIGroups {
				for _, resource := range r.Resources {
					for _, name := range names {
						if !yield(Grant{namespace, verb, group, resource, name, ""}) {
							return
						}
					}
				}
			}
		}
	}
}

// minimal leaves out grants that another one covers, and gives their use to that one.
func minimal(grants map[Grant]Use) map[Grant]Use {
	out := maps.Clone(grants)
	for g, u := range grants {
		for _, wider := range g.wider() {
			if w, ok := out[wider]; ok {
				w.add(u)
				out[wider] = w
				delete(out, g)
				break
			}
		}
	}
	return out
}

// wider are the grants that cover g, the widest first.
func (g Grant) wider() (out []Grant) {
	anyName, everywhere, both := g, g, g
	anyName.Name, everywhere.Namespace = "", ""
	both.Name, both.Namespace = "", ""
	for _, w := range []Grant{both, everywhere, anyName} {
		if w != g && !slices.Contains(out, w) {
			out = append(out, w)
		}
	}
	return out
}

// Role is a Role, or a ClusterRole, with where and to whom it is bound.
type Role struct {
	Name  string
	Rules []Rule
	// Everywhere is a ClusterRole with a ClusterRoleBinding. Otherwise it is bound in
	// Namespaces: a Role in the only one, or a ClusterRole with a RoleBinding in each.
	Everywhere bool
	Namespaces []string
}

// rolesOf makes roles. Namespaces with the same rules share a ClusterRole.
func rolesOf(name func(namespace string) string, grants map[Grant]Use) (out []Role) {
	by := map[string]map[Grant]Use{}
	for g, u := range grants {
		if by[g.Namespace] == nil {
			by[g.Namespace] = map[Grant]Use{}
		}
		by[g.Namespace][g] = u
	}
	at := map[string]int{} // by the rules
	for _, namespace := range slices.Sorted(maps.Keys(by)) {
		rules := merge(by[namespace])
		if namespace == "" {
			out = append(out, Role{Name: name(""), Rules: rules, Everywhere: true})
			continue
		}
		key := rulesKey(rules)
		if i, ok := at[key]; ok {
			out[i].Namespaces = append(out[i].Namespaces, namespace)
			for j := range rules {
				out[i].Rules[j].Use.add(rules[j].Use)
			}
			continue
		}
		at[key] = len(out)
		out = append(out, Role{Name: name(""), Rules: rules, Namespaces: []string{namespace}})
	}
	for i, r := range out {
		if len(r.Namespaces) > 1 {
			out[i].Name = name(r.Namespaces[0])
		}
	}
	slices.SortStableFunc(out, func(a, b Role) int {
		return cmp.Or(-cmp.Compare(order(a), order(b)), strings.Compare(a.Name, b.Name))
	})
	return out
}

// order puts ClusterRoles first, and those that are bound everywhere before all.
func order(r Role) int {
	switch {
	case r.Everywhere:
		return 2
	case len(r.Namespaces) > 1:
		return 1
	}
	return 0
}

func rulesKey(rules []Rule) string {
	var b strings.Builder
	for _, r := range rules {
		fmt.Fprintf(&b, "%q%q%q%q%q;", r.Verbs, r.APIGroups, r.Resources, r.ResourceNames, r.NonResourceURLs)
	}
	return b.String()
}
