package node

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSince tells what auditpatch has made of a file from what others have.
func TestSince(t *testing.T) {
	for name, tc := range map[string]struct {
		then func(t *testing.T, n *Node, root string) // after a run that wrote "one"
		want bool
	}{
		"nothing":    {func(*testing.T, *Node, string) {}, true},
		"our change": {func(t *testing.T, n *Node, _ string) { change(t, n, write(t, n, manifestPath, "two")) }, true},
		"a run of ours on another file": {func(t *testing.T, n *Node, _ string) {
			change(t, n, write(t, n, policyPath, "two"))
		}, true},
		"a run that was put back": {func(t *testing.T, n *Node, _ string) {
			undone(t, n, "two")
			change(t, n, write(t, n, manifestPath, "three"))
		}, true},
		"somebody's change": {func(t *testing.T, _ *Node, root string) { meddle(t, root, "theirs") }, false},
		"somebody's change and back": {func(t *testing.T, _ *Node, root string) {
			meddle(t, root, "theirs")
			meddle(t, root, "one")
		}, true},
		"ours upon somebody's": {func(t *testing.T, n *Node, root string) {
			meddle(t, root, "theirs")
			change(t, n, write(t, n, manifestPath, "two"))
		}, false},
		"somebody's upon a run that was put back": {func(t *testing.T, n *Node, root string) {
			undone(t, n, "two")
			meddle(t, root, "two")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			r := change(t, n, write(t, n, manifestPath, "one"))
			tc.then(t, n, root)
			f, err := n.Read(manifestPath)
			must(t, err)
			got, err := n.Since(r.ID, manifestPath, f.Data)
			must(t, err)
			equal(t, "since", got, Since{Ours: tc.want, Stored: "/var/lib/state/runs/" + r.ID + "/0.old"})
		})
	}
}

// TestSincePutBack begins at a run that was put back: its old content counts.
func TestSincePutBack(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	id := undone(t, n, "one")
	for content, want := range map[string]bool{"old manifest\n": true, "one": false} {
		got, err := n.Since(id, manifestPath, []byte(content))
		must(t, err)
		equal(t, "ours", got.Ours, want)
	}
	_, err := n.Since("2020-01-01T00:00:00Z", manifestPath, nil)
	wantErr(t, err, "read /var/lib/state/runs/2020-01-01T00:00:00Z/run.json: no such file or directory")
}

func undone(t *testing.T, n *Node, content string) (id string) {
	t.Helper()
	r, err := n.Begin("enable", []Step{write(t, n, manifestPath, content)}, nil)
	must(t, err)
	must(t, r.Apply())
	must(t, r.Undo())
	must(t, r.Abandon("it did not start"))
	return r.ID
}

func meddle(t *testing.T, root, content string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(root, manifestPath), []byte(content), 0o600))
}
