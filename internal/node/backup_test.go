package node

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"auditpatch/internal/nodefile"
)

func list(t *testing.T, n *Node) []string {
	t.Helper()
	all, err := n.Backups()
	must(t, err)
	var names []string
	for _, b := range all {
		names = append(names, fmt.Sprint(b.ID, " ", b.Verb, " ", b.Result))
	}
	return names
}

func TestBackups(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	equal(t, "before any run", list(t, n), []string(nil))
	change(t, n, write(t, n, manifestPath, "one"))
	n.Now = func() time.Time { return start.Add(time.Hour) }
	r := begin(t, n, write(t, n, manifestPath, "two"))
	must(t, r.Apply())
	must(t, r.Undo())
	must(t, r.Abandon("it did not start"))
	n.Now = func() time.Time { return start.Add(-time.Hour) } // the clock was set back
	begin(t, n, write(t, n, manifestPath, "three"))
	equal(t, "backups", list(t, n), []string{
		"2026-11-22T10:20:04Z enable unfinished",
		"2026-11-22T12:20:04Z enable undone",
		"2026-11-22T11:20:04Z enable done",
	})
	all, err := n.Backups()
	must(t, err)
	equal(t, "reason", all[1].Reason, "it did not start\n")
	want := []BackupFile{{Path: manifestPath, Kind: Regular, Exists: true, Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid(),
		SHA256: nodefile.Checksum([]byte("old manifest\n")), Size: 13}}
	equal(t, "files", all[2].Files, want)
}

func TestBackup(t *testing.T) {
	root := newTree(t, linkedNode)
	n := testNode(root)
	must(t, os.Chmod(filepath.Join(root, "/data/apiserver"), 0o640))
	r := change(t, n, enableSteps(t, n)...)
	b, files, err := n.Backup(r.ID)
	must(t, err)
	equal(t, "verb", b.Verb, "enable")
	uid, gid := os.Geteuid(), os.Getegid()
	want := map[string]File{
		logDir:       {Path: logDir, Real: "/data/log/kubernetes/audit"},
		policyPath:   {Path: policyPath},
		webhookPath:  {Path: webhookPath, Exists: true, Data: []byte("old webhook\n"), Mode: 0o600, UID: uid, GID: gid},
		manifestPath: {Path: manifestPath, Real: "/data/apiserver", Exists: true, Data: []byte("old manifest\n"), Mode: 0o640, UID: uid, GID: gid},
	}
	if d := cmp.Diff(want, files, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
}

func TestBackupRefuses(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	_, _, err := n.Backup("2026-11-22T11:20:04Z")
	wantErr(t, err, "backup 2026-11-22T11:20:04Z: file does not exist")
	r := change(t, n, write(t, n, manifestPath, "new"))
	for _, id := range []string{"", "..", "../..", "2020-01-01T00:00:00Z"} {
		_, _, err := n.Backup(id)
		wantErr(t, err, "backup "+id+": file does not exist")
	}
	must(t, os.WriteFile(filepath.Join(root, stateDir, "runs", r.ID, "0.old"), []byte("rot"), 0))
	_, _, err = n.Backup(r.ID)
	wantErr(t, err, "read /var/lib/state/runs/2026-11-22T11:20:04Z/0.old: damaged")
	must(t, os.WriteFile(filepath.Join(root, stateDir, "runs", r.ID, "run.json"), nil, 0))
	_, _, err = n.Backup(r.ID)
	wantErr(t, err, "read /var/lib/state/runs/2026-11-22T11:20:04Z/run.json: damaged")
	equal(t, "list", list(t, n), []string{"2026-11-22T11:20:04Z  damaged"})
}

func TestBackupsOfOneSecond(t *testing.T) {
	n := testNode(newTree(t, plainNode))
	for i := range 11 {
		change(t, n, write(t, n, manifestPath, fmt.Sprint(i)))
	}
	all := list(t, n)
	equal(t, "newest and oldest", []string{all[0], all[1], all[10]}, []string{
		"2026-11-22T11:20:04Z-11 enable done", "2026-11-22T11:20:04Z-10 enable done", "2026-11-22T11:20:04Z enable done"})
}

func TestPrune(t *testing.T) {
	n := testNode(newTree(t, plainNode))
	n.Keep = 3
	at := func(minute int) { n.Now = func() time.Time { return start.Add(time.Duration(minute) * time.Minute) } }
	for i := range 5 {
		at(i)
		change(t, n, write(t, n, manifestPath, fmt.Sprint(i)))
	}
	equal(t, "after five", list(t, n), []string{
		"2026-11-22T11:24:04Z enable done", "2026-11-22T11:23:04Z enable done", "2026-11-22T11:22:04Z enable done"})
	for i := range 8 {
		at(5 + i)
		r := begin(t, n, write(t, n, manifestPath, "bad"))
		must(t, r.Undo())
		must(t, r.Abandon("bad"))
	}
	equal(t, "after eight failures", list(t, n), []string{
		"2026-11-22T11:32:04Z enable undone", "2026-11-22T11:31:04Z enable undone", "2026-11-22T11:30:04Z enable undone",
		"2026-11-22T11:29:04Z enable undone", "2026-11-22T11:28:04Z enable undone",
		"2026-11-22T11:24:04Z enable done", "2026-11-22T11:23:04Z enable done", "2026-11-22T11:22:04Z enable done"})
	n.Keep = 0
	at(13)
	change(t, n, write(t, n, manifestPath, "last"))
	equal(t, "keeping none", list(t, n), []string{"2026-11-22T11:33:04Z enable done",
		"2026-11-22T11:32:04Z enable undone", "2026-11-22T11:31:04Z enable undone", "2026-11-22T11:30:04Z enable undone",
		"2026-11-22T11:29:04Z enable undone", "2026-11-22T11:28:04Z enable undone"})
}

func TestSweep(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	change(t, n, write(t, n, manifestPath, "one"))
	runs := stateDir + "/runs"
	fillTree(t, root, map[string]string{
		runs + "/.2026-11-22T11:00:00Z/run.json": "{", // died while filling
		runs + "/2026-11-22T11:00:01Z/run.json":  "{", // died before the journal
		runs + "/README":                         "somebody's",
	})
	equal(t, "list", list(t, n), []string{"2026-11-22T11:20:04Z enable done"})
	begin(t, n, write(t, n, manifestPath, "two"))
	names, err := fs.Glob(os.DirFS(filepath.Join(root, runs)), "*")
	must(t, err)
	equal(t, "names", names, []string{"2026-11-22T11:20:04Z", "2026-11-22T11:20:04Z-2", "README"})
}
