package node

import (
	"path"

	"golang.org/x/sys/unix"
)

// touchLink sets the times of a symlink to now, when the last part of name is
// one. The kubelet watches the directory that the link is in: what is done to
// the link's target it would see no sooner than at its next look at the whole
// directory, 20 s later (pkg/kubelet/config/file_linux.go: a change of a name's
// attributes makes it read the file). That it fails costs no more than that.
func (t tree) touchLink(name string) {
	real, _, err := t.resolve(path.Dir(name))
	if err != nil {
		return
	}
	dir, err := t.folder(real)
	if err != nil {
		return
	}
	defer dir.Close()
	d, err := dir.Open(".")
	if err != nil {
		return
	}
	defer d.Close()
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if info, err := dir.Lstat(path.Base(name)); err == nil && info.Mode().Type() != 0 {
		_ = unix.UtimesNanoAt(int(d.Fd()), path.Base(name), now, unix.AT_SYMLINK_NOFOLLOW)
	}
}
