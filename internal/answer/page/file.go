package page

import (
	"bufio"
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Errors of Create about what is there already; they say what, the caller what to do.
var (
	ErrNotOurs  = errors.New("it is there already, and is no report of auditpatch")
	ErrNotPlain = errors.New("it is not a regular file")
)

// File is a page's file before it has its name. Nobody sees it half written.
type File struct {
	*bufio.Writer
	dir       *os.Root
	temp      *os.File
	tempName  string
	name      string
	overwrite bool
	renamed   bool
}

// Create begins a file that only its owner can read: events may hold secrets. One that
// is there is replaced when it is such a page, or any other with overwrite; the error is
// ErrNotOurs or ErrNotPlain otherwise, and nothing is touched.
//
// With sudo it belongs to the user who typed that, where the folder or the page that is
// replaced is theirs: they asked for it, and only root could open it otherwise. Nobody
// else gets it, whoever the page belongs to that is replaced: anyone can put one into /tmp.
func Create(name string, overwrite bool) (*File, error) {
	// Nothing is cleaned away: behind a link, its .. is another folder.
	folder, base := filepath.Split(name)
	dir, err := os.OpenRoot(cmp.Or(strings.TrimSuffix(folder, "/"), folder, "."))
	if err != nil {
		return nil, err
	}
	f := &File{dir: dir, name: cmp.Or(base, "."), tempName: "." + base + "-" + rand.Text(), overwrite: overwrite}
	old, err := f.replaceable()
	if err == nil {
		f.temp, err = dir.OpenFile(f.tempName, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), dir.Close())
	}
	f.Writer = bufio.NewWriterSize(f.temp, 1<<16)
	if err := f.own(old); err != nil {
		f.Cleanup()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// replaceable looks at what is there; nil when nothing is.
func (f *File) replaceable() (fs.FileInfo, error) {
	old, err := f.dir.Lstat(f.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !old.Mode().IsRegular(): // a symlink too: what it leads to may be somebody else's
		return nil, ErrNotPlain
	case f.overwrite:
		return old, nil
	}
	in, err := f.dir.OpenFile(f.name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = in.Close() }()
	head := make([]byte, len(signature()))
	if _, err := io.ReadFull(in, head); err != nil || !Is(head) {
		return nil, ErrNotOurs
	}
	return old, nil
}

// own gives the file to whom it is for.
func (f *File) own(old fs.FileInfo) error {
	uid, gid, ok := sudoer()
	if os.Geteuid() != 0 || !ok {
		return nil
	}
	dir, err := f.dir.Stat(".")
	if err != nil || !of(dir, uid) && !of(old, uid) {
		return err
	}
	return f.temp.Chown(uid, gid)
}

// of says whether a file belongs to a user; none belongs to nobody.
func of(info fs.FileInfo, uid int) bool {
	if info == nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid
}

// sudoer is who typed sudo.
func sudoer() (uid, gid int, ok bool) {
	_, err := fmt.Sscan(os.Getenv("SUDO_UID")+" "+os.Getenv("SUDO_GID"), &uid, &gid)
	return uid, gid, err == nil && uid > 0 && gid >= 0
}

// Commit gives the file its name, once all of it is on the disk. What has come there since Create
// is treated as Create does: reading a log takes a while.
func (f *File) Commit() error { return f.commit(f.place) }

// CommitNew does the same where nothing has the name; the error is [fs.ErrExist] otherwise.
func (f *File) CommitNew() error {
	return f.commit(func() error {
		if err := f.dir.Link(f.tempName, f.name); err == nil || errors.Is(err, fs.ErrExist) {
			return err
		} // this file system has no links
		if _, err := f.dir.Lstat(f.name); err == nil {
			return fs.ErrExist
		}
		return f.rename()
	})
}

func (f *File) commit(place func() error) error {
	err := f.Flush()
	if err == nil {
		err = f.temp.Sync()
	}
	if err == nil {
		err = place()
	}
	f.Cleanup()
	return err
}

func (f *File) place() error {
	old, err := f.replaceable()
	if err != nil {
		return fmt.Errorf("%s: %w", f.name, err)
	}
	if old == nil && !f.overwrite {
		if err = f.dir.Link(f.tempName, f.name); err == nil || errors.Is(err, fs.ErrExist) {
			return err
		} // this file system has no links
	}
	return f.rename()
}

func (f *File) rename() error {
	err := f.dir.Rename(f.tempName, f.name)
	f.renamed = err == nil
	return err
}

// Cleanup takes away the file's first name, and with it a file that was not committed. It may be called at any time.
func (f *File) Cleanup() {
	if f.temp == nil {
		return
	}
	_ = f.temp.Close()
	if !f.renamed {
		_ = f.dir.Remove(f.tempName)
	}
	_ = f.dir.Close()
	f.temp = nil
}
