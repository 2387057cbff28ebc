package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/exit"
)

// enableFlags are those of enable, and of diff but for how.
type enableFlags struct {
	settings settingFlags
	node     nodeFlags
	how      changeFlags
}

// request is what the flags ask for.
func (f *enableFlags) request(p *program, c *cli.Context) (change.EnableRequest, error) {
	r := change.EnableRequest{Target: f.node.options(p), How: f.how.how(p)}
	if err := f.settings.check(p, c, f.node.manifest, f.node.root); err != nil {
		return r, err
	}
	var err error
	r.Settings, err = f.settings.read(p, c)
	return r, err
}

func (p *program) enableCommand() *cli.Command {
	f := &enableFlags{}
	return p.command(&cli.Command{
		Name:  "enable",
		Usage: "turn audit logging on, as the flags say",
		Description: "Makes audit logging what the flags say. What the manifest sets already and you do not\n" +
			"mention stays as it is. A second run with the same flags changes nothing.\n\n" +
			"Try it first:   auditpatch diff\n" +
			"As a filter:    auditpatch enable --manifest - < kube-apiserver.yaml > new.yaml",
		Flags: slices.Concat(f.settings.flags(), f.node.flags(), f.how.persistFlag(), f.how.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			r, err := f.request(p, c)
			if err != nil {
				return err
			}
			return p.change(c, &f.node, func(ctx context.Context, l change.Listener) (change.Result, error) {
				r.How.Listener = l
				return change.Enable(ctx, r)
			})
		},
	})
}

func (p *program) diffCommand() *cli.Command {
	f := &enableFlags{}
	return p.command(&cli.Command{
		Name:  "diff",
		Usage: "show what enable with the same flags would change",
		Description: "Prints a unified diff of every file that enable with the same flags would change, and\n" +
			"changes nothing. Exit status 0: nothing would change, 1: something would.",
		Flags: slices.Concat(f.settings.flags(), f.node.flags(), f.how.persistFlag(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			r, err := f.request(p, c)
			if err != nil {
				return err
			}
			result, err := p.perform(c.Context, func(ctx context.Context, l change.Listener) (change.Result, error) {
				r.How.Listener = l
				return change.Diff(ctx, r)
			})
			if err != nil {
				return err
			}
			p.printPlan(result)
			if result.Plan.AsAsked() {
				return nil
			}
			return exit.Status(exit.Differs)
		},
	})
}
