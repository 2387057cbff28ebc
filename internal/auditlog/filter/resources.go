package filter

import (
	"strings"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
)

// resource is a pattern of a resource: NAME, NAME.GROUP, NAME/SUBRESOURCE or NAME.GROUP/SUBRESOURCE.
type resource struct {
	name, group, sub     pattern
	anyGroup, everything bool
}

func readResources(r reading) (condition, error) {
	return r.condition(event.WantObject, func(value string) (test, error) {
		if strings.HasPrefix(value, "/") {
			return test{}, hint.Errorf(hint.Flag("url", value), "--%s %q: it is a URL", r.Name, value)
		}
		p := r.resource(value)
		return test{p.match, value, func(key string) bool { return p.covers(r.resource(key)) }, p.words()}, nil
	})
}

// resource reads a pattern. The group is what follows the first dot; an empty one is the core
// group. A name that kubectl understands is taken as kubectl does.
func (r reading) resource(value string) resource {
	full, sub, hasSub := strings.Cut(value, "/")
	name, group, hasGroup := strings.Cut(full, ".")
	if r.Resource != nil && !strings.Contains(name, "*") {
		if plural := r.Resource(name); plural != "" {
			name = plural
		}
	}
	return resource{newPattern(name), newPattern(group), newPattern(sub), !hasGroup, value == "*" || name == "*" && !hasSub && !hasGroup}
}

func (p resource) match(e *event.Event) bool {
	o := &e.Object
	switch {
	case !o.Has:
		return false
	case p.everything:
		return true
	}
	return p.name.match(o.Resource) && (p.anyGroup || p.group.match(o.APIGroup)) && p.sub.match(o.Subresource)
}

// covers tells that each resource that is like another pattern is like this one.
func (p resource) covers(q resource) bool {
	switch {
	case p.everything || q.everything:
		return p.everything
	case !p.anyGroup && q.anyGroup:
		return false
	}
	return p.name.covers(q.name.text) && (p.anyGroup || p.group.covers(q.group.text)) && p.sub.covers(q.sub.text)
}

// words are those of the subresource, which fewer events have.
func (p resource) words() []string {
	if w := words(p.sub); w != nil {
		return w
	}
	return words(p.name)
}
