package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"auditpatch/internal/node/crashtest"
)

// editAt runs a child, and somebody else replaces the manifest at its n-th call.
// It returns the n-th call too, an empty one if there was none.
func editAt(t *testing.T, task, root string, n int) (crashtest.Result, crashtest.Call) {
	t.Helper()
	var at crashtest.Call
	p := childOf(task, root)
	p.Stderr = nil // it may say that the manifest has changed
	p.At = func(i int, c crashtest.Call) {
		if i != n {
			return
		}
		at = c
		// All manifests of these tests but the linked one lie at their path.
		temp := filepath.Join(root, manifests, ".by-hand")
		if os.WriteFile(temp, []byte("by hand\n"), 0o600) != nil || os.Rename(temp, filepath.Join(root, manifestPath)) != nil {
			t.Error("cannot edit")
		}
	}
	res, err := crashtest.Run(p, 0)
	must(t, err)
	return res, at
}

// TestEditAtEachCall: whenever somebody edits the manifest, the edit is not lost,
// save at the very rename onto it; and if the run had not written it yet, the run
// is undone.
func TestEditAtEachCall(t *testing.T) {
	for _, name := range []string{"enable", "rollback", "disable"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scenarios[name]
			tried, lost := 0, 0
			for n := afterRead(t, name, s); ; n++ {
				root := fastTree(t, s.before)
				res, at := editAt(t, name, root, n)
				if at.Name == "" {
					break
				}
				tried++
				if at.Name == "renameat" && strings.HasSuffix(at.To, manifestPath) {
					lost++
					continue
				}
				wantEdited(t, root, s, fmt.Sprintf("edited at call %d, %s: %v", n, at, res.Status.ExitStatus()))
				if testing.Short() {
					n += 6
				}
			}
			t.Logf("%s: edited at %d calls, %d of them the rename itself", name, tried, lost)
		})
	}
}

// afterRead is the number of the first call after the child has read the manifest,
// which it does when it has the lock.
func afterRead(t *testing.T, name string, s scenario) int {
	t.Helper()
	for i, call := range kill(t, name, fastTree(t, s.before), 0).Calls {
		if call.Name == "write" && strings.HasSuffix(call.Path, "/"+lockName) {
			return i + 2
		}
	}
	t.Fatal("the child took no lock")
	return 0
}

func wantEdited(t *testing.T, root string, s scenario, what string) {
	t.Helper()
	n := testNode(root)
	if r, err := n.Unfinished(); err != nil {
		t.Errorf("%s: %v", what, err)
	} else if r != nil { // the undo gave way to the edit and said so
		if outcome, _ := r.Recover(); outcome != Overridden {
			t.Errorf("%s: outcome %q", what, outcome)
		}
	}
	now := snapshot(t, root)
	if text := now[manifestPath].Text; text != "by hand\n" {
		t.Errorf("%s: the manifest is %.20q", what, text)
	}
	if names := hidden(now); names != nil {
		t.Errorf("%s: left over: %v", what, names)
	}
}

// putOnly replaces the manifest without laying it out before.
func putOnly(n *Node) error {
	f, err := n.Read(manifestPath)
	if err != nil {
		return err
	}
	r, err := n.Begin("enable", []Step{{Path: manifestPath, Old: f, New: file("new\n", 0o600)}}, nil)
	if err != nil {
		return err
	}
	t, err := n.open()
	if err != nil {
		return err
	}
	defer t.close()
	return r.execute(t, r.steps[0], sideNew)
}

// An edit while the contents are being laid out is seen by the comparison right
// before the rename.
func TestEditDuringLayout(t *testing.T) {
	root := fastTree(t, plainNode)
	points := 0
	for i, call := range kill(t, "put", root, 0).Calls {
		if !strings.Contains(call.Path, "kube-apiserver.yaml"+tempMark) || call.Name == "renameat" {
			continue
		}
		points++
		root := fastTree(t, plainNode)
		res, _ := editAt(t, "put", root, i+1)
		equal(t, "exit status", res.Status.ExitStatus(), 1)
		equal(t, "manifest", string(read(t, testNode(root), manifestPath).Data), "by hand\n")
	}
	if points == 0 {
		t.Error("no calls of the layout seen")
	}
}
