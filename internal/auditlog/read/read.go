// Package read streams the events of audit logs: of live, rotated and compressed
// files, of several logs at once, in the order of time, no event twice, and in bounded
// memory.
//
// Find is the name to call first: it says which files belong to a log. Events then
// calls a function for each event that a filter takes.
package read

import (
	"context"
	"io"

	"auditpatch/internal/auditlog/event"
)

// Log is a log of one API server: its files, the oldest first and the live one last.
type Log struct {
	Name  string // as the user named it
	Files []string
	Stdin io.Reader // instead of files
	// Special says that the file is a named pipe or a device that the user named: reading it
	// may wait for whoever writes. Any other file has to be regular when it is opened.
	Special bool
	// Left is what was left out of a folder, which is unreadable for Events.
	Left []Unreadable
}

// Query is what is wanted of the logs.
type Query struct {
	Fields event.Fields // that each reads; Match may want more
	// Match says whether an event is wanted; nil takes all. It runs in several
	// goroutines at once.
	Match func(*event.Event) bool
	// MatchFields are those that Match reads.
	MatchFields event.Fields
	// Words are JSON string values, without quotation marks, of which a wanted event
	// has one at least, unless its answer has a code that Code takes; none of both means
	// that nothing is known. A line with neither that begins and ends as kube-apiserver
	// writes events counts as one.
	Words []string
	Code  func(int) bool
	// Unordered allows any order, which is faster for several files.
	Unordered bool
	// Strict looks at every byte of every event.
	Strict bool
	// Checked looks at every byte of the wanted events, whose JSON is then fit to be
	// printed.
	Checked bool
	// Prepare makes a function for each goroutine that reads, which is called there for each
	// wanted event before each is, also for those that then are left out as duplicates. What
	// it makes of an event it keeps in the event's Note, which it finds there when the memory
	// of an event is used again.
	Prepare func() func(*event.Event)
	// Progress is called now and then, from the goroutine that calls each.
	Progress func(Progress)
}

// Progress is how far reading has come.
type Progress struct {
	Bytes, Total int64 // of the files as they are on disk; Total is 0 when it is not known
}

// Total is what was read.
type Total struct {
	Files      int
	Bytes      int64 // of the events' text, unpacked
	Events     int64 // that could be read, whether wanted or not
	Wanted     int64 // that each was called for
	Duplicates int64 // wanted events that were left out because each had seen them
	Unreadable int64
	// Unfinished are last lines that are cut off, in live files that were written to just
	// now: whoever writes them has not ended yet.
	Unfinished int64
	First      []Unreadable // the first of them, at most 20
	// Cut says that reading was cancelled before the end.
	Cut bool
}

// Unreadable is text in a log that is no event.
type Unreadable struct {
	File   string
	Line   int64 // from 1
	Bytes  int64 // how much of it
	Reason string
}

// Events calls each for each wanted event of the logs. The event is valid until each
// returns. The error is one of opening or reading a file, or the first that each
// returns; what cannot be read inside a file is no error, and stands in the total.
//
// The events of one log come in the order of its files, sorted by their stamps within
// two batches of some hundred events, since API servers write a little out of order. Those of
// several logs are merged by their stamps.
//
// An event that was seen before, byte for byte the same in what identifies it (audit
// ID, stage, verb, URI and both times), is left out. An audit ID alone is not enough:
// whoever sends a request may choose it. Of the last 200,000 wanted events all are
// remembered, of the 200,000 before them some or all.
func Events(ctx context.Context, logs []Log, q Query, each func(*event.Event) error) (Total, error) {
	return usually.run(ctx, logs, q, each)
}
