package patch

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// Backup is what Restore goes back to.
type Backup struct {
	Origin string // for people: "backup 2026-11-22T11:20:04Z"
	Files  []File // one that did not exist then is removed
	// Ours says that nobody but auditpatch has changed the manifest since.
	Ours bool
	// Stored and Live are paths of the backup's manifest and of the present one, for
	// whoever compares them.
	Stored, Live string
}

// Restore plans to put files back as a backup has them. The manifest is written
// after what it may name, and files are removed after it. A manifest that others
// have changed since is theirs too: only the audit settings of the backup go
// into it, so that an upgrade, say, is not taken back.
func Restore(s State, b Backup) (*Plan, error) {
	r := &restorer{state: s, backup: b, plan: &Plan{Verb: "restore", Manifest: s.Manifest.Path, Unchanged: s.Manifest.Data}}
	m, err := s.parse()
	if err == nil {
		r.plan.Before = Inspect(m)
	}
	if err := r.files(); err != nil {
		return nil, err
	}
	i := slices.IndexFunc(b.Files, func(f File) bool { return f.Path == s.Manifest.Path && f.Exists })
	switch {
	case i < 0:
	case b.Ours || !s.Manifest.Exists || bytes.Equal(b.Files[i].Data, s.Manifest.Data):
		err = r.whole(b.Files[i])
	default:
		err = r.settings(b.Files[i])
	}
	if i >= 0 && err != nil {
		return nil, err
	}
	r.plan.Changes = append(r.plan.Changes, r.removed...)
	if err := r.plan.keepForeignFiles(s, b.Files); err != nil {
		return nil, err
	}
	return r.plan.finish(s), r.plan.checkMounts(s)
}

// restorer builds the plan of a Restore.
type restorer struct {
	state   State
	backup  Backup
	plan    *Plan
	removed []Change // they come last
}

// files plans all files but the manifest.
func (r *restorer) files() error {
	for _, w := range r.backup.Files {
		if w.Path == r.state.Manifest.Path {
			continue
		}
		old, known := r.state.Files[w.Path]
		if !known {
			return refuse(hint.Command("restore").Switch("list"), "the backup has %s, which was not read", w.Path)
		}
		switch c := r.change(w, old); {
		case w.Dir || old.Dir || !w.Exists && !old.Exists:
		case !w.Exists:
			c.Kind, c.Data = RemoveFile, nil
			r.removed = append(r.removed, c)
		case !same(old, w):
			r.plan.Changes = append(r.plan.Changes, c)
		}
	}
	return nil
}

func (r *restorer) change(w, old File) Change {
	return Change{Path: w.Path, Kind: WriteFile, Old: old, Data: w.Data, Mode: w.Mode, UID: w.UID, GID: w.GID, Why: "as in " + r.backup.Origin}
}

func same(old, w File) bool {
	return old.Exists && bytes.Equal(old.Data, w.Data) && old.Mode == w.Mode && old.UID == w.UID && old.GID == w.GID
}

// whole puts the manifest back byte for byte, if the kubelet would take it.
func (r *restorer) whole(w File) error {
	if same(r.state.Manifest, w) {
		return nil
	}
	m, err := manifest.Parse(w.Path, w.Data)
	if err != nil {
		return err
	}
	if now, err := r.state.parse(); err == nil && !r.state.Offline && now.Pod().UID != "" && now.Pod().UID == m.Pod().UID {
		return CheckUID(now)
	}
	r.plan.After = Inspect(m)
	r.plan.Changes = append(r.plan.Changes, r.change(w, r.state.Manifest))
	return nil
}

// settings puts the audit settings of the backup into the manifest as it is.
func (r *restorer) settings(w File) error {
	p, was, err := r.planner(w)
	if err == nil {
		if err := errors.Join(checkNode(p.m, p.state), CheckManagedBy(p.m)); err != nil {
			return err
		}
		err = p.restoreSettings(was)
	}
	if err != nil {
		return refuse(r.compare().Note("shows what differs").Then(", ", hint.Shell("cp %s %s", r.backup.Stored, r.backup.Live).Note("puts all of it back")),
			"others have changed %s since %s, and the audit settings cannot go back alone: %v", w.Path, r.backup.Origin, err)
	}
	r.plan.SettingsOnly, r.plan.Kept = true, differences(was, p.m)
	r.plan.Edits, r.plan.Before, r.plan.After = p.plan.Edits, p.plan.Before, p.plan.After
	r.plan.Changes = append(r.plan.Changes, p.plan.Changes...)
	if len(r.plan.Changes)+len(r.removed) > 0 {
		stays := "what they changed stays"
		if len(r.plan.Kept) > 0 {
			stays += " (" + listOf(r.plan.Kept) + ")"
		}
		r.plan.Warnings = append(p.plan.Warnings, Problem{
			Message: fmt.Sprintf("others have changed %s since %s: only the audit settings go back, %s", w.Path, r.backup.Origin, stays),
			Hint:    r.compare(),
		})
	}
	return nil
}

// compare shows what others have changed.
func (r *restorer) compare() hint.Hint {
	return hint.Shell("diff %s %s", r.backup.Stored, r.backup.Live)
}

// planner begins the change of the present manifest, next to the other files as
// they will be.
func (r *restorer) planner(w File) (p *planner, was *manifest.File, err error) {
	if was, err = manifest.Parse(r.backup.Stored, w.Data); err != nil {
		return nil, nil, err
	}
	m, err := r.state.parse()
	if err != nil {
		return nil, nil, err
	}
	s := r.state
	s.Files = map[string]File{}
	for name, f := range r.state.Files {
		s.Files[name] = f
	}
	for _, f := range r.backup.Files {
		if f.Path != w.Path && !f.Dir {
			s.Files[f.Path] = f
		}
	}
	return newPlanner("restore", m, s, Options{Flags: exactly(Inspect(was).Flags, Inspect(m).Flags)}), was, nil
}

// exactly are options for these flags and no others.
func exactly(want, now map[string]string) map[string]string {
	flags := map[string]string{}
	for _, set := range []map[string]string{now, byDefault} {
		for name := range set {
			flags[name] = ""
		}
	}
	for name, value := range want {
		flags[name] = value
	}
	return flags
}

// restoreSettings plans the audit settings of another manifest.
func (p *planner) restoreSettings(was *manifest.File) error {
	then := Inspect(was)
	if !then.Enabled() {
		p.off()
		return p.plan.writeManifest(p.m, p.state.Manifest)
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.files(); err != nil {
		return err
	}
	p.annotate()
	if before := then.Annotations[PreexistingAnnotation]; before != "" && p.current.Annotations[PreexistingAnnotation] == "" && p.preexisting.empty() {
		p.edit(manifest.SetAnnotation{Key: PreexistingAnnotation, Value: before})
	}
	if err := p.plan.writeManifest(p.m, p.state.Manifest); err != nil {
		return err
	}
	for _, l := range []struct {
		flag    string
		was, is *Location
	}{{policyFlag, then.Policy, p.plan.After.Policy}, {logFlag, then.Log, p.plan.After.Log}, {webhookFlag, then.Webhook, p.plan.After.Webhook}} {
		if l.was.Covered() && l.was.Host != l.is.Host {
			return refuse(nil, "--%s=%s was at %s on the node, and would now be at %s", l.flag, l.was.Path, l.was.Host, l.is.Host)
		}
	}
	return nil
}

// RestoreFiles names the files, besides the backup's own, whose state Restore needs
// in State.Files.
func RestoreFiles(s State, b Backup) NodeFiles {
	r := &restorer{state: s, backup: b}
	for _, f := range b.Files {
		if f.Path != s.Manifest.Path || !f.Exists || b.Ours {
			continue
		}
		p, was, err := r.planner(f)
		if err != nil || !Inspect(was).Enabled() || p.settle() != nil {
			return NodeFiles{} // Restore says why
		}
		return NodeFiles{Policy: p.policyHost, Webhook: p.webhookHost, LogDir: p.logHost}
	}
	return NodeFiles{}
}
