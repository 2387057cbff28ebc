package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunWritesAndUndoes(t *testing.T) {
	for name, s := range roundTrips() {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, s.before)
			n := testNode(root)
			old := snapshot(t, root)
			r := begin(t, n, s.steps(t, n)...)
			equal(t, "tree after Begin", snapshot(t, root), old)
			must(t, r.Apply())
			s.check(t, snapshot(t, root))
			again, err := n.Unfinished()
			must(t, err)
			equal(t, "unfinished", again.ID, r.ID)
			must(t, again.Undo())
			equal(t, "tree after Undo", snapshot(t, root), old)
			must(t, again.Undo()) // once more changes nothing
			must(t, again.Abandon("test"))
			equal(t, "tree after Abandon", snapshot(t, root), old)
			noRun(t, n)
		})
	}
}

type roundTrip struct {
	before map[string]string
	steps  func(testing.TB, *Node) []Step
	want   map[string]string
}

func (r roundTrip) check(t *testing.T, got map[string]thing) {
	t.Helper()
	for name, text := range r.want {
		if have, ok := got[name]; text == "gone" && ok || text != "gone" && have.Text != text {
			t.Errorf("%s: %q, want %q", name, have.Text, text)
		}
	}
}

func roundTrips() map[string]roundTrip {
	return map[string]roundTrip{
		"enable": {plainNode, enableSteps, map[string]string{
			policyPath: "new policy\n", webhookPath: "new webhook\n", logPath: "", logDir: ""}},
		"symlink": {linkedNode, enableSteps, map[string]string{
			manifestPath: "/srv/k8s/apiserver", "/data/apiserver": strings.Repeat("new manifest\n", 1000)}},
		"disable": {auditedNode, disableSteps, map[string]string{
			policyPath: "gone", manifestPath: "new manifest, plain\n"}},
	}
}

func TestModesAndOwners(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	must(t, os.Chmod(filepath.Join(root, manifestPath), 0o640))
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 {
		uid, gid = 1234, 5678
		must(t, os.Chown(filepath.Join(root, manifestPath), uid, gid))
	}
	old := read(t, n, manifestPath)
	equal(t, "mode", old.Mode, fs.FileMode(0o640))
	want := Content{Kind: Regular, Data: []byte("new\n"), Mode: 0o604, UID: old.UID, GID: old.GID}
	r := begin(t, n, Step{Path: manifestPath, Old: old, New: want})
	must(t, r.Apply())
	equal(t, "new", read(t, n, manifestPath),
		File{Path: manifestPath, Exists: true, Data: want.Data, Mode: 0o604, UID: uid, GID: gid})
	must(t, r.Undo())
	equal(t, "old", read(t, n, manifestPath), old)
}

func TestOnlyModeChanges(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	old := read(t, n, manifestPath)
	r := begin(t, n, Step{Path: manifestPath, Old: old, New: file("old manifest\n", 0o644)})
	states := func() State {
		all, err := r.State()
		must(t, err)
		return all[0].State
	}
	equal(t, "state before", states(), StateOld)
	must(t, r.Apply())
	equal(t, "state after", states(), StateNew)
	equal(t, "mode", read(t, n, manifestPath).Mode, fs.FileMode(0o644))
	must(t, r.Undo())
	equal(t, "file", read(t, n, manifestPath), old)
}

// The umask of the caller is not to show.
func TestUmask(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	withUmask(t, 0o077)
	change(t, n, Step{Path: "/etc/new/dir", Old: stat(t, n, "/etc/new/dir"), New: directory(0o751)},
		Step{Path: "/etc/new/dir/file", New: file("x", 0o666)})
	for name, mode := range map[string]fs.FileMode{"/etc/new": 0o755, "/etc/new/dir": 0o751, "/etc/new/dir/file": 0o666} {
		equal(t, name, stat(t, n, name).Mode, mode)
	}
}

func TestNothingToDoWritesNothing(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	before, err := os.Stat(filepath.Join(root, manifestPath))
	must(t, err)
	change(t, n, write(t, n, manifestPath, "old manifest\n"))
	after, err := os.Stat(filepath.Join(root, manifestPath))
	must(t, err)
	if !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
		t.Error("the file was written")
	}
}

func TestDirectoryAndPresent(t *testing.T) {
	root := newTree(t, map[string]string{logPath: "{}\n", "/etc/": ""})
	n := testNode(root)
	must(t, os.Chmod(filepath.Join(root, logDir), 0o755))
	steps := func(enforce bool) []Step {
		log := Content{Kind: Present, Mode: 0o640, UID: os.Geteuid(), GID: os.Getegid(), Enforce: enforce}
		dir := directory(0o700)
		dir.Enforce = enforce
		return []Step{{Path: logDir, Old: stat(t, n, logDir), New: dir}, {Path: logPath, Old: stat(t, n, logPath), New: log}}
	}
	old := snapshot(t, root)
	change(t, n, steps(false)...)
	equal(t, "left as they are", snapshot(t, root), old)

	r := begin(t, n, steps(true)...)
	must(t, r.Apply())
	equal(t, "directory", stat(t, n, logDir).Mode, fs.FileMode(0o700))
	equal(t, "log", stat(t, n, logPath).Mode, fs.FileMode(0o640))
	equal(t, "text", string(read(t, n, logPath).Data), "{}\n")
	must(t, r.Undo())
	equal(t, "tree after Undo", snapshot(t, root), old)
}

// What another program has written into what we made is not ours to remove.
func TestUndoKeepsLogs(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, enableSteps(t, n)...)
	must(t, r.Apply())
	must(t, os.WriteFile(filepath.Join(root, logPath), []byte("{}\n"), 0))
	must(t, r.Undo())
	must(t, r.Abandon("test"))
	equal(t, "log", string(read(t, n, logPath).Data), "{}\n")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
	equal(t, "policy", read(t, n, policyPath).Exists, false)
}

func TestBeginRefuses(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	manifest := read(t, n, manifestPath)
	for name, c := range map[string]struct {
		steps []Step
		want  string
	}{
		"nothing":     {nil, "a run without steps"},
		"no kind":     {[]Step{{Path: policyPath}}, `write ` + policyPath + `: unknown kind ""`},
		"no mode":     {[]Step{{Path: policyPath, New: Content{Kind: Regular}}}, "write " + policyPath + ": no mode given"},
		"relative":    {[]Step{{Path: "x", New: file("", 0o600)}}, "read x: not an absolute path"},
		"too large":   {[]Step{{Path: policyPath, New: file(strings.Repeat("x", maxFile+1), 0o600)}}, "write " + policyPath + ": larger than 10 MiB"},
		"no parent":   {[]Step{{Path: "/etc/gone/x", New: file("", 0o600)}}, "write /etc/gone/x: the directory /etc/gone is missing"},
		"is a file":   {[]Step{{Path: manifestPath, Old: manifest, New: directory(0o700)}}, "write " + manifestPath + ": is a file, not a directory"},
		"is a folder": {[]Step{{Path: manifests, Old: stat(t, n, manifests), New: file("", 0o600)}}, "write " + manifests + ": is a directory, not a file"},
		"twice":       {[]Step{write(t, n, manifestPath, "a"), write(t, n, manifestPath, "b")}, "write " + manifestPath + ": twice in one run"},
		"in state":    {[]Step{{Path: stateDir + "/runs/x", New: file("", 0o600)}}, "write " + stateDir + "/runs/x: in the state directory"},
		"now there":   {[]Step{{Path: manifestPath, New: file("", 0o600)}}, manifestPath + " changed since it was read"},
		"now gone":    {[]Step{{Path: policyPath, Old: File{Path: policyPath, Exists: true}, New: file("", 0o600)}}, policyPath + " changed since it was read"},
		"now a dir":   {[]Step{{Path: manifests, Old: File{Path: manifests, Exists: true}, New: Content{Kind: Absent}}}, manifests + " changed since it was read"},
		"other text":  {[]Step{{Path: manifestPath, Old: withData(manifest, "x"), New: file("", 0o600)}}, manifestPath + " changed since it was read"},
		"other place": {[]Step{{Path: manifestPath, Old: withReal(manifest, "/x"), New: file("", 0o600)}}, manifestPath + " changed since it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			old := snapshot(t, root)
			_, err := n.Begin("enable", c.steps, nil)
			wantErr(t, err, c.want)
			equal(t, "tree", snapshot(t, root), old)
			noRun(t, n)
		})
	}
}

func withData(f File, text string) File { f.Data = []byte(text); return f }
func withReal(f File, real string) File { f.Real = real; return f }

func TestBeginWhileUnfinished(t *testing.T) {
	n := testNode(newTree(t, plainNode))
	begin(t, n, write(t, n, manifestPath, "new"))
	_, err := n.Begin("disable", []Step{write(t, n, manifestPath, "new")}, nil)
	wantErr(t, err, "an earlier run is unfinished: enable 2026-11-22T11:20:04Z")
	if !errors.Is(err, ErrUnfinished) {
		t.Error("not ErrUnfinished")
	}
}

// Somebody else edits between Begin and Apply, or while Apply lays out.
func TestApplyChanged(t *testing.T) {
	for name, edit := range map[string]func(file string) error{
		"edited":     func(f string) error { return os.WriteFile(f, []byte("by hand\n"), 0o600) },
		"removed":    os.Remove,
		"directory":  func(f string) error { return errors.Join(os.Remove(f), os.Mkdir(f, 0o755)) },
		"retargeted": func(f string) error { return errors.Join(os.Remove(f), os.Symlink("/etc/kubernetes/webhook.yaml", f)) },
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			r := begin(t, n, enableSteps(t, n)...)
			must(t, edit(filepath.Join(root, manifestPath)))
			edited := snapshot(t, root)
			err := r.Apply()
			wantErr(t, err, manifestPath+" changed since it was read")
			_ = asType[*ChangedError](t, err)
			equal(t, "tree", snapshot(t, root), edited)
			noRun(t, n)
		})
	}
}

// The comparison is the last thing before the rename.
func TestChangedAfterLayout(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, write(t, n, manifestPath, "new\n"))
	tr, err := n.open()
	must(t, err)
	defer tr.close()
	must(t, r.prepare(tr, r.steps[0]))
	must(t, os.WriteFile(filepath.Join(root, manifestPath), []byte("by hand\n"), 0o600))
	wantErr(t, r.execute(tr, r.steps[0], sideNew), manifestPath+" changed since it was read")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "by hand\n")
}

func TestUndoLeavesForeignFiles(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, enableSteps(t, n)...)
	must(t, r.Apply())
	must(t, os.WriteFile(filepath.Join(root, webhookPath), []byte("by hand\n"), 0o600))
	err := r.Undo()
	wantErr(t, err, webhookPath+": changed by someone else in the meantime, left as it is")
	equal(t, "paths", asType[*ChangedByOthersError](t, err).Paths, []string{webhookPath})
	equal(t, "webhook", string(read(t, n, webhookPath).Data), "by hand\n")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
	equal(t, "policy", read(t, n, policyPath).Exists, false)
}

// A manifest that somebody has edited meanwhile may name the files that we made.
// An undo in two steps goes back over the interim content, and whoever finds it
// there goes on back.
func TestRewind(t *testing.T) {
	for name, die := range map[string]bool{"undone": false, "died": true} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			r := begin(t, n, interimly(enableSteps)(t, n)...)
			must(t, r.Apply())
			must(t, r.Finalize())
			must(t, r.Rewind())
			equal(t, "manifest", string(read(t, n, manifestPath).Data), interimText)
			if die {
				outcome, err := dead(t, n).Recover()
				must(t, err)
				equal(t, "outcome", outcome, Undone)
			} else {
				must(t, r.Undo())
			}
			equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
			equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
		})
	}
}

// Whoever resumes a run that died at its interim content finds that still there.
func TestResumeInterim(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	must(t, begin(t, n, interimly(enableSteps)(t, n)...).Apply())
	r := dead(t, n)
	must(t, r.Resume())
	for _, want := range []struct {
		interim bool
		text    string
	}{{true, interimText}, {false, strings.Repeat("new manifest\n", 1000)}} {
		interim, err := r.Interim()
		must(t, err)
		equal(t, "interim", interim, want.interim)
		equal(t, "manifest", string(read(t, n, manifestPath).Data), want.text)
		must(t, r.Finalize())
	}
}

// A policy that somebody has removed comes back, for the old manifest names it.
func TestUndoBringsBackWhatWasRemoved(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	commit := write(t, n, manifestPath, "new manifest\n")
	commit.Commit = true
	r := begin(t, n, write(t, n, webhookPath, "new webhook\n"), commit)
	must(t, r.Apply())
	must(t, os.Remove(filepath.Join(root, webhookPath)))
	must(t, r.Undo())
	equal(t, "webhook", string(read(t, n, webhookPath).Data), "old webhook\n")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
}

func TestUndoHandsOffForeignManifest(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, enableSteps(t, n)...)
	must(t, r.Apply())
	must(t, os.WriteFile(filepath.Join(root, manifestPath), []byte("by hand\n"), 0o600))
	wantErr(t, r.Undo(), manifestPath+": changed by someone else in the meantime, left as it is")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "by hand\n")
	equal(t, "policy", string(read(t, n, policyPath).Data), "new policy\n")
	equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
}

// If the decisive file cannot go back, what it names must stay.
func TestUndoKeepsWhatTheManifestNames(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, enableSteps(t, n)...)
	must(t, r.Apply())
	r.steps[4].data = nil
	r.steps[4].Old.SHA256 = "of something lost"
	r.steps[4].Old.Size = 1
	if err := r.Undo(); err == nil {
		t.Fatal("no error")
	}
	equal(t, "policy", string(read(t, n, policyPath).Data), "new policy\n")
	equal(t, "webhook", string(read(t, n, webhookPath).Data), "old webhook\n")
}

func TestUndoOrder(t *testing.T) {
	order := func(before map[string]string, steps func(testing.TB, *Node) []Step) (names []string) {
		n := testNode(newTree(t, before))
		r := begin(t, n, steps(t, n)...)
		for rank := rankFolder; rank <= rankMade; rank++ {
			for _, s := range r.ranked(rank) {
				names = append(names, s.Path)
			}
		}
		return names
	}
	equal(t, "undo of enable", order(plainNode, enableSteps),
		[]string{webhookPath, manifestPath, policyPath, logPath, logDir})
	equal(t, "undo of disable", order(auditedNode, disableSteps),
		[]string{"/etc/kubernetes/webhook", policyPath, "/etc/kubernetes/webhook/conf", manifestPath})
}

func TestPhaseAndMeta(t *testing.T) {
	n := testNode(newTree(t, plainNode))
	r, err := n.Begin("enable", []Step{write(t, n, manifestPath, "new\n")}, map[string]string{"host": "cp-1"})
	must(t, err)
	must(t, r.SetPhase("written"))
	must(t, r.SetPhase("waiting"))
	again, err := n.Unfinished()
	must(t, err)
	phase, err := again.Phase()
	must(t, err)
	equal(t, "phase", phase, "waiting")
	equal(t, "run", []any{again.ID, again.Verb, again.Time, again.Meta},
		[]any{"2026-11-22T11:20:04Z", "enable", start, map[string]string{"host": "cp-1"}})
}

func TestLongName(t *testing.T) {
	name := "/etc/" + strings.Repeat("n", 255)
	n := testNode(newTree(t, map[string]string{name: "old"}))
	change(t, n, write(t, n, name, "new"))
	equal(t, "text", string(read(t, n, name).Data), "new")
}

func TestStateDirThroughLink(t *testing.T) {
	root := newTree(t, map[string]string{"/var/lib/state": "-> /data/state", "/data/": "", "/etc/file": "old"})
	n := testNode(root)
	lock, err := n.Lock("enable")
	must(t, err)
	defer lock.Unlock()
	change(t, n, write(t, n, "/etc/file", "new"))
	if _, err := os.Stat(filepath.Join(root, "/data/state/runs/2026-11-22T11:20:04Z/run.json")); err != nil {
		t.Error(err)
	}
}
