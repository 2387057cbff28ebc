package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStateOfSomebodyElse: a journal that is not ours makes root write nothing.
func TestStateOfSomebodyElse(t *testing.T) {
	run := stateDir + "/runs/2026-11-22T11:20:04Z"
	for name, c := range map[string]struct {
		acts []string
		want string
		hint string // with STATE for the state directory on this machine
	}{
		"directory":         {[]string{"chown " + stateDir}, stateDir + " belongs to user 1000", "ls -lR STATE, and to begin anew: mv STATE STATE.untrusted"},
		"everybody's":       {[]string{"chmod 0777 " + stateDir}, stateDir + " is writable by everybody", "chmod o-w STATE"},
		"sticky":            {[]string{"chmod 1777 " + stateDir}, stateDir + " is writable by everybody", "chmod o-w STATE"},
		"a group's":         {[]string{"chgrp " + stateDir, "chmod 0770 " + stateDir}, stateDir + " is writable by group 1000", "chmod g-w STATE"},
		"above":             {[]string{"chown /var/lib"}, "/var/lib belongs to user 1000", "--state-dir=/var/lib/auditpatch"},
		"everybody's above": {[]string{"chmod 0777 /var/lib"}, "/var/lib is writable by everybody", "--state-dir=/var/lib/auditpatch"},
		"runs":              {[]string{"chown " + stateDir + "/runs"}, stateDir + "/runs belongs to user 1000", ""},
		"runs, a link":      {[]string{"move " + stateDir + "/runs /srv/runs"}, stateDir + "/runs is a symlink", ""},
		"journal":           {[]string{"chown " + stateDir + "/journal"}, stateDir + "/journal belongs to user 1000", ""},
		"journal, writable": {[]string{"chmod 0666 " + stateDir + "/journal"}, stateDir + "/journal is writable by everybody", "chmod o-w STATE/journal"},
		"journal, a link":   {[]string{"move " + stateDir + "/journal /srv/journal"}, stateDir + "/journal is a symlink", ""},
		"run":               {[]string{"chown " + run}, run + " belongs to user 1000", ""},
		"run.json":          {[]string{"chown " + run + "/run.json"}, run + "/run.json belongs to user 1000", ""},
		"content":           {[]string{"chmod 0606 " + run + "/0.new"}, run + "/0.new is writable by everybody", ""},
		"content, a link":   {[]string{"move " + run + "/0.new /srv/0.new"}, run + "/0.new is a symlink", ""},
		"mark":              {[]string{"chown " + run + "/.undoing"}, run + "/.undoing belongs to user 1000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			root, n := ugly(t, map[string]string{policyPath: "old\n", "/srv/": ""})
			begin(t, n, write(t, n, policyPath, "mallory's\n"))
			actState(t, root, c.acts...)
			_, err := n.Unfinished()
			bad := asType[*UntrustedError](t, err)
			equal(t, "refusal", bad.Error(), c.want)
			if c.hint != "" {
				equal(t, "hint", bad.Hint.String(), strings.ReplaceAll(c.hint, "STATE", root+stateDir))
			}
			if err := recoverNode(n); err == nil {
				t.Error("recovered")
			}
			equal(t, "policy", string(read(t, n, policyPath).Data), "old\n")
		})
	}
}

// actState is act, and can move a file away and leave a link to it.
func actState(t *testing.T, root string, acts ...string) {
	t.Helper()
	for _, text := range acts {
		words := strings.Fields(text)
		if words[0] != "move" {
			act(t, root, text)
			continue
		}
		must(t, os.Rename(filepath.Join(root, words[1]), filepath.Join(root, words[2])))
		must(t, os.Symlink(words[2], filepath.Join(root, words[1])))
	}
}

// Below a sticky directory that everybody may write to, a directory of ours stays
// ours, and one of mallory's is his.
func TestStateBelowTmp(t *testing.T) {
	root, n := ugly(t, map[string]string{"/tmp/mine/": "", "/tmp/his/": ""}, "chmod 1777 /tmp", "chmod 0700 /tmp/mine", "chown /tmp/his")
	n.StateDir = "/tmp/mine"
	lock, err := n.Lock("enable")
	must(t, err)
	must(t, lock.Unlock())
	for _, dir := range []string{"/tmp/his", "/tmp/his/below"} {
		n.StateDir = dir
		_, err = n.Lock("enable")
		wantErr(t, err, "/tmp/his belongs to user 1000")
	}
	n.StateDir = "/tmp/his"
	_, err = n.Backups()
	wantErr(t, err, "/tmp/his belongs to user 1000")
	names, err := os.ReadDir(filepath.Join(root, "tmp/his"))
	must(t, err)
	equal(t, "made", len(names), 0)
}

// The lock is not to be somebody else's file, and no way to make root write one.
func TestLockOfSomebodyElse(t *testing.T) {
	for what, want := range map[string]string{
		"symlink /etc/shadow " + stateDir + "/lock": stateDir + "/lock is a symlink",
		"chown " + stateDir + "/lock":               stateDir + "/lock belongs to user 1000",
	} {
		root, n := ugly(t, map[string]string{shadow: "secret\n"})
		lock, err := n.Lock("enable")
		must(t, err)
		must(t, lock.Unlock())
		if strings.HasPrefix(what, "symlink") {
			must(t, os.Remove(filepath.Join(root, stateDir, "lock")))
		}
		act(t, root, what)
		_, err = n.Lock("enable")
		wantErr(t, err, want)
		equal(t, "file", string(read(t, n, shadow).Data), "secret\n")
	}
}

// TestImplausibleRun: even a run.json of ours has to be one that Begin could have
// written.
func TestImplausibleRun(t *testing.T) {
	const hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	file := `{"kind":"file","mode":"0600","uid":0,"gid":0,"sha256":"` + hash + `"}`
	absent := `{"kind":"absent","mode":"0000","uid":0,"gid":0}`
	for name, step := range map[string]string{
		"relative path":       `"path":"etc/x","real":"/etc/x","old":` + absent + `,"new":` + file,
		"relative real":       `"path":"/etc/x","real":"etc/x","old":` + absent + `,"new":` + file,
		"real not clean":      `"path":"/etc/x","real":"/etc/../x","old":` + absent + `,"new":` + file,
		"the root":            `"path":"/","real":"/","old":` + absent + `,"new":` + absent,
		"made elsewhere":      `"path":"/etc/x","real":"/etc/x","made":["/var"],"old":` + absent + `,"new":` + file,
		"made beside":         `"path":"/etc/x","real":"/etc/x","made":["/etc/xy"],"old":` + absent + `,"new":` + file,
		"unknown kind":        `"path":"/etc/x","real":"/etc/x","old":{"kind":"link","mode":"0600"},"new":` + file,
		"new of another kind": `"path":"/etc/x","real":"/etc/x","old":` + absent + `,"new":{"kind":"other","mode":"0600"}`,
		"no hash":             `"path":"/etc/x","real":"/etc/x","old":` + absent + `,"new":{"kind":"file","mode":"0600"}`,
		"owner":               `"path":"/etc/x","real":"/etc/x","old":` + absent + `,"new":{"kind":"directory","mode":"0700","uid":-1}`,
		"interim":             `"path":"/etc/x","real":"/etc/x","interim":` + absent + `,"old":` + absent + `,"new":` + file,
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			n := testNode(root)
			r := begin(t, n, write(t, n, policyPath, "new"))
			text := fmt.Sprintf(`{"format":1,"id":%q,"steps":[{"commit":true,%s}]}`, r.ID, step)
			must(t, os.WriteFile(filepath.Join(root, stateDir, "runs", r.ID, "run.json"), []byte(text), 0))
			_, err := n.Unfinished()
			wantErr(t, err, "an earlier run was interrupted, and its journal /var/lib/state/journal cannot be used: read "+stateDir+"/runs/"+r.ID+"/run.json: damaged")
		})
	}
}

// Runs of another version of the program cannot be read, and are states to go
// back to all the same.
func TestPruneKeepsOtherVersions(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	for i := range 7 {
		r := change(t, n, write(t, n, manifestPath, fmt.Sprint(i)))
		must(t, os.WriteFile(filepath.Join(root, stateDir, "runs", r.ID, "run.json"), []byte(`{"format":2,"id":"`+r.ID+`"}`), 0))
	}
	change(t, n, write(t, n, manifestPath, "last"))
	equal(t, "runs", len(list(t, n)), 8)
}
