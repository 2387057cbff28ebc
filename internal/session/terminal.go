package session

import (
	"io"

	"golang.org/x/sys/unix"
)

// usualWidth is that of a terminal that does not say how wide it is.
const usualWidth = 80

// terminalWidth is how many characters stand in a line of the terminal that a stream is, 0 for
// a stream that is none.
func terminalWidth(stream io.Writer) int {
	f, is := stream.(interface{ Fd() uintptr })
	if !is {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0
	case size.Col == 0:
		return usualWidth
	}
	return int(size.Col)
}
