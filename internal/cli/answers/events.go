package answers

import (
	"context"
	"errors"
	"runtime/debug"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/filter"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy/explain"
)

func (p *program) eventsCommand() *cli.Command {
	q := &question{program: p, out: &sink{program: p}}
	all := modes(q)
	logs, wanted := p.newSource("events"), newWanted()
	flags := []cli.Flag{&cli.BoolFlag{Name: "strict", Destination: &q.strict, Category: howCategory, Usage: "look at every byte, and exit with status 1 if something in the log cannot be read"}}
	for _, m := range all {
		flags = append(flags, m.flags...)
	}
	return p.Command(&cli.Command{
		Name:  "events",
		Usage: "who did what, when, from where, with what answer: reads the audit log",
		Description: "Reads live, rotated and packed files, in the order of time, and changes nothing.\n" +
			"All filters have to be met; the values of one are alternatives. '!VALUE' excludes a value, and *\n" +
			"stands for any text: --verb '!watch' --user 'system:node:*'. Events of stage RequestReceived are\n" +
			"left out unless --all-stages: a request has one line, and a watch or an exec, which takes long,\n" +
			"one when its answer begins and one when it ends.",
		Flags: slices.Concat(wanted.flags(), logs.flags(), flags, p.OutputFlags(outputs(all)...)),
		Action: func(c *cli.Context) error {
			ctx, done := p.UntilHangup(c.Context)
			defer done()
			answers, reads, err := choose(all, p.Output())
			if err != nil {
				return err
			}
			if err := idle(all, answers, c.IsSet); err != nil {
				return err
			}
			q.given = wanted.given()
			if q.filter, err = newFilter(q.given); err != nil {
				return err
			}
			for _, w := range q.filter.Warnings() {
				p.Say("warning", w.Error())
				p.Say("hint", p.Hint(hint.Of(w)).String())
			}
			if q.logs, err = logs.named(ctx, reads != nil); err != nil {
				return err
			}
			if answers.prepare != nil {
				if err := answers.prepare(); err != nil {
					return err
				}
			}
			if err := q.EndsItself(); err != nil {
				return err
			}
			a, err := answers.answer()
			if err != nil {
				return err
			}
			return q.run(ctx, a, answers, reads)
		},
	})
}

// leastGarbage is how much garbage there may be, in percent of what is in use, before it is
// collected: batches of events are used again, so there is little, and what is kept is most of it.
const leastGarbage = 30

// run reads the logs and prints the answer.
func (q *question) run(ctx context.Context, a answer, answers, reads *mode) error {
	if half, ok := a.(interface{ Cleanup() }); ok {
		defer half.Cleanup()
	}
	from := read.Events
	if reads != nil {
		from = reads.read
	}
	s := &q.summary
	q.out.progress = q.newProgress(reads == nil)
	debug.SetGCPercent(leastGarbage)
	query := read.Query{Fields: a.Fields() | event.WantStamp, Match: q.filter.Match, MatchFields: q.filter.Fields(), Words: q.filter.Words(), Code: q.filter.Code(),
		Unordered: answers.unordered, Strict: q.strict, Checked: answers.checked, Progress: q.out.progress.show}
	each := s.watch(a, reads != nil)
	if w, ok := a.(widener); ok {
		each = w.widen(&query, each)
	}
	during, cancel := reading(ctx, q.logs)
	defer cancel()
	total, err := from(during, q.logs, query, each)
	if w, ok := a.(widener); ok {
		total.Wanted = w.wanted()
	}
	// To wait for what comes has no other end than an interruption.
	total.Cut = reads == nil && (total.Cut || ctx.Err() != nil)
	q.out.progress.clear()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if err == nil {
		s.total(total, q.filter)
		err = a.Print(total)
	}
	var partly exit.Status // the answer has not all that was asked for, and has said so
	if errors.As(err, &partly) {
		err = nil
	}
	switch {
	case q.out.lost != nil:
		return exit.Status(exit.Refused) // the session says so, unless nobody wants more
	case err != nil:
		return readError("events", err)
	}
	q.conclude(ctx, s)
	switch {
	case s.Interrupted:
		return exit.Status(exit.Refused)
	case q.strict && s.Unreadable > 0:
		return exit.Status(exit.Differs)
	case partly != 0:
		return partly
	}
	return nil
}

// FlagValues are the values that a flag of events can have, none if there are too many.
func FlagValues(name string) []string {
	if name == "top" {
		return keyNames()
	}
	for _, f := range filter.Flags() {
		if f.Name == name {
			return f.Known
		}
	}
	return nil
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

// given is what the flags say, by their names.
func (w *wanted) given() map[string][]string {
	values := map[string][]string{}
	for name, given := range w.texts {
		values[name] = given.Value()
	}
	for name, given := range w.switches {
		if *given {
			values[name] = []string{"true"}
		}
	}
	return values
}

// newFilter takes what flags say.
func newFilter(given map[string][]string) (*filter.Filter, error) {
	return filter.New(given, filter.Env{Now: time.Now(), Resource: func(word string) string {
		plural, _ := explain.ResourceName(word)
		return plural
	}})
}
