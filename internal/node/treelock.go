package node

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/gofrs/flock"

	"auditpatch/internal/hint"
)

// liveLock is the lock of this machine, for runs with different state directories.
// Nobody but root makes names in /run, and nobody else may open this one: who can
// open a file can lock it.
const liveLock = "/run/auditpatch.lock"

// live says that the node is this machine.
func (n *Node) live() bool { return filepath.Clean(n.Root) == "/" }

// lockTree takes the lock that does not depend on the state directory: on this
// machine a file, elsewhere the tree's root directory, so that an image gets no
// file for it.
func (n *Node) lockTree(text []byte) (*flock.Flock, error) {
	if n.live() {
		return n.lockLive(text)
	}
	l := flock.New(n.Root, flock.SetFlag(os.O_RDONLY))
	got, err := l.TryLock()
	switch {
	case errors.Is(err, syscall.EBADF), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOLCK):
		return l, nil // this file system locks no directories: there is only the other lock
	case err != nil:
		return nil, fail("lock", n.Root, err)
	case !got:
		return nil, &LockedError{}
	}
	return l, nil
}

func (n *Node) lockLive(text []byte) (*flock.Flock, error) {
	run, err := n.openRun()
	if err != nil {
		return nil, fail("lock", liveLock, err)
	}
	defer run.close()
	l, err := lockFile(filepath.Join(run.path, path.Base(liveLock)))
	if err != nil {
		return nil, fail("lock", liveLock, err)
	}
	if l == nil {
		return nil, run.holder(path.Base(liveLock))
	}
	run.writeHolder(path.Base(liveLock), text)
	return l, nil
}

// openRun opens the lock's directory, and refuses one that others can write to.
func (n *Node) openRun() (*store, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	if err := t.vet(liveLock); err != nil {
		return nil, err
	}
	real, _, err := t.resolve(path.Dir(liveLock))
	if err != nil {
		return nil, err
	}
	dir, err := t.folder(real)
	if err != nil {
		return nil, err
	}
	s := &store{dir, real, t}
	err = s.vet(path.Base(liveLock))
	var bad *UntrustedError
	if errors.As(err, &bad) {
		bad.Hint = hint.Shell("ls -ld %s", bad.Path).Then("; ", hint.Words("only root may write there"))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	_ = dir.Chmod(path.Base(liveLock), 0o600) // of one that was made by hand; absent, it gets this mode
	return s, nil
}

// forgetLive takes the words of who held the lock away.
func (n *Node) forgetLive() {
	if !n.live() {
		return
	}
	if run, err := n.openRun(); err == nil {
		run.writeHolder(path.Base(liveLock), nil)
		run.close()
	}
}
