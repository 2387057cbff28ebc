package explain

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// Parts are what decides of an event, as somebody else has read it; a part that the event
// lacks is empty. The texts need not stay as they are once the Judge has answered.
type Parts struct {
	Stage, URI, Verb, User string
	Groups                 string // a JSON list, as it stands
	HasRef                 bool   // the event has an objectRef
	// What stands in objectRef; of its fields these are the ones that policies look at.
	Group, Version, Resource, Subresource, Namespace, Name string
}

// Take takes an event in, for Key and Taken. reason says why it is none, "" if it is one.
func (j *Judge) Take(p *Parts) (reason string) {
	r := j.rebuild
	j.event = Event{Request: policy.Request{
		User: p.User, Verb: p.Verb, Group: p.Group, Version: p.Version,
		Resource: p.Resource, Subresource: p.Subresource, Namespace: p.Namespace, Name: p.Name,
	}}
	r.event, r.eventText = &j.event, eventText{uri: p.URI, stage: p.Stage, hasRef: p.HasRef}
	j.groups = p.Groups
	if p.Verb == "" && p.URI == "" {
		return notRequest
	}
	return r.place()
}

// Key appends to a key what the policies look at in the event that was taken in: two with
// the same key have the same answer of each policy, and the same course. whole adds all
// that their requests have, but for the version, the names of objects where no policy looks
// at names, and a URL's parameters.
func (j *Judge) Key(to []byte, whole bool) []byte {
	q := &j.event.Request
	course := byte(j.rebuild.course())
	if j.rebuild.hasRef {
		course |= 0x80
	}
	to = append(to, course)
	groups, name, user, namespace := j.groups, "", q.User, q.Namespace
	if j.looks.names {
		name = q.Name
	}
	if !whole {
		groups = j.looks.groupsIn(groups)
		user = known(j.looks.users, user)
		namespace = known(j.looks.namespaces, namespace)
	}
	for _, s := range [...]string{user, q.Verb, q.Group, q.Resource, q.Subresource, namespace, name, q.Path} {
		n := len(s)
		to = append(to, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
		to = append(to, s...)
	}
	return append(to, groups...)
}

// Taken answers for the event that was taken in, as Event does for one that it reads. Only
// the request of that event is set.
func (j *Judge) Taken() (e *Event, judged []Judged, reason string) {
	q := &j.event.Request
	if j.groups != "" {
		if json.Unmarshal([]byte(j.groups), &q.Groups) != nil {
			return nil, nil, otherType
		}
	}
	if q.Groups == nil {
		q.Groups = []string{}
	}
	j.answer()
	return &j.event, j.judged, ""
}

// looks is what some policies look at in a request. Rules name users, groups and namespaces
// as they are: those that no rule names are all alike (ruleMatches in
// k8s.io/apiserver/pkg/audit/policy/checker.go).
type looks struct {
	users, groups, namespaces map[string]bool
	names                     bool
	lists                     map[string]string // what of lists of groups the rules name
	size                      int               // of the texts in lists, in bytes
}

// mostLists of groups are remembered at a time, with texts of mostListed bytes.
const (
	mostLists  = 2000
	mostListed = 1 << 20
)

func newLooks(policies ...*policy.Policy) looks {
	l := looks{map[string]bool{}, map[string]bool{}, map[string]bool{}, false, map[string]string{}, 0}
	for _, p := range policies {
		for _, r := range p.Spec().Rules {
			for _, of := range []struct {
				names map[string]bool
				list  []string
			}{{l.users, r.Users}, {l.groups, r.UserGroups}, {l.namespaces, r.Namespaces}} {
				for _, name := range of.list {
					of.names[name] = true
				}
			}
			l.names = l.names || slices.ContainsFunc(r.Resources, func(g audit.GroupResources) bool { return len(g.ResourceNames) > 0 })
		}
	}
	return l
}

// another stands for each name that no rule has. It is no UTF-8, which all names are.
const another = "\xff"

// known is a name, or what stands for those that no rule has. None is no name.
func known(names map[string]bool, name string) string {
	if name == "" || names[name] {
		return name
	}
	return another
}

// groupsIn are those groups of a list that rules name, in a text; the list itself where it
// is none, or a very long one.
func (l *looks) groupsIn(list string) string {
	if named, ok := l.lists[list]; ok {
		return named
	}
	var groups []string
	if len(list) > longText || list == "" || json.Unmarshal([]byte(list), &groups) != nil {
		return list
	}
	named := []byte{'['}
	for _, g := range groups {
		if l.groups[g] {
			named = append(strconv.AppendQuote(named, g), ',')
		}
	}
	if l.size += len(list) + len(named); len(l.lists) == mostLists || l.size > mostListed {
		clear(l.lists)
		l.size = len(list) + len(named)
	}
	l.lists[strings.Clone(list)] = string(named)
	return string(named)
}
