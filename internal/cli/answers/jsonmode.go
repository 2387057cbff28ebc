package answers

import (
	"bufio"
	"encoding/json"
	"fmt"

	"auditpatch/internal/answer/column"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/glyph"
)

// jsonMode prints one document with the events and how many there are.
func jsonMode(q *question) mode {
	return mode{
		outputs: []string{"json"},
		checked: true,
		answer:  func() (answer, error) { return &document{bufferedJSON: q.bufferedJSON()}, nil },
	}
}

// jsonlMode prints the events as they stand in the log, one a line.
func jsonlMode(q *question) mode {
	return mode{
		outputs: []string{"jsonl"},
		streams: true,
		checked: true,
		answer:  func() (answer, error) { return &jsonLines{q.bufferedJSON()}, nil },
	}
}

// bufferedJSON prints events that are whole JSON.
type bufferedJSON struct {
	*bufio.Writer
	q     *question
	shown bool // on a terminal
	line  []byte
}

func (q *question) bufferedJSON() bufferedJSON {
	width, _ := q.Terminals()
	return bufferedJSON{Writer: bufio.NewWriterSize(q.out, 64<<10), q: q, shown: width > 0}
}

func (b *bufferedJSON) Fields() event.Fields { return 0 }

// event prints an event in one line, with text in front.
func (b *bufferedJSON) event(front string, e *event.Event) error {
	_, _ = b.WriteString(front) // the writer remembers an error
	if b.shown {
		b.line = column.Shown(b.line[:0], e.JSON)
	} else {
		b.line = column.OneLine(b.line[:0], e.JSON)
	}
	_, err := b.Write(b.line)
	return err
}

// document is JSON that is printed while it is made.
type document struct {
	bufferedJSON
	events int64
}

const head = "{\n  \"changed\": false,\n  \"events\": ["

func (d *document) Add(e *event.Event) error {
	between := ",\n"
	if d.events++; d.events == 1 {
		between = head + "\n"
	}
	return d.event(between, e)
}

func (d *document) Print(read.Total) error {
	if d.events == 0 {
		_, _ = d.WriteString(head)
	}
	text, err := json.MarshalIndent(d.q.summary, "  ", "  ")
	if err != nil {
		return fmt.Errorf("print the total: %w", err)
	}
	_, _ = fmt.Fprintf(d, "\n  ],\n  \"total\": %s\n}\n", glyph.JSON(nil, text))
	return d.Flush()
}

type jsonLines struct{ bufferedJSON }

func (l *jsonLines) Add(e *event.Event) error {
	if err := l.event("", e); err != nil {
		return err
	}
	return l.WriteByte('\n')
}

func (l *jsonLines) Print(read.Total) error { return l.Flush() }
