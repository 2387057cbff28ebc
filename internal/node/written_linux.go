package node

import (
	"io/fs"
	"syscall"
	"time"
)

// written is when a file was put in its place, or got its content: a rename,
// by which contents are put in place that were laid out before, changes only the
// time of its status.
func written(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}
