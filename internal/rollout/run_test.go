package rollout

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"auditpatch/internal/node"
	"auditpatch/patch"
)

// fakeWatch is a Watcher that answers what the test wants. Only the API server
// itself is left out; the files are real.
type fakeWatch struct {
	before, wait, back error
	calls              []string
}

func (f *fakeWatch) Before(context.Context) error {
	f.calls = append(f.calls, "before")
	return f.before
}
func (f *fakeWatch) Wait(context.Context) error { f.calls = append(f.calls, "wait"); return f.wait }
func (f *fakeWatch) Back() error                { f.calls = append(f.calls, "back"); return f.back }

const manifestPath = "/etc/kubernetes/manifests/kube-apiserver.yaml"

// change is a node with a plan that makes a directory, a policy and a changed
// manifest.
func change(t *testing.T) (*node.Node, *patch.Plan) {
	t.Helper()
	root := t.TempDir()
	name := filepath.Join(root, manifestPath)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte("old\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := node.New(root, "")
	f, err := n.Read(manifestPath)
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := os.Getuid(), os.Getgid()
	return n, &patch.Plan{Verb: "enable", Manifest: manifestPath, Changes: []patch.Change{
		{Path: "/var/log/audit", Kind: patch.MakeDir, Mode: 0o700, UID: uid, GID: gid},
		{Path: "/etc/kubernetes/policy.yaml", Kind: patch.WriteFile, Data: []byte("policy\n"), Mode: 0o600, UID: uid, GID: gid},
		{Path: manifestPath, Kind: patch.WriteFile, Old: PatchFile(f), Data: []byte("new\n"), Mode: 0o600, UID: uid, GID: gid},
	}}
}

// content is a file below the node's root, "-" when it is absent.
func content(t *testing.T, n *node.Node, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(n.Root, name))
	if os.IsNotExist(err) {
		return "-"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func checkFiles(t *testing.T, n *node.Node, manifest, policy string) {
	t.Helper()
	if got := content(t, n, manifestPath); got != manifest {
		t.Errorf("the manifest is %q, want %q", got, manifest)
	}
	if got := content(t, n, "/etc/kubernetes/policy.yaml"); got != policy {
		t.Errorf("the policy is %q, want %q", got, policy)
	}
}

func TestRunKeeps(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{}
	var wrote string
	r, err := Run(context.Background(), n, plan, Options{Watch: w, Wrote: func(id string) { wrote = id }})
	if err != nil || r.Backup == "" || wrote != r.Backup {
		t.Fatalf("report %+v, wrote %q, error %v", r, wrote, err)
	}
	checkFiles(t, n, "new\n", "policy\n")
	if run, err := n.Unfinished(); run != nil || err != nil {
		t.Errorf("unfinished: %v, %v", run, err)
	}
}

func TestRunRefusesBeforeAnythingIsWritten(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{before: errors.New("not healthy")}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	if err == nil || err.Error() != "not healthy" {
		t.Errorf("error %v", err)
	}
	checkFiles(t, n, "old\n", "-")
	if backups, _ := n.Backups(); len(backups) != 0 {
		t.Errorf("there are backups: %v", backups)
	}
}

func TestRunPutsBack(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{wait: errors.New("it does not start")}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	var back *RolledBack
	if !errors.As(err, &back) {
		t.Fatalf("error %v (%T), want a *RolledBack", err, err)
	}
	if want := "it does not start; the earlier settings are back and healthy"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
	checkFiles(t, n, "old\n", "-")
	if got := content(t, n, "/var/log/audit"); got != "-" {
		t.Errorf("the directory is still there")
	}
	if len(w.calls) != 3 || w.calls[2] != "back" {
		t.Errorf("calls %v: nobody waited for the earlier API server", w.calls)
	}
	b, err := n.Backups()
	if err != nil || len(b) != 1 || b[0].Result != node.ResultUndone {
		t.Errorf("backups %v, %v: want one that is undone", b, err)
	}
}

func TestRunSaysWhenItIsNotHealthyAfterUndo(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{wait: errors.New("it does not start"), back: errors.New("kube-apiserver was not ready within 5m0s")}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	var not *NotRestored
	if !errors.As(err, &not) {
		t.Fatalf("error %v (%T), want a *NotRestored", err, err)
	}
	want := "it does not start; and it could not be undone: the earlier files are back, but kube-apiserver was not ready within 5m0s"
	if err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
	checkFiles(t, n, "old\n", "-")
}

func TestRunDoesNotUndoWhatSomebodyElseWrote(t *testing.T) {
	n, plan := change(t)
	w := &meddler{n: n}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	var not *NotRestored
	if !errors.As(err, &not) {
		t.Fatalf("error %v (%T), want a *NotRestored", err, err)
	}
	if got := content(t, n, manifestPath); got != "somebody else's\n" {
		t.Errorf("the manifest is %q", got)
	}
}

// meddler edits the manifest during the wait.
type meddler struct {
	fakeWatch
	n *node.Node
}

func (m *meddler) Wait(context.Context) error {
	if err := os.WriteFile(filepath.Join(m.n.Root, manifestPath), []byte("somebody else's\n"), 0o600); err != nil {
		return err
	}
	return errors.New("it does not start")
}

func TestRecover(t *testing.T) {
	n, plan := change(t)
	run, err := n.Begin("enable", steps(plan), nil)
	if err != nil {
		t.Fatal(err)
	}
	id, outcome, err := Recover(n)
	if id != run.ID || outcome != node.Undone || err != nil {
		t.Errorf("recover: %q, %q, %v", id, outcome, err)
	}
	checkFiles(t, n, "old\n", "-")
	if run, err = n.Begin("enable", steps(plan), nil); err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(); err != nil {
		t.Fatal(err)
	}
	if id, outcome, err = Recover(n); id != run.ID || outcome != node.Finished || err != nil {
		t.Errorf("recover: %q, %q, %v", id, outcome, err)
	}
	checkFiles(t, n, "new\n", "policy\n")
	if id, outcome, err = Recover(n); id != "" || outcome != "" || err != nil {
		t.Errorf("recover with nothing to do: %q, %q, %v", id, outcome, err)
	}
}
