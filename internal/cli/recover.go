package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
)

func (p *program) recoverCommand() *cli.Command {
	var f struct {
		node nodeFlags
		wait waitFlags
	}
	return p.command(&cli.Command{
		Name:  "recover",
		Usage: "finish or undo a run that died half way",
		Description: "When auditpatch is killed or the machine stops, every file is whole, old or new. recover makes\n" +
			"all of them new if the manifest is, else old, and waits for the API server; does that not come\n" +
			"back, everything is put back. Every command that changes the node does it first.",
		Flags: slices.Concat(f.node.flags(), f.wait.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			how := change.How{NoWait: f.wait.noWait, Timeout: f.wait.timeout, LockTimeout: f.wait.lockTimeout, Version: p.version}
			var ended change.Recovered
			r, err := p.perform(c.Context, func(ctx context.Context, l change.Listener) (r change.Result, err error) {
				how.Listener = l
				ended, r, err = change.Recover(ctx, change.RecoverRequest{Target: f.node.options(p), How: how})
				return r, err
			})
			switch {
			case err != nil:
				return err
			case p.json:
				p.printJSON(ended)
			case r.Outcome != "":
				p.printf("%s", r.Outcome)
			}
			return nil
		},
	})
}
