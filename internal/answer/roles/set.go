package roles

import (
	"maps"
	"slices"

	"auditpatch/internal/auditlog/event"

	"auditpatch/internal/lazyregexp"
)

// Set are the roles of one user.
type Set struct {
	User   string // "" for all users together
	Roles  []Role
	Counts Counts
	// Made are namespaces that the user made, and that roles lie in: these can only be applied
	// when the namespace is there, and go with it.
	Made []string
	// Escalates says that the roles allow to make roles with rights that the user does not have.
	Escalates bool
	Denied    bool // what RBAC refused counts as well
}

// Sets makes the roles, named name or after the user or the subject, sorted by the user.
//
// With [Auto], a grant names its objects if these are at most ten and none of their names looks
// generated, as those of Pods do; not where the user creates objects of that kind in the same
// place, whose names will be others, nor for get where they may all be listed.
func (c *Collector) Sets(name string) (out []Set) {
	for _, user := range slices.Sorted(maps.Keys(c.holders)) {
		h := c.holders[user]
		grants := h.settle(c.options.Names)
		s := Set{User: user, Counts: h.counts, Denied: c.options.IncludeDenied}
		s.Escalates = h.escalate(grants)
		s.Roles = rolesOf(roleNames(name, user, c.options.Subject), minimal(grants))
		for _, r := range s.Roles {
			for _, namespace := range r.Namespaces {
				if _, ok := h.created[namespace]; ok {
					s.Made = append(s.Made, namespace)
				}
			}
		}
		slices.Sort(s.Made)
		out = append(out, s)
	}
	return out
}

// Warnings are what to know before the roles are used, each one line.
func (s Set) Warnings() (out []string) {
	who := s.User
	if who == "" {
		who = "one of the users"
	}
	c := s.Counts
	if c.Masters {
		out = append(out, who+" is in group system:masters, which may do everything whatever roles say")
	}
	if c.Node {
		out = append(out, who+" is a node: the Node authorizer allows it more than roles do")
	}
	if s.Escalates {
		out = append(out, who+" made roles with rights that these roles do not give: verb escalate allows that, and so everything; without it, give the rights themselves")
	}
	if c.Requests > 0 && c.Reads == 0 {
		out = append(out, "the log has no get, list or watch of "+who+": its policy may not record them")
	}
	for _, namespace := range s.Made {
		out = append(out, "namespace "+namespace+" was made by "+who+": its roles can only be applied when it is there, and go with it")
	}
	for _, what := range slices.Sorted(maps.Keys(c.Unproven)) {
		out = append(out, "left out: "+what+", for the log has no body that says which")
	}
	if c.Refused > 0 && !s.Denied {
		out = append(out, requests(c.Refused)+" of "+who+" that RBAC refused: left out; --include-denied allows these too")
	}
	return out
}

// settle decides about names.
func (h *holder) settle(names Names) map[Grant]Use {
	out := map[Grant]Use{}
	for g, f := range h.families {
		if g.Namespace == "" || names == every {
			h.choose(out, g, f, names)
		}
	}
	for g, f := range h.families {
		if g.Namespace != "" && names != every {
			h.choose(out, g, h.below(out, g, f), names)
		}
	}
	return out
}

// choose adds grants for a family: for each of its names, or for any.
func (h *holder) choose(out map[Grant]Use, g Grant, f family, names Names) {
	whatever := f[""] != nil && names != every || names == Auto && !g.personal() && h.changing(g, f)
	for name, u := range f {
		if g.Name = name; whatever {
			g.Name = ""
		}
		sum := out[g]
		sum.add(*u)
		out[g] = sum
	}
}

// below are the names that are not allowed everywhere anyhow. Those that are do not decide
// about the others.
func (h *holder) below(out map[Grant]Use, g Grant, f family) family {
	left := family{}
	for name, u := range f {
		everywhere := g
		everywhere.Namespace, everywhere.Name = "", name
		if g.ofNamespace() {
			everywhere.Name = g.Namespace
		}
		sum, ok := out[everywhere]
		if !ok {
			everywhere.Name = ""
			sum, ok = out[everywhere]
		}
		if !ok {
			left[name] = u
			continue
		}
		sum.add(*u)
		out[everywhere] = sum
	}
	return left
}

// changing says that other names are to be expected, or that names hide nothing.
func (h *holder) changing(g Grant, f family) bool {
	for name := range f {
		if generated(name) {
			return true
		}
	}
	if g.Verb == "get" && (h.any(g, "list", g.Resource) || h.any(g, "watch", g.Resource)) {
		return true
	}
	return h.any(g, "create", g.base())
}

// any says that a verb is needed for any name of a resource in the same place, or everywhere.
func (h *holder) any(g Grant, verb, resource string) bool {
	g.Verb, g.Resource = verb, resource
	if h.families[g][""] != nil {
		return true
	}
	g.Namespace = ""
	return h.families[g][""] != nil
}

// suffix is what Kubernetes puts behind generateName, and the hash of a ReplicaSet: letters
// without vowels, and digits, of which words have none. Then there are numbers of Jobs, UUIDs
// and other hexadecimal digits.
var (
	suffix = lazyregexp.New(`-[bcdfghjklmnpqrstvwxz2456789]{5,10}$`)
	number = lazyregexp.New(`[-._][0-9]{5,}$|[0-9a-f]{8}-[0-9a-f]{4}-|[-._/][0-9a-f]{16,}$`)
)

func generated(name string) bool { return suffix().MatchString(name) || number().MatchString(name) }

// escalate adds the right to give others what the user does not have, where roles were made
// that do so.
func (h *holder) escalate(grants map[Grant]Use) (needed bool) {
	held := maps.Clone(grants)
	for g, made := range h.escalations {
		for right := range made.rights {
			if !has(held, right) {
				needed = true
				grants[g] = made.use
				break
			}
		}
	}
	return needed
}

func has(held map[Grant]Use, right Grant) bool {
	for _, w := range append(right.wider(), right) {
		if _, ok := held[w]; ok {
			return true
		}
	}
	return everybody(event.Subject{Groups: []byte(`["system:authenticated"]`)}, right)
}
