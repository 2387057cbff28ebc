package change

import (
	"context"
	"path"
	"slices"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// Restore goes back to a backup.
func Restore(ctx context.Context, r RestoreRequest) (Result, error) {
	j, err := newJob("restore", r.Target, r.How)
	if err != nil {
		return newResult("restore"), err
	}
	err = j.restore(ctx, r)
	return j.result, err
}

// Backups are all backups of a node, the newest first.
func Backups(o target.Options) ([]node.Backup, error) {
	j, err := newJob("restore", o, How{})
	if err != nil {
		return nil, err
	}
	if err := j.onNode(); err != nil {
		return nil, err
	}
	return j.target.Node.Backups()
}

// onNode refuses standard input.
func (j *job) onNode() error {
	if j.target.Stdin() {
		return hint.Errorf(hint.Command("restore"), "backups are on the node: restore does not read standard input")
	}
	return nil
}

func (j *job) restore(ctx context.Context, r RestoreRequest) error {
	if err := j.onNode(); err != nil {
		return err
	}
	if err := j.endEarlier(ctx); err != nil {
		return err
	}
	id, err := j.chooseBackup(r.To, r.Repeatable)
	if err != nil {
		return err
	}
	state, backup, err := j.readBackup(id)
	if err != nil {
		return err
	}
	for _, w := range backup.Files {
		m, err := manifest.Parse(w.Path, w.Data)
		if w.Path != j.target.Manifest || err != nil {
			continue
		}
		if err := j.target.Look(&state, m); err != nil {
			return err
		}
	}
	plan, err := patch.Restore(state, backup)
	if err != nil {
		return err
	}
	if err := checkRestored(plan); err != nil {
		return err
	}
	if err := j.checkLog(plan); err != nil {
		return err
	}
	return j.finish(ctx, plan)
}

// checkRestored refuses a policy with which the API server would not start, now or whenever
// it starts the next time. What the API server starts with comes back, whatever enable
// thinks of it, and whether a webhook's config works a rehearsal shows: a warning is enough.
func checkRestored(plan *patch.Plan) error {
	after := plan.After
	if after.Server.Command == nil { // the manifest itself stays
		after = plan.Before
	}
	for _, f := range []struct {
		at    *patch.Location
		judge func(string, []byte, patch.Settings) Kept
	}{{after.Policy, judgeRestored}, {after.Webhook, JudgeWebhook}} {
		if !f.at.Covered() {
			continue
		}
		text, written := plan.Text(f.at.Host)
		if !written {
			continue
		}
		kept := f.judge(f.at.Host, text, after)
		if kept.Refused != nil && f.at == after.Policy {
			return hint.Errorf(hint.Command("restore").Switch("list"), "the policy of the backup: %v", kept.Refused)
		}
		if kept.Refused != nil {
			kept.Warnings = append(kept.Warnings, patch.Problem{Message: kept.Refused.Error(), Hint: hint.Of(kept.Refused)})
		}
		plan.Warnings = append(plan.Warnings, kept.Warnings...)
	}
	return nil
}

// chooseBackup is the backup to restore: the one that is named, or the newest
// of a change that was carried out. With repeatable, restoring is no such change.
func (j *job) chooseBackup(id string, repeatable bool) (string, error) {
	backups, err := j.target.Node.Backups()
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
		return "", hint.Errorf(hint.Command("restore").Switch("list"), "there is no backup: auditpatch has changed nothing here")
	}
	return "", hint.Errorf(hint.Command("restore").Switch("list"), "there is no backup %q", id)
}

// readBackup reads a backup, and the same files as they are now.
func (j *job) readBackup(id string) (patch.State, patch.Backup, error) {
	b := patch.Backup{Origin: "backup " + id}
	_, files, err := j.target.Node.Backup(id)
	if err != nil {
		return patch.State{}, b, err
	}
	name, ok := backedUpManifest(files, j.target.Manifest)
	if !ok {
		return patch.State{}, b, hint.Errorf(hint.Command("restore").Spaced("to", id).Spaced("manifest", "PATH"), "backup %s is of another manifest: it holds %s", id, strings.Join(paths(files), ", "))
	}
	j.target.Manifest = name
	state, err := j.readBuild()
	if err != nil {
		return state, b, err
	}
	since, err := j.target.Node.Since(id, j.target.Manifest, state.Manifest.Data)
	if err != nil {
		return state, b, err
	}
	b.Ours, b.Stored, b.Live = since.Ours, path.Join(j.target.Node.Root, since.Stored), path.Join(j.target.Node.Root, j.target.Manifest)
	for _, name := range paths(files) {
		f := files[name]
		if f.Path = name; !f.Dir {
			b.Files = append(b.Files, f)
		}
	}
	return state, b, j.readBeside(&state, b)
}

// readBeside reads what a restore may write or remove, and what the manifests name.
func (j *job) readBeside(s *patch.State, b patch.Backup) error {
	var names []string
	texts := [][]byte{}
	for _, f := range b.Files {
		if f.Path == j.target.Manifest {
			texts = append(texts, f.Data)
		} else {
			names = append(names, f.Path)
		}
	}
	if err := j.target.ReadFiles(s, names, func(string) bool { return true }); err != nil {
		return err
	}
	more := patch.RestoreFiles(*s, b)
	unread := slices.DeleteFunc(more.All(), func(f string) bool { _, is := s.Files[f]; return is })
	if err := j.target.ReadFiles(s, unread, func(f string) bool { return f != more.LogDir }); err != nil {
		return err
	}
	j.target.Follow(s, texts...)
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
