package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"syscall"
)

// writeNew makes the file name in dir, whole and on the disk before it returns.
// It is readable for its owner only until mode and owner are set. A leftover of
// that name is ours, from a run that died, and goes.
func writeNew(dir *os.Root, name string, data []byte, e entry) (err error) {
	if err := dir.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			_ = dir.Remove(name)
		}
	}()
	if _, err := f.Write(data); err != nil {
		return err
	}
	if err := setMetadata(f, e); err != nil {
		return err
	}
	return f.Sync()
}

// setMetadata sets owner, extended attributes and mode, in this order: chown(2)
// clears set-id bits and capabilities, and the mode limits an ACL that is among
// the attributes.
func setMetadata(f *os.File, e entry) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, uid, gid := owned(info); uid != e.UID || gid != e.GID {
		if err := f.Chown(e.UID, e.GID); err != nil {
			return fmt.Errorf("set owner %d:%d: %w", e.UID, e.GID, bare(err))
		}
	}
	if err := setXattrs(f, e.Xattrs); err != nil {
		return err
	}
	if err := f.Chmod(fs.FileMode(e.Mode)); err != nil {
		return fmt.Errorf("set mode %#o: %w", fs.FileMode(e.Mode), bare(err))
	}
	return nil
}

// syncDir makes the names in a directory durable. Some file systems cannot and
// say EINVAL; they have no better way either.
func syncDir(dir *os.Root, name string) error {
	d, err := dir.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return syncFile(d)
}

func syncFile(d *os.File) error {
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// mkdir makes one directory, durably. One that is there already is left as it
// is.
func (t tree) mkdir(real string, mode fs.FileMode) error {
	dir, err := t.folder(path.Dir(real))
	if err != nil {
		return err
	}
	defer dir.Close()
	name := path.Base(real)
	err = dir.Mkdir(name, 0o700)
	if errors.Is(err, fs.ErrExist) {
		info, err := dir.Lstat(name)
		if err == nil && !info.IsDir() {
			err = syscall.ENOTDIR
		}
		return err
	}
	if err != nil {
		return err
	}
	if err := finishDir(dir, name, mode); err != nil {
		return err
	}
	return syncDir(dir, ".")
}

// finishDir gives a directory that we have just made its mode, past the umask,
// and makes sure that it is that one.
func finishDir(dir *os.Root, name string, mode fs.FileMode) error {
	d, info, err := openNamed(dir, name)
	if err != nil {
		return err
	}
	defer d.Close()
	if _, uid, _ := owned(info); uid != os.Geteuid() {
		return errSwapped
	}
	if info.Mode()&modeBits == mode {
		return syncFile(d) // another run of ours may be at work in it already
	}
	// While it is root's alone, as it was made, only another run of ours can have put
	// something there.
	if found, _ := d.Readdirnames(1); len(found) > 0 && info.Mode()&modeBits&^0o700 != 0 {
		return errSwapped
	}
	if err := d.Chmod(mode); err != nil {
		return err
	}
	return syncFile(d)
}

// unlink removes a file or an empty directory, durably. What is gone or has
// something in it is no error. The users in also may own its directory.
func (t tree) unlink(real string, also ...int) error {
	dir, err := t.folder(path.Dir(real), also...)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	if _, err := dir.Lstat(path.Base(real)); errors.Is(err, fs.ErrNotExist) {
		return nil // a read-only disk would say so even then
	}
	switch err := dir.Remove(path.Base(real)); {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTEMPTY), errors.Is(err, syscall.EEXIST):
		return nil
	case err != nil:
		return err
	}
	return syncDir(dir, ".")
}

// missing lists the directories that have to be made for real, parents first.
func (t tree) missing(real string) ([]string, error) {
	var names []string
	for ; ; real = path.Dir(real) {
		info, err := t.lstat(real)
		if err != nil || info != nil {
			return names, err
		}
		names = append([]string{real}, names...)
	}
}
