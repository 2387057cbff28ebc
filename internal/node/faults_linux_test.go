package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const insideEnv = "NODE_TEST_INSIDE"

// again runs this test once more in a process with other attributes. It returns
// true in that process.
func again(t *testing.T, attr *syscall.SysProcAttr) bool {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	// The link works even if the user inside may not enter the binary's directory.
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), insideEnv+"=1")
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EINVAL) {
		t.Skip("no namespaces here: ", err)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "--- SKIP") {
		t.Skipf("skipped inside: %s", out)
	}
	return false
}

// inMountNamespace is again with mounts of its own.
func inMountNamespace(t *testing.T) bool {
	t.Helper()
	attr := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	if uid := os.Geteuid(); uid != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if !again(t, attr) {
		return false
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Skip("no mounts here: ", err)
	}
	return true
}

// mount mounts a file system of 64 KiB, or with a given number of inodes, and
// fills it with what was there.
func mountSmall(t *testing.T, dir, options string) {
	t.Helper()
	files := map[string]string{}
	all, err := os.ReadDir(dir)
	must(t, err)
	for _, d := range all {
		data, err := os.ReadFile(filepath.Join(dir, d.Name()))
		must(t, err)
		files["/"+d.Name()] = string(data)
	}
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,"+options))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	fillTree(t, dir, files)
}

// fillUp leaves no space in dir.
func fillUp(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, ".filler"))
	must(t, err)
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else {
			must(t, err)
		}
	}
}

func big(t *testing.T, n *Node) Step {
	return write(t, n, manifestPath, strings.Repeat("x", 70<<10))
}

// useUp leaves no inodes in dir.
func useUp(t *testing.T, dir string) {
	t.Helper()
	for i := 0; ; i++ {
		err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".filler%d", i)), nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		must(t, err)
	}
}

// relieve takes away what the two have made.
func relieve(t *testing.T, dir string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".filler*"))
	must(t, err)
	for _, name := range names {
		must(t, os.Remove(name))
	}
}

// A disk that is full is found before anything is written, and one that becomes full
// is left as it was.
func TestFullDisk(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	for name, options := range map[string]string{"space": "size=64k", "inodes": "nr_inodes=40"} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			dir := filepath.Join(root, manifests)
			mountSmall(t, dir, options)
			n := testNode(root)
			fill := map[string]func(*testing.T, string){"space": fillUp, "inodes": useUp}[name]
			old := snapshot(t, root)
			steps := []Step{write(t, n, policyPath, "new\n"), write(t, n, webhookPath, "new\n"), write(t, n, manifestPath, "new\n")}
			full := func(err error) {
				t.Helper()
				if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), "write "+manifests+"/") ||
					!strings.HasSuffix(err.Error(), ": no space left on device") {
					t.Errorf("error: %v", err)
				}
			}
			r := begin(t, n, steps...)
			fill(t, dir)
			full(r.Apply())
			full(n.Check(steps))
			_, err := n.Begin("enable", steps, nil)
			full(err)
			relieve(t, dir)
			must(t, n.Check(steps))
			equal(t, "tree", snapshot(t, root), old)
			noRun(t, n)
			equal(t, "backups", list(t, n), []string{"2026-11-22T11:20:04Z enable undone"})
		})
	}
}

// The change itself may have filled the disk: the way back takes no space.
func TestFullDiskAfterApply(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	for name, undo := range map[string]func(t *testing.T, n *Node, r *Run){
		"same process": func(t *testing.T, _ *Node, r *Run) {
			must(t, r.Undo())
			must(t, r.Abandon("disk full"))
		},
		"another process": func(t *testing.T, n *Node, r *Run) {
			r.markUndoing()
			outcome, err := dead(t, n).Recover()
			must(t, err)
			equal(t, "outcome", outcome, Undone)
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, plainNode)
			mountSmall(t, filepath.Join(root, "etc/kubernetes/manifests"), "size=64k")
			must(t, os.MkdirAll(filepath.Join(root, stateDir), 0o700))
			mountSmall(t, filepath.Join(root, stateDir), "size=128k")
			n := testNode(root)
			old := snapshot(t, root)
			r := begin(t, n, enableSteps(t, n)...)
			must(t, r.Apply())
			fillUp(t, filepath.Join(root, stateDir))
			fillUp(t, filepath.Join(root, manifests))
			lock, err := n.Lock("undo")
			must(t, err)
			defer lock.Unlock()
			undo(t, n, r)
			must(t, os.Remove(filepath.Join(root, manifests, ".filler")))
			equal(t, "tree", snapshot(t, root), old)
			noRun(t, n)
		})
	}
}

func TestFullStateDir(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	root := newTree(t, plainNode)
	must(t, os.MkdirAll(filepath.Join(root, stateDir), 0o700))
	mountSmall(t, filepath.Join(root, stateDir), "size=64k")
	n := testNode(root)
	old := snapshot(t, root)
	for _, f := range []func([]Step) error{n.Check, func(s []Step) error { _, err := n.Begin("enable", s, nil); return err }} {
		wantErr(t, f([]Step{big(t, n)}), "write /var/lib/state: no space left on device")
	}
	equal(t, "tree", snapshot(t, root), old)
	noRun(t, n)
	names, err := os.ReadDir(filepath.Join(root, stateDir, runsName))
	must(t, err)
	equal(t, "left over", len(names), 0)

	// A run that has begun can end on a disk that is full by now.
	r := begin(t, n, write(t, n, manifestPath, "new\n"))
	must(t, r.Apply())
	fillUp(t, filepath.Join(root, stateDir))
	must(t, r.Done())
	equal(t, "backups", list(t, n), []string{"2026-11-22T11:20:04Z enable done"})
}

func readOnly(t *testing.T, dir string) {
	t.Helper()
	must(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""))
}

func TestReadOnlyDisk(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	root := newTree(t, plainNode)
	n := testNode(root)
	old := snapshot(t, root)
	r := begin(t, n, enableSteps(t, n)...)
	readOnly(t, filepath.Join(root, manifests))
	wantErr(t, r.Apply(), "write "+manifestPath+": read-only file system")
	wantErr(t, n.Check(enableSteps(t, n)), "write "+manifestPath+": read-only file system")
	_, err := n.Begin("enable", enableSteps(t, n), nil)
	wantErr(t, err, "write "+manifestPath+": read-only file system")
	equal(t, "tree", snapshot(t, root), old)
	noRun(t, n)

	readOnly(t, filepath.Join(root, stateDir))
	wantErr(t, n.Check([]Step{write(t, n, policyPath, "new")}), "write /var/lib/state: read-only file system")
	_, err = n.Begin("enable", []Step{write(t, n, policyPath, "new")}, nil)
	wantErr(t, err, "write /var/lib/state: read-only file system")
	n.StateDir = "/etc/kubernetes/manifests/state"
	_, err = n.Lock("enable")
	wantErr(t, err, "make /etc/kubernetes/manifests/state: read-only file system")
}

// The disk turns read-only between Apply and Undo: the error names the backup.
func TestHalfway(t *testing.T) {
	if !inMountNamespace(t) {
		return
	}
	root := newTree(t, plainNode)
	n := testNode(root)
	steps := enableSteps(t, n)
	// A file that cannot be replaced, after one that no longer can be.
	steps = append(steps, write(t, n, "/etc/kubernetes/kubelet.conf", "new"))
	r := begin(t, n, steps...)
	tr, err := n.open()
	must(t, err)
	defer tr.close()
	for _, s := range r.steps[:5] {
		must(t, r.prepare(tr, s))
		must(t, r.execute(tr, s, sideNew))
	}
	readOnly(t, filepath.Join(root, "etc/kubernetes"))
	err = r.Apply()
	half := asType[*HalfwayError](t, err)
	equal(t, "backup", half.ID, r.ID)
	if !errors.Is(err, syscall.EROFS) {
		t.Errorf("error: %v", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than a line: %v", err)
	}
	t.Log(err)
	equal(t, "run", dead(t, n).ID, r.ID)
	must(t, unix.Unmount(filepath.Join(root, "etc/kubernetes"), unix.MNT_DETACH))
	outcome, err := dead(t, n).Recover()
	must(t, err)
	equal(t, "outcome", outcome, Undone)
	equal(t, "manifest", string(read(t, n, manifestPath).Data), "old manifest\n")
}

func TestPermissionDenied(t *testing.T) {
	attr := &syscall.SysProcAttr{}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	if !again(t, attr) {
		return
	}
	root := newTree(t, plainNode)
	n := testNode(root)
	old := snapshot(t, root)
	chmod := func(name string, mode fs.FileMode) {
		must(t, os.Chmod(filepath.Join(root, name), mode))
		t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, name), 0o755) })
	}

	// somebody else's owner
	steps := enableSteps(t, n)
	steps[4].New.UID, steps[4].New.GID = 0, 0
	wantErr(t, begin(t, n, steps...).Apply(), "write "+manifestPath+": set owner 0:0: operation not permitted")
	equal(t, "tree after a wrong owner", snapshot(t, root), old)

	// a directory that takes no new names
	steps = enableSteps(t, n)
	chmod(manifests, 0o555)
	wantErr(t, n.Check(steps), "write "+manifestPath+": permission denied")
	_, err := n.Begin("enable", steps, nil)
	wantErr(t, err, "write "+manifestPath+": permission denied")
	chmod(manifests, 0o755)
	equal(t, "tree after a denied directory", snapshot(t, root), old)
	noRun(t, n)

	// a file that cannot be read
	chmod(manifestPath, 0)
	_, err = n.Read(manifestPath)
	wantErr(t, err, "read "+manifestPath+": permission denied")
	all, err := n.Siblings(manifests)
	must(t, err)
	equal(t, "siblings", len(all), 2)
	wantErr(t, all[1].Err, "read "+manifestPath+": permission denied")

	// a directory that cannot be entered
	chmod(manifests, 0)
	_, err = n.Read(manifestPath)
	wantErr(t, err, "read "+manifestPath+": permission denied")
	_, err = n.Siblings(manifests)
	wantErr(t, err, "read "+manifests+": permission denied")

	// a state directory that cannot be made, and one of somebody else
	n.StateDir = manifests + "/state"
	_, err = n.Lock("enable")
	wantErr(t, err, "make "+n.StateDir+": permission denied")
	n.StateDir = "/var/lib/state"
	chmod(stateDir, 0)
	_, err = n.Backups()
	wantErr(t, err, "read /var/lib/state: permission denied")
	_, err = n.Lock("enable")
	wantErr(t, err, "write /var/lib/state: permission denied")
}

func xattrTree(t *testing.T, attrs map[string]string) (string, *Node) {
	t.Helper()
	root := newTree(t, plainNode)
	for name, value := range attrs {
		for _, file := range []string{manifestPath, webhookPath} {
			err := unix.Setxattr(filepath.Join(root, file), name, []byte(value), 0)
			if errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EPERM) {
				t.Skipf("%s: %v", name, err)
			}
			must(t, err)
		}
	}
	return root, testNode(root)
}

func xattrsOf(t *testing.T, n *Node, name string) map[string]string {
	t.Helper()
	tr, err := n.open()
	must(t, err)
	defer tr.close()
	e, _, err := tr.look(name, false)
	must(t, err)
	all := map[string]string{}
	for name, value := range e.Xattrs {
		all[name] = string(value)
	}
	return all
}

func TestXattrs(t *testing.T) {
	for name, attrs := range map[string]map[string]string{
		"user":    {"user.note": "kept", "user.empty": "", "user.long": strings.Repeat("x", 1000)},
		"SELinux": {"security.selinux": "system_u:object_r:kubernetes_file_t:s0\x00"},
	} {
		t.Run(name, func(t *testing.T) {
			root, n := xattrTree(t, attrs)
			steps := []Step{write(t, n, manifestPath, "new\n"), {Path: webhookPath, Old: read(t, n, webhookPath), New: Content{Kind: Absent}}}
			r := begin(t, n, steps...)
			must(t, r.Apply())
			equal(t, "new manifest", xattrsOf(t, n, manifestPath), attrs)
			if _, err := os.Lstat(filepath.Join(root, webhookPath)); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("webhook: %v", err)
			}
			must(t, dead(t, n).Undo())
			equal(t, "old manifest", xattrsOf(t, n, manifestPath), attrs)
			equal(t, "old webhook", xattrsOf(t, n, webhookPath), attrs)
		})
	}
}

// A hash of the old content is wrong on the new one.
func TestXattrsOfContent(t *testing.T) {
	root, n := xattrTree(t, map[string]string{"security.ima": "\x04hash"})
	change(t, n, write(t, n, manifestPath, "new\n"))
	_, err := unix.Getxattr(filepath.Join(root, manifestPath), "security.ima", make([]byte, 100))
	if !errors.Is(err, unix.ENODATA) {
		t.Errorf("security.ima: %v", err)
	}
}
