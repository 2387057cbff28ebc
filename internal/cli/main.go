package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/answers"
	"auditpatch/internal/exit"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
	"auditpatch/internal/session"
	"auditpatch/internal/spelling"
	"auditpatch/internal/typed"
	"auditpatch/patch"
)

// program is what all commands share.
type program struct {
	*session.Session
	version string
	words   []string // the command line
	typed   typed.Values
	node    hint.Node
	output  string // -o
	quiet   bool
	json    bool
	// reader takes the task that a command line means, instead of its being carried
	// out; nil on a command line of people.
	reader *reader
}

// describe is the program for those who only ask for its commands and flags.
func describe(version string) *program {
	nothing := session.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	return &program{Session: session.New(nothing), version: version}
}

// Main runs one command line and returns its exit status. version is the
// program's own. An interruption ends it at once, unless a change has begun.
func Main(ctx context.Context, args []string, s session.Streams, version string) int {
	return session.Run(ctx, s, func(s *session.Session) int {
		return (&program{Session: s, version: version}).run(ctx, args)
	}, func(s *session.Session, err error, status int) int {
		// The command's own goroutine may still be at work.
		return (&program{Session: s, json: asksForJSON(args), node: NodeOf(args), typed: typed.Of(args)}).cutShort(err, status)
	})
}

// cutShort reports a command that did not come to its end.
func (p *program) cutShort(err error, status int) int {
	f := change.CutShort(err, status)
	var fault *session.Fault
	if errors.As(err, &fault) {
		fmt.Fprintf(p.Err, "%s\n", fault.Stack)
	}
	return p.report(f)
}

// run carries out one command line.
func (p *program) run(ctx context.Context, args []string) int {
	p.words = otherSpellings(plainNames(args))
	p.node, p.typed = NodeOf(p.words), typed.Of(p.words)
	p.SetNode(p.node)
	p.json = asksForJSON(p.words) // a mistake may come before the flag
	if err := refuseText(p.words); err != nil {
		return p.end(err)
	}
	return p.end(p.app().RunContext(ctx, p.words))
}

// app is the command tree.
func (p *program) app() *cli.App {
	return &cli.App{
		Name:    "auditpatch",
		Usage:   "turns Kubernetes audit logging on, and keeps it right, on kubeadm and kind control planes",
		Version: p.version,
		Description: "A first try that changes nothing:    auditpatch diff\n" +
			"Turn audit logging on:               auditpatch enable\n" +
			"See what is configured:              auditpatch status\n" +
			"Put everything back:                 auditpatch disable\n\n" +
			"Run it as root on a control-plane node. Every change is backed up first.",
		Reader: p.In, Writer: p.Out, ErrWriter: p.Err,
		// A comma may be part of a file's name and of a group's: see commands.Names.
		DisableSliceFlagSeparator: true,
		HideVersion:               true,
		HideHelpCommand:           true,
		EnableBashCompletion:      true,
		UseShortOptionHandling:    false,
		ExitErrHandler:            func(*cli.Context, error) {}, // main exits, once
		OnUsageError:              p.usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return p.unknownCommand(c)
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			p.enableCommand(), p.diffCommand(), p.statusCommand(), p.disableCommand(),
			p.restoreCommand(), p.recoverCommand(), p.doctorCommand(), p.policyCommand(),
			answers.Commands(console{p})[0], p.exportCommand(), p.versionCommand(), p.completionCommand(),
		},
	}
}

// command gives each command what all have: no arguments, plain usage errors.
func (p *program) command(c *cli.Command) *cli.Command {
	action := c.Action
	c.OnUsageError = p.usageError
	c.HideHelpCommand = true
	c.Flags = withNames(c.Flags)
	c.BashComplete = p.complete
	c.Action = func(ctx *cli.Context) error {
		if ctx.Args().Present() {
			return p.positional(ctx)
		}
		if err := checkValues(ctx); err != nil {
			return err
		}
		if known := formats(c.Flags); len(known) > 0 && !slices.Contains(known, p.output) {
			return hint.Errorf(hint.Spaced("o", "json"), "-o %q: the output is %s", p.output, spelling.Either(known))
		}
		p.json = p.output == "json"
		return action(ctx)
	}
	return c
}

// formats are the values that the flag -o of a command takes; none without the flag.
func formats(flags []cli.Flag) []string {
	for _, f := range flags {
		if o, ok := plain(f).(*cli.StringFlag); ok && o.Name == "output" {
			return strings.Split(strings.ReplaceAll(o.Usage, " or ", ", "), ", ")
		}
	}
	return nil
}

// group is a command that only holds others.
func (p *program) group(c *cli.Command) *cli.Command {
	c.OnUsageError = p.usageError
	c.HideHelpCommand = true
	c.Action = func(ctx *cli.Context) error {
		if ctx.Args().Present() {
			return p.unknownCommand(ctx)
		}
		return cli.ShowSubcommandHelp(ctx)
	}
	return c
}

// plainNames lets flags be spelled with "_" for "-", as kube-apiserver does.
func plainNames(args []string) []string {
	out := make([]string, len(args))
	for i, a := range args {
		if out[i] = a; strings.HasPrefix(a, "--") {
			name, value, has := strings.Cut(a, "=")
			if out[i] = strings.ReplaceAll(name, "_", "-"); has {
				out[i] += "=" + value
			}
		}
	}
	return out
}

// otherSpellings are --version and help COMMAND as the command line has them:
// version and COMMAND --help.
func otherSpellings(words []string) []string {
	switch {
	case len(words) < 2:
	case words[1] == "--version":
		return append([]string{words[0], "version"}, words[2:]...)
	case words[1] == "help":
		return append(append([]string{words[0]}, words[2:]...), "--help")
	}
	return words
}

// failed is the error of a change, with how far it came.
type failed struct {
	result change.Result
	error
}

func (f *failed) Unwrap() error { return f.error }

// end prints what went wrong and maps it to an exit status.
func (p *program) end(err error) int {
	var s exit.Status
	var f *failed
	var lost *session.Lost
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	case errors.As(err, &lost):
		return 0 // the session says so, and has the status for it
	case errors.As(err, &f):
		return p.report(f.result.Failure(f.error))
	}
	return p.report(change.Result{Touched: p.Changed()}.Failure(err))
}

// report prints a failure and returns the exit status.
func (p *program) report(f change.Failure) int {
	f.Error, f.Hint = p.typed.Hide(f.Error), p.hint(f.Hint)
	for _, reason := range append([]string{f.Error}, f.More...) {
		p.say("error", reason)
	}
	if len(f.Hint) > 0 {
		p.say("hint", f.Hint.String())
	}
	if p.json {
		p.printJSON(f)
	}
	return f.Status
}

// hint is a hint for this command line, as it may be shown.
func (p *program) hint(h hint.Hint) hint.Hint {
	h = h.In(p.node)
	if line := h.String(); p.typed.Hide(line) != line {
		return hint.Words("%s", p.typed.Hide(line))
	}
	return h
}

// say prints a line that is no outcome: an error, a hint or a warning.
func (p *program) say(kind, text string) {
	fmt.Fprintf(p.Err, "auditpatch: %s: %s\n", kind, p.line(text))
}

// line is a text as one line, without the credentials of what was typed.
func (p *program) line(text string) string { return glyph.Line(p.typed.Hide(text)) }

// warn prints warnings with their hints.
func (p *program) warn(problems ...patch.Problem) {
	for _, w := range problems {
		p.say("warning", w.Message)
		if len(w.Hint) > 0 {
			p.say("hint", w.Hint.In(p.node).String())
		}
	}
}

// printf prints progress and outcomes for people.
func (p *program) printf(format string, a ...any) {
	if !p.quiet {
		fmt.Fprintln(p.Err, p.line(fmt.Sprintf(format, a...)))
	}
}

// outf prints a line of a result for people.
func (p *program) outf(format string, a ...any) {
	fmt.Fprintln(p.Out, p.line(fmt.Sprintf(format, a...)))
}

// printJSON prints a result for programs.
func (p *program) printJSON(v any) {
	enc := glyph.NewEncoder(p.Out)
	enc.SetIndent("", "  ")
	_ = enc.Encode(v) // the session remembers what is lost
}

// table prints aligned columns.
func (p *program) table(rows [][]string) error {
	for _, row := range rows {
		for i, text := range row {
			row[i] = p.line(text)
		}
	}
	_, _ = io.WriteString(p.Out, glyph.Columns(rows)) // the session remembers what is lost
	return nil
}
