package answers

import (
	"bufio"
	"math"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/exit"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/simulate"
	"auditpatch/presets"
)

// simulateFlags are those of policy simulate.
type simulateFlags struct {
	chosen
	*observed
	compare  string
	rotation rotationFlags
}

func (p *program) simulateCommand() *cli.Command {
	f := &simulateFlags{observed: p.newObserved("policy simulate")}
	return p.Command(&cli.Command{
		Name:  "simulate",
		Usage: "what a policy would have written of the events in a log, and how far back the log then reaches",
		Description: "Replays recorded events under another policy: events and bytes by rule, level, user, hour and day,\n" +
			"beside the log as it is and the policy of the node. Lower levels are exact, to the byte. Bodies\n" +
			"that the log has not are estimated, and it says from what. What the log's own policy never recorded\n" +
			"it cannot count: it says which requests these are. -o jsonl has a line for each event.\n" +
			"Nothing is changed.",
		Flags: slices.Concat(f.chosen.flags("the policy to try"), []cli.Flag{
			&cli.StringFlag{Name: "compare", Destination: &f.compare, Category: commands.WhatCategory, Usage: "compare it with the policy in `FILE`, or preset:NAME, instead of the node's"},
		}, f.observed.flags(), f.rotation.flags(), p.OutputFlags("jsonl")),
		Action: func(c *cli.Context) error { return p.simulate(c, f) },
	})
}

func (p *program) simulate(c *cli.Context, f *simulateFlags) error {
	if err := f.rotation.check(); err != nil {
		return err
	}
	r, err := f.request(p, c)
	if err != nil {
		return err
	}
	if err := p.EndsItself(); err != nil {
		return err
	}
	if p.Output() == "jsonl" {
		return p.outcomes(c, f, r)
	}
	out, err := f.run(c, r)
	if err != nil {
		return err
	}
	if c.IsSet("audit-log-maxsize") && f.rotation.size == 0 {
		p.Say("warning", "before Kubernetes 1.36, --audit-log-maxsize 0 is 100 MB; this is reckoned with files that are never rotated")
	}
	s := simulated{report: out, request: r, rotation: f.rotation.of(c, f.logging.Rotation)}
	if p.JSON() {
		p.PrintJSON(s.document())
	} else if err := p.printSimulated(s); err != nil {
		return err
	}
	return f.unread(out)
}

// request is what the flags ask for.
func (f *simulateFlags) request(p *program, c *cli.Context) (r simulate.Request, err error) {
	name, err := f.chosen.name()
	if err != nil {
		return r, err
	}
	if name == "" {
		return r, hint.Errorf(hint.Spaced("policy", "FILE").Then(", or ", hint.Spaced("preset", presets.Default)), "--policy is missing")
	}
	if err := oneStdin(append(f.names.Value(), name, f.compare)...); err != nil {
		return r, err
	}
	if r.New, err = p.policy("policy", name); err != nil {
		return r, err
	}
	if r.Logs, err = f.find(c); err != nil {
		return r, err
	}
	if f.compare == "" {
		r.Current = f.current()
		return r, nil
	}
	r.Current, err = p.policy("compare", f.compare)
	return r, err
}

// outcomes prints one line an event.
func (p *program) outcomes(c *cli.Context, f *simulateFlags, r simulate.Request) error {
	w := bufio.NewWriterSize(&sink{program: p, progress: f.progress}, 64<<10)
	enc := glyph.NewEncoder(w)
	r.Each = func(o simulate.Outcome) error { return enc.Encode(o) }
	out, err := f.run(c, r)
	if lost := w.Flush(); err == nil {
		err = lost
	}
	if err != nil {
		return err
	}
	for _, u := range out.Unknown {
		p.Printf("%s", u)
	}
	return f.unread(out)
}

// unread says what of the log could not be read. A log without an event answers nothing.
func (o *observed) unread(r *simulate.Report) error {
	t := r.Read
	for _, u := range t.First {
		o.Say("warning", unreadable(u.File, u.Line, u.Reason))
	}
	if more := t.Unreadable - int64(len(t.First)); more > 0 {
		o.Say("warning", counted(more, "more place")+" in the log cannot be read")
	}
	if t.Cut {
		o.Say("error", "interrupted: this is not all")
		return exit.Status(exit.Refused)
	}
	if r.Log.All.Events == 0 {
		o.Say("warning", "the log has no events")
		return exit.Status(exit.Differs)
	}
	if o.strict && t.Unreadable > 0 {
		return exit.Status(exit.Differs)
	}
	return nil
}

// rotationFlags are rotation settings in the place of the node's.
type rotationFlags struct {
	age, backup, size int64
	compress          bool
}

func (f *rotationFlags) flags() []cli.Flag {
	return []cli.Flag{
		&cli.Int64Flag{Name: "audit-log-maxsize", Destination: &f.size, Category: howCategory, Usage: "`MB` of a file before it is rotated, instead of the node's setting"},
		&cli.Int64Flag{Name: "audit-log-maxbackup", Destination: &f.backup, Category: howCategory, Usage: "`NUMBER` of rotated files that are kept, instead of the node's setting"},
		&cli.Int64Flag{Name: "audit-log-maxage", Destination: &f.age, Category: howCategory, Usage: "`DAYS` that rotated files are kept, instead of the node's setting"},
		&cli.BoolFlag{Name: "audit-log-compress", Destination: &f.compress, Category: howCategory, Usage: "rotated files are packed, whatever the node's setting is"},
	}
}

// mostDays and mostMB are more than kube-apiserver's rotation can count with.
const (
	mostDays = 106751
	mostMB   = 8796093022207
)

// check refuses what kube-apiserver takes and does not mean.
func (f *rotationFlags) check() error {
	for _, s := range []struct {
		name        string
		value, most int64
		then        string
		usual       int64
	}{
		{"audit-log-maxsize", f.size, mostMB, "no event could be written", 100},
		{"audit-log-maxbackup", f.backup, math.MaxInt32, "no disk has so many files", 10},
		{"audit-log-maxage", f.age, mostDays, "each rotated file would be removed at once", 30},
	} {
		switch {
		case s.value < 0:
			return hint.Errorf(hint.Flag(s.name, s.usual), "--%s %d: it is below 0", s.name, s.value)
		case s.value > s.most:
			return hint.Errorf(hint.Flag(s.name, s.usual), "--%s %d: it is more than %d, and %s", s.name, s.value, s.most, s.then)
		}
	}
	return nil
}

// rotation is how the log is rotated, and who says so.
type rotation struct {
	simulate.Rotation
	from string
}

// of are the settings with those of the command line, else those of the node, else the
// defaults of enable.
func (f *rotationFlags) of(c *cli.Context, node *simulate.Rotation) rotation {
	r := rotation{simulate.Rotation{MaxSize: 100, MaxBackup: 10, MaxAge: 30}, "the defaults of auditpatch enable"}
	if node != nil {
		r = rotation{*node, "the node's settings"}
	}
	for _, s := range []struct {
		name  string
		to    *int64
		value int64
	}{{"audit-log-maxsize", &r.MaxSize, f.size}, {"audit-log-maxbackup", &r.MaxBackup, f.backup}, {"audit-log-maxage", &r.MaxAge, f.age}} {
		if c.IsSet(s.name) {
			*s.to, r.from = s.value, "the settings on the command line"
		}
	}
	if c.IsSet("audit-log-compress") {
		r.Compress, r.from = f.compress, "the settings on the command line"
	}
	return r
}

// simulated is a simulation for printing.
type simulated struct {
	report   *simulate.Report
	request  simulate.Request
	rotation rotation
}

// side is one of the columns that are compared.
type side struct {
	label  string
	policy *policy.Policy
	*simulate.Tally
}

func (s simulated) sides() []side {
	all := []side{{"log", nil, s.report.Log}}
	if s.report.Current != nil && !s.report.RecordedByCurrent() {
		all = append(all, side{"current", s.request.Current, s.report.Current})
	}
	return append(all, side{"new", s.request.New, s.report.New})
}

// history is how far back a log reaches that is written as a tally says.
func (s simulated) history(t *simulate.Tally) simulate.History {
	return s.rotation.Keeps(s.report.Rate(t).Mean, s.report.Ratio.Times)
}
