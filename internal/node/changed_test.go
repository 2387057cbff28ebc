package node

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// interim is a run with an interim manifest that has been applied.
func interim(t *testing.T, n *Node) *Run {
	t.Helper()
	commit := write(t, n, manifestPath, "new manifest\n")
	commit.Commit, commit.Interim = true, []byte("interim manifest\n")
	r := begin(t, n, write(t, n, policyPath, "new policy\n"), commit)
	must(t, r.Apply())
	return r
}

// TestChangedByOthers notices every content that the run has not put there last.
func TestChangedByOthers(t *testing.T) {
	const edited, reverted = manifestPath + ": changed by someone else in the meantime, left as it is",
		"another program has put the earlier " + manifestPath + " back: it manages this file"
	steps := []struct {
		name string
		do   func(r *Run) error
		err  map[string]string // by what lies there
	}{
		{"apply", func(*Run) error { return nil },
			map[string]string{"interim manifest\n": "", "new manifest\n": edited, "old manifest\n": reverted, "x": edited}},
		{"finalize", (*Run).Finalize,
			map[string]string{"new manifest\n": "", "interim manifest\n": edited, "old manifest\n": reverted, "x": edited}},
		{"rewind", (*Run).Rewind,
			map[string]string{"interim manifest\n": "", "new manifest\n": edited, "old manifest\n": reverted}},
		{"put back", (*Run).PutBack,
			map[string]string{"old manifest\n": "", "new manifest\n": edited, "interim manifest\n": edited, "x": edited}},
	}
	root := newTree(t, plainNode)
	n := testNode(root)
	r := interim(t, n)
	for _, s := range steps {
		must(t, s.do(r))
		name := filepath.Join(root, manifestPath)
		ours, err := os.ReadFile(name)
		must(t, err)
		for text, want := range s.err {
			must(t, os.WriteFile(name, []byte(text), 0o600))
			err := r.ChangedByOthers()
			if want == "" {
				must(t, err)
				continue
			}
			wantErr(t, err, want)
			equal(t, s.name+": reverted", asType[*ChangedByOthersError](t, err).Reverted, want == reverted)
		}
		must(t, os.WriteFile(name, ours, 0o600))
	}
}

// TestPutBackKeepsWhatWasMade takes new files away in the second part only: until
// then a Pod that names them may start.
func TestPutBackKeepsWhatWasMade(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := interim(t, n)
	must(t, r.PutBack())
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
	equal(t, "policy", string(read(t, n, policyPath).Data), "new policy\n")
	again := dead(t, n) // whoever finds the run here goes on with the undo
	onward, err := again.ShouldFinish()
	must(t, err)
	equal(t, "onward", onward, false)
	must(t, r.RemoveMade())
	equal(t, "policy", read(t, n, policyPath).Exists, false)
	must(t, r.Abandon("why"))
	equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
	noRun(t, n)
}

// TestAbandonWhatStays ends a run whose earlier API server did not come back: what
// it has made stays, and nobody comes back for the names with a dot.
func TestAbandonWhatStays(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := interim(t, n)
	must(t, r.PutBack())
	must(t, r.Abandon("why"))
	equal(t, "policy", string(read(t, n, policyPath).Data), "new policy\n")
	equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
	noRun(t, n)
}

// TestHold ends a run later, with the reason from before.
func TestHold(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := interim(t, n)
	must(t, r.PutBack())
	equal(t, "made", r.Made(), true)
	must(t, r.Hold("it did not start"))
	r, err := n.Unfinished()
	must(t, err)
	equal(t, "made, to another process", r.Made(), true)
	equal(t, "held", r.Held(), "it did not start\n")
	must(t, r.RemoveMade())
	equal(t, "made, when it is removed", r.Made(), false)
	must(t, r.Abandon("recovered after a crash"))
	noRun(t, n)
	all, err := n.Backups()
	must(t, err)
	equal(t, "reason", all[0].Reason, "it did not start\n")
}

// TestStrayDirectory has a container runtime make an empty directory where a file
// of the run lies, or is to lie.
func TestStrayDirectory(t *testing.T) {
	stray := func(t *testing.T, root, name string) {
		full := filepath.Join(root, name)
		if err := os.Remove(full); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		must(t, os.Mkdir(full, 0o755))
	}
	for name, c := range map[string]struct {
		do func(t *testing.T, root string, n *Node)
	}{
		"at a new file, undone": {func(t *testing.T, root string, n *Node) {
			r := interim(t, n)
			stray(t, root, policyPath)
			must(t, r.PutBack())
			must(t, r.RemoveMade())
			must(t, r.Abandon("why"))
			equal(t, "policy", stat(t, n, policyPath).Exists, false)
		}},
		"at a replaced file, undone": {func(t *testing.T, root string, n *Node) {
			r := begin(t, n, write(t, n, webhookPath, "new webhook\n"))
			must(t, r.Apply())
			stray(t, root, webhookPath)
			must(t, r.Undo())
			must(t, r.Abandon("why"))
			equal(t, "webhook", string(read(t, n, webhookPath).Data), "old webhook\n")
		}},
		"before a new file": {func(t *testing.T, root string, n *Node) {
			stray(t, root, policyPath)
			f := stat(t, n, policyPath)
			equal(t, "empty", f.Empty, true)
			r := change(t, n, Step{Path: policyPath, Old: f, New: file("new policy\n", 0o600)})
			equal(t, "policy", string(read(t, n, policyPath).Data), "new policy\n")
			_, files, err := n.Backup(r.ID)
			must(t, err)
			equal(t, "was there", files[policyPath].Exists, false)
		}},
		"before a new file, undone": {func(t *testing.T, root string, n *Node) {
			stray(t, root, policyPath)
			r := begin(t, n, Step{Path: policyPath, Old: stat(t, n, policyPath), New: file("new policy\n", 0o600)})
			must(t, r.Apply())
			must(t, r.Undo())
			must(t, r.Abandon("why"))
			equal(t, "policy", stat(t, n, policyPath).Exists, false)
		}},
		"with something in it": {func(t *testing.T, root string, n *Node) {
			stray(t, root, policyPath)
			must(t, os.WriteFile(filepath.Join(root, policyPath, "mine"), nil, 0o600))
			_, err := n.Begin("enable", []Step{{Path: policyPath, Old: stat(t, n, policyPath), New: file("new policy\n", 0o600)}}, nil)
			wantErr(t, err, "write "+policyPath+": is a directory, not a file")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			c.do(t, root, testNode(root))
			equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
		})
	}
}

// TestYield ends a run whose manifest is somebody else's now.
func TestYield(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := interim(t, n)
	must(t, os.WriteFile(filepath.Join(root, manifestPath), []byte("theirs\n"), 0o600))
	must(t, r.Yield("somebody else"))
	noRun(t, n)
	all, err := n.Backups()
	must(t, err)
	equal(t, "result", all[0].Result, ResultOverridden)
	equal(t, "reason", all[0].Reason, "somebody else\n")
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "theirs\n")
	equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
}

// TestRewrite replaces only what it was told to replace.
func TestRewrite(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	must(t, os.Chmod(filepath.Join(root, manifestPath), 0o640))
	wantErr(t, n.Rewrite(manifestPath, []byte("other\n"), []byte("x")), manifestPath+" changed since it was read")
	must(t, n.Rewrite(manifestPath, []byte("old manifest\n"), []byte("rewritten\n")))
	f := read(t, n, manifestPath)
	equal(t, "manifest", string(f.Data), "rewritten\n")
	equal(t, "mode", f.Mode, os.FileMode(0o640))
	equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
}

// TestTouchLink lets the kubelet notice a change behind a symlink: it sees what
// happens to the link's own name only.
func TestTouchLink(t *testing.T) {
	root := newTree(t, map[string]string{"/srv/apiserver.yaml": "old\n", manifestPath: "-> /srv/apiserver.yaml"})
	n := testNode(root)
	link := filepath.Join(root, manifestPath)
	before, err := os.Lstat(link)
	must(t, err)
	time.Sleep(50 * time.Millisecond) // more than the grain of a file's times
	change(t, n, write(t, n, manifestPath, "new\n"))
	after, err := os.Lstat(link)
	must(t, err)
	equal(t, "touched", after.ModTime().After(before.ModTime()), true)
	equal(t, "target", string(read(t, n, manifestPath).Data), "new\n")
}
