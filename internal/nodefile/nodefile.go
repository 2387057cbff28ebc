// Package nodefile is a file of a node as it was read. The packages that read
// and write the node's files share it with those that only plan, which never
// open a file themselves.
//
// Start with [File].
package nodefile

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
)

// File is a file or directory as it was found.
type File struct {
	Path     string // as asked
	Real     string // where Path leads, when it is or passes a symlink; else ""
	Exists   bool
	Dir      bool
	Empty    bool        // a directory with nothing in it
	Data     []byte      // of a file, when it was read
	Mode     fs.FileMode // permission bits
	UID, GID int
}

// Checksum is the SHA-256 of a file's content, in hex.
func Checksum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
