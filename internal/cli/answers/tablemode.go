package answers

import (
	"bufio"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/answer/table"
	"auditpatch/internal/auditlog/read"
)

// tableMode prints a line for people about each event.
func tableMode(q *question) mode {
	return mode{
		outputs: []string{"text", "wide"},
		flags: []cli.Flag{
			&cli.BoolFlag{Name: "local-time", Destination: &q.localTime, Category: shownCategory, Usage: "times for people in this machine's zone, and not in UTC"},
		},
		streams: true,
		answer: func() (answer, error) {
			return newTable(q.out, q.tableStyle()), nil
		},
	}
}

func (q *question) tableStyle() table.Style {
	width, _ := q.Terminals()
	return table.Style{Width: width, Color: width > 0 && colors(), Wide: q.Output() == "wide", Zone: q.zone(), Line: q.Line}
}

// tableAnswer is a table. A pipe gets some rows at a time, a terminal each as it is found.
type tableAnswer struct {
	*table.Table
	piped *bufio.Writer // nil on a terminal
}

func newTable(to io.Writer, style table.Style) tableAnswer {
	if style.Width > 0 {
		return tableAnswer{table.New(to, style), nil}
	}
	piped := bufio.NewWriterSize(to, 64<<10)
	return tableAnswer{table.New(piped, style), piped}
}

// Flush prints what is kept.
func (t tableAnswer) Flush() error {
	if err := t.Table.Flush(); err != nil || t.piped == nil {
		return err
	}
	return t.piped.Flush()
}

func (t tableAnswer) Print(read.Total) error { return t.Flush() }

// zone is that of times for people.
func (q *question) zone() *time.Location {
	if q.localTime {
		return time.Local
	}
	return time.UTC
}

// colors tells whether the user wants colours on a terminal, see no-color.org.
func colors() bool { return os.Getenv("NO_COLOR") == "" && !dumb() }

// dumb tells whether the terminal only knows text.
func dumb() bool { return os.Getenv("TERM") == "dumb" }
