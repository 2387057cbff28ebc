package node

import (
	"os"
	"path/filepath"
	"testing"
)

// dead returns the run as another process finds it.
func dead(t *testing.T, n *Node) *Run {
	t.Helper()
	r, err := n.Unfinished()
	must(t, err)
	if r == nil {
		t.Fatal("no unfinished run")
	}
	return r
}

func TestRecover(t *testing.T) {
	edit := func(t *testing.T, root, name string) {
		must(t, os.WriteFile(filepath.Join(root, name), []byte("by hand\n"), 0o600))
	}
	for name, c := range map[string]struct {
		die     func(t *testing.T, root string, n *Node, r *Run)
		outcome Outcome
		err     string
		want    map[string]string // "" for absent
	}{
		"after Begin": {
			die:     func(*testing.T, string, *Node, *Run) {},
			outcome: Undone,
			want:    map[string]string{manifestPath: "old manifest\n", policyPath: ""},
		},
		"after Apply": {
			die:     func(t *testing.T, _ string, _ *Node, r *Run) { must(t, r.Apply()) },
			outcome: Finished,
			want:    map[string]string{manifestPath: "new manifest\n", policyPath: "new policy\n"},
		},
		"before the manifest": {
			die: func(t *testing.T, _ string, n *Node, r *Run) {
				tr, err := n.open()
				must(t, err)
				defer tr.close()
				for _, s := range r.steps[:2] {
					must(t, r.execute(tr, s, sideNew))
				}
			},
			outcome: Undone,
			want:    map[string]string{manifestPath: "old manifest\n", policyPath: "", webhookPath: "old webhook\n"},
		},
		"at the beginning of an undo": {
			die: func(t *testing.T, _ string, _ *Node, r *Run) {
				must(t, r.Apply())
				r.markUndoing()
			},
			outcome: Undone,
			want:    map[string]string{manifestPath: "old manifest\n", policyPath: ""},
		},
		"policy edited, forward": {
			die: func(t *testing.T, root string, _ *Node, r *Run) {
				must(t, r.Apply())
				edit(t, root, policyPath)
			},
			outcome: Finished,
			err:     policyPath + ": changed by someone else in the meantime, left as it is",
			want:    map[string]string{manifestPath: "new manifest\n", policyPath: "by hand\n"},
		},
		"manifest edited": {
			die: func(t *testing.T, root string, _ *Node, r *Run) {
				must(t, r.Apply())
				edit(t, root, manifestPath)
			},
			outcome: Overridden,
			err:     manifestPath + ": changed by someone else in the meantime, left as it is",
			want:    map[string]string{manifestPath: "by hand\n", policyPath: "new policy\n"},
		},
		"policy edited, back": {
			die: func(t *testing.T, root string, _ *Node, r *Run) {
				must(t, r.Apply())
				r.markUndoing()
				edit(t, root, policyPath)
			},
			outcome: Undone,
			err:     policyPath + ": changed by someone else in the meantime, left as it is",
			want:    map[string]string{manifestPath: "old manifest\n", policyPath: "by hand\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			commit := write(t, n, manifestPath, "new manifest\n")
			commit.Commit = true
			c.die(t, root, n, begin(t, n, write(t, n, policyPath, "new policy\n"), write(t, n, webhookPath, "new webhook\n"), commit))
			outcome, err := dead(t, n).Recover()
			equal(t, "outcome", outcome, c.outcome)
			if c.err != "" {
				wantErr(t, err, c.err)
				_ = asType[*ChangedByOthersError](t, err)
			} else {
				must(t, err)
			}
			for name, text := range c.want {
				equal(t, name, string(read(t, n, name).Data), text)
			}
			equal(t, "left over", hidden(snapshot(t, root)), []string(nil))
			noRun(t, n)
		})
	}
}

func TestUnfinishedDamaged(t *testing.T) {
	for name, c := range map[string]struct {
		file, text, want string
	}{
		"journal": {"journal", "../../etc\n", "read /var/lib/state/journal: damaged"},
		"no run":  {"journal", "2020-01-01T00:00:00Z\n", "read /var/lib/state/runs/2020-01-01T00:00:00Z: file does not exist"},
		"no JSON": {"runs/2026-11-22T11:20:04Z/run.json", "{", "read /var/lib/state/runs/2026-11-22T11:20:04Z/run.json: damaged"},
		"no steps": {"runs/2026-11-22T11:20:04Z/run.json", `{"format":1,"id":"2026-11-22T11:20:04Z","steps":[]}`,
			"read /var/lib/state/runs/2026-11-22T11:20:04Z/run.json: damaged"},
		"empty step": {"runs/2026-11-22T11:20:04Z/run.json", `{"format":1,"id":"2026-11-22T11:20:04Z","steps":[null]}`,
			"read /var/lib/state/runs/2026-11-22T11:20:04Z/run.json: damaged"},
		"newer": {"runs/2026-11-22T11:20:04Z/run.json", `{"format":2,"id":"2026-11-22T11:20:04Z"}`,
			"read /var/lib/state/runs/2026-11-22T11:20:04Z/run.json: written by another version"},
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			begin(t, n, write(t, n, manifestPath, "new"))
			must(t, os.WriteFile(filepath.Join(root, stateDir, c.file), []byte(c.text), 0))
			_, err := n.Unfinished()
			wantErr(t, err, "an earlier run was interrupted, and its journal /var/lib/state/journal cannot be used: "+c.want)
		})
	}
}

// The contents of a run of another process are checked before they are used.
func TestRecoverDamagedContent(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	must(t, begin(t, n, write(t, n, manifestPath, "new")).Apply())
	r := dead(t, n)
	r.markUndoing()
	tr, err := n.open()
	must(t, err)
	defer tr.close()
	must(t, r.clean(tr))
	must(t, os.WriteFile(filepath.Join(root, stateDir, "runs", r.ID, "0.old"), []byte("rot"), 0))
	outcome, err := r.Recover()
	wantErr(t, err, "read /var/lib/state/runs/2026-11-22T11:20:04Z/0.old: damaged")
	equal(t, "outcome", outcome, Outcome(""))
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "new")
	equal(t, "run", dead(t, n).ID, r.ID)
}
