package follow

import (
	"fmt"
	"time"
)

// Kind is what a notice is about.
type Kind int

// The kinds of notices.
const (
	Absent     Kind = iota // the log is not there, and is waited for
	Truncated              // a file was cut off while it was read
	Removed                // a rotated file was removed before it could be read
	Gap                    // rotated files may have been removed before they could be read
	Renamed                // a file got a name that kube-apiserver does not give
	Damaged                // a file cannot be read to its end
	Unreadable             // a line is no event
)

// Notice is something that whoever waits for events must know.
type Notice struct {
	Kind Kind
	File string
	// Bytes are lost for certain, of a truncated file; of an unreadable line, its length.
	Bytes int64
	// Since is when the log was last looked at: what was written between then and the
	// loss may be lost as well.
	Since time.Time
	Err   error // why a line is no event, or a file cannot be read
}

// Lost says whether events are missing, or may be.
func (n Notice) Lost() bool { return n.Kind != Absent }

func (n Notice) String() string {
	since := n.Since.UTC().Format("2006-01-02T15:04:05.000Z")
	switch n.Kind {
	case Absent:
		return fmt.Sprintf("%s: not there, waiting for it", n.File)
	case Truncated:
		text := fmt.Sprintf("%s: cut off while it was read; what was written to it after %s may be missing here", n.File, since)
		if n.Bytes > 0 {
			text += fmt.Sprintf(", and %d bytes of it are", n.Bytes)
		}
		return text
	case Removed:
		return fmt.Sprintf("%s: removed before it could be read; its events are missing here", n.File)
	case Gap:
		return fmt.Sprintf("%s: the file that was read last was removed; files that were rotated after %s may have been as well, then their events are missing here", n.File, since)
	case Renamed:
		return fmt.Sprintf("%s: the file was renamed to a name that kube-apiserver gives no rotated file; others that were rotated so after %s may be missing here", n.File, since)
	case Damaged:
		return fmt.Sprintf("%s: %v; events at its end may be missing here", n.File, n.Err)
	}
	return fmt.Sprintf("%s: %d bytes are no event: %v", n.File, n.Bytes, n.Err)
}
