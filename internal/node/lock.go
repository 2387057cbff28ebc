package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

const lockName = "lock"

// Lock is held by the one process that changes the node. The kernel gives it up
// when that process dies, however it dies.
type Lock struct {
	flock *flock.Flock // in the state directory
	tree  *flock.Flock // whatever the state directory
	node  *Node
}

// holder is the text of the lock file. It is for messages only: what counts is
// the kernel's lock.
type holder struct {
	PID     int       `json:"pid"`
	Purpose string    `json:"purpose"`
	Since   time.Time `json:"since"`
}

// Lock takes the node's lock without waiting: the one of the state directory, and
// one that is the same whatever the state directory is. If someone else has it,
// the error is a *LockedError.
func (n *Node) Lock(purpose string) (*Lock, error) {
	st, err := n.makeStore()
	if err != nil {
		return nil, err
	}
	defer st.close()
	l, err := n.tryLock(st)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(holder{os.Getpid(), purpose, n.Now().UTC()})
	if err != nil {
		return nil, join(err, l.Unlock())
	}
	text = append(text, '\n')
	if l.tree, err = n.lockTree(text); err != nil {
		return nil, join(err, l.flock.Unlock())
	}
	st.writeHolder(lockName, text)
	return l, nil
}

// tryLock takes the lock of the state directory.
func (n *Node) tryLock(st *store) (*Lock, error) {
	if err := st.vet(lockName); err != nil {
		return nil, err
	}
	name, err := n.lockPath()
	if err != nil {
		return nil, err
	}
	l, err := lockFile(name)
	switch {
	case err != nil:
		return nil, st.fail("lock", lockName, err)
	case l == nil:
		return nil, st.holder(lockName)
	}
	return &Lock{flock: l, node: n}, nil
}

// lockFile locks the file that is there now, nil if someone else has it: one that
// was removed and created again between open and lock would be another lock. It
// follows no link.
func lockFile(name string) (*flock.Flock, error) {
	for range 10 {
		l := flock.New(name, flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NOFOLLOW), flock.SetPermissions(0o600))
		got, err := l.TryLock()
		if err != nil || !got {
			return nil, err
		}
		mine, err := l.Stat()
		if err != nil {
			return nil, join(err, l.Unlock())
		}
		if there, err := os.Lstat(name); err == nil && os.SameFile(mine, there) {
			return l, nil
		}
		if err := l.Unlock(); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("removed again and again")
}

// lockPath is the lock's path on this machine.
func (n *Node) lockPath() (string, error) {
	t, err := n.open()
	if err != nil {
		return "", err
	}
	defer t.close()
	real, _, err := t.resolve(n.StateDir)
	if err != nil {
		return "", fail("lock", n.StateDir, err)
	}
	return filepath.Join(n.Root, filepath.FromSlash(path.Join(real, lockName))), nil
}

// writeHolder writes who holds the lock, in one write to an emptied file: a reader
// sees either all of it or invalid JSON. A failure (a full disk) is not a reason to
// refuse the lock.
func (s *store) writeHolder(name string, text []byte) {
	f, err := s.dir.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return
	}
	defer f.Close()
	_, _ = f.Write(text)
}

// holder reads who holds the lock. Text of a dead process is from an earlier
// holder: the one of now has not written its own yet.
func (s *store) holder(name string) *LockedError {
	data, err := s.read(name)
	var h holder
	if err != nil || json.Unmarshal(data, &h) != nil || h.PID <= 0 || !alive(h.PID) {
		return &LockedError{}
	}
	return &LockedError{h.PID, h.Purpose, h.Since}
}

// Holder says who changes the node right now, nil when nobody does. It never
// takes the lock, not even for a moment: a change that begins in it would be
// refused. Who has taken the lock this instant and has not said so yet is missed.
func (n *Node) Holder() (*LockedError, error) {
	st, err := n.store()
	if err != nil || st == nil {
		return nil, err
	}
	defer st.close()
	lock, err := st.dir.Lstat(lockName)
	h := st.holder(lockName)
	if err != nil || h.PID == 0 || !hasOpen(h.PID, lock) {
		return nil, nil
	}
	return h, nil
}

// hasOpen tells whether a process has the file open: after a death without
// Unlock someone else may have the process id. What may not be looked into is
// believed.
func hasOpen(pid int, file os.FileInfo) bool {
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	open, err := os.ReadDir(dir)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return slices.ContainsFunc(open, func(e fs.DirEntry) bool {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		return err == nil && os.SameFile(info, file)
	})
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// Unlock gives the lock up. The file stays: removing it would let a third
// process lock a new one while a second holds the old.
func (l *Lock) Unlock() error {
	if st, err := l.node.store(); err == nil && st != nil {
		st.writeHolder(lockName, nil)
		st.close()
	}
	l.node.forgetLive()
	return join(l.tree.Unlock(), l.flock.Unlock())
}
