package node

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/lazyregexp"
)

const (
	journalName = "journal"
	runsName    = "runs"
	recordName  = "run.json"
	phaseName   = "phase"
	reasonName  = "reason"
	newName     = ".new" // what write writes; the next write takes a leftover away
	// format is the version of run.json.
	format = 1
)

// The marks of a run. Each is made with a leading dot when the run is stored and
// renamed without it when it becomes true: this takes no space on the disk.
const (
	markDone    = "done"
	markUndone  = "undone"
	markUndoing = "undoing"
	// markOverridden: someone else has changed the manifest, and it is theirs.
	markOverridden = "overridden"
)

// idForm is what IDs look like; what looks otherwise is not ours to remove.
var idForm = lazyregexp.New(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(-\d+)?$`)

// record is run.json.
type record struct {
	Format int               `json:"format"`
	ID     string            `json:"id"`
	Seq    int               `json:"seq"` // the order of runs, whatever the clock did
	Verb   string            `json:"verb"`
	Time   time.Time         `json:"time"`
	Meta   map[string]string `json:"meta,omitempty"`
	Steps  []*step           `json:"steps"`
}

// store is the state directory. Names are relative to it.
type store struct {
	dir  *os.Root
	path string
	tree tree // for its owners; it may be closed
}

// store opens the state directory, nil when there is none.
func (n *Node) store() (*store, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	real, info, err := t.resolve(n.StateDir)
	if err != nil {
		return nil, fail("read", n.StateDir, err)
	}
	if info == nil {
		return nil, nil
	}
	if err := n.vetState(t); err != nil {
		return nil, err
	}
	dir, err := t.folder(real)
	if err != nil {
		return nil, fail("read", n.StateDir, err)
	}
	s := &store{dir, n.StateDir, t}
	if err := s.vet(runsName); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// makeStore opens the state directory and makes what of it is missing.
func (n *Node) makeStore() (*store, error) {
	t, err := n.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	real, _, err := t.resolve(n.StateDir)
	if err != nil {
		return nil, fail("make", n.StateDir, err)
	}
	if err := n.mayKeepState(t); err != nil {
		return nil, err
	}
	if err := t.mkdirs(real, 0o700); err != nil {
		return nil, fail("make", n.StateDir, err)
	}
	if err := t.mkdirs(path.Join(real, runsName), 0o700); err != nil {
		return nil, fail("make", path.Join(n.StateDir, runsName), err)
	}
	return n.store()
}

// mkdirs makes a directory with this mode, its parents with 0755.
func (t tree) mkdirs(real string, mode fs.FileMode) error {
	names, err := t.missing(real)
	if err != nil {
		return err
	}
	for i, name := range names {
		m := fs.FileMode(0o755)
		if i == len(names)-1 {
			m = mode
		}
		if err := t.mkdir(name, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) close() { s.dir.Close() }

func (s *store) fail(op, name string, err error) error {
	return fail(op, path.Join(s.path, name), err)
}

func (s *store) has(name string) bool {
	_, err := s.dir.Lstat(name)
	return err == nil
}

// read returns nil without an error when there is no such file.
func (s *store) read(name string) ([]byte, error) {
	if err := s.vet(name); err != nil {
		return nil, err
	}
	data, err := s.dir.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail("read", name, err)
	}
	return data, nil
}

// write replaces a file, atomically and durably.
func (s *store) write(name string, data []byte) error {
	temp := path.Join(path.Dir(name), newName)
	err := s.create(temp, data)
	if err == nil {
		err = s.dir.Rename(temp, name)
	}
	if err == nil {
		err = syncDir(s.dir, path.Dir(name))
	}
	if err != nil {
		return s.fail("write", name, err)
	}
	return nil
}

// create makes a new file; its name is durable after a sync of the directory.
func (s *store) create(name string, data []byte) error {
	dir, err := s.dir.OpenRoot(path.Dir(name))
	if err != nil {
		return err
	}
	defer dir.Close()
	own := entry{Mode: 0o600, UID: os.Geteuid(), GID: os.Getegid()}
	return writeNew(dir, path.Base(name), data, own)
}

// mark makes a mark of a run true. Once is enough.
func (s *store) mark(id, mark string) error {
	dir := path.Join(runsName, id)
	err := s.dir.Rename(path.Join(dir, "."+mark), path.Join(dir, mark))
	if errors.Is(err, fs.ErrNotExist) && s.has(path.Join(dir, mark)) {
		return nil
	}
	if err == nil {
		err = syncDir(s.dir, dir)
	}
	if err != nil {
		return s.fail("write", path.Join(dir, mark), err)
	}
	return nil
}

func (s *store) marked(id, mark string) bool {
	return s.has(path.Join(runsName, id, mark))
}

// ended says that a run was finished or undone.
func (s *store) ended(id string) bool {
	return s.marked(id, markDone) || s.marked(id, markUndone) || s.marked(id, markOverridden)
}

// journal returns the ID of the unfinished run, "" for none. One that has an end
// mark died between the mark and the removal of the journal.
func (s *store) journal() (string, error) {
	data, err := s.read(journalName)
	if err != nil || data == nil {
		return "", err
	}
	id := strings.TrimSuffix(string(data), "\n")
	if !idForm().MatchString(id) {
		return "", s.fail("read", journalName, errDamaged)
	}
	if s.ended(id) {
		return "", nil
	}
	if !s.has(path.Join(runsName, id)) {
		return "", s.fail("read", path.Join(runsName, id), fs.ErrNotExist)
	}
	return id, nil
}

func (s *store) closeJournal() error {
	err := s.dir.Remove(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = syncDir(s.dir, ".")
	}
	if err != nil {
		return s.fail("remove", journalName, err)
	}
	return nil
}

// load reads run.json.
func (s *store) load(id string) (record, error) {
	if err := s.vetRun(id); err != nil {
		return record{}, err
	}
	name := path.Join(runsName, id, recordName)
	data, err := s.dir.ReadFile(name)
	if err != nil {
		return record{}, s.fail("read", name, err)
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil || rec.ID != id {
		return record{}, s.fail("read", name, errDamaged)
	}
	if rec.Format != format {
		return record{}, s.fail("read", name, errors.New("written by another version"))
	}
	if !rec.link() {
		return record{}, s.fail("read", name, errDamaged)
	}
	return rec, nil
}

// ids lists the stored runs; runs that never got a journal are not among them.
func (s *store) ids() ([]string, error) {
	all, err := s.names()
	if err != nil {
		return nil, err
	}
	current, _ := s.journal() // a damaged one does not make the backups useless
	return slices.DeleteFunc(all, func(id string) bool {
		return !idForm().MatchString(id) || id != current && !s.ended(id)
	}), nil
}

func (s *store) names() ([]string, error) {
	d, err := s.dir.Open(runsName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, s.fail("read", runsName, err)
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, s.fail("read", runsName, err)
	}
	return names, nil
}

// sweep removes what a death inside Begin, or inside the deletion of a backup,
// has left.
func (s *store) sweep() error {
	all, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range all {
		id, hidden := strings.CutPrefix(name, ".")
		if !idForm().MatchString(id) || !hidden && s.ended(id) {
			continue
		}
		if err := s.dir.RemoveAll(path.Join(runsName, name)); err != nil {
			return s.fail("remove", path.Join(runsName, name), err)
		}
	}
	return nil
}

// drop deletes a run. It goes out of sight first, so that nobody ever finds half
// a backup.
func (s *store) drop(id string) error {
	hidden := path.Join(runsName, "."+id)
	if err := s.dir.Rename(path.Join(runsName, id), hidden); err != nil {
		return err
	}
	return s.dir.RemoveAll(hidden)
}
