package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// fakeWatch is a Watcher that answers what the test wants. Only the API server
// itself is left out; the files are real.
type fakeWatch struct {
	before, wait, back, yield error
	failing                   bool
	calls                     []string
}

func (f *fakeWatch) Before(context.Context) error {
	f.calls = append(f.calls, "before")
	return f.before
}
func (f *fakeWatch) Wait(_ context.Context, files Files) error {
	f.calls = append(f.calls, "wait")
	if f.wait != nil {
		return f.wait
	}
	return files.Finalize()
}
func (f *fakeWatch) Failing() bool    { return f.failing }
func (f *fakeWatch) Clear()           { f.calls = append(f.calls, "clear") }
func (f *fakeWatch) Back(Files) error { f.calls = append(f.calls, "back"); return f.back }
func (f *fakeWatch) Yield() error     { f.calls = append(f.calls, "yield"); return f.yield }
func (f *fakeWatch) After()           { f.calls = append(f.calls, "after") }

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
		{Path: manifestPath, Kind: patch.WriteFile, Old: patch.File{Path: f.Path, Real: f.Real, Exists: f.Exists, Data: f.Data, Mode: f.Mode, UID: f.UID, GID: f.GID}, Data: []byte("new\n"), Mode: 0o600, UID: uid, GID: gid},
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

// TestRunInterrupted is interrupted in the last moment before something is written, of which what
// was waited for before has said nothing.
func TestRunInterrupted(t *testing.T) {
	n, plan := change(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, o := range []Options{{}, {Watch: &fakeWatch{}}} {
		if _, err := Run(ctx, n, plan, o); !errors.Is(err, wait.ErrInterrupted) {
			t.Errorf("error %v", err)
		}
	}
	checkFiles(t, n, "old\n", "-")
	if backups, _ := n.Backups(); len(backups) != 0 {
		t.Errorf("there are backups: %v", backups)
	}
}

func TestRunPutsBack(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{wait: &Failed{Reason: "it does not start", Log: "line 1\nline 2\n"}}
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
	if fmt.Sprint(w.calls) != "[before wait back after]" {
		t.Errorf("calls %v: nobody waited for the earlier API server", w.calls)
	}
	b, err := n.Backups()
	if err != nil || len(b) != 1 || b[0].Result != node.ResultUndone || b[0].Reason != "it does not start\n\nline 1\nline 2\n" {
		t.Errorf("backups %v, %v: want one that is undone", b, err)
	}
}

func TestRunPutsBackWhatWasIll(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{wait: errors.New("it does not start"), back: &apiserver.NotHealthy{Reason: "none runs"}}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	var back *RolledBack
	if !errors.As(err, &back) {
		t.Fatalf("error %v (%T), want a *RolledBack", err, err)
	}
	if want := "it does not start; the earlier settings are back, which were not healthy either: none runs"; err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
	checkFiles(t, n, "old\n", "-")
}

func TestRunSaysWhenItIsNotHealthyAfterUndo(t *testing.T) {
	n, plan := change(t)
	w := &fakeWatch{wait: errors.New("it does not start"), back: errors.New("kube-apiserver was not ready within 5m0s")}
	_, err := Run(context.Background(), n, plan, Options{Watch: w})
	var not *NotRestored
	if !errors.As(err, &not) {
		t.Fatalf("error %v (%T), want a *NotRestored", err, err)
	}
	if !not.Back {
		t.Error("the files are back, and the error does not know it")
	}
	want := "it does not start; the earlier files are back, but kube-apiserver was not ready within 5m0s"
	if err.Error() != want {
		t.Errorf("got  %q\nwant %q", err, want)
	}
	checkFiles(t, n, "old\n", "policy\n") // a Pod that names it may start again
}

func TestRunDoesNotUndoWhatSomebodyElseWrote(t *testing.T) {
	for _, unseen := range []bool{false, true} {
		t.Run(fmt.Sprint(unseen), func(t *testing.T) {
			n, plan := change(t)
			w := &meddler{n: n, unseen: unseen}
			_, err := Run(context.Background(), n, plan, Options{Watch: w})
			var not *NotRestored
			if !errors.As(err, &not) {
				t.Fatalf("error %v (%T), want a *NotRestored", err, err)
			}
			if !not.Overridden || not.Undo != nil {
				t.Errorf("%+v", not)
			}
			want := manifestPath + ": changed by someone else in the meantime, left as it is"
			if unseen {
				want += " (before that: it does not start)"
			}
			if want += "; the API server is healthy with it"; err.Error() != want {
				t.Errorf("got  %q\nwant %q", err, want)
			}
			if fmt.Sprint(w.calls) != "[before yield after]" {
				t.Errorf("calls %v", w.calls)
			}
			checkFiles(t, n, "somebody else's\n", "policy\n")
			if run, err := n.Unfinished(); run != nil || err != nil {
				t.Errorf("the run is not over: %v, %v", run, err)
			}
		})
	}
}

// meddler edits the manifest during the wait.
type meddler struct {
	fakeWatch
	n      *node.Node
	unseen bool // another fault is noticed first
}

func (m *meddler) Wait(_ context.Context, files Files) error {
	if err := files.ChangedByOthers(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(m.n.Root, manifestPath), []byte("somebody else's\n"), 0o600); err != nil {
		return err
	}
	if m.unseen {
		return errors.New("it does not start")
	}
	return files.ChangedByOthers()
}

// notWaiting waits for no run.
func notWaiting(*node.Run) (Watcher, error) { return nil, nil }

func TestRecover(t *testing.T) {
	n, plan := change(t)
	run, err := n.Begin("enable", steps(plan, false), nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRecovered := func(watch func(*node.Run) (Watcher, error), want Recovered) {
		t.Helper()
		if r, err := Recover(context.Background(), n, watch); r != want || err != nil {
			t.Errorf("recover: %+v, %v, want %+v", r, err, want)
		}
	}
	wantRecovered(notWaiting, Recovered{ID: run.ID, Outcome: node.Undone, Waited: false, Touched: true})
	checkFiles(t, n, "old\n", "-")
	if got := RestartOf(run); got != Quick {
		t.Errorf("restart %q of a run that notes none", got)
	}
	if run, err = n.Begin("enable", steps(plan, false), map[string]string{metaRestart: "graceful"}); err != nil {
		t.Fatal(err)
	}
	if err := run.Apply(); err != nil {
		t.Fatal(err)
	}
	if died, err := n.Unfinished(); err != nil || RestartOf(died) != Graceful {
		t.Errorf("the run does not know that it was graceful: %v", err)
	}
	wantRecovered(notWaiting, Recovered{ID: run.ID, Outcome: node.Finished, Waited: false, Touched: true})
	checkFiles(t, n, "new\n", "policy\n")
	wantRecovered(notWaiting, Recovered{})
}

// TestRecoverWaits recovers runs that died between their two manifests, and
// before the first.
func TestRecoverWaits(t *testing.T) {
	begin := func(t *testing.T, apply bool) (*node.Node, string) {
		n, plan := change(t)
		all := steps(plan, false)
		all[2].Interim = []byte("interim\n")
		run, err := n.Begin("enable", all, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !apply {
			return n, run.ID
		}
		if err := run.Apply(); err != nil {
			t.Fatal(err)
		}
		checkFiles(t, n, "interim\n", "policy\n")
		return n, run.ID
	}
	with := func(w Watcher) func(*node.Run) (Watcher, error) {
		return func(*node.Run) (Watcher, error) { return w, nil }
	}
	t.Run("comes back", func(t *testing.T) {
		n, id := begin(t, true)
		w := &fakeWatch{}
		r, err := Recover(context.Background(), n, with(w))
		if want := (Recovered{ID: id, Outcome: node.Finished, Waited: true, Touched: true}); r != want || err != nil {
			t.Errorf("recover: %+v, %v", r, err)
		}
		checkFiles(t, n, "new\n", "policy\n")
		if fmt.Sprint(w.calls) != "[before wait after]" {
			t.Errorf("calls %v", w.calls)
		}
	})
	t.Run("does not come back", func(t *testing.T) {
		n, id := begin(t, true)
		w := &fakeWatch{wait: errors.New("it does not start")}
		r, err := Recover(context.Background(), n, with(w))
		var back *RolledBack
		if !errors.As(err, &back) || back.Backup != id || r.Outcome != "" {
			t.Errorf("recover: %+v, %v", r, err)
		}
		checkFiles(t, n, "old\n", "-")
		if fmt.Sprint(w.calls) != "[before wait back after]" {
			t.Errorf("calls %v", w.calls)
		}
	})
	t.Run("had not begun", func(t *testing.T) {
		n, id := begin(t, false)
		w := &fakeWatch{}
		r, err := Recover(context.Background(), n, with(w))
		if want := (Recovered{ID: id, Outcome: node.Undone, Waited: true, Touched: true}); r != want || err != nil {
			t.Errorf("recover: %+v, %v", r, err)
		}
		checkFiles(t, n, "old\n", "-")
		if fmt.Sprint(w.calls) != "[before back after]" {
			t.Errorf("calls %v", w.calls)
		}
	})
}
