package cli

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"auditpatch/internal/hint"
)

// replaceOwn writes a file of an export: whole, with its final mode from the
// first byte on, and never through a link or over a file that is not ours. It
// returns the file's path.
func replaceOwn(dir, name string, data []byte, mode fs.FileMode) (string, error) {
	to := filepath.Join(dir, name)
	in, err := openOwn(dir)
	if err != nil {
		return "", err
	}
	defer in.Close()
	info, err := in.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("--dir: %w", err)
	case info.Mode()&fs.ModeSymlink != 0:
		return "", hint.Errorf(hint.Shell("rm %s", to), "--dir: %s is a symlink, and what it leads to may be somebody else's", to)
	case !info.Mode().IsRegular() || !ours(info, false):
		return "", hint.Errorf(hint.Flag("dir", "NEW"), "--dir: %s is not a file of yours", to)
	}
	temp := "." + name + "-" + rand.Text()
	err = writeWhole(in, temp, data, mode)
	if err == nil {
		err = in.Rename(temp, name)
	}
	if err != nil {
		_ = in.Remove(temp)
		return "", fmt.Errorf("--dir: %w", err)
	}
	return to, nil
}

// writeWhole makes a new file with exactly this mode.
func writeWhole(in *os.Root, name string, data []byte, mode fs.FileMode) error {
	f, err := in.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, mode)
	if err != nil {
		return err
	}
	if err = f.Chmod(mode); err == nil { // past the umask
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}

// openOwn makes the folder of an export if it is absent, and opens it. Nobody else
// may have made it, or be able to put names into it.
func openOwn(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	if link, err := os.Lstat(dir); err == nil && link.Mode()&fs.ModeSymlink != 0 && !ours(link, true) {
		return nil, hint.Errorf(hint.Flag("dir", "NEW"), "--dir: %s is a symlink that somebody else has made", dir)
	}
	in, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	info, err := in.Stat(".")
	switch {
	case err != nil:
		err = fmt.Errorf("--dir: %w", err)
	case !ours(info, true):
		err = hint.Errorf(hint.Flag("dir", "NEW"), "--dir: %s belongs to somebody else", dir)
	case writableByOthers(info):
		err = hint.Errorf(hint.Shell("chmod go-w %s", dir), "--dir: others can write to %s", dir)
	}
	if err != nil {
		in.Close()
		return nil, err
	}
	return in, nil
}

// ours says that a file belongs to who runs this, or, where that will do, to root.
func ours(info fs.FileInfo, orRoot bool) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return !ok || int(st.Uid) == os.Geteuid() || orRoot && st.Uid == 0
}

// writableByOthers lets a directory be writable by our own group, which on many
// systems has nobody else in it.
func writableByOthers(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	return mode&0o002 != 0 || mode&0o020 != 0 && ok && st.Gid != 0 && int(st.Gid) != os.Getegid()
}
