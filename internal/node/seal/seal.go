// Package seal asks what keeps a name in a directory from being changed, other than
// its owner and mode.
//
// Call [Of] for one name, and [Writable] for a directory.
package seal

// Seal is what keeps a file or directory from being changed, in words that follow its
// path.
type Seal string

const (
	None       Seal = ""
	Immutable  Seal = "is immutable"
	AppendOnly Seal = "can only be appended to"
	// Mount is a file that something is mounted on: it can be written to, and not be
	// replaced.
	Mount Seal = "is a mount of its own, and cannot be replaced"
)
