package node

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// A spool is a file in the state directory that another process writes lines to while a run
// goes on, and that belongs at the end of another file afterwards. Beside it stands which one
// that is, so that a later run can end what this one could not.
const (
	spoolName     = "spool"
	spoolIntoName = "spool-into"
)

// MakeSpool makes an empty spool for lines that belong into another file, and gives it to a
// user. It is labelled for SELinux as that other file is, or as the directory in which that
// is going to lie. The path is one on the node.
func (n *Node) MakeSpool(into string, uid, gid int) (string, error) {
	s, err := n.makeStore()
	if err != nil {
		return "", err
	}
	defer s.close()
	label, err := n.label(into)
	if err != nil {
		return "", err
	}
	if err := s.write(spoolIntoName, []byte(into+"\n")); err != nil {
		return "", err
	}
	dir, err := s.dir.OpenRoot(".")
	if err != nil {
		return "", s.fail("open", ".", err)
	}
	defer dir.Close()
	if err := writeNew(dir, spoolName, nil, entry{Mode: 0o600, UID: uid, GID: gid, Xattrs: label}); err != nil {
		return "", s.fail("write", spoolName, err)
	}
	return path.Join(n.StateDir, spoolName), nil
}

// selinux is the attribute that a file's label stands in.
const selinux = "security.selinux"

// label is that of a file, or of the nearest directory above it that is there; none where
// there is no SELinux.
func (n *Node) label(name string) (map[string][]byte, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	for ; ; name = path.Dir(name) {
		real, info, err := t.resolve(name)
		if err != nil {
			return nil, fail("read", name, err)
		}
		if info == nil || !info.Mode().IsRegular() && !info.IsDir() {
			continue
		}
		f, err := t.root.OpenFile(rel(real), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, fail("read", name, err)
		}
		defer f.Close()
		all, err := xattrs(f)
		if label := all[selinux]; err == nil && label != nil {
			return map[string][]byte{selinux: label}, nil
		}
		return nil, nil
	}
}

// Spool is a spool that was made and not dropped.
type Spool struct {
	*os.File        // to read from
	Into     string // the file that its lines belong to, a path on the node
}

// Spool opens the spool, nil without one.
func (n *Node) Spool() (*Spool, error) {
	s, err := n.store()
	if s == nil || err != nil {
		return nil, err
	}
	defer s.close()
	into, err := s.read(spoolIntoName)
	if err != nil || into == nil {
		return nil, err
	}
	f, err := s.dir.OpenFile(spoolName, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, s.dropSpool() // a death between the two
	case err != nil:
		return nil, s.fail("open", spoolName, err)
	}
	return &Spool{f, strings.TrimSuffix(string(into), "\n")}, nil
}

// DropSpool removes the spool.
func (n *Node) DropSpool() error {
	s, err := n.store()
	if s == nil || err != nil {
		return err
	}
	defer s.close()
	return s.dropSpool()
}

func (s *store) dropSpool() error {
	for _, name := range []string{spoolName, spoolIntoName} {
		if err := s.dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return s.fail("remove", name, err)
		}
	}
	return nil
}

// Append opens a file that is there to write at its end, whoever else does so too. It is not
// followed when it is a symlink: its directory may belong to somebody else.
func (n *Node) Append(name string) (*os.File, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	dir, base, err := t.inside(name)
	if err != nil {
		return nil, fail("open", name, err)
	}
	defer dir.Close()
	f, err := dir.OpenFile(base, os.O_RDWR|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fail("open", name, err)
	}
	info, err := f.Stat()
	if err == nil {
		err = checkType(info)
	}
	if err == nil && names(info) > 1 {
		err = errors.New("it has a second name")
	}
	if err != nil {
		_ = f.Close()
		return nil, fail("open", name, err)
	}
	return f, nil
}

// AddBeside makes a new file in the directory of another, with its owner, mode and label,
// whole or not at all.
func (n *Node) AddBeside(other, base string, write func(io.Writer) error) (err error) {
	t, err := n.open()
	if err != nil {
		return err
	}
	defer t.close()
	dir, _, err := t.inside(other)
	if err != nil {
		return fail("write", path.Join(path.Dir(other), base), err)
	}
	defer dir.Close()
	model, err := n.model(t, other)
	if err != nil {
		return err
	}
	temp := "." + base + tempMark + "new"
	if err := writeNew(dir, temp, nil, model); err != nil {
		return fail("write", path.Join(path.Dir(other), base), err)
	}
	defer func() { _ = dir.Remove(temp) }() // gone when it was renamed
	f, err := dir.OpenFile(temp, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fail("write", path.Join(path.Dir(other), base), err)
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	_ = f.Close()
	if err == nil {
		err = dir.Rename(temp, base)
	}
	if err != nil {
		return fail("write", path.Join(path.Dir(other), base), err)
	}
	return nil
}

// model is owner, mode and label of a file, root's alone where there is none.
func (n *Node) model(t tree, name string) (entry, error) {
	f, _, err := t.stat(name)
	if err != nil {
		return entry{}, err
	}
	label, err := n.label(name)
	if !f.Exists {
		return entry{Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid(), Xattrs: label}, err
	}
	return entry{Mode: octal(f.Mode), UID: f.UID, GID: f.GID, Xattrs: label}, err
}

// inside opens the directory of a file, symlinks followed within the root.
func (t tree) inside(name string) (dir *os.Root, base string, err error) {
	real, info, err := t.resolve(path.Dir(name))
	switch {
	case err != nil:
		return nil, "", err
	case info == nil:
		return nil, "", fs.ErrNotExist
	case !info.IsDir():
		return nil, "", syscall.ENOTDIR
	}
	dir, err = t.root.OpenRoot(rel(real))
	return dir, path.Base(name), err
}
