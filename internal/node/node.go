package node

import (
	"io/fs"
	"time"
)

const (
	defaultState = "/var/lib/auditpatch"
	defaultKeep  = 20
	// keepOthers is how many runs stay that were not done, such as undone ones: for
	// people to look at, and never in the place of a state to go back to.
	keepOthers = 5
	// maxFile is as much as the kubelet reads of a manifest.
	maxFile = 10 << 20
	// tempMark is part of every temporary name next to a target.
	tempMark = ".auditpatch-"
	// modeBits are the bits that chmod(2) sets.
	modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
)

// Node is one machine's file system below Root ("/" is this machine, another
// directory an image mounted there). All paths given to its methods are paths on
// the node: absolute, and symlinks lead to places below Root only.
type Node struct {
	Root     string
	StateDir string           // a path on the node
	Keep     int              // runs that were done and are kept as backups
	Now      func() time.Time // the clock
	// Manifests is the folder that the kubelet takes static Pods from, "" for
	// none: the account that it belongs to is as good as root.
	Manifests string
	// Shared is a folder that belongs to whoever made this node and is mounted into
	// it, "" for none: its owner is as good as root too.
	Shared string
}

// New returns the node below root. An empty root is "/", an empty stateDir
// "/var/lib/auditpatch".
func New(root, stateDir string) *Node {
	if root == "" {
		root = "/"
	}
	if stateDir == "" {
		stateDir = defaultState
	}
	return &Node{Root: root, StateDir: stateDir, Keep: defaultKeep, Now: time.Now}
}
