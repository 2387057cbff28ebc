package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Overwrites tells whether a process has a file open so that it writes where it last was,
// and not at the end: whatever somebody else appends it then writes over.
func (h Host) Overwrites(p Process, file os.FileInfo) bool {
	dir := h.file(p, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return h.Runs(p) // nobody knows
	}
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(dir, e.Name()))
		if err != nil || !os.SameFile(info, file) {
			continue
		}
		if flags, ok := h.openFlags(p, e.Name()); !ok || flags&syscall.O_ACCMODE != syscall.O_RDONLY && flags&syscall.O_APPEND == 0 {
			return true
		}
	}
	return false
}

// openFlags are those that a descriptor was opened with, in octal (proc_pid_fdinfo(5)).
func (h Host) openFlags(p Process, fd string) (int, bool) {
	data, err := os.ReadFile(h.file(p, filepath.Join("fdinfo", fd)))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, "flags:"); found {
			flags, err := strconv.ParseInt(strings.TrimSpace(rest), 8, 64)
			return int(flags), err == nil
		}
	}
	return 0, false
}
