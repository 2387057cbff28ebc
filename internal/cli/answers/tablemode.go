package answers

import (
	"auditpatch/internal/answer/table"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

// tableMode prints a line for people about each event.
func tableMode(q *question) mode {
	return mode{
		outputs: []string{"text"},
		streams: true,
		answer: func() (answer, error) {
			return tableAnswer{table.New(q.Stdout(), q.Line)}, nil
		},
	}
}

type tableAnswer struct{ *table.Table }

func (t tableAnswer) Fields() event.Fields   { return table.Fields }
func (t tableAnswer) Print(read.Total) error { return nil }
