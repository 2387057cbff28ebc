// Package filter says which events are wanted.
//
// New is the name to call first: it makes a Filter of what the flags of a command line
// say; Flags lists them. A Filter reads only the fields that it names, and is used by
// several goroutines at once.
//
// The values of one flag are alternatives, and all flags have to be met. A value behind !
// is excluded. In texts * stands for any text; alone it stands for any but the empty one,
// so that !* asks for events that have none.
package filter

import (
	"slices"
	"sync/atomic"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
)

// Flag is a condition as a command line has it.
type Flag struct {
	Name   string
	Usage  string   // with the name of its value in `backquotes`
	Switch bool     // it takes no value
	Known  []string // the values that there are, where they are few
}

// Env is what New needs to know beside the flags.
type Env struct {
	Now time.Time
	// Resource is the plural of a resource that a word stands for, such as pods for po, "" for
	// a word that is not known; nil knows none.
	Resource func(word string) string
}

// Filter is a condition on events.
type Filter struct {
	conditions []condition
	fields     event.Fields
	words      []string
	code       func(int) bool
	warnings   []error
	// received leaves out events of stage RequestReceived, of which hidden counts those that
	// all conditions take.
	received     bool
	hidden       atomic.Int64
	since, until event.Time // 0 when not given
}

// condition is what one flag asks of an event.
type condition struct {
	fields event.Fields
	match  func(*event.Event) bool
	// words are texts of which an event that matches has one as a JSON string, if its answer has
	// no code that code takes; none of both when that is not known. rare says how few events have
	// one: the smaller the fewer.
	words []string
	code  func(int) bool
	rare  int
}

// AllStages is the switch that takes RequestReceived in.
const AllStages = "all-stages"

// Flags are the conditions that there are, in the order in which pages tell of them.
func Flags() []Flag {
	var out []Flag
	for _, k := range kinds {
		out = append(out, k.Flag)
	}
	return append(out, Flag{Name: AllStages, Switch: true,
		Usage: "also events of stage RequestReceived, which are left out because a later event tells of the same request; --stage and --audit-id take them in as well"})
}

// New is the filter that takes an event when each flag does that is given. values are by the
// flag's name; a switch has the value "true". The error is about a value, with something
// to type.
func New(values map[string][]string, in Env) (*Filter, error) {
	f := &Filter{received: true, fields: event.WantStage}
	for _, name := range []string{AllStages, "stage", "audit-id"} {
		if len(values[name]) > 0 {
			f.received = false
		}
	}
	if err := contradiction(values); err != nil {
		return nil, err
	}
	for _, k := range kinds {
		given := values[k.Name]
		if len(given) == 0 {
			continue
		}
		c, err := k.read(reading{k.Flag, given, in, f})
		if err != nil {
			return nil, err
		}
		c.rare = k.rare
		f.conditions = append(f.conditions, c)
		f.fields |= c.fields
	}
	if best := rarest(f.conditions); best != nil {
		f.words, f.code = slices.Compact(slices.Sorted(slices.Values(best.words))), best.code
	}
	return f, f.emptySpan()
}

// emptySpan refuses a time that begins after its end.
func (f *Filter) emptySpan() error {
	if f.since != 0 && f.until != 0 && f.since >= f.until {
		return hint.New(hint.Spaced("since", "2h"), "--since is not before --until: no event is left")
	}
	return nil
}

// mostWords are as many as a prefilter looks for faster than events are read.
const mostWords = 8

// rarest is the condition that fewest events meet of those that have words or codes, or nil.
func rarest(all []condition) *condition {
	var best *condition
	for i, c := range all {
		if n := len(c.words); (n > 0 || c.code != nil) && n <= mostWords && (best == nil || c.rare < best.rare) {
			best = &all[i]
		}
	}
	return best
}

// Match says whether an event is wanted.
func (f *Filter) Match(e *event.Event) bool {
	for i := range f.conditions {
		if !f.conditions[i].match(e) {
			return false
		}
	}
	if f.received && string(e.Stage) == "RequestReceived" {
		f.hidden.Add(1)
		return false
	}
	return true
}

// Fields are those that Match reads.
func (f *Filter) Fields() event.Fields { return f.fields }

// Words are texts, without quotation marks, of which each wanted event has one at least as
// the JSON string that is a value, unless it is written with escapes, or unless its answer has
// a code that Code takes; none of both when nothing is known.
func (f *Filter) Words() []string { return f.words }

// Code says whether a wanted event may have that code; nil when events without any of Words may
// have all codes, or none.
func (f *Filter) Code() func(int) bool { return f.code }

// Hidden is how many events that are wanted otherwise were left out so far because their
// stage is RequestReceived.
func (f *Filter) Hidden() int64 { return f.hidden.Load() }

// Everything tells whether no event is left out but those of stage RequestReceived.
func (f *Filter) Everything() bool { return len(f.conditions) == 0 }

// Since is the time from which on events are wanted, zero when that is not given.
func (f *Filter) Since() time.Time {
	if f.since == 0 {
		return time.Time{}
	}
	return f.since.Go()
}

// Warnings are values that may be misspelt, each with something to type.
func (f *Filter) Warnings() []error { return f.warnings }
