package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Listener is a descriptor of our own for the socket on which a process listens. The socket
// stays the process's: whoever makes it blocking, say, does so for both. It takes
// CAP_SYS_PTRACE and Linux 5.6 (pidfd_getfd(2)).
func (h Host) Listener(p Process, port int) (*os.File, error) {
	number, err := h.listenerNumber(p, port)
	if err != nil {
		return nil, err
	}
	return h.Descriptor(p, number)
}

// Descriptor is a descriptor of our own for what a process has under a number.
func (h Host) Descriptor(p Process, number int) (*os.File, error) {
	pidfd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return nil, fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(pidfd)
	if !h.Runs(p) { // the number may be another process's by now
		return nil, fmt.Errorf("process %d has ended", p.PID)
	}
	fd, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return nil, fmt.Errorf("take a descriptor of process %d: %w", p.PID, err)
	}
	return os.NewFile(uintptr(fd), fmt.Sprintf("descriptor %d of process %d", number, p.PID)), nil
}

// listenerNumber is the descriptor of a process that listens on a port.
func (h Host) listenerNumber(p Process, port int) (int, error) {
	dir := h.file(p, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	listeners := h.listeners(p, port)
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		inode, isSocket := strings.CutPrefix(link, "socket:[")
		if err != nil || !isSocket || !listeners[strings.TrimSuffix(inode, "]")] {
			continue
		}
		return strconv.Atoi(e.Name())
	}
	return 0, fmt.Errorf("process %d does not listen on port %d", p.PID, port)
}

// listeners are the inodes of all sockets of the process's network that listen on a port.
func (h Host) listeners(p Process, port int) map[string]bool {
	out := map[string]bool{}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(h.file(p, filepath.Join("net", table)))
		if err != nil {
			continue // a kernel without IPv6
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != tcpListen {
				continue
			}
			if local, ok := parseAddr(fields[1]); ok && int(local.Port()) == port {
				out[fields[9]] = true
			}
		}
	}
	return out
}
