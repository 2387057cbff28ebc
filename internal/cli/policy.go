package cli

import (
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/answers"
	"auditpatch/internal/cli/policies"
	"auditpatch/internal/hint"
	"auditpatch/patch"
)

func (p *program) policyCommand() *cli.Command {
	commands := policies.Commands(console{p})
	// Before compose and diff, which make and compare policies, come those that look at one.
	at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.Name == "compose" })
	return p.group(&cli.Command{
		Name:        "policy",
		Usage:       "list, show and check audit policies",
		Subcommands: append(slices.Insert(commands, at, p.policyVerdictCommand()), answers.PolicyCommands(console{p})...),
	})
}

// console is the program for commands of other packages.
type console struct{ p *program }

var _ policies.Console = console{}

func (c console) Command(command *cli.Command) *cli.Command { return c.p.command(command) }
func (c console) OutputFlags(more ...string) []cli.Flag     { return c.p.outputFlags(more...) }
func (c console) Output() string                            { return c.p.output }
func (c console) JSON() bool                                { return c.p.json }
func (c console) Version() string                           { return c.p.version }
func (c console) Stdout() io.Writer                         { return c.p.Out }
func (c console) PrintJSON(v any)                           { c.p.printJSON(v) }
func (c console) Outf(format string, a ...any)              { c.p.outf(format, a...) }
func (c console) Printf(format string, a ...any)            { c.p.printf(format, a...) }
func (c console) Table(rows [][]string) error               { return c.p.table(rows) }
func (c console) Say(kind, text string)                     { c.p.say(kind, text) }
func (c console) Warn(problems ...patch.Problem)            { c.p.warn(problems...) }
func (c console) Hint(h hint.Hint) hint.Hint                { return c.p.hint(h) }

func (c console) Begin() error { return c.p.Begin() }
func (c console) Spared()      { c.p.Spared() }

func (c console) SetChanged(next hint.Hint) {
	c.p.SetNext(next)
	c.p.SetChanged()
}

func (c console) ReadInput(flag, name string) (*change.Input, error) {
	return c.p.readInput(flag, name)
}

func (c console) OpenInput(flag, name string) (io.ReadCloser, error) {
	return c.p.openInput(flag, name)
}

func (c console) Conflict(ctx *cli.Context, flag, value, other, itsValue string) error {
	return c.p.conflict(ctx, given{flag, value}, given{other, itsValue})
}
