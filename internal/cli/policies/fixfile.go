package policies

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"auditpatch/internal/hint"
)

// maxLinks is how many symlinks the kernel follows in one path.
const maxLinks = 40

// way is a path that is walked down a directory at a time, each opened from the
// one before, so that none can be exchanged for a symlink meanwhile.
type way struct {
	name  string     // as it was typed
	dirs  []*os.Root // from "/" on
	parts []string   // their names
	todo  []string   // what is still to be walked
	links int
}

// openBehind opens the directory of a file, behind all symlinks. A symlink that
// belongs to somebody else, or stands where somebody else can put one, may lead
// to a file that is not theirs, and is not followed.
func openBehind(name string) (dir *os.Root, real string, err error) {
	// Not filepath.Abs: it takes "link/.." away, which for the kernel leads elsewhere.
	abs := name
	if !filepath.IsAbs(name) {
		wd, err := os.Getwd()
		if err != nil {
			return nil, "", fmt.Errorf("--policy: %w", err)
		}
		abs = wd + "/" + name
	}
	w := &way{name: name, todo: strings.Split(abs, "/")}
	defer func() {
		for _, d := range w.dirs {
			if d != dir {
				d.Close()
			}
		}
	}()
	if err = w.restart(); err != nil {
		return nil, "", err
	}
	for len(w.todo) > 0 {
		last, err := w.step()
		if err != nil {
			return nil, "", err
		}
		if last != "" {
			return w.dirs[len(w.dirs)-1], "/" + strings.Join(append(w.parts, last), "/"), nil
		}
	}
	return nil, "", fmt.Errorf("--fix: %s is a directory", name)
}

// restart begins at "/" again.
func (w *way) restart() error {
	root, err := os.OpenRoot("/")
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	for _, d := range w.dirs {
		d.Close()
	}
	w.dirs, w.parts = []*os.Root{root}, nil
	return nil
}

// step walks one name. last is that of the file, at the end of the way.
func (w *way) step() (last string, err error) {
	part := w.todo[0]
	w.todo = w.todo[1:]
	at := w.dirs[len(w.dirs)-1]
	switch {
	case part == "" || part == ".":
		return "", nil
	case part == "..":
		if len(w.parts) > 0 {
			at.Close()
			w.dirs, w.parts = w.dirs[:len(w.dirs)-1], w.parts[:len(w.parts)-1]
		}
		return "", nil
	}
	info, err := at.Lstat(part)
	switch {
	case err != nil:
		return "", fmt.Errorf("--policy: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return "", w.follow(part, info)
	case !info.IsDir():
		if len(w.todo) > 0 {
			return "", fmt.Errorf("--policy: %s is not a directory", part)
		}
		return part, nil
	}
	below, err := at.OpenRoot(part)
	if err != nil {
		return "", fmt.Errorf("--policy: %w", err)
	}
	w.dirs, w.parts = append(w.dirs, below), append(w.parts, part)
	if opened, err := below.Stat("."); err != nil || !os.SameFile(info, opened) {
		return "", errors.Join(err, fmt.Errorf("--policy: the path to %s changes", w.name))
	}
	return "", nil
}

// follow takes the way that a symlink shows.
func (w *way) follow(part string, link fs.FileInfo) error {
	at := "/" + strings.Join(append(slices.Clone(w.parts), part), "/")
	if w.links++; w.links > maxLinks {
		return fmt.Errorf("--policy: there are too many symlinks in %s", w.name)
	}
	trusted := ours(link)
	for _, d := range w.dirs {
		info, err := d.Stat(".")
		trusted = trusted && err == nil && ours(info) && (info.Mode()&0o002 == 0 || info.Mode()&fs.ModeSticky != 0)
	}
	switch {
	case strings.HasPrefix(at, "/proc/"):
		return hint.Errorf(hint.Flag("policy", "-"), "--fix: %s is an open file, and not one that can be replaced", w.name)
	case !trusted:
		return hint.Errorf(hint.Switch("dry-run"), "--fix: %s is a symlink that somebody else has made, or can make: name the file that is meant", at)
	}
	to, err := w.dirs[len(w.dirs)-1].Readlink(part)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	w.todo = append(strings.Split(to, "/"), w.todo...)
	if filepath.IsAbs(to) {
		return w.restart()
	}
	return nil
}

// ours says that a file belongs to who runs this, or to root.
func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || st.Uid == 0 || int(st.Uid) == os.Geteuid()
}

// rewrite replaces the text of a file in one rename, as long as it is still what
// was read. A symlink is followed where nobody else can have made it; mode and
// owner stay. real is the file's own path.
func rewrite(name string, old, data []byte) (real string, err error) {
	dir, real, err := openBehind(name)
	if err != nil {
		return "", err
	}
	defer dir.Close()
	return real, replace(dir, filepath.Base(real), name, old, data)
}

func replace(dir *os.Root, base, name string, old, data []byte) error {
	info, err := dir.Lstat(base)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	// The same text is no proof that it is the file that was read.
	if named, err := os.Stat(name); err != nil || info.Mode().IsRegular() && !os.SameFile(named, info) {
		return errors.Join(err, fmt.Errorf("--fix: %s leads to another file than a moment ago", name))
	}
	if !info.Mode().IsRegular() {
		return hint.Errorf(hint.Switch("dry-run"), "--fix: %s is not a regular file, and cannot be replaced", name)
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Nlink > 1 {
		return hint.Errorf(hint.Switch("dry-run"), "--fix: %s has %d names (hard links): the others would keep the old policy", name, st.Nlink)
	}
	if have, err := dir.ReadFile(base); err != nil || !bytes.Equal(have, old) {
		return errors.Join(err, fmt.Errorf("--fix: %s changed since it was read", name))
	}
	temp := "." + base + "-" + rand.Text()
	if err = writeLike(dir, temp, data, info); err == nil {
		err = dir.Rename(temp, base)
	}
	if err != nil {
		_ = dir.Remove(temp)
		return fmt.Errorf("--fix: %w", err)
	}
	return nil
}

// writeLike makes a new file with the mode and owner of another one.
func writeLike(in *os.Root, name string, data []byte, like fs.FileInfo) error {
	f, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(data); err == nil {
		err = keepOwner(f, like)
	}
	if err == nil {
		err = f.Chmod(like.Mode().Perm()) // after chown(2), and past the umask
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func keepOwner(f *os.File, like fs.FileInfo) error {
	want, ok := like.Sys().(*syscall.Stat_t)
	info, err := f.Stat()
	if !ok || err != nil {
		return err
	}
	if have, ok := info.Sys().(*syscall.Stat_t); ok && have.Uid == want.Uid && have.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}
