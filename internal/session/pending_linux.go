package session

import (
	"io"

	"golang.org/x/sys/unix"
)

// pending is how many bytes that were written to a pipe, a socket or a terminal nobody has taken
// yet: whoever reads slowly makes them fewer while a write waits. It is -1 where that is not known.
func pending(to io.Writer) int {
	f, is := to.(interface{ Fd() uintptr })
	if !is {
		return -1
	}
	var about unix.Stat_t
	ask := uint(unix.TIOCOUTQ)
	if unix.Fstat(int(f.Fd()), &about) == nil && about.Mode&unix.S_IFMT == unix.S_IFIFO {
		ask = unix.TIOCINQ
	}
	if n, err := unix.IoctlGetInt(int(f.Fd()), ask); err == nil {
		return n
	}
	return -1
}
