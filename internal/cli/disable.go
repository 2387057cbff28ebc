package cli

import (
	"context"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
)

func (p *program) disableCommand() *cli.Command {
	var f struct {
		node  nodeFlags
		how   changeFlags
		purge bool
	}
	return p.command(&cli.Command{
		Name:  "disable",
		Usage: "take audit logging out again",
		Description: "Takes the audit flags, mounts, volumes and annotations out of the manifest. After enable this\n" +
			"gives back the manifest as it was, byte for byte. The logs stay.",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "purge", Destination: &f.purge, Category: whatCategory, Usage: "also remove the policy and the webhook config (they stay in the backup)"},
		}, f.node.flags(), f.how.persistFlag(), f.how.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			r := change.DisableRequest{Target: f.node.options(p), Purge: f.purge, How: f.how.how(p)}
			return p.change(c, &f.node, func(ctx context.Context, l change.Listener) (change.Result, error) {
				r.How.Listener = l
				return change.Disable(ctx, r)
			})
		},
	})
}
