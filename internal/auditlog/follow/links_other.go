//go:build !unix

package follow

import "os"

// links takes a file for one that has a name: an open one cannot be removed.
func links(os.FileInfo) uint64 { return 1 }
