package cli

import (
	"context"
	"io"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/answers"
	"auditpatch/internal/hint"
	"auditpatch/internal/inspect"
	"auditpatch/internal/target"
)

var _ answers.Console = console{}

func (c console) Stderr() io.Writer         { return c.p.Err }
func (c console) Terminals() (out, err int) { return c.p.OutWidth, c.p.ErrWidth }
func (c console) Quiet() bool               { return c.p.quiet }
func (c console) Stdin() io.Reader          { return c.p.In }
func (c console) Line(text string) string   { return c.p.line(text) }
func (c console) EndsItself() error         { return c.p.EndsItself() }

func (c console) UntilHangup(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.p.Detached {
		return context.WithCancel(ctx)
	}
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

func (c console) CommandLine() string {
	return c.p.line(hint.Command("").Typed(c.p.words[1:]...).String())
}

func (c console) Node(command string) ([]cli.Flag, func() (string, error)) {
	n := &nodeFlags{}
	return n.flags(), func() (string, error) {
		o := n.options(c.p)
		o.Command = command
		t, err := target.New(o)
		if err != nil {
			return "", err
		}
		return inspect.LogFile(t, command)
	}
}
