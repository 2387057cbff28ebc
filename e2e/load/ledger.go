package load

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// ledger knows what every object must be like. An object has at most one request under way,
// so the acknowledged ones have an order. After a write whose outcome is not known the object
// is left alone for good: the write may still take effect at any later time, and the object
// must then be as it was before it or as it is after it.
type ledger struct {
	mu           sync.Mutex
	objects      []*object
	idle         []*object
	contradicted []string
}

// object is a ConfigMap.
type object struct {
	name  string
	now   state
	doubt *state // also possible; nil when there is no doubt
}

// state is what can be seen of an object; the zero value is that of one that is not there.
type state struct {
	exists bool
	change int // number of the write that its content is from
}

func newLedger(objects int) *ledger {
	g := &ledger{}
	for range objects {
		g.add()
	}
	return g
}

func (g *ledger) add() {
	o := &object{name: fmt.Sprintf("object-%05d", len(g.objects))}
	g.objects, g.idle = append(g.objects, o), append(g.idle, o)
}

// take gives out an object that has no request under way, nil when there is none. It is to be
// given back by finish.
func (g *ledger) take() *object {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := len(g.idle) - 1
	if last < 0 {
		return nil
	}
	i := rand.IntN(last + 1)
	o := g.idle[i]
	g.idle[i], g.idle = g.idle[last], g.idle[:last]
	return o
}

// finish notes the outcome of a step. What the answer says of the object must be what is
// known of it: a lost write may show here first.
func (g *ledger) finish(o *object, s step, r Request, body []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case r.Class == Acknowledged:
		if fault := s.fault(o, r.Code, body); fault != "" {
			g.contradicted = append(g.contradicted, fault)
		}
		o.now = s.after
	case s.writes() && r.Class.doubtful():
		o.doubt = &s.after
		g.add()
		return
	}
	g.idle = append(g.idle, o)
}

// fault says how an acknowledgement contradicts what is known.
func (s step) fault(o *object, code int, body []byte) string {
	if code != s.code {
		return fmt.Sprintf("%s of %s, which is %s, was answered %d, want %d", s.verb, o.name, o.now, code, s.code)
	}
	if want := content(o.name, s.after.change); s.after.exists && code < 300 && !strings.Contains(string(body), want) {
		return fmt.Sprintf("%s of %s was answered with other content than %q: %s", s.verb, o.name, want, body)
	}
	return ""
}

// lost compares the objects with those found in the API server, name and content.
func (g *ledger) lost(found map[string]string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	faults := slices.Clone(g.contradicted)
	for _, o := range g.objects {
		text, exists := found[o.name]
		if o.now.is(o.name, exists, text) || o.doubt != nil && o.doubt.is(o.name, exists, text) {
			continue
		}
		was := "not there"
		if exists {
			was = fmt.Sprintf("there with content %q", text)
		}
		faults = append(faults, fmt.Sprintf("%s was acknowledged to be %s and is %s", o.name, o.now, was))
	}
	return faults
}

func (s state) is(name string, exists bool, text string) bool {
	return s.exists == exists && (!exists || text == content(name, s.change))
}

func (s state) String() string {
	if !s.exists {
		return "gone"
	}
	return fmt.Sprintf("at change %d", s.change)
}

// content is what an object holds after a write; no other write of any object has the same.
func content(name string, change int) string { return fmt.Sprintf("%s/%d.", name, change) }
