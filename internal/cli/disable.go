package cli

import (
	"github.com/urfave/cli/v2"

	"auditpatch/manifest"
	"auditpatch/patch"
)

func (p *program) disableCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "disable",
		Usage: "take audit logging out again",
		Description: "Takes the audit flags, mounts, volumes and annotations out of the manifest. After enable this\n" +
			"gives back the manifest as it was, byte for byte. The logs stay.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "purge", Category: whatCategory, Usage: "also remove the policy and the webhook config (they stay in the backup)"},
		}, nodeFlags(), persistFlag(), changeFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := newTarget(c)
			if err != nil {
				return err
			}
			if c.Bool("dry-run") {
				t.warnUnfinished(p)
			} else if _, err := t.recover(c, p); err != nil {
				return err
			}
			state, err := t.readBuild(p)
			if err != nil {
				return err
			}
			if state.Parsed, err = manifest.Parse(state.Manifest.Path, state.Manifest.Data); err != nil {
				return err
			}
			if err := t.look(&state, state.Parsed); err != nil {
				return err
			}
			if c.Bool("purge") {
				files, err := patch.PurgeFiles(state)
				if err != nil {
					return err
				}
				if err := t.readFiles(&state, files, func(string) bool { return true }); err != nil {
					return err
				}
				t.follow(&state)
			}
			plan, err := patch.Disable(state, c.Bool("purge"))
			if err != nil {
				return err
			}
			return p.carryOut(c, t, plan)
		},
	})
}
