package handover

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// selinux is the attribute that a file's label stands in.
const selinux = "security.selinux"

// labelNear is the label of a file, or of the nearest directory above it that is there; nil
// where there is no SELinux.
func labelNear(name string) []byte {
	for ; ; name = filepath.Dir(name) {
		buf := make([]byte, 4096)
		n, err := unix.Lgetxattr(name, selinux, buf)
		switch {
		case err == nil:
			return buf[:n]
		case !errors.Is(err, unix.ENOENT) || name == filepath.Dir(name):
			return nil
		}
	}
}

// setLabel labels a file.
func setLabel(f *os.File, label []byte) error {
	if label == nil {
		return nil
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	if err := raw.Control(func(fd uintptr) { set = unix.Fsetxattr(int(fd), selinux, label, 0) }); err != nil {
		return err
	}
	if errors.Is(set, unix.ENOTSUP) {
		return nil
	}
	return set
}
