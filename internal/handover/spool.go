package handover

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"auditpatch/internal/node"
)

// The spool is a file in the state directory, which is root's alone. The second API server
// finds it mounted in its own file system. Beside it stands to which log its lines belong, so
// that a later run can end what this one could not.
const (
	spoolName     = "spool"
	spoolIntoName = "spool-into"
)

// spool is a spool that was made and not dropped.
type spool struct {
	*os.File        // to read from
	into     string // the log that its lines belong to, a path on the node
}

// stateDir opens the state directory, which the node's lock has made and looked at.
func stateDir(n *node.Node) (*os.Root, error) {
	return os.OpenRoot(filepath.Join(n.Root, n.StateDir))
}

// makeSpool makes an empty spool for the lines of a log, and gives it to a user. It is
// labelled for SELinux as the log is, or as the directory in which that is going to lie.
func makeSpool(n *node.Node, into string, uid int) (name string, err error) {
	dir, err := stateDir(n)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	if err := writeWhole(dir, spoolIntoName, into+"\n"); err != nil {
		return "", err
	}
	if err := dir.Remove(spoolName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	f, err := dir.OpenFile(spoolName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if err := setLabel(f, labelNear(filepath.Join(n.Root, into))); err != nil {
		return "", err
	}
	return path.Join(n.StateDir, spoolName), f.Chown(uid, -1)
}

// writeWhole writes a file that is there as a whole or not at all, also after a power cut.
func writeWhole(dir *os.Root, name, text string) error {
	temp := name + ".new"
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err == nil {
		err = dir.Rename(temp, name)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return err
	}
	d, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// openSpool opens the spool, nil without one.
func openSpool(n *node.Node) (*spool, error) {
	dir, err := stateDir(n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	into, err := dir.ReadFile(spoolIntoName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	f, err := dir.OpenFile(spoolName, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, dropSpool(n) // a death between the two
	}
	if err != nil {
		return nil, err
	}
	return &spool{f, strings.TrimSuffix(string(into), "\n")}, nil
}

// dropSpool removes the spool.
func dropSpool(n *node.Node) error {
	dir, err := stateDir(n)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	for _, name := range []string{spoolName, spoolIntoName} {
		if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// logDir opens the directory of a log.
func logDir(n *node.Node, log string) (*os.Root, error) {
	return os.OpenRoot(filepath.Join(n.Root, path.Dir(log)))
}

// openLog opens a log to write at its end, whoever else does so too. It is not followed
// when it is a symlink or has a second name: its directory may belong to somebody else.
// os.Root itself follows symlinks within the directory, whatever the flags.
func openLog(dir *os.Root, base string) (*os.File, error) {
	named, err := dir.Lstat(base)
	if err != nil {
		return nil, err
	}
	f, err := dir.OpenFile(base, os.O_RDWR|os.O_APPEND|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || links(info) > 1 || !os.SameFile(named, info)) {
		err = &fs.PathError{Op: "open", Path: base, Err: errors.New("it is no file with one name")}
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// makeLog makes a log that is not there, for the owner of the spool.
func makeLog(dir *os.Root, base string, spool fs.FileInfo) (*os.File, error) {
	f, err := dir.OpenFile(base, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	err = f.Chown(owner(spool))
	if err == nil {
		err = setLabel(f, labelNear(f.Name()))
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// addBeside makes a new file beside a log, with its owner, mode and label, whole or not at
// all.
func addBeside(dir *os.Root, log *os.File, base string, write func(io.Writer) error) error {
	info, err := log.Stat()
	if err != nil {
		return err
	}
	temp := "." + base + ".auditpatch-new"
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = dir.Remove(temp) }() // nothing is there when it was renamed
	err = write(f)
	for _, step := range []func() error{
		func() error { return f.Chown(owner(info)) },
		func() error { return f.Chmod(info.Mode().Perm()) },
		func() error { return setLabel(f, labelNear(log.Name())) },
		f.Sync,
	} {
		if err == nil {
			err = step()
		}
	}
	_ = f.Close()
	if err == nil {
		err = dir.Rename(temp, base)
	}
	return err
}

// links is how many names a file has, and owner whose it is.
func links(info fs.FileInfo) uint64 { return uint64(info.Sys().(*syscall.Stat_t).Nlink) }

func owner(info fs.FileInfo) (uid, gid int) {
	st := info.Sys().(*syscall.Stat_t)
	return int(st.Uid), int(st.Gid)
}
