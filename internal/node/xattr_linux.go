package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// tiedXattrs hold hashes or signatures of the content itself. On other content
// they are wrong, and the kernel may then refuse to read the file.
var tiedXattrs = map[string]bool{"security.ima": true, "security.evm": true}

// xattrs reads the extended attributes of a file: the SELinux label
// (security.selinux), ACLs, and whatever else is there and may be read.
func xattrs(f *os.File) (map[string][]byte, error) {
	names, err := xattrCall(func(buf []byte) (int, error) { return unix.Flistxattr(int(f.Fd()), buf) })
	if err != nil {
		return nil, fmt.Errorf("list extended attributes: %w", err)
	}
	var all map[string][]byte
	for name := range strings.SplitSeq(string(names), "\x00") {
		if name == "" || tiedXattrs[name] {
			continue
		}
		value, err := xattr(f, name)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = map[string][]byte{}
		}
		if value != nil {
			all[name] = value
		}
	}
	return all, nil
}

// xattr returns nil when there is no such attribute or we may not see it.
func xattr(f *os.File, name string) ([]byte, error) {
	value, err := xattrCall(func(buf []byte) (int, error) { return unix.Fgetxattr(int(f.Fd()), name, buf) })
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read attribute %s: %w", name, err)
	}
	return value, nil
}

// setXattrs sets what is not so already: a label that the file system gave by
// itself need not be ours to set.
func setXattrs(f *os.File, want map[string][]byte) error {
	for name, value := range want {
		have, err := xattr(f, name)
		if err == nil && have != nil && bytes.Equal(have, value) {
			continue
		}
		err = unix.Fsetxattr(int(f.Fd()), name, value, 0)
		if err != nil && !errors.Is(err, unix.ENOTSUP) {
			return fmt.Errorf("set attribute %s: %w", name, err)
		}
	}
	return nil
}

// xattrCall calls get until its answer fits. A file system without extended
// attributes has none.
func xattrCall(get func([]byte) (int, error)) ([]byte, error) {
	for buf := make([]byte, 256); ; {
		n, err := get(buf)
		switch {
		case errors.Is(err, unix.ERANGE):
			buf = make([]byte, 2*len(buf))
		case errors.Is(err, unix.ENOTSUP):
			return nil, nil
		case err != nil:
			return nil, err
		default:
			return append([]byte{}, buf[:n]...), nil
		}
	}
}
