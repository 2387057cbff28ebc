//go:build unix

package follow

import (
	"os"
	"syscall"
)

// links is how many names a file has; 0 when it was removed.
func links(info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink)
	}
	return 1
}
