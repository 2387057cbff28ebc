package node

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"auditpatch/internal/nodefile"
)

// Kind says what a path is, or is to become.
type Kind string

const (
	// Regular is a file with these contents.
	Regular Kind = "file"
	// Present is a file whose contents are not ours, such as a log: made empty
	// when it is absent, never read, replaced or removed with something in it.
	Present Kind = "present"
	// Directory is made when it is absent, its parents with mode 0755.
	Directory Kind = "directory"
	// Absent removes a file, or (in Done) a directory if it is empty.
	Absent Kind = "absent"

	// odds is what can be at a path but is never wanted there.
	odds Kind = "other"
)

// Content is what a path is to become.
type Content struct {
	Kind Kind
	Data []byte
	Mode fs.FileMode
	UID  int
	GID  int
	// Enforce gives mode and owner also to a Directory or Present that is there
	// already.
	Enforce bool
}

// Step is one path of a run. Old is what Read or Stat returned when the run was
// planned: Begin refuses if that has changed.
type Step struct {
	Path string
	Old  File
	New  Content
	// Interim, for a New of kind Regular, is what Apply puts at the path first;
	// [Run.Finalize] puts New there. Whoever recovers the run goes on to New.
	Interim []byte
	// Commit marks the decisive step, the file that names the others: once it is
	// new on the disk, Recover goes forward. Without any the last step is it.
	Commit bool
}

// State says which side of a step is on the disk.
type State string

const (
	StateOld     State = "old"
	StateInterim State = "interim" // on the way to new
	StateNew     State = "new"
	StateOther   State = "other" // none of them: someone else was there
)

// octal is a mode that people can read in run.json.
type octal fs.FileMode

func (m octal) MarshalText() ([]byte, error) {
	mode := fs.FileMode(m)
	bits := uint32(mode.Perm())
	for flag, bit := range specialBits {
		if mode&flag != 0 {
			bits |= bit
		}
	}
	return fmt.Appendf(nil, "%04o", bits), nil
}

func (m *octal) UnmarshalText(text []byte) error {
	bits, err := strconv.ParseUint(string(text), 8, 12)
	if err != nil {
		return err
	}
	mode := fs.FileMode(bits) & fs.ModePerm
	for flag, bit := range specialBits {
		if uint32(bits)&bit != 0 {
			mode |= flag
		}
	}
	*m = octal(mode)
	return nil
}

var specialBits = map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000}

// entry is one side of a step, or what is at a path now.
type entry struct {
	Kind   Kind              `json:"kind"`
	Mode   octal             `json:"mode"`
	UID    int               `json:"uid"`
	GID    int               `json:"gid"`
	SHA256 string            `json:"sha256,omitempty"`
	Size   int64             `json:"size,omitempty"`
	Xattrs map[string][]byte `json:"xattrs,omitempty"`
}

// same compares kind and content, not mode and owner.
func (e entry) same(o entry) bool {
	return e.Kind == o.Kind && e.SHA256 == o.SHA256
}

func (e entry) sameOwner(o entry) bool {
	return e.Kind == Absent || e.Mode == o.Mode && e.UID == o.UID && e.GID == o.GID
}

// step is a Step as a run keeps it.
type step struct {
	Path   string   `json:"path"`
	Real   string   `json:"real"` // where Path led at Begin
	Commit bool     `json:"commit,omitempty"`
	Made   []string `json:"made,omitempty"` // the directories that were missing, parents first
	Old    entry    `json:"old"`
	New    entry    `json:"new"`
	// Interim is what comes before New, nil for nothing.
	Interim *entry `json:"interim,omitempty"`

	index   int
	touched bool // it may have been executed; always so for a run read from the disk
	// at is the side that this process has put there, "" when it has put none.
	at   side
	data map[side][]byte
}

// side is one of the contents of a step.
type side string

const (
	sideOld     side = "old"
	sideInterim side = "interim"
	sideNew     side = "new"
)

// sides are all of them, in the order in which they follow each other.
var sides = []side{sideOld, sideInterim, sideNew}

// entry is one side of the step; a side that it has not is of no kind.
func (s *step) entry(of side) entry {
	switch {
	case of == sideOld:
		return s.Old
	case of == sideNew:
		return s.New
	case s.Interim != nil:
		return *s.Interim
	}
	return entry{}
}

// first is the side that Apply writes.
func (s *step) first() side {
	if s.Interim != nil {
		return sideInterim
	}
	return sideNew
}

// created says that the step makes what was not there.
func (s *step) created() bool { return s.Old.Kind == Absent }

// opaque says that nothing is to be read at the path.
func (s *step) opaque() bool { return s.New.Kind == Present }

// settled says that nothing is left to do for this side.
func (s *step) settled(cur entry, want side) bool {
	e := s.entry(want)
	return cur.same(e) && cur.sameOwner(e)
}

func (s *step) state(cur entry) State {
	isOld, isNew := cur.same(s.Old), cur.same(s.New)
	switch {
	case isOld && isNew && !cur.sameOwner(s.New): // only mode or owner differ
		return StateOld
	case isNew:
		return StateNew
	case isOld:
		return StateOld
	case s.Interim != nil && cur.same(*s.Interim):
		return StateInterim
	}
	return StateOther
}

// look says what is at the step's path now. Does the path lead elsewhere than
// at Begin, it is someone else's.
func (s *step) look(t tree) (entry, error) {
	real, _, err := t.resolve(s.Path)
	if err != nil {
		return entry{}, fail("read", s.Path, err)
	}
	if real != s.Real {
		return entry{Kind: odds}, nil
	}
	e, _, err := t.look(real, s.opaque())
	if err != nil {
		return entry{}, fail("read", s.Path, err)
	}
	return e, nil
}

// look describes what is at a resolved path, and reads it unless opaque.
func (t tree) look(real string, opaque bool) (entry, []byte, error) {
	info, err := t.lstat(real)
	switch {
	case err != nil:
		return entry{}, nil, err
	case info == nil:
		return entry{Kind: Absent}, nil, nil
	case info.IsDir():
		return describe(Directory, info), nil, nil
	case !info.Mode().IsRegular():
		return describe(odds, info), nil, nil
	case opaque:
		return describe(Present, info), nil, nil
	}
	return t.lookInside(real)
}

func (t tree) lookInside(real string) (entry, []byte, error) {
	f, info, err := t.openRegular(real)
	if errors.Is(err, fs.ErrNotExist) {
		return entry{Kind: Absent}, nil, nil
	}
	if err != nil {
		return entry{}, nil, err
	}
	defer f.Close()
	data, err := readAll(f)
	if errors.Is(err, errTooLarge) { // nothing of ours is
		return describe(odds, info), nil, nil
	}
	if err != nil {
		return entry{}, nil, err
	}
	e := describe(Regular, info)
	e.SHA256 = nodefile.Checksum(data)
	e.Xattrs, err = xattrs(f)
	return e, data, err
}

func describe(kind Kind, info fs.FileInfo) entry {
	mode, uid, gid := owned(info)
	return entry{Kind: kind, Mode: octal(mode), UID: uid, GID: gid, Size: info.Size()}
}

// temp is the name next to the target under which one side of the step is laid
// out. It follows from the run alone, so that whoever recovers the run finds it.
func (s *step) temp(id string, of side) string {
	base := path.Base(s.Real)
	if len(base) > 180 { // a name may have 255 bytes
		base = base[:180]
	}
	return "." + base + tempMark + strings.ReplaceAll(id, ":", "") + "-" + strconv.Itoa(s.index) + "." + string(of)
}
