package node

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
)

// maxLinks is the kernel's own limit for symlinks in one path.
const maxLinks = 40

// tree is the node's file system, held open at its root. os.Root makes sure that
// no call leaves it, even when someone swaps a directory for a link in the meantime;
// resolve does what os.Root does not: it follows absolute links, from the root.
type tree struct {
	root *os.Root
	at   string // where it is mounted, for what people are to type
	own  owners
}

func (n *Node) open() (tree, error) {
	root, err := os.OpenRoot(n.Root)
	if err != nil {
		return tree{}, fail("open", n.Root, err)
	}
	t := tree{root: root, at: n.Root}
	if t.own, err = n.owners(t); err != nil {
		root.Close()
		return tree{}, fail("open", n.Root, err)
	}
	return t, nil
}

func (t tree) close() { t.root.Close() }

// rel turns a path on the node into one that os.Root takes.
func rel(real string) string {
	if real == "/" {
		return "."
	}
	return strings.TrimPrefix(real, "/")
}

// lstat returns nil when nothing is there.
func (t tree) lstat(real string) (fs.FileInfo, error) {
	info, err := t.root.Lstat(rel(real))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}

// resolve follows every symlink in name. It returns the real path and what is
// there, nil for nothing.
func (t tree) resolve(name string) (string, fs.FileInfo, error) {
	w := walk{tree: t}
	if err := w.follow(name); err != nil {
		return "", nil, err
	}
	return w.real, w.info, nil
}

// walk is a path on its way from the root to its end.
type walk struct {
	tree
	real  string      // as far as we are
	info  fs.FileInfo // what is there, never a symlink
	todo  []string
	links int

	also  []int           // users who may own the last directory
	fault *UntrustedError // the first thing that someone else decides about
}

func (w *walk) follow(name string) error {
	if !path.IsAbs(name) {
		return errNotAbsolute
	}
	if err := w.link(name); err != nil {
		return err
	}
	for len(w.todo) > 0 {
		if err := w.next(); err != nil {
			return err
		}
	}
	return nil
}

// link goes on with the target of a symlink, an absolute one from the root.
func (w *walk) link(target string) error {
	w.todo = append(strings.Split(target, "/"), w.todo...)
	if !path.IsAbs(target) {
		return nil
	}
	return w.at("/")
}

func (w *walk) at(real string) (err error) {
	w.real = real
	w.info, err = w.lstat(real)
	return err
}

func (w *walk) next() error {
	name := w.todo[0]
	w.todo = w.todo[1:]
	switch {
	case name == "" || name == ".":
		return nil
	case w.info == nil && name == "..":
		return syscall.ENOENT
	case w.info == nil: // below a directory that is not there yet
		w.real = path.Join(w.real, name)
		return nil
	case !w.info.IsDir():
		return syscall.ENOTDIR
	case name == "..":
		return w.at(path.Dir(w.real))
	}
	return w.down(name)
}

func (w *walk) down(name string) error {
	here := *w
	if err := w.at(path.Join(w.real, name)); err != nil {
		return err
	}
	w.judge(here, w.info, w.real)
	if w.info == nil || w.info.Mode().Type() != fs.ModeSymlink {
		return nil
	}
	target, err := w.root.Readlink(rel(w.real))
	if err != nil {
		return err
	}
	w.real, w.info = here.real, here.info
	if w.links++; w.links > maxLinks {
		return syscall.ELOOP
	}
	return w.link(target)
}
