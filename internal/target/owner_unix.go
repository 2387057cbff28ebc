//go:build unix

package target

import (
	"io/fs"
	"syscall"
)

// ownedByRoot tells whether root owns a file; a directory in /proc has the owner of
// its process.
func ownedByRoot(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == 0
}
