// Package target is the node that a command works on, and reads what lies there
// into a [patch.State].
//
// Start with [New].
package target

import (
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/patch"
)

// Options say which node is meant.
type Options struct {
	Manifest string // its path on the node, "-" for standard input
	Root     string // where the node's file system is mounted, "" for this machine
	StateDir string // for backups and the journal, on the node
	// Stdin is read for the manifest "-", once.
	Stdin io.Reader
	// Command and Here are what the command line says, for hints: its command, and the
	// node.
	Command string
	Here    hint.Node
}

// Target is the node that a command works on.
type Target struct {
	Node     *node.Node
	Manifest string // its path on the node
	Live     bool   // this very machine, where an API server may run
	Here     hint.Node
	command  string
	stdin    io.Reader
}

// Stdin tells whether the manifest comes from standard input, and nothing else is
// looked at.
func (t *Target) Stdin() bool { return t.stdin != nil }

// New is the node that the options name.
func New(o Options) (*Target, error) {
	t := &Target{Node: node.New(o.Root, o.StateDir), Manifest: o.Manifest, Live: o.Root == "", Here: o.Here, command: o.Command}
	if t.Manifest == "-" {
		t.stdin, t.Live = o.Stdin, false
		return t, nil
	}
	for _, f := range []struct{ flag, value string }{{"manifest", o.Manifest}, {"state-dir", o.StateDir}} {
		if !path.IsAbs(f.value) {
			return nil, hint.Errorf(hint.Flag(f.flag, "/"+f.value), "--%s %q: the path has to start with /", f.flag, f.value)
		}
	}
	t.Node.Manifests = path.Dir(t.Manifest)
	// The folder of export kind lies on the machine of whoever made the cluster, and
	// is theirs. Every image of a kind node has this file.
	if f, err := t.Node.Stat("/kind/version"); err == nil && f.Exists && f.UID == 0 {
		t.Node.Shared = patch.KindDir
	}
	if dir := path.Dir(t.Manifest); strings.HasPrefix(path.Clean(o.StateDir)+"/", dir+"/") {
		return nil, hint.Errorf(hint.Flag("state-dir", "/var/lib/auditpatch"), "--state-dir is the directory of the manifests: the kubelet would run the backups")
	}
	return t, nil
}

// ReadManifest reads the manifest and its neighbours.
func (t *Target) ReadManifest() (patch.State, error) {
	if t.Stdin() {
		data, err := ReadStdin("manifest", t.stdin)
		return patch.State{Manifest: patch.File{Path: "<stdin>", Exists: true, Data: data}, Offline: true, StateDir: t.Node.StateDir}, err
	}
	f, err := t.Node.Read(t.Manifest)
	if err != nil {
		return patch.State{}, err
	}
	if !f.Exists {
		return patch.State{}, t.missing(f)
	}
	s := patch.State{Manifest: f, Files: map[string]patch.File{}, Offline: !t.Live, StateDir: t.Node.StateDir}
	siblings, err := t.Node.Siblings(path.Dir(t.Manifest))
	if err != nil {
		return patch.State{}, err
	}
	for _, sib := range siblings {
		if sib.Err == nil && sib.Path != t.Manifest {
			s.Siblings = append(s.Siblings, sib.File)
		}
	}
	return s, nil
}

// ReadFiles adds files of the node to the state: contents of files, the mere
// existence of directories and of the log.
func (t *Target) ReadFiles(s *patch.State, paths []string, content func(path string) bool) error {
	if t.Stdin() {
		return nil
	}
	for _, name := range paths {
		if dir, known := s.Files[path.Dir(name)]; known && dir.Exists && !dir.Dir {
			continue // the plan refuses the directory; nothing can lie in it
		}
		f, err := t.Node.Stat(name)
		if err == nil && f.Exists && !f.Dir && content(name) {
			f, err = t.Node.Read(name)
		}
		if err != nil {
			return err
		}
		s.Files[name] = f
	}
	return nil
}

// ReadStdin reads standard input to its end, for a flag.
func ReadStdin(flag string, in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("--%s: read standard input: %w", flag, err)
	}
	return data, nil
}

// OwnFiles lets somebody who is not root prepare a file tree: what root would
// own there belongs to whoever builds the image, and gets its owner when the
// image is packed. On a live node the plan stays, and fails as it should.
func (t *Target) OwnFiles(plan *patch.Plan) {
	uid, gid := os.Geteuid(), os.Getegid()
	if t.Live || t.Stdin() || uid == 0 {
		return
	}
	for i := range plan.Changes {
		if c := &plan.Changes[i]; !c.Old.Exists && c.UID == 0 {
			if c.UID = uid; c.GID == 0 {
				c.GID = gid
			}
		}
	}
}
