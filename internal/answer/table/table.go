// Package table prints events as lines that read like an answer: when, who, what, where,
// from where, with what result.
//
// New is the name to call first.
package table

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"auditpatch/internal/auditlog/event"
)

// Fields are those that a table reads.
const Fields = event.WantStamp | event.WantUser | event.WantVerb | event.WantObject | event.WantRequestURI | event.WantSourceIPs | event.WantUserAgent | event.WantResponse

// Table prints events.
type Table struct {
	to   io.Writer
	line func(string) string
	rows int64
}

// New prints to a writer; line makes text safe for a terminal.
func New(to io.Writer, line func(string) string) *Table { return &Table{to: to, line: line} }

// Add prints a line.
func (t *Table) Add(e *event.Event) error {
	if t.rows++; t.rows == 1 {
		if err := t.row("WHEN", "WHO", "WHAT", "WHERE", "RESULT"); err != nil {
			return err
		}
	}
	what := string(e.Verb) + " " + string(e.RequestURI)
	if e.Object.Has {
		what = string(e.Verb) + " " + string(e.Object.Resource) + "/" + string(e.Object.Name)
	}
	return t.row(e.Stamp.Go().Format("2006-01-02T15:04:05Z"), string(e.User.Name), what, string(e.Object.Namespace), strconv.Itoa(e.Response.Code))
}

func (t *Table) row(cells ...string) error {
	_, err := fmt.Fprintln(t.to, t.line(strings.Join(cells, "  ")))
	return err
}
