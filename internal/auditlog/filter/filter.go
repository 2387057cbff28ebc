// Package filter says which events are wanted.
//
// New is the name to call first: it makes a Filter of what the flags of a command line
// say; Flags lists them. A Filter reads only the fields that it names, and is used by
// several goroutines at once.
package filter

import (
	"time"

	"auditpatch/internal/auditlog/event"
)

// Flag is a condition as a command line has it.
type Flag struct {
	Name   string
	Usage  string   // with the name of its value in `backquotes`
	Switch bool     // it takes no value
	Known  []string // the values, where there are no others
}

// Filter is a condition on events. The zero value takes all.
type Filter struct {
	conditions []condition
}

// condition is what one flag asks of an event.
type condition struct {
	flag   string
	fields event.Fields
	match  func(*event.Event) bool
}

// Flags are the conditions that there are, in the order of the help text.
func Flags() []Flag {
	var out []Flag
	for _, k := range kinds {
		out = append(out, k.Flag)
	}
	return out
}

// New is the filter that takes an event when each flag does that is given. values are by the
// flag's name; a switch has the value "true". Times such as 2h ago are reckoned from now.
// The error is about a value, with something to type.
func New(values map[string][]string, now time.Time) (*Filter, error) {
	f := &Filter{}
	for _, k := range kinds {
		given := values[k.Name]
		if len(given) == 0 {
			continue
		}
		c, err := k.read(k.Name, given, now)
		if err != nil {
			return nil, err
		}
		f.conditions = append(f.conditions, c)
	}
	return f, nil
}

// Match says whether an event is wanted.
func (f *Filter) Match(e *event.Event) bool {
	for i := range f.conditions {
		if !f.conditions[i].match(e) {
			return false
		}
	}
	return true
}

// Fields are those that Match reads.
func (f *Filter) Fields() (all event.Fields) {
	for _, c := range f.conditions {
		all |= c.fields
	}
	return all
}

// Words are JSON string values, without quotation marks, of which each wanted event has
// one at least; none when nothing is known.
func (f *Filter) Words() []string { return nil }
