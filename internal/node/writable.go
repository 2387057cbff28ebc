package node

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"auditpatch/internal/hint"
	"auditpatch/internal/node/seal"
)

// A run whose files cannot be written is refused at its begin, before anything is, so
// that a preview, which does no more than begin, says so too.

// SealedError says that the file system does not let something be written.
type SealedError struct {
	op, path string
	hint     hint.Hint
	Why      string // what is sealed, and how; "" when Err says all
	Appends  bool   // it can be appended to
	Err      error  // of the system call that would fail
}

func (e *SealedError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.op, e.path, cmp.Or(e.Why, e.Err.Error()))
}

func (e *SealedError) Unwrap() error { return e.Err }

// Remedy is what to type.
func (e *SealedError) Remedy() hint.Hint { return e.hint }

// sealOf is what keeps the file or directory at a resolved path from being changed.
func (t tree) sealOf(real string) seal.Seal {
	dir, err := t.root.Open(rel(path.Dir(real)))
	if err != nil {
		return seal.None
	}
	defer dir.Close()
	if real == "/" {
		return seal.Of(dir, ".")
	}
	return seal.Of(dir, path.Base(real))
}

// sealed says what to type for a seal; nil for none.
func (t tree) sealed(real string, s seal.Seal) error {
	on := filepath.Join(t.at, filepath.FromSlash(real))
	e := &SealedError{Why: fmt.Sprintf("%s %s", real, s), Err: syscall.EPERM}
	switch s {
	case seal.None:
		return nil
	case seal.AppendOnly:
		e.hint, e.Appends = hint.Shell("chattr -a %s", on), true
	case seal.Mount:
		e.hint, e.Err = hint.Shell("findmnt %s", on), syscall.EBUSY
	default:
		e.hint = hint.Shell("chattr -i %s", on)
	}
	return e
}

// named says what was to be done when a seal was met.
func named(err error, op, path string) error {
	var s *SealedError
	if errors.As(err, &s) {
		s.op, s.path = op, path
		return s
	}
	return fail(op, path, err)
}

// Sealed says of a file or directory that is immutable, or that can only be appended
// to, what the API server could not do with it; nil for any other, and for none.
func (n *Node) Sealed(name string) error {
	t, err := n.open()
	if err != nil {
		return err
	}
	defer t.close()
	real, info, err := t.resolve(name)
	if err != nil || info == nil {
		return err
	}
	if s := t.sealOf(real); s != seal.Mount {
		return t.sealed(real, s)
	}
	return nil
}

// mayCarryOut refuses a step that the file system would not let be carried out.
func (t tree) mayCarryOut(s *step) error {
	op := "write"
	if s.New.Kind == Absent {
		op = "remove"
	}
	// What gets another mode or owner alone is not replaced, and its folder stays.
	inPlace := s.New.Kind != Regular && s.New.Kind == s.Old.Kind
	why := t.sealOf(s.Real)
	if inPlace && why == seal.Mount {
		why = seal.None
	}
	err := t.sealed(s.Real, why)
	if err == nil {
		_, err = t.mayWriteIn(path.Dir(s.Real))
	}
	if err != nil && !(inPlace && why == seal.None && !errors.Is(err, syscall.EROFS)) {
		return named(err, op, s.Path)
	}
	return nil
}

// nearest is the first directory on the way up from real that is there.
func (t tree) nearest(real string) (string, error) {
	for {
		info, err := t.lstat(real)
		if err != nil || info != nil {
			return real, err
		}
		real = path.Dir(real)
	}
}

// mayWriteIn refuses a directory in which no names can be made and taken away, or in
// which it cannot be made itself. It returns the one that is there.
func (t tree) mayWriteIn(want string) (there string, err error) {
	if there, err = t.nearest(want); err != nil {
		return there, err
	}
	dir, err := t.root.Open(rel(there))
	if err != nil {
		return there, err
	}
	defer dir.Close()
	if err := t.sealed(there, seal.Of(dir, ".")); err != nil {
		return there, err
	}
	if err = seal.Writable(dir); errors.Is(err, syscall.EROFS) {
		err = &SealedError{hint: hint.Shell("findmnt -T %s", filepath.Join(t.at, filepath.FromSlash(there))), Err: err}
	}
	return there, err
}

// mayKeepState refuses a state directory in which no run could be stored.
func (n *Node) mayKeepState(t tree) error {
	if err := n.vetState(t); err != nil {
		return err
	}
	real, _, err := t.resolve(n.StateDir)
	if err != nil {
		return fail("make", n.StateDir, err)
	}
	for _, want := range []string{real, path.Join(real, runsName)} {
		if there, err := t.mayWriteIn(want); err != nil {
			return named(err, map[bool]string{true: "write", false: "make"}[there == want], n.StateDir)
		}
	}
	return nil
}

const (
	block = 4096
	// mostSpare stays free beside what a run takes: others write too. On a small file
	// system it is a sixteenth.
	mostSpare = 1 << 20
	// recordSize is more than a step takes in run.json.
	recordSize = 2048
	// runFiles are those of a run beside the contents: its folder, its record, its
	// marks, its journal.
	runFiles = 10
)

// demand is what a run takes of one file system.
type demand struct {
	on           *syscall.Stat_t // its device is the file system's
	dir          string          // one that is there
	path         string          // what is to be written there
	bytes, files int64
}

func (d *demand) add(bytes int) {
	d.bytes += int64(bytes+block-1) / block * block
	d.files++
}

// fitsDisk refuses a run for which there is no space.
func (r *Run) fitsDisk(t tree) error {
	all := demands{}
	state, _, err := t.resolve(r.node.StateDir)
	if err != nil {
		return fail("read", r.node.StateDir, err)
	}
	store, err := all.at(t, state, r.node.StateDir)
	if err != nil {
		return err
	}
	store.add(len(r.steps) * recordSize)
	store.files += runFiles
	for _, s := range r.steps {
		if s.settled(s.Old, sideNew) {
			continue
		}
		beside, err := all.at(t, path.Dir(s.Real), s.Path)
		if err != nil {
			return err
		}
		for range s.Made {
			beside.add(block)
		}
		for _, of := range sides {
			if s.entry(of).Kind == Regular {
				beside.add(len(s.data[of]))
				store.add(len(s.data[of]))
			}
		}
	}
	for _, d := range all {
		if err := t.grants(d); err != nil {
			return err
		}
	}
	return nil
}

// demands are those of one run, each of another file system.
type demands []*demand

// at is what is taken of the file system where a directory is, or will be.
func (all *demands) at(t tree, dir, name string) (*demand, error) {
	dir, err := t.nearest(dir)
	if err != nil {
		return nil, fail("read", name, err)
	}
	info, err := t.root.Lstat(rel(dir))
	if err != nil {
		return nil, fail("read", name, err)
	}
	st, _ := info.Sys().(*syscall.Stat_t)
	for _, d := range *all {
		if d.on.Dev == st.Dev {
			return d, nil
		}
	}
	d := &demand{on: st, dir: dir, path: name}
	*all = append(*all, d)
	return d, nil
}

// grants refuses a demand that the file system cannot meet.
func (t tree) grants(d *demand) error {
	s, err := t.space(d.path, d.dir)
	if err != nil {
		return err
	}
	free := s.Free
	if os.Geteuid() == 0 {
		free = s.FreeToRoot
	}
	on := filepath.Join(t.at, filepath.FromSlash(d.dir))
	switch {
	case s.Total == 0: // a file system that does not count
	case free < d.bytes+min(mostSpare, s.Total/16):
		return &SealedError{op: "write", path: d.path, hint: hint.Shell("df -h %s", on), Err: syscall.ENOSPC}
	case s.NoFiles || s.Files > 0 && s.Files < d.files:
		return &SealedError{op: "write", path: d.path, hint: hint.Shell("df -i %s", on), Err: syscall.ENOSPC}
	}
	return nil
}
