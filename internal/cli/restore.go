package cli

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/node"
	"auditpatch/internal/rollout"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// backupEntry is one backup as JSON.
type backupEntry struct {
	ID     string   `json:"id"`
	Before string   `json:"before"` // the command that it was made for
	Result string   `json:"result"` // how that command ended: done, undone, unfinished, damaged
	Files  []string `json:"files"`
}

func (p *program) restoreCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "restore",
		Usage: "go back to a backup",
		Description: "Every change is preceded by a backup of all files that it touches. restore puts them back as\n" +
			"they were before a change: the last one, or the one that --to names. It is a change itself, so it\n" +
			"can be undone in the same way.\n\n" +
			"A manifest that others have changed since, such as kubeadm upgrade, is not taken back: only the\n" +
			"audit settings of the backup go into it, with a warning that names what stays.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "list", Category: whatCategory, Usage: "list the backups, newest first"},
			&cli.StringFlag{Name: "to", Category: whatCategory, Usage: "`ID` of the backup (default: the one before the last change)"},
		}, nodeFlags(), changeFlags(), outputFlags()),
		Action: p.restore,
	})
}

func (p *program) restore(c *cli.Context) error {
	t, err := newTarget(c)
	if err != nil {
		return err
	}
	if t.stdin {
		return hinted("auditpatch restore", "backups are on the node: restore does not read standard input")
	}
	if c.Bool("list") {
		return p.listBackups(t)
	}
	if c.Bool("dry-run") {
		t.warnUnfinished(p)
	} else if _, err := t.recover(c, p); err != nil {
		return err
	}
	id, err := t.chooseBackup(c.String("to"), p.repeatable)
	if err != nil {
		return err
	}
	state, backup, err := t.readBackup(p, id)
	if err != nil {
		return err
	}
	for _, w := range backup.Files {
		m, err := manifest.Parse(w.Path, w.Data)
		if w.Path != t.manifest || err != nil {
			continue
		}
		if err := t.look(&state, m); err != nil {
			return err
		}
	}
	plan, err := patch.Restore(state, backup)
	if err != nil {
		return err
	}
	return p.carryOut(c, t, plan)
}

// chooseBackup is the backup to restore: the one that is named, or the newest
// of a change that was carried out. With repeatable, restoring is no such change.
func (t *target) chooseBackup(id string, repeatable bool) (string, error) {
	backups, err := t.node.Backups()
	if err != nil {
		return "", err
	}
	for _, b := range backups {
		last := b.Result == node.ResultDone && !(repeatable && b.Verb == "restore")
		if b.ID == id || id == "" && last {
			return b.ID, nil
		}
	}
	if id == "" {
		return "", hinted("auditpatch restore --list", "there is no backup: auditpatch has changed nothing here")
	}
	return "", hinted("auditpatch restore --list", "there is no backup %q", id)
}

// readBackup reads a backup, and the same files as they are now.
func (t *target) readBackup(p *program, id string) (patch.State, patch.Backup, error) {
	b := patch.Backup{Origin: "backup " + id}
	_, files, err := t.node.Backup(id)
	if err != nil {
		return patch.State{}, b, err
	}
	manifest, ok := backedUpManifest(files, t.manifest)
	if !ok {
		return patch.State{}, b, hinted("auditpatch restore --to "+id+" --manifest PATH", "backup %s is of another manifest: it holds %s", id, strings.Join(paths(files), ", "))
	}
	t.manifest = manifest
	state, err := t.readBuild(p)
	if err != nil {
		return state, b, err
	}
	since, err := t.node.Since(id, t.manifest, state.Manifest.Data)
	if err != nil {
		return state, b, err
	}
	b.Ours, b.Stored, b.Live = since.Ours, path.Join(t.node.Root, since.Stored), path.Join(t.node.Root, t.manifest)
	for _, name := range paths(files) {
		f := rollout.PatchFile(files[name])
		if f.Path = name; !f.Dir {
			b.Files = append(b.Files, f)
		}
	}
	return state, b, t.readBeside(&state, b)
}

// readBeside reads what a restore may write or remove, and what the manifests name.
func (t *target) readBeside(s *patch.State, b patch.Backup) error {
	var names []string
	texts := [][]byte{}
	for _, f := range b.Files {
		if f.Path == t.manifest {
			texts = append(texts, f.Data)
		} else {
			names = append(names, f.Path)
		}
	}
	if err := t.readFiles(s, names, func(string) bool { return true }); err != nil {
		return err
	}
	more := patch.RestoreFiles(*s, b)
	unread := slices.DeleteFunc(more.All(), func(f string) bool { _, is := s.Files[f]; return is })
	if err := t.readFiles(s, unread, func(f string) bool { return f != more.LogDir }); err != nil {
		return err
	}
	t.follow(s, texts...)
	return nil
}

// backedUpManifest finds the manifest in a backup. A run that changed only
// other files has none, and then nothing says that it is another node's.
func backedUpManifest(files map[string]node.File, want string) (string, bool) {
	if _, ok := files[want]; ok {
		return want, true
	}
	for name := range files {
		if path.Dir(name) == path.Dir(want) {
			return "", false
		}
	}
	return want, true
}

func paths(files map[string]node.File) []string {
	var out []string
	for name := range files {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// listBackups prints all backups, newest first.
func (p *program) listBackups(t *target) error {
	backups, err := t.node.Backups()
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
		p.say("there are no backups: auditpatch has changed nothing here")
		return nil
	}
	return p.table(rows)
}

func (p *program) recoverCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "recover",
		Usage: "finish or undo a run that died half way",
		Description: "When auditpatch is killed or the machine stops, every file is whole, old or new. recover makes\n" +
			"all of them new if the manifest is, else old, and waits for the API server; does that not come\n" +
			"back, everything is put back. Every command that changes the node does it first.",
		Flags: join(nodeFlags(), waitFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := newTarget(c)
			if err != nil {
				return err
			}
			if t.stdin {
				return hinted("auditpatch recover", "recover works on a node, not on standard input")
			}
			r, err := t.recover(c, p)
			if err != nil && r.ID != "" {
				return fmt.Errorf("recover %s: %w", r.ID, err)
			}
			if err != nil {
				return err
			}
			switch {
			case p.json:
				p.printJSON(struct {
					Changed bool   `json:"changed"`
					Run     string `json:"run,omitempty"`
					Outcome string `json:"outcome,omitempty"` // finished, undone, left
					Waited  bool   `json:"waited"`            // for the API server
				}{r.ID != "", r.ID, string(r.Outcome), r.Waited})
			case r.ID == "":
				p.say("no run died half way, nothing to do")
			}
			return nil
		},
	})
}
