package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Exit statuses.
const (
	exitDiffers     = 1 // diff, status --check, policy lint: not the same, or findings
	exitRefused     = 2 // refused, failed or interrupted; nothing has changed
	exitRolledBack  = 3 // failed; the earlier settings are back
	exitNotRestored = 4 // failed, and not put back; or nobody can tell
)

// program is what all commands share.
type program struct {
	Streams
	version string
	words   []string // the command line
	quiet   bool
	json    bool
	// contents are inputs that lie in no file, by the name of their flag.
	contents map[string][]byte
	// repeatable makes a second restore find the backup of the first, and not
	// undo it.
	repeatable bool
	gate       *gate
	changed    bool // something was changed, on the node or by an export
	record
}

// Main runs one command line, or one task of Ansible, and returns its exit
// status. version is the program's own. An interruption ends it at once, unless
// a change has begun.
func Main(ctx context.Context, args []string, s Streams, version string) int {
	said, out := newConsole(s.Err), &output{to: s.Out}
	defer said.close(ctx)
	s.Err, s.Out = said, out
	p := &program{Streams: s, version: version, gate: &gate{}}
	text, isTask := taskFile(args)
	exit, err := p.gate.supervise(ctx, func() int {
		if isTask {
			return p.runTask(ctx, text)
		}
		return p.run(ctx, args)
	})
	if err != nil {
		// The command's own goroutine may still be at work on p.
		p = &program{Streams: s, json: !isTask && asksForJSON(args), gate: p.gate}
		exit = p.cutShort(err, exit, isTask)
	}
	return p.printed(exit, out.lost())
}

// cutShort reports a command that did not come to its end.
func (p *program) cutShort(err error, exit int, isTask bool) int {
	var f *fault
	fail := failure{Error: err.Error(), Status: exit}
	if errors.As(err, &f) {
		fail.Changed, fail.Hint = true, "auditpatch status; and if a run died half way: auditpatch recover"
		fmt.Fprintf(p.Err, "%s\n", f.stack)
	}
	fmt.Fprintf(p.Err, "auditpatch: error: %s\n", fail.Error)
	if fail.Hint != "" {
		fmt.Fprintf(p.Err, "auditpatch: hint: %s\n", fail.Hint)
	}
	switch {
	case isTask:
		p.printJSON(answer{Edits: []string{}, Kept: []string{}, Steps: []step{}, Failed: true, Changed: fail.Changed, RC: exit, Msg: fail.Error, Hint: fail.Hint})
		return 1
	case p.json:
		p.printJSON(fail)
	}
	return exit
}

// printed is the exit status of a command, of whose result something may be lost.
func (p *program) printed(exit int, lost error) int {
	switch {
	case lost == nil:
		return exit
	case p.changed:
		fmt.Fprintf(p.Err, "auditpatch: error: the change was made, and its result could not be printed: %v\nauditpatch: hint: auditpatch status\n", lost)
	case !closedByReader(lost):
		fmt.Fprintf(p.Err, "auditpatch: error: the result could not be printed: %v\n", lost)
	}
	switch {
	case exit > exitDiffers:
		return exit
	case p.changed:
		return exitNotRestored
	}
	return exitRefused
}

// run carries out one command line.
func (p *program) run(ctx context.Context, args []string) int {
	p.words = plainNames(args)
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
		HideVersion:            true,
		HideHelpCommand:        true,
		EnableBashCompletion:   true,
		UseShortOptionHandling: false,
		ExitErrHandler:         func(*cli.Context, error) {}, // main exits, once
		OnUsageError:           usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return p.unknownCommand(c)
			}
			return cli.ShowAppHelp(c)
		},
		Commands: []*cli.Command{
			p.enableCommand(), p.diffCommand(), p.statusCommand(), p.disableCommand(),
			p.restoreCommand(), p.recoverCommand(), p.doctorCommand(), p.policyCommand(),
			p.exportCommand(), p.versionCommand(), p.completionCommand(),
		},
	}
}

// command gives each command what all have: no arguments, plain usage errors.
func (p *program) command(c *cli.Command) *cli.Command {
	action := c.Action
	c.OnUsageError = usageError
	c.HideHelpCommand = true
	c.Flags = withNames(c.Flags)
	c.BashComplete = p.complete
	c.Action = func(ctx *cli.Context) error {
		p.quiet = ctx.Bool("quiet")
		if ctx.Args().Present() {
			return positional(ctx)
		}
		if err := checkValues(ctx); err != nil {
			return err
		}
		switch out := ctx.String("output"); out {
		case "json":
			p.json = true
		case "text":
			p.json = false
		case "": // of a command without this flag
		default:
			return hinted("-o json", "-o %q: the output is text or json", out)
		}
		return action(ctx)
	}
	return c
}

// group is a command that only holds others.
func (p *program) group(c *cli.Command) *cli.Command {
	c.OnUsageError = usageError
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

// unknownCommand names the command that was probably meant.
func (p *program) unknownCommand(c *cli.Context) error {
	word, path := c.Args().First(), strings.TrimSpace(c.Command.HelpName)
	if path == "" {
		path = c.App.Name
	}
	commands := c.App.Commands
	if c.Command != nil && len(c.Command.Subcommands) > 0 {
		commands = c.Command.Subcommands
	}
	best, distance := "", 3
	for _, cmd := range commands {
		if d := editDistance(word, cmd.Name); d < distance {
			best, distance = cmd.Name, d
		}
	}
	hint := path + " --help"
	if best != "" {
		hint = path + " " + best
	}
	return hinted(hint, "unknown command %q", strings.TrimPrefix(path+" "+word, "auditpatch "))
}

// usageError turns the flag parser's words into an error with a hint.
func usageError(c *cli.Context, err error, _ bool) error {
	const undefined = "flag provided but not defined: -"
	msg := err.Error()
	name := c.Command.HelpName
	if name == "" {
		name = c.App.Name
	}
	if !strings.HasPrefix(msg, undefined) {
		return hinted(name+" --help", "%s", msg)
	}
	wrong := strings.TrimLeft(strings.TrimPrefix(msg, undefined), "-")
	var names []string
	for _, f := range c.Command.Flags {
		names = append(names, f.Names()...)
	}
	best := nearest(names, wrong)
	if best == "" {
		return hinted(name+" --help", "unknown flag --%s", wrong)
	}
	return hinted(name+" --"+best, "unknown flag --%s", wrong)
}

// nearest is the name that was probably meant, "" when none is near.
func nearest(names []string, wrong string) string {
	best, distance := "", len(wrong)/3+1
	for _, n := range names {
		if d := editDistance(wrong, n); d < distance {
			best, distance = n, d
		}
	}
	return best
}

// positional refuses an argument without a flag: the flag parser stops at the
// first one, and would silently drop the flags behind it.
func positional(c *cli.Context) error {
	word, rest := c.Args().First(), c.Args().Tail()
	flag := guessFlag(c, word)
	hint := c.Command.HelpName + " --help"
	if flag != "" {
		hint = strings.Join(append([]string{c.Command.HelpName, flag, word}, rest...), " ")
	}
	return hinted(hint, "unexpected argument %q: everything is given with flags", word)
}

// guessFlag is the flag that a lone word was probably meant for.
func guessFlag(c *cli.Context, word string) string {
	has := func(name string) bool {
		for _, f := range c.Command.Flags {
			if f.Names()[0] == name {
				return true
			}
		}
		return false
	}
	switch {
	case has("preset") && isPreset(word):
		return "--preset"
	case has("policy") && (strings.Contains(word, "policy") || c.Command.Name == "lint"):
		return "--policy"
	case has("to"):
		return "--to"
	case has("manifest") && strings.ContainsAny(word, "/."):
		return "--manifest"
	}
	return ""
}

// editDistance counts the single-letter changes between two words.
func editDistance(a, b string) int { return smetrics.WagnerFischer(a, b, 1, 1, 1) }

// status is an error that only sets the exit status.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// hintedError is an error with something to type.
type hintedError struct {
	reason string
	hint   string
}

func (e *hintedError) Error() string { return e.reason }

func hinted(hint, format string, a ...any) error {
	return &hintedError{fmt.Sprintf(format, a...), hint}
}

// end prints what went wrong and maps it to an exit status.
func (p *program) end(err error) int {
	var s status
	switch {
	case err == nil:
		return 0
	case errors.As(err, &s):
		return int(s)
	}
	return p.report(err)
}
