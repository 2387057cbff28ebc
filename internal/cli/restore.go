package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
)

// backupEntry is one backup as JSON.
type backupEntry struct {
	ID     string   `json:"id"`
	Before string   `json:"before"` // the command that it was made for
	Result string   `json:"result"` // how that command ended: done, undone, unfinished, damaged
	Files  []string `json:"files"`
}

func (p *program) restoreCommand() *cli.Command {
	var f struct {
		node nodeFlags
		how  changeFlags
		list bool
		to   string
	}
	return p.command(&cli.Command{
		Name:  "restore",
		Usage: "go back to a backup",
		Description: "Every change is preceded by a backup of all files that it touches. restore puts them back as\n" +
			"they were before a change: the last one, or the one that --to names. It is a change itself, so it\n" +
			"can be undone in the same way.\n\n" +
			"A manifest that others have changed since, such as kubeadm upgrade, is not taken back: only the\n" +
			"audit settings of the backup go into it, with a warning that names what stays.",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "list", Destination: &f.list, Category: whatCategory, Usage: "list the backups, newest first"},
			&cli.StringFlag{Name: "to", Destination: &f.to, Category: whatCategory, Usage: "`ID` of the backup (default: the one before the last change)"},
		}, f.node.flags(), f.how.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			if f.list {
				return p.listBackups(&f.node)
			}
			r := change.RestoreRequest{Target: f.node.options(p), To: f.to, Repeatable: p.reader != nil, How: f.how.how(p)}
			return p.change(c, &f.node, func(ctx context.Context, l change.Listener) (change.Result, error) {
				r.How.Listener = l
				return change.Restore(ctx, r)
			})
		},
	})
}

// listBackups prints all backups, newest first.
func (p *program) listBackups(n *nodeFlags) error {
	backups, err := change.Backups(n.options(p))
	if err != nil {
		return err
	}
	entries := []backupEntry{}
	rows := [][]string{{"ID", "BEFORE", "RESULT", "FILES"}}
	for _, b := range backups {
		e := backupEntry{ID: b.ID, Before: b.Verb, Result: string(b.Result), Files: []string{}}
		for _, f := range b.Files {
			e.Files = append(e.Files, f.Path)
		}
		entries = append(entries, e)
		rows = append(rows, []string{e.ID, e.Before, e.Result, strings.Join(e.Files, " ")})
	}
	if p.json {
		p.printJSON(struct {
			Changed bool          `json:"changed"`
			Backups []backupEntry `json:"backups"`
		}{false, entries})
		return nil
	}
	if len(entries) == 0 {
		p.printf("there are no backups: auditpatch has changed nothing here")
		return nil
	}
	return p.table(rows)
}
