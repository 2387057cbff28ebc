package answers

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/filter"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/exit"
)

func (p *program) eventsCommand() *cli.Command {
	var strict bool
	q := &question{program: p}
	all := modes(q)
	logs, wanted := p.newSource("events"), newWanted()
	flags := []cli.Flag{&cli.BoolFlag{Name: "strict", Destination: &strict, Category: howCategory, Usage: "look at every byte, and exit with status 1 if something in the log cannot be read"}}
	for _, m := range all {
		flags = append(flags, m.flags...)
	}
	return p.Command(&cli.Command{
		Name:  "events",
		Usage: "who did what, when, from where, with what answer: reads the audit log",
		Flags: slices.Concat(wanted.flags(), logs.flags(), flags, p.OutputFlags(outputs(all)...)),
		Action: func(c *cli.Context) error {
			answers, reads, err := choose(all, p.Output())
			if err != nil {
				return err
			}
			if q.filter, err = wanted.filter(c); err != nil {
				return err
			}
			if q.logs, err = logs.find(); err != nil {
				return err
			}
			return q.run(c.Context, answers, reads, strict)
		},
	})
}

// run reads the logs and prints the answer.
func (q *question) run(ctx context.Context, m, reads *mode, strict bool) error {
	a, err := m.answer()
	if err != nil {
		return err
	}
	if err := q.EndsItself(); err != nil {
		return err
	}
	from := read.Events
	if reads != nil {
		from = reads.read
	}
	query := read.Query{Fields: a.Fields(), Match: q.filter.Match, MatchFields: q.filter.Fields(), Words: q.filter.Words(), Strict: strict}
	total, err := from(ctx, q.logs, query, a.Add)
	if err != nil {
		return err
	}
	if err := a.Print(total); err != nil {
		return err
	}
	q.Printf("%d of %d events", total.Wanted, total.Events)
	for _, u := range total.First {
		q.Say("warning", fmt.Sprintf("%s:%d: %s", u.File, u.Line, u.Reason))
	}
	if strict && total.Unreadable > 0 {
		return exit.Status(exit.Differs)
	}
	return nil
}

// source is the logs that a command reads.
type source struct {
	*program
	names cli.StringSlice
	node  []cli.Flag
	log   func() (string, error)
}

func (p *program) newSource(command string) *source {
	s := &source{program: p}
	s.node, s.log = p.Node(command)
	return s
}

func (s *source) flags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringSliceFlag{Name: "log", Destination: &s.names, Category: whichCategory, Usage: "`FILE` or folder of a log, - for standard input; without it, the log that the node's manifest names; may be repeated"},
	}, s.node...)
}

// find returns the logs.
func (s *source) find() ([]read.Log, error) {
	names := s.names.Value()
	if len(names) == 0 {
		name, err := s.log()
		if err != nil {
			return nil, err
		}
		names = []string{name}
	}
	return read.Find(names, s.Stdin())
}

// wanted are the flags of a filter.
type wanted struct {
	texts    map[string]*cli.StringSlice
	switches map[string]*bool
}

func newWanted() *wanted {
	w := &wanted{map[string]*cli.StringSlice{}, map[string]*bool{}}
	for _, f := range filter.Flags() {
		if f.Switch {
			w.switches[f.Name] = new(bool)
			continue
		}
		w.texts[f.Name] = &cli.StringSlice{}
	}
	return w
}

func (w *wanted) flags() (flags []cli.Flag) {
	for _, f := range filter.Flags() {
		if f.Switch {
			flags = append(flags, &cli.BoolFlag{Name: f.Name, Destination: w.switches[f.Name], Category: whichCategory, Usage: f.Usage})
			continue
		}
		flags = append(flags, &cli.StringSliceFlag{Name: f.Name, Destination: w.texts[f.Name], Category: whichCategory, Usage: f.Usage})
	}
	return flags
}

// filter is what the flags say.
func (w *wanted) filter(*cli.Context) (*filter.Filter, error) {
	values := map[string][]string{}
	for name, given := range w.texts {
		values[name] = given.Value()
	}
	for name, given := range w.switches {
		if *given {
			values[name] = []string{"true"}
		}
	}
	return filter.New(values, time.Now())
}
