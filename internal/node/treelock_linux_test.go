package node

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Two runs with different state directories change the same manifest.
func TestLockOtherStateDir(t *testing.T) {
	root := newTree(t, nil)
	cmd, in := startHolder(t, root)
	n := testNode(root)
	n.StateDir = "/var/lib/elsewhere"
	_, err := n.Lock("disable")
	wantErr(t, err, "locked by another process")
	holder, err := testNode(root).Holder()
	must(t, err)
	equal(t, "holder", holder.PID, cmd.Process.Pid)
	_ = in.Close()
	must(t, cmd.Wait())
	lock, err := n.Lock("disable")
	must(t, err)
	must(t, lock.Unlock())
}

// liveNode is this machine, with this state directory.
func liveNode(t *testing.T, state string) *Node {
	t.Helper()
	n := testNode("/")
	n.StateDir = state
	return n
}

func TestLockLive(t *testing.T) {
	needRoot(t)
	if !inMountNamespace(t) {
		return
	}
	must(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"))
	must(t, unix.Mount("tmpfs", "/var/lib", "tmpfs", 0, "mode=0755"))
	cmd, in := startHolder(t, "/") // with another state directory
	_, err := liveNode(t, "/var/lib/elsewhere").Lock("disable")
	wantErr(t, err, fmt.Sprintf("locked by pid %d (enable, since 2026-11-22T11:20:04Z)", cmd.Process.Pid))
	_ = in.Close()
	must(t, cmd.Wait())

	dir := t.TempDir()
	first, err := liveNode(t, dir+"/one").Lock("enable")
	must(t, err)
	info, err := os.Lstat(liveLock)
	must(t, err)
	equal(t, "mode", info.Mode(), os.FileMode(0o600))

	other := liveNode(t, dir+"/two")
	_, err = other.Lock("disable")
	locked := asType[*LockedError](t, err)
	equal(t, "holder", []any{locked.PID, locked.Purpose}, []any{os.Getpid(), "enable"})
	holder, err := other.Holder()
	must(t, err)
	if holder != nil {
		t.Errorf("nobody holds the other state directory's lock: %v", holder)
	}
	must(t, first.Unlock())
	text, err := os.ReadFile(liveLock)
	must(t, err)
	equal(t, "words of who held it", string(text), "")
	second, err := other.Lock("disable")
	must(t, err)
	must(t, second.Unlock())
}

// Who is not root can neither open the lock, and so hold it, nor lay something in
// its place.
func TestLockLiveOfSomebodyElse(t *testing.T) {
	needRoot(t)
	if !inMountNamespace(t) {
		return
	}
	must(t, unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"))
	n := liveNode(t, filepath.Join(t.TempDir(), "state"))
	lock, err := n.Lock("enable")
	must(t, err)
	must(t, lock.Unlock())
	must(t, os.Chmod(liveLock, 0o644))
	lock, err = n.Lock("enable")
	must(t, err)
	must(t, lock.Unlock())
	must(t, syscall.Setreuid(-1, mallory))
	_, err = os.Open(liveLock)
	must(t, syscall.Setreuid(-1, 0))
	if err == nil || !strings.HasSuffix(err.Error(), "permission denied") {
		t.Errorf("open by another user: %v", err)
	}

	must(t, os.Chown(liveLock, mallory, mallory))
	_, err = n.Lock("enable")
	wantErr(t, err, "lock "+liveLock+": "+liveLock+" belongs to user 1000")
	must(t, os.Remove(liveLock))
	must(t, os.Symlink("/run/elsewhere", liveLock))
	_, err = n.Lock("enable")
	wantErr(t, err, "lock "+liveLock+": "+liveLock+" is a symlink")
	must(t, os.Remove(liveLock))
	must(t, os.Chmod("/run", 0o777))
	_, err = n.Lock("enable")
	wantErr(t, err, "lock "+liveLock+": /run is writable by everybody")
}
