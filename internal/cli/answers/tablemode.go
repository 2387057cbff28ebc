package answers

import (
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
			width, _ := q.Terminals()
			style := table.Style{Width: width, Color: width > 0 && colors(), Wide: q.Output() == "wide", Zone: q.zone(), Line: q.Line}
			return tableAnswer{table.New(q.out, style)}, nil
		},
	}
}

type tableAnswer struct{ *table.Table }

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
