package rehearsal

import (
	"io/fs"

	"auditpatch/internal/proc"
)

// spec is what the second API server is to be, for the process that becomes it. It holds
// credentials, and is passed through a pipe.
type spec struct {
	PID      int    // the API server that runs, whose container is copied
	Hostname string // of the second one, in a UTS namespace of its own
	// Hidden are mounts of the running container that the new Pod does not have, or has
	// anew.
	Hidden []string
	Mounts []mount // those of the new Pod, outer ones first
	Files  []file  // that lie in those mounts once the change is made

	// Log is the log of the new Pod, in the container; "" for none. The second API server
	// writes another one, so whether this one opens is found out before.
	Log string

	// Listen is where the second API server listens, HOST:PORT. That is held for it from
	// before anybody can read it in its command line; "" where that cannot be.
	Listen string

	Program   string
	Args, Env []string
	Dir       string
	As        proc.Credentials
}

// fault is why a process did not become the second API server.
type fault struct {
	Text string
	// Settings says that the settings are to blame, and not the rehearsal.
	Settings bool
}

// mount is a mount of the new Pod.
type mount struct {
	Path     string // in the container
	Host     string // on the node; "" where nothing lies yet, and an empty directory stands in
	File     *file  // what is going to lie there instead
	Stand    file   // the directory that stands in: mode and owner
	ReadOnly bool
}

// file is a file that the change writes, or a directory that it makes.
type file struct {
	Path     string // in the container
	Dir      bool
	Data     []byte
	Mode     fs.FileMode
	UID, GID int
}
