// Package read streams the events of audit logs: of live, rotated and compressed
// files, of several logs at once, in the order of time, no event twice, and in bounded
// memory.
//
// Find is the name to call first: it says which files belong to a log. Events then
// calls a function for each event that a filter takes.
package read

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"auditpatch/internal/auditlog/event"
)

// Log is a log of one API server: its files, the oldest first and the live one last.
type Log struct {
	Name  string // as the user named it
	Files []string
	Stdin io.Reader // instead of files
}

// Find returns the logs that names stand for: a file with its rotated siblings, each
// log in a folder, or - for standard input.
func Find(names []string, stdin io.Reader) ([]Log, error) {
	var logs []Log
	for _, name := range names {
		if name == "-" {
			logs = append(logs, Log{Name: "standard input", Stdin: stdin})
			continue
		}
		ext := filepath.Ext(name)
		rotated, err := filepath.Glob(strings.TrimSuffix(name, ext) + "-[0-9]*" + ext + "*")
		if err != nil {
			return nil, err
		}
		slices.Sort(rotated)
		logs = append(logs, Log{Name: name, Files: append(rotated, name)})
	}
	return logs, nil
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
	// has one at least; none means that nothing is known.
	Words []string
	// Unordered allows any order, which is faster for several files.
	Unordered bool
	// Strict looks at every byte of every event.
	Strict bool
	// Progress is called now and then, from one goroutine.
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
func Events(ctx context.Context, logs []Log, q Query, each func(*event.Event) error) (Total, error) {
	var t Total
	for _, l := range logs {
		if l.Stdin != nil {
			if err := lines(ctx, l.Name, l.Stdin, q, each, &t); err != nil {
				return t, err
			}
		}
		for _, name := range l.Files {
			if err := file(ctx, name, q, each, &t); err != nil {
				return t, err
			}
		}
	}
	return t, nil
}

func file(ctx context.Context, name string, q Query, each func(*event.Event) error, t *Total) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return err
		}
	}
	return lines(ctx, name, r, q, each, t)
}

func lines(ctx context.Context, name string, r io.Reader, q Query, each func(*event.Event) error, t *Total) error {
	t.Files++
	in := bufio.NewReader(r)
	var e event.Event
	for n := int64(1); ctx.Err() == nil; n++ {
		line, err := in.ReadBytes('\n')
		if text := bytes.TrimSpace(line); len(text) > 0 {
			t.Bytes += int64(len(line))
			if bad := e.Parse(text, q.Fields|q.MatchFields); bad != nil {
				t.Unreadable++
				t.First = append(t.First, Unreadable{name, n, int64(len(line)), bad.Error()})
			} else if t.Events++; q.Match == nil || q.Match(&e) {
				t.Wanted++
				if err := each(&e); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	t.Cut = true
	return nil
}
