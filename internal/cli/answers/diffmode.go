package answers

import (
	"bufio"
	"encoding/json"
	"fmt"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/answer/changes"
	"auditpatch/internal/answer/column"
	"auditpatch/internal/answer/table"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/glyph"
)

// diffMemory is how many bytes of objects are kept to compare later ones with.
const diffMemory = 16 << 20

// diffMode says of each request that changes something what it changed.
func diffMode(q *question) mode {
	var on bool
	return mode{
		outputs: []string{"text", "wide", "json", "jsonl"},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "diff", Destination: &on, Category: shownCategory, Usage: "what each create, update, patch and delete changed, of events with bodies; values in Secrets are never shown"},
		},
		asked: func() string {
			if on {
				return "diff"
			}
			return ""
		},
		streams: true,
		answer: func() (answer, error) {
			d := &differences{q: q, seen: changes.New(diffMemory)}
			if o := q.Output(); o == "json" || o == "jsonl" {
				return &diffJSON{differences: d, to: bufio.NewWriter(q.out), document: o == "json"}, nil
			}
			return &diffText{d, table.New(q.out, q.tableStyle())}, nil
		},
	}
}

// differences sees all events that tell something about an object, so that those that are
// wanted are compared with what others have made of it.
type differences struct {
	q      *question
	seen   *changes.Seen
	change changes.Change // of the event that Add is called for
	count  int64
}

func (d *differences) wanted() int64 { return d.count }

func (d *differences) widen(q *read.Query, each func(*event.Event) error) func(*event.Event) error {
	wanted := q.Match
	q.Fields |= q.MatchFields | changes.Fields
	q.MatchFields |= changes.WantsFields
	q.Match, q.Words, q.Code, q.Unordered = func(e *event.Event) bool { return changes.Wants(e) }, nil, nil, false
	return func(e *event.Event) error {
		change, ok := d.seen.Of(e)
		if !ok || !wanted(e) {
			return nil
		}
		d.change = change
		d.count++
		return each(e)
	}
}

// diffText prints the line of each event, and below it what changed.
type diffText struct {
	*differences
	table *table.Table
}

func (d *diffText) Fields() event.Fields { return d.table.Fields() }

func (d *diffText) Add(e *event.Event) error {
	if err := d.table.Add(e); err != nil {
		return err
	}
	if err := d.table.Flush(); err != nil {
		return err
	}
	for _, line := range d.change.Text(d.q.Line) {
		if _, err := fmt.Fprintln(d.q.out, "  "+line); err != nil {
			return err
		}
	}
	return nil
}

func (d *diffText) Print(read.Total) error { return nil }

// diffJSON prints an object about each event.
type diffJSON struct {
	*differences
	to       *bufio.Writer
	document bool
}

// changed is what an event is about, and what changed.
type changed struct {
	Time        string         `json:"time"`
	AuditID     string         `json:"auditID"`
	User        string         `json:"user"`
	ActingAs    string         `json:"actingAs,omitempty"`
	Verb        string         `json:"verb"`
	APIGroup    string         `json:"apiGroup,omitempty"`
	Resource    string         `json:"resource"`
	Subresource string         `json:"subresource,omitempty"`
	Namespace   string         `json:"namespace,omitempty"`
	Name        string         `json:"name,omitempty"`
	Code        int            `json:"code,omitempty"`
	Change      changes.Change `json:"change"`
}

func (d *diffJSON) Fields() event.Fields {
	return changes.Fields | event.WantUser | event.WantImpersonated
}

func (d *diffJSON) Add(e *event.Event) error {
	o := e.Object
	text, err := json.Marshal(changed{
		Time: e.Stamp.Go().Format("2006-01-02T15:04:05.000000Z"), AuditID: string(e.AuditID), User: string(e.User.Name), ActingAs: string(e.Impersonated.Name),
		Verb: string(e.Verb), APIGroup: string(o.APIGroup), Resource: string(o.Resource), Subresource: string(o.Subresource), Namespace: string(o.Namespace), Name: string(o.Name),
		Code: e.Response.Code, Change: d.change,
	})
	if err != nil {
		return fmt.Errorf("print the change of event %s: %w", e.AuditID, err)
	}
	text = column.Shown(nil, text)
	switch {
	case !d.document:
		text = append(text, '\n')
	case d.count == 1:
		text = append([]byte(head+"\n"), text...)
	default:
		text = append([]byte(",\n"), text...)
	}
	_, err = d.to.Write(text)
	return err
}

// Flush has what is followed printed at once.
func (d *diffJSON) Flush() error { return d.to.Flush() }

func (d *diffJSON) Print(read.Total) error {
	if !d.document {
		return d.to.Flush()
	}
	if d.count == 0 {
		_, _ = d.to.WriteString(head) // the writer remembers an error
	}
	text, err := json.MarshalIndent(d.q.summary, "  ", "  ")
	if err != nil {
		return fmt.Errorf("print the total: %w", err)
	}
	_, _ = fmt.Fprintf(d.to, "\n  ],\n  \"total\": %s\n}\n", glyph.JSON(nil, text))
	return d.to.Flush()
}
