package node

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mallory has an account on the node, and no rights.
const mallory = 1000

// ugly makes a tree with things of mallory's in it: "chown PATH", "chmod MODE
// PATH", "link OLD NEW".
func ugly(t testing.TB, files map[string]string, acts ...string) (string, *Node) {
	t.Helper()
	needRoot(t)
	root := newTree(t, files)
	act(t, root, acts...)
	return root, testNode(root)
}

func act(t testing.TB, root string, acts ...string) {
	t.Helper()
	for _, text := range acts {
		words := strings.Fields(text)
		full := filepath.Join(root, words[len(words)-1])
		switch words[0] {
		case "chown":
			must(t, os.Lchown(full, mallory, mallory))
		case "chgrp":
			must(t, os.Lchown(full, -1, mallory))
		case "chmod":
			var mode uint32
			_, _ = fmt.Sscanf(words[1], "%o", &mode)
			must(t, os.Chmod(full, fs.FileMode(mode&0o777)|fs.ModeSticky*fs.FileMode(mode>>9&1)))
		case "link":
			must(t, os.Link(filepath.Join(root, words[1]), full))
		case "symlink":
			must(t, os.Symlink(words[1], full))
		default:
			t.Fatal(text)
		}
	}
}

// shared is the step that lets a group read the log.
func shared(t testing.TB, n *Node) Step {
	t.Helper()
	old := stat(t, n, logPath)
	return Step{Path: logPath, Old: old, New: Content{Kind: Present, Mode: 0o640, UID: old.UID, GID: 4, Enforce: true}}
}

const shadow = "/etc/shadow"

// Whoever owns the log's directory decides what the log's name leads to: the
// owner and mode of another file must not change.
func TestLogOfSomebodyElse(t *testing.T) {
	files := map[string]string{shadow: "root:secret\n", logDir + "/": "", "/etc/kubernetes/": ""}
	for name, c := range map[string]struct {
		acts []string
		want string
	}{
		"symlink": {[]string{"chown " + logDir, "symlink " + shadow + " " + logPath}, logDir + " belongs to user 1000"},
		"symlink in a directory that was his": {[]string{"symlink " + shadow + " " + logPath, "chown " + logPath, "chmod 0777 " + logDir},
			logDir + " is writable by everybody"},
		"symlink, sticky": {[]string{"symlink " + shadow + " " + logPath, "chown " + logPath, "chmod 1777 " + logDir},
			logPath + " is a symlink of user 1000"},
		"hard link":           {[]string{"chown " + logDir, "link " + shadow + " " + logPath}, logDir + " belongs to user 1000"},
		"hard link of root's": {[]string{"link " + shadow + " " + logPath}, logPath + " has 2 names (hard links)"},
		"directory symlink": {[]string{"symlink /etc /var/log/kubernetes/audit.d", "chown /var/log/kubernetes"},
			"/var/log/kubernetes belongs to user 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			root, n := ugly(t, files, c.acts...)
			old := snapshot(t, root)
			_, err := n.Begin("enable", []Step{shared(t, n)}, nil)
			wantErr(t, err, "write "+logPath+": "+c.want)
			_ = asType[*UntrustedError](t, err)
			equal(t, "tree", snapshot(t, root), old)
		})
	}
}

// The last name of a file of root's, in a directory of mallory's: link count 1.
func TestOrphanAsLog(t *testing.T) {
	root, n := ugly(t, map[string]string{shadow: "secret\n", logDir + "/": ""}, "link "+shadow+" "+logPath, "chown "+logDir)
	must(t, os.Remove(filepath.Join(root, shadow)))
	_, err := n.Begin("enable", []Step{shared(t, n)}, nil)
	wantErr(t, err, "write "+logPath+": "+logDir+" belongs to user 1000")
	equal(t, "hint", asType[*UntrustedError](t, err).Hint.String(), "chown root "+root+logDir)
}

// A group that may move files to the log's name could have another one opened to
// the log's readers.
func TestLogInDirectoryOfGroup(t *testing.T) {
	_, n := ugly(t, map[string]string{logPath: "{}\n"}, "chgrp "+logDir, "chmod 0775 "+logDir)
	_, err := n.Begin("enable", []Step{shared(t, n)}, nil)
	wantErr(t, err, "write "+logPath+": "+logDir+" is writable by group 1000")
}

// The API server need not run as root: then it owns the log and its directory.
func TestLogOfTheServer(t *testing.T) {
	root, n := ugly(t, map[string]string{logPath: "{}\n"}, "chown "+logDir, "chown "+logPath)
	r := begin(t, n, shared(t, n))
	must(t, r.Apply())
	now := stat(t, n, logPath)
	equal(t, "log", []int{int(now.Mode), now.UID, now.GID}, []int{0o640, mallory, 4})
	must(t, r.Undo())
	must(t, r.Abandon("test"))

	// A log that is absent is made in its directory, for it.
	must(t, os.Remove(filepath.Join(root, logPath)))
	s := shared(t, n)
	s.New.UID = mallory
	change(t, n, s)
	equal(t, "new log", stat(t, n, logPath).UID, mallory)
}

// Whatever takes the log's place after it was looked at, the descriptor is that
// of a file that is as expected.
func TestLogSwapped(t *testing.T) {
	files := map[string]string{shadow: "secret\n", logPath: "{}\n"}
	for name, c := range map[string]struct {
		acts []string
		want string
	}{
		"symlink":   {[]string{"symlink " + shadow + " " + logPath}, "a symlink, not a file"},
		"hard link": {[]string{"link " + shadow + " " + logPath}, logPath + " has 2 names (hard links)"},
		"directory of another": {[]string{"link " + shadow + " " + logPath, "chown /var/log/kubernetes"},
			"/var/log/kubernetes belongs to user 1000"},
		"his file": {[]string{"link " + shadow + " " + logPath, "chown " + logPath}, logPath + " changed since it was read"},
	} {
		t.Run(name, func(t *testing.T) {
			root, n := ugly(t, files)
			r := begin(t, n, shared(t, n))
			must(t, os.Remove(filepath.Join(root, logPath)))
			act(t, root, c.acts...)
			old := snapshot(t, root)
			tr, err := n.open()
			must(t, err)
			defer tr.close()
			_, err = r.steps[0].openOrCreate(tr, r.steps[0].New, false)
			wantErr(t, err, c.want)
			if err := r.Apply(); err == nil {
				t.Error("applied")
			}
			equal(t, "tree", snapshot(t, root), old)
		})
	}
}

// A directory that becomes a link after it was resolved is not entered.
func TestFolderSwapped(t *testing.T) {
	root := newTree(t, map[string]string{"/etc/kubernetes/": "", "/srv/": ""})
	n := testNode(root)
	r := begin(t, n, write(t, n, policyPath, "new"))
	must(t, os.Remove(filepath.Join(root, "/etc/kubernetes")))
	act(t, root, "symlink /srv /etc/kubernetes")
	tr, err := n.open()
	must(t, err)
	defer tr.close()
	for what, err := range map[string]error{
		"lay out": r.layOut(tr, r.steps[0], sideNew),
		"mkdir":   tr.mkdir("/etc/kubernetes/x", 0o700),
		"unlink":  tr.unlink("/etc/kubernetes/x"),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), "not a directory") {
			t.Errorf("%s: %v", what, err)
		}
	}
	all, err := os.ReadDir(filepath.Join(root, "srv"))
	must(t, err)
	equal(t, "written", len(all), 0)
}

// TestWays goes to a file of ours through directories and links.
func TestWays(t *testing.T) {
	files := map[string]string{"/etc/kubernetes/manifests/": "", "/srv/kubernetes/": "", "/var/log/": "", "/opt/": ""}
	for name, c := range map[string]struct {
		path string
		acts []string
		want string // what is refused; "" for nothing
		hint string
	}{
		"root's":                    {policyPath, nil, "", ""},
		"mallory's":                 {policyPath, []string{"chown /etc/kubernetes"}, "/etc/kubernetes belongs to user 1000", "chown root ROOT/etc/kubernetes"},
		"mallory's, further up":     {policyPath, []string{"chown /etc"}, "/etc belongs to user 1000", "chown root ROOT/etc"},
		"everybody's":               {policyPath, []string{"chmod 0777 /etc/kubernetes"}, "/etc/kubernetes is writable by everybody", "chmod o-w ROOT/etc/kubernetes"},
		"everybody's, sticky":       {"/opt/file", []string{"chmod 1777 /opt"}, "", ""},
		"a group's, as on Ubuntu":   {"/var/log/kubernetes/x", []string{"chgrp /var/log", "chmod 0775 /var/log"}, "", ""},
		"root's link, as on Ubuntu": {"/var/log/k/x", []string{"chgrp /var/log", "chmod 0775 /var/log", "symlink /srv/kubernetes /var/log/k"}, "", ""},
		"mallory's link, as on Ubuntu": {"/var/log/k/x", []string{"chgrp /var/log", "chmod 0775 /var/log", "symlink /srv/kubernetes /var/log/k", "chown /var/log/k"},
			"/var/log/k is a symlink of user 1000", "chown -h root ROOT/var/log/k"},
		"root's link": {"/etc/k/x", []string{"symlink /srv/kubernetes /etc/k"}, "", ""},
		"root's link to mallory's": {"/etc/k/x", []string{"symlink /srv/kubernetes /etc/k", "chown /srv/kubernetes"},
			"/srv/kubernetes belongs to user 1000", "chown root ROOT/srv/kubernetes"},
		"mallory's link": {"/opt/k/x", []string{"chmod 1777 /opt", "symlink /srv/kubernetes /opt/k", "chown /opt/k"},
			"/opt/k is a symlink of user 1000", "chown -h root ROOT/opt/k"},
		"mallory's link, in what was hers": {"/opt/k/x", []string{"symlink /srv/kubernetes /opt/k", "chown /opt/k"},
			"/opt/k is a symlink of user 1000", "chown -h root ROOT/opt/k"},
	} {
		t.Run(name, func(t *testing.T) {
			root, n := ugly(t, files, c.acts...)
			steps := []Step{
				{Path: filepath.Dir(c.path), Old: stat(t, n, filepath.Dir(c.path)), New: directory(0o700)},
				write(t, n, c.path, "new"),
			}
			old := snapshot(t, root)
			r, err := n.Begin("enable", steps, nil)
			if c.want == "" {
				must(t, err)
				must(t, r.Apply())
				must(t, r.Undo())
				must(t, r.Abandon("test"))
			} else {
				wantErr(t, err, "write "+c.path+": "+c.want)
				equal(t, "hint", asType[*UntrustedError](t, err).Hint.String(), strings.ReplaceAll(c.hint, "ROOT", root))
			}
			equal(t, "tree", snapshot(t, root), old)
		})
	}
}

// Directories are made below nobody else's either.
func TestMakeBelowSomebodyElses(t *testing.T) {
	root, n := ugly(t, map[string]string{"/var/log/kubernetes/": ""}, "chown /var/log/kubernetes")
	old := snapshot(t, root)
	_, err := n.Begin("enable", []Step{{Path: logDir, Old: stat(t, n, logDir), New: directory(0o700)}}, nil)
	wantErr(t, err, "write "+logDir+": /var/log/kubernetes belongs to user 1000")
	equal(t, "tree", snapshot(t, root), old)
}

// Kubespray gives the folder to an account of the system's; a person's is an
// accident.
func TestOwnerOfManifests(t *testing.T) {
	for uid, want := range map[int]string{990: "", mallory: "write " + manifestPath + ": " + manifests + " belongs to user 1000"} {
		root, n := ugly(t, plainNode)
		n.Manifests = manifests
		must(t, os.Chown(filepath.Join(root, manifests), uid, uid))
		_, err := n.Begin("enable", []Step{write(t, n, manifestPath, "new")}, nil)
		if want == "" {
			must(t, err)
			continue
		}
		wantErr(t, err, want)
	}
}

// The folder that a kind cluster's maker shares with its nodes is the maker's.
func TestOwnerOfShared(t *testing.T) {
	const at = "/etc/kubernetes/audit"
	root, n := ugly(t, map[string]string{at + "/policy.yaml": "old"}, "chown "+at, "chown "+at+"/policy.yaml")
	step := write(t, n, at+"/policy.yaml", "new")
	_, err := n.Begin("enable", []Step{step}, nil)
	wantErr(t, err, "write "+step.Path+": "+at+" belongs to user 1000")
	n.Shared = at
	change(t, n, step)
	act(t, root, "chown /etc/kubernetes")
	n.Shared = "/etc/elsewhere"
	_, err = n.Begin("enable", []Step{write(t, n, step.Path, "newer")}, nil)
	wantErr(t, err, "write "+step.Path+": /etc/kubernetes belongs to user 1000")
}

// Who owns a tree may do there what he likes, and root may work in it.
func TestTreeOfSomebodyElse(t *testing.T) {
	root, n := ugly(t, plainNode, "chown /", "chown /etc", "chown /etc/kubernetes")
	change(t, n, write(t, n, policyPath, "new"))
	_ = root
}

func TestRemovalThroughLink(t *testing.T) {
	root := newTree(t, map[string]string{"/srv/policy": "theirs\n", policyPath: "-> /srv/policy"})
	n := testNode(root)
	_, err := n.Begin("disable", []Step{{Path: policyPath, Old: read(t, n, policyPath), New: Content{Kind: Absent}}}, nil)
	wantErr(t, err, "remove "+policyPath+": "+policyPath+" is a symlink to /srv/policy, which is not ours to remove")
	equal(t, "hint", asType[*UntrustedError](t, err).Hint.String(), "rm "+root+policyPath)
	equal(t, "file", string(read(t, n, policyPath).Data), "theirs\n")
}

// An undo takes away the directories that were made, not what has their name now.
func TestUnmakeOnlyDirectories(t *testing.T) {
	root := newTree(t, plainNode)
	n := testNode(root)
	r := begin(t, n, Step{Path: "/etc/kubernetes/new", Old: stat(t, n, "/etc/kubernetes/new"), New: directory(0o700)})
	must(t, r.Apply())
	must(t, os.Remove(filepath.Join(root, "/etc/kubernetes/new")))
	fillTree(t, root, map[string]string{"/etc/kubernetes/new": "theirs"})
	_ = r.Undo()
	equal(t, "file", string(read(t, n, "/etc/kubernetes/new").Data), "theirs")
}

func TestNoSuchOwner(t *testing.T) {
	n := testNode(newTree(t, plainNode))
	for _, gid := range []int{-1, 1<<32 - 1, 1 << 32} {
		s := write(t, n, policyPath, "new")
		s.New.UID, s.New.GID = 0, gid
		_, err := n.Begin("enable", []Step{s}, nil)
		wantErr(t, err, fmt.Sprintf("write %s: there is no owner 0:%d", policyPath, gid))
	}
}
