package answers

import (
	"bufio"

	"auditpatch/internal/answer/column"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

// csvMode prints a row of columns for each event, below their names.
func csvMode(q *question) mode {
	return mode{
		outputs: []string{"csv"},
		streams: true,
		answer: func() (answer, error) {
			to := bufio.NewWriterSize(q.out, 64<<10)
			rows := column.NewCSV(to)
			return rowsAnswer{to, rows}, rows.Header()
		},
	}
}

// flatMode prints the same columns as one JSON object for each event.
func flatMode(q *question) mode {
	return mode{
		outputs: []string{"flat"},
		streams: true,
		answer: func() (answer, error) {
			to := bufio.NewWriterSize(q.out, 64<<10)
			return rowsAnswer{to, column.NewFlat(to)}, nil
		},
	}
}

type rowsAnswer struct {
	*bufio.Writer
	rows interface{ Add(*event.Event) error }
}

func (r rowsAnswer) Fields() event.Fields     { return column.Fields() }
func (r rowsAnswer) Add(e *event.Event) error { return r.rows.Add(e) }
func (r rowsAnswer) Print(read.Total) error   { return r.Flush() }
