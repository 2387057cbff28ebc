package node

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	manifests    = "/etc/kubernetes/manifests"
	manifestPath = manifests + "/kube-apiserver.yaml"
	policyPath   = "/etc/kubernetes/policy.yaml"
	webhookPath  = "/etc/kubernetes/webhook.yaml"
	logDir       = "/var/log/kubernetes/audit"
	logPath      = logDir + "/audit.log"
	stateDir     = "/var/lib/state"
)

// start is the time of every first run in a test.
var start = time.Date(2026, 11, 22, 11, 20, 4, 0, time.UTC)

func testNode(root string) *Node {
	n := New(root, stateDir)
	n.Now = func() time.Time { return start }
	return n
}

// newTree makes files below a fresh root: a name that ends in a slash is a
// directory, a content "-> x" a symlink to x.
func newTree(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	fillTree(t, root, files)
	return root
}

func fillTree(t testing.TB, root string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		full := filepath.Join(root, name)
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(full, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(full), 0o755))
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			must(t, os.Symlink(target, full))
			continue
		}
		must(t, os.WriteFile(full, []byte(content), 0o600))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: (-want +got)\n%s", what, d)
	}
}

// wantErr compares the whole text.
func wantErr(t testing.TB, err error, text string) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Fatalf("error: got %v\nwant %s", err, text)
	}
}

// thing is one path of a tree as a test compares it.
type thing struct {
	Mode     fs.FileMode
	UID, GID int
	Text     string // of a file, or the target of a link
}

// snapshot returns everything below root but the state directory.
func snapshot(t testing.TB, root string) map[string]thing {
	t.Helper()
	all := map[string]thing{}
	must(t, filepath.WalkDir(root, func(full string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(full, root)
		if name == stateDir {
			return fs.SkipDir
		}
		if name == "" || strings.HasPrefix(stateDir, name) { // may be made for the state
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		one := thing{Mode: info.Mode()}
		_, one.UID, one.GID = owned(info)
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(full)
			must(t, err)
			one.Text = string(data)
		case info.Mode()&fs.ModeSymlink != 0:
			one.Text, _ = os.Readlink(full)
		}
		all[name] = one
		return nil
	}))
	return all
}

// hidden lists the names that begin with a dot.
func hidden(all map[string]thing) []string {
	var names []string
	for name := range all {
		if strings.HasPrefix(filepath.Base(name), ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func read(t testing.TB, n *Node, name string) File {
	t.Helper()
	f, err := n.Read(name)
	must(t, err)
	return f
}

func stat(t testing.TB, n *Node, name string) File {
	t.Helper()
	f, err := n.Stat(name)
	must(t, err)
	return f
}

// write is a step that gives a file this text and our own ids.
func write(t testing.TB, n *Node, name, text string) Step {
	t.Helper()
	return Step{Path: name, Old: read(t, n, name), New: file(text, 0o600)}
}

func file(text string, mode fs.FileMode) Content {
	return Content{Kind: Regular, Data: []byte(text), Mode: mode, UID: os.Geteuid(), GID: os.Getegid()}
}

func directory(mode fs.FileMode) Content {
	return Content{Kind: Directory, Mode: mode, UID: os.Geteuid(), GID: os.Getegid()}
}

func begin(t testing.TB, n *Node, steps ...Step) *Run {
	t.Helper()
	r, err := n.Begin("enable", steps, nil)
	must(t, err)
	return r
}

// change begins, applies and ends a run.
func change(t testing.TB, n *Node, steps ...Step) *Run {
	t.Helper()
	r := begin(t, n, steps...)
	must(t, r.Apply())
	must(t, r.Done())
	return r
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("changes owners or mounts: needs root")
	}
}

func noRun(t testing.TB, n *Node) {
	t.Helper()
	r, err := n.Unfinished()
	must(t, err)
	if r != nil {
		t.Fatalf("run %s is unfinished", r.ID)
	}
}

func asType[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("error: got %v (%T), want a %T", err, err, e)
	}
	return e
}
