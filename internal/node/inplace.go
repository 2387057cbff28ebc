package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"auditpatch/internal/hint"
)

// vet refuses a step whose place others decide about, before anything is written.
func (s *step) vet(t tree, cur entry) error {
	if s.settled(cur, sideNew) {
		return nil
	}
	if err := t.vet(s.Path, s.also()...); err != nil {
		return err
	}
	switch {
	case s.New.Kind == Absent:
		return s.vetLink(t, "which is not ours to remove")
	case s.New.Kind == Regular && cur.Kind == Absent:
		return s.vetLink(t, "where nothing is: what is written there could not be taken away again")
	}
	if s.New.Kind == Regular || s.New.Kind != cur.Kind { // a new file takes the place
		return nil
	}
	f, err := s.openInPlace(t, s.New, s.created())
	if err == nil {
		err = f.Close()
	}
	return err
}

// vetLink refuses to make or remove what a link leads to: whoever made the link had
// that file, or waits for it, from somebody else.
func (s *step) vetLink(t tree, why string) error {
	dir, _, err := t.resolve(path.Dir(s.Path))
	if err != nil || path.Join(dir, path.Base(s.Path)) == s.Real {
		return err
	}
	on := filepath.Join(t.at, filepath.FromSlash(s.Path))
	return &UntrustedError{s.Path, "is a symlink to " + s.Real + ", " + why, hint.Shell("rm %s", on)}
}

// also are the users who may own the directory of a file that is not ours: a log
// lies where the API server may write, and it need not run as root.
func (s *step) also() []int {
	switch {
	case s.New.Kind != Present:
		return nil
	case s.Old.Kind == Present:
		return []int{s.New.UID, s.Old.UID}
	}
	return []int{s.New.UID}
}

// openInPlace opens what is to get another mode and owner without being replaced.
// Both are set through this descriptor, so it is checked here that nobody has put
// something else in its place: a link, another name of a file of root's. What we
// have made has nothing in it that could be given away.
func (s *step) openInPlace(t tree, want entry, made bool) (*os.File, error) {
	dir, err := t.folder(path.Dir(s.Real), s.also()...)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	within, err := dir.Stat(".")
	if err != nil {
		return nil, err
	}
	f, info, err := openNamed(dir, path.Base(s.Real))
	if err != nil {
		return nil, err
	}
	err = s.expect(t, want.Kind, info)
	if empty := info.IsDir() || info.Size() == 0; err == nil && !(made && empty) {
		err = s.guarded(t, within, info)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// expect says whether what was opened is what the run knows at the step's path.
func (s *step) expect(t tree, kind Kind, file fs.FileInfo) error {
	_, uid, _ := owned(file)
	known := []int{os.Geteuid(), s.New.UID}
	if !s.created() {
		known = append(known, s.Old.UID)
	}
	switch {
	case file.IsDir() != (kind == Directory), !slices.Contains(known, uid):
		return &ChangedError{s.Path}
	case kind == Present && names(file) > 1:
		e := t.distrust(s.Real, fmt.Sprintf("has %d names (hard links)", names(file)))
		on := filepath.Join(t.at, filepath.FromSlash(s.Real)) // all its names lie on its own file system
		e.Hint = hint.Shell(`find "$(findmnt -no TARGET -T %s)" -xdev -samefile %s`, on, on)
		return e
	}
	return nil
}

// guarded says whether nobody could have moved another file to this name of the
// directory within. Its owner may have, if all that he gives away is his own.
func (s *step) guarded(t tree, within, file fs.FileInfo) error {
	trusted := t.own
	_, uid, _ := owned(file)
	if _, dirUID, _ := owned(within); uid == dirUID {
		trusted = append(owners{uid}, trusted...)
	}
	if why := trusted.strictFault(within); why != "" {
		return t.distrust(path.Dir(s.Real), why)
	}
	return nil
}

// names is how many names a file has.
func names(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// openOrCreate opens the file or directory for ensure, and creates it if it is absent.
func (s *step) openOrCreate(t tree, want entry, absent bool) (*os.File, error) {
	if !absent {
		return s.openInPlace(t, want, s.created())
	}
	if want.Kind == Directory {
		if err := t.mkdirs(s.Real, 0o700); err != nil {
			return nil, err
		}
		return s.openInPlace(t, want, true)
	}
	dir, err := t.folder(path.Dir(s.Real), s.also()...)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	f, err := dir.OpenFile(path.Base(s.Real), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // just made by its writer
		return s.openInPlace(t, want, true)
	}
	if err != nil {
		return nil, err
	}
	if err := syncDir(dir, "."); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
