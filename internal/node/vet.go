package node

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"auditpatch/internal/hint"
)

// What is in the state directory makes root write files: the journal names a
// run, and the run says which. So all of it has to be ours, and nobody else's to
// change.

// vetState refuses a state directory when others decide where it is, or what is
// in it.
func (n *Node) vetState(t tree) error {
	err := t.vet(n.StateDir)
	var bad *UntrustedError
	if errors.As(err, &bad) && path.Clean(n.StateDir) != defaultState {
		bad.Hint = hint.Flag("state-dir", defaultState)
	}
	if err != nil {
		return err
	}
	_, info, err := t.resolve(n.StateDir)
	if err != nil || info == nil {
		return err
	}
	if why := t.own.strictFault(info); why != "" {
		return (&store{nil, n.StateDir, t}).distrust(".", why)
	}
	return nil
}

// vet refuses a name of the state directory if it, or a directory on the way to
// it, is someone else's, can be written to by others, or is a link. What is
// absent is for the caller to miss.
func (s *store) vet(name string) error {
	for at, rest := ".", name; ; {
		info, err := s.dir.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return s.fail("read", at, err)
		}
		why := s.tree.own.strictFault(info)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			why = "is a symlink"
		case why == "" && !info.IsDir() && !info.Mode().IsRegular(): // a pipe would be read for ever
			why = "is not a regular file"
		}
		if why != "" {
			return s.distrust(at, why)
		}
		if rest == "." || rest == "" {
			return nil
		}
		var next string
		next, rest, _ = strings.Cut(rest, "/")
		at = path.Join(at, next)
	}
}

// distrust says what to type. What someone else has written there is not to be
// made ours by a command that is typed without a look.
func (s *store) distrust(name, why string) error {
	e := s.tree.distrust(path.Join(s.path, name), why)
	if strings.HasPrefix(why, "is writable") {
		return e
	}
	dir := filepath.Join(s.tree.at, filepath.FromSlash(path.Clean(s.path)))
	e.Hint = hint.Shell("ls -lR %s", dir).Then(", and to begin anew: ", hint.Shell("mv %s %s", dir, dir+".untrusted"))
	return e
}

// vetRun refuses a run if anything of it is not ours.
func (s *store) vetRun(id string) error {
	dir := path.Join(runsName, id)
	if err := s.vet(dir); err != nil {
		return err
	}
	d, err := s.dir.Open(dir)
	if err != nil {
		return s.fail("read", path.Join(dir, recordName), err)
	}
	defer d.Close()
	all, err := d.Readdirnames(-1)
	if err != nil {
		return s.fail("read", dir, err)
	}
	for _, name := range all {
		if err := s.vet(path.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// link gives the steps what run.json does not say. It says false if they cannot
// be those of a run.
func (r record) link() bool {
	decided := false
	for i, st := range r.Steps {
		if st == nil || !st.plausible() {
			return false
		}
		st.index, st.touched = i, true
		decided = decided || st.Commit
	}
	return decided
}

// plausible says whether Begin could have written such a step.
func (s *step) plausible() bool {
	if !path.IsAbs(s.Path) || !isReal(s.Real) {
		return false
	}
	for _, made := range s.Made { // each of them the path, or a directory above it
		if !isReal(made) || made != s.Real && !strings.HasPrefix(s.Real, made+"/") {
			return false
		}
	}
	if s.Interim != nil && (s.Interim.Kind != Regular || !s.Interim.plausible()) {
		return false
	}
	return s.New.Kind != odds && s.Old.plausible() && s.New.plausible()
}

// isReal says whether a path can be the end of a walk, other than the root.
func isReal(name string) bool {
	return path.IsAbs(name) && path.Clean(name) == name && name != "/" && !strings.Contains(name, "\x00")
}

func (e entry) plausible() bool {
	if !isID(e.UID) || !isID(e.GID) || e.Size < 0 {
		return false
	}
	if e.Kind == Regular {
		hash, err := hex.DecodeString(e.SHA256)
		return err == nil && len(hash) == 32
	}
	return slices.Contains([]Kind{Present, Directory, Absent, odds}, e.Kind)
}
