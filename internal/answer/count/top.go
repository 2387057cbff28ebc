// Package count answers how many: which users, verbs, resources and so on have the most
// events, and how many events there were when.
//
// NewTop and NewTimeline are the names to call first. Both take any number of events in
// bounded memory.
package count

import (
	"cmp"
	"slices"
	"strings"

	"auditpatch/internal/answer/column"
	"auditpatch/internal/auditlog/event"
)

// Key is what events can be counted by.
type Key struct {
	Name   string
	Means  string
	fields event.Fields
	// each calls add for each value of an event, which has several groups.
	each func(e *event.Event, buf []byte, add func([]byte))
}

// Keys are all that there are.
func Keys() []Key { return keys }

var keys = []Key{
	{"user", "who logged in", event.WantUser, direct(func(e *event.Event) []byte { return e.User.Name })},
	{"group", "groups of that user, an event in each", event.WantUser, func(e *event.Event, _ []byte, add func([]byte)) {
		none := true
		event.Strings(e.User.Groups, func(s []byte) bool { none = false; add(s); return true })
		if none {
			add(nil)
		}
	}},
	{"impersonated", "as whom the user acted", event.WantImpersonated, direct(func(e *event.Event) []byte { return e.Impersonated.Name })},
	{"verb", "what was done", event.WantVerb, direct(func(e *event.Event) []byte { return e.Verb })},
	{"resource", "resource with group and subresource, or the path of a URL that is none", event.WantObject | event.WantRequestURI, made(column.Resource)},
	{"namespace", "namespace of the object", event.WantObject, direct(func(e *event.Event) []byte { return e.Object.Namespace })},
	{"name", "name of the object", event.WantObject, direct(func(e *event.Event) []byte { return e.Object.Name })},
	{"code", "HTTP status", event.WantResponse, columns("code")},
	{"failure", "reason of an answer that is a failure", event.WantResponse, direct(func(e *event.Event) []byte { return e.Response.Reason })},
	{"decision", "decision of the authorizer", event.WantAuthorization, direct(func(e *event.Event) []byte { return e.Authorization.Decision })},
	{"reason", "why the authorizer decided so", event.WantAuthorization, direct(func(e *event.Event) []byte { return e.Authorization.Reason })},
	{"source-ip", "address of the connection", event.WantSourceIPs, made(column.Source)},
	{"user-agent", "program, as it says", event.WantUserAgent, direct(func(e *event.Event) []byte { return e.UserAgent })},
	{"program", "name in front of the user agent", event.WantUserAgent, made(column.Program)},
	{"url", "URL with its query", event.WantRequestURI, direct(func(e *event.Event) []byte { return e.RequestURI })},
	{"stage", "stage of the event", event.WantStage, direct(func(e *event.Event) []byte { return e.Stage })},
	{"level", "level of the event", event.WantLevel, direct(func(e *event.Event) []byte { return e.Level })},
}

func direct(field func(*event.Event) []byte) func(*event.Event, []byte, func([]byte)) {
	return func(e *event.Event, _ []byte, add func([]byte)) { add(field(e)) }
}

func made(of func([]byte, *event.Event) []byte) func(*event.Event, []byte, func([]byte)) {
	return func(e *event.Event, buf []byte, add func([]byte)) { add(of(buf, e)) }
}

func columns(name string) func(*event.Event, []byte, func([]byte)) {
	for _, c := range column.All() {
		if c.Name == name {
			return made(c.Append)
		}
	}
	panic("no column " + name)
}

// Top counts events by a key, exactly while there are not too many different values.
//
// Beyond that it forgets the rarest half of what it has: a value that comes again may lack what it
// had before, at most Entry.Lacking. No value is forgotten that has more events than any
// Lacking.
type Top struct {
	Key     Key
	entries map[string]*Entry
	size    int  // of the keys
	most    int  // entries
	floor   Sum  // what a value that is new may have had
	Total   Sum  // of all events
	Forgot  bool // the counts are not exact
	buf     []byte
	at      *event.Event
	add     func([]byte)
}

// Sum is a number of events and their bytes.
type Sum struct {
	Events int64 `json:"events"`
	Bytes  int64 `json:"bytes"`
}

// Entry is a value with its count.
type Entry struct {
	Value string
	Sum
	Lacking Sum // at most; 0 where the count is exact
}

const (
	// mostEntries are all that some tops keep together, and mostSize is how long their keys are.
	mostEntries = 1 << 15
	mostSize    = 4 << 20
	// longest is as much of a key as counts.
	longest = 1000
)

// NewTop counts by a key. share is how many tops count in this run, which have the memory
// together.
func NewTop(k Key, share int) *Top {
	t := &Top{Key: k, entries: map[string]*Entry{}, most: mostEntries / max(share, 1), buf: make([]byte, 0, 256)}
	t.add = t.count
	return t
}

// Fields are those that Add reads.
func (t *Top) Fields() event.Fields { return t.Key.fields }

// Add counts an event.
func (t *Top) Add(e *event.Event) {
	t.Total.Events++
	t.Total.Bytes += int64(len(e.JSON))
	t.at = e
	t.Key.each(e, t.buf[:0], t.add)
}

func (t *Top) count(key []byte) {
	if len(key) > longest {
		key = append(append(t.buf[:0:0], key[:longest]...), "..."...)
	}
	n := t.entries[string(key)]
	if n == nil {
		n = t.insert(string(key))
	}
	n.Events++
	n.Bytes += int64(len(t.at.JSON))
}

func (t *Top) insert(key string) *Entry {
	if len(t.entries) >= t.most || t.size+len(key) > mostSize*t.most/mostEntries+longest {
		t.forget()
	}
	n := &Entry{Value: key, Lacking: t.floor}
	t.entries[key] = n
	t.size += len(key)
	return n
}

// forget drops the rarest half.
func (t *Top) forget() {
	all := t.sorted()
	t.Forgot = true
	for _, n := range all[len(all)/2:] {
		t.floor.Events = max(t.floor.Events, n.Events+n.Lacking.Events)
		t.floor.Bytes = max(t.floor.Bytes, n.Bytes+n.Lacking.Bytes)
		t.size -= len(n.Value)
		delete(t.entries, n.Value)
	}
}

// Entries are those with the most events, at most limit.
func (t *Top) Entries(limit int) []*Entry {
	all := t.sorted()
	return all[:min(limit, len(all))]
}

// Different is how many different values there are; at least so many if Forgot.
func (t *Top) Different() int { return len(t.entries) }

// Rest is what is counted in none of some entries. Where an event has several values, as it has
// groups, there is no such sum.
func (t *Top) Rest(shown []*Entry) (rest Sum) {
	rest = t.Total
	for _, n := range shown {
		rest.Events -= n.Events
		rest.Bytes -= n.Bytes
	}
	return Sum{max(rest.Events, 0), max(rest.Bytes, 0)}
}

func (t *Top) sorted() []*Entry {
	all := make([]*Entry, 0, len(t.entries))
	for _, n := range t.entries {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *Entry) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(b.Bytes, a.Bytes), strings.Compare(a.Value, b.Value))
	})
	return all
}
