package answers

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

// jsonMode prints one document with the events and how many there are.
func jsonMode(q *question) mode {
	return mode{
		outputs: []string{"json"},
		answer:  func() (answer, error) { return &document{to: bufio.NewWriter(q.Stdout())}, nil },
	}
}

// document is JSON that is printed while it is made.
type document struct {
	to     *bufio.Writer
	events int64
}

func (d *document) Fields() event.Fields { return 0 }

func (d *document) Add(e *event.Event) error {
	between := ",\n"
	if d.events++; d.events == 1 {
		between = "{\n  \"changed\": false,\n  \"events\": [\n"
	}
	_, _ = d.to.WriteString(between) // the writer remembers an error
	_, err := d.to.Write(e.JSON)
	return err
}

func (d *document) Print(total read.Total) error {
	if d.events == 0 {
		_, _ = d.to.WriteString("{\n  \"changed\": false,\n  \"events\": [")
	}
	text, err := json.Marshal(total)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.to, "\n  ],\n  \"total\": %s\n}\n", text)
	return d.to.Flush()
}

// jsonlMode prints the events as they stand in the log, one a line.
func jsonlMode(q *question) mode {
	return mode{
		outputs: []string{"jsonl"},
		streams: true,
		answer:  func() (answer, error) { return lines{q.Stdout()}, nil },
	}
}

type lines struct{ to io.Writer }

func (l lines) Fields() event.Fields { return 0 }

func (l lines) Add(e *event.Event) error {
	_, err := l.to.Write(append(e.JSON[:len(e.JSON):len(e.JSON)], '\n'))
	return err
}

func (l lines) Print(read.Total) error { return nil }
