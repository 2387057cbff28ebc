package policies

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"auditpatch/internal/hint"
)

// rewrite replaces the text of a file in one rename, as long as it is still what
// was read. A symlink is followed; mode and owner stay.
func rewrite(name string, old, data []byte) error {
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	dir, err := os.OpenRoot(filepath.Dir(real))
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	defer dir.Close()
	base := filepath.Base(real)
	info, err := dir.Lstat(base)
	if err != nil {
		return fmt.Errorf("--policy: %w", err)
	}
	if !info.Mode().IsRegular() {
		return hint.Errorf(hint.Switch("dry-run"), "--fix: %s is not a regular file, and cannot be replaced", name)
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
