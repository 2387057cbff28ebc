package changes

import (
	"container/list"
	"strings"

	"auditpatch/internal/auditlog/event"
)

// objects are those that were last seen, as many as fit.
type objects struct {
	most, bytes int64
	byName      map[string]*list.Element
	byUse       *list.List // the last used first
}

// state is an object as it was last seen.
type state struct {
	name    string
	which   map[string]any // its kind, UID and version
	body    []byte
	at      event.Time
	auditID string
	// between counts the changes since then that the log does not have the object of.
	between int
}

func (s *state) size() int64 { return int64(len(s.body) + len(s.name) + len(s.auditID) + 900) }

// nameOf is what an object is known by: a Scale is another one than what it scales, while
// other subresources are parts of the object itself.
func nameOf(e *event.Event, name, namespace string) string {
	sub := string(e.Object.Subresource)
	switch sub {
	case "status", "ephemeralcontainers", "resize", "finalize", "approval":
		sub = ""
	}
	return strings.Join([]string{string(e.Object.APIGroup), string(e.Object.Resource), namespace, name, sub}, "\x00")
}

func (o *objects) get(name string) *state {
	at := o.byName[name]
	if at == nil {
		return nil
	}
	o.byUse.MoveToFront(at)
	s, _ := at.Value.(*state)
	return s
}

// put keeps an object, and lets go of those that were not used for longest.
func (o *objects) put(s *state) {
	o.drop(s.name)
	if s.size() > o.most/2 {
		return
	}
	o.byName[s.name] = o.byUse.PushFront(s)
	for o.bytes += s.size(); o.bytes > o.most; {
		if last, ok := o.byUse.Back().Value.(*state); ok {
			o.drop(last.name)
		}
	}
}

func (o *objects) drop(name string) {
	at := o.byName[name]
	if at == nil {
		return
	}
	if s, ok := at.Value.(*state); ok {
		o.bytes -= s.size()
	}
	o.byUse.Remove(at)
	delete(o.byName, name)
}
