package seal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Of asks for the attributes of a name in a directory, "." for the directory itself:
// those that chattr(1) sets, and whether it is a mount. What cannot be asked, and a
// file system without them, has none.
func Of(dir *os.File, name string) Seal {
	var st unix.Statx_t
	if err := unix.Statx(int(dir.Fd()), name, unix.AT_SYMLINK_NOFOLLOW, 0, &st); err != nil {
		return None
	}
	switch {
	case st.Attributes&unix.STATX_ATTR_IMMUTABLE != 0:
		return Immutable
	case st.Attributes&unix.STATX_ATTR_APPEND != 0:
		return AppendOnly
	case st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 && st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return Mount
	}
	return None
}

// Writable asks whether names can be made in a directory.
func Writable(dir *os.File) error {
	// Without flags: faccessat2(2), which takes them, some container runtimes deny.
	return unix.Faccessat(int(dir.Fd()), ".", unix.W_OK|unix.X_OK, 0)
}
