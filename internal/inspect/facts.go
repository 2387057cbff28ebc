package inspect

import (
	"context"
	"path"

	"auditpatch/internal/change"
	"auditpatch/internal/node"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// facts is all that was seen of a node. Checks say what to think of it, and look at
// nothing themselves.
type facts struct {
	target *target.Target
	configured
	installed
	journal   journal
	preflight []result
	live      *live    // nil when nothing can run
	enable    *refusal // nil when it was not asked for
}

// configured is what the manifest says.
type configured struct {
	state    patch.State
	manifest *manifest.File // nil when it cannot be read
	unread   error          // why not
	now      patch.Settings
}

// installed is what lies on the node of what the manifest names.
type installed struct {
	policy, webhook file
	unfit           []patch.Problem // with what kubelet and API server cannot use of it
	disk            *target.LogDisk // nil when no log lies on the node
	noDisk          error           // why it cannot be measured
	// lost and stuck are what the API server cannot do with the log's folder and file.
	lost, stuck error
}

// refusal is why enable would refuse a change, nil when it would not.
type refusal struct{ cause error }

// file is what the manifest names and where it lies on the node, "" for nowhere.
type file struct {
	at string
	node.File
	err  error // why it cannot be read
	kept change.Kept
}

// journal is what is known of changes that were made.
type journal struct {
	run     *node.Run         // one that is neither finished nor undone
	held    string            // why its files are put back, and it has not ended; "" when it died
	by      *node.LockedError // who changes the node now
	backups []node.Backup     // from after the look at these two
	err     error
}

// gather looks at a node, once. With planning it also looks at what only a change
// depends on: that takes longer, and posts an event to a webhook that would be waited for.
func gather(ctx context.Context, t *target.Target, planning bool) *facts {
	f := &facts{target: t}
	if f.state, f.unread = t.ReadManifest(); f.unread == nil {
		f.manifest, f.unread = manifest.Parse(f.state.Manifest.Path, f.state.Manifest.Data)
	}
	if f.manifest != nil {
		f.now, f.state.Parsed = patch.Inspect(f.manifest), f.manifest
	}
	if t.Stdin() {
		return f
	}
	f.journal = readJournal(t)
	if f.manifest != nil {
		f.lookAtFiles()
		if planning {
			f.enable = &refusal{change.Refusal(t)}
		}
	}
	if t.Live {
		f.lookAtLife(ctx, planning)
	}
	return f
}

// readJournal reads what auditpatch notes of its changes.
func readJournal(t *target.Target) (j journal) {
	if j.run, j.by, j.err = t.UnderWay(); j.err == nil {
		j.backups, j.err = t.Node.Backups()
	}
	if j.run != nil {
		j.held = j.run.Held()
	}
	return j
}

// lookAtFiles looks at what the manifest names.
func (f *facts) lookAtFiles() {
	f.policy = f.file(f.now.Policy, change.JudgePolicy)
	f.webhook = f.file(f.now.Webhook, change.JudgeWebhook)
	f.unfit = append(f.unmountable(), f.unusable()...)
	if f.now.Log.Covered() {
		disk, err := f.target.MeasureLog(f.now)
		f.disk, f.noDisk = &disk, err
		f.lost, f.stuck = f.target.LogSeal(f.now)
	}
}

// file reads a file that the API server is to go on with.
func (f *facts) file(l *patch.Location, judge func(string, []byte, patch.Settings) change.Kept) file {
	if !l.Covered() {
		return file{}
	}
	n := file{at: l.Host}
	if n.File, n.err = f.target.Node.Stat(n.at); n.err != nil || !n.Exists || n.Dir {
		return n
	}
	if n.File, n.err = f.target.Node.Read(n.at); n.err == nil && n.Exists {
		n.kept = judge(n.at, n.Data, f.now)
	}
	return n
}

// unmountable lists the volumes of the Pod that the kubelet would not mount. What
// cannot be looked at is taken for missing, and on a node that does not run may still
// come. That no policy or webhook config lies where one belongs is for the check of that
// to say.
func (f *facts) unmountable() []patch.Problem {
	return patch.Unmountable(f.manifest, func(name string) string {
		for _, own := range []file{f.policy, f.webhook} {
			if own.at != "" && path.Clean(own.at) == path.Clean(name) && (own.Dir || !own.Exists) {
				return patch.KindFile
			}
		}
		kind, _ := f.target.Node.Kind(name)
		if kind == patch.KindNothing && !f.target.Live {
			return patch.KindToCome
		}
		return kind
	})
}

// unusable lists the files that the API server's user could not use.
func (f *facts) unusable() []patch.Problem {
	files := map[string]patch.File{}
	for _, l := range []*patch.Location{f.now.Policy, f.now.Webhook, f.now.Log} {
		if !l.Covered() {
			continue
		}
		for _, name := range []string{path.Clean(l.Host), path.Dir(path.Clean(l.Host))} {
			if found, err := f.target.Node.Stat(name); err == nil {
				files[name] = found
			}
		}
	}
	return patch.Unusable(f.manifest, patch.State{Files: files})
}
