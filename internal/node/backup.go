package node

import (
	"cmp"
	"io/fs"
	"slices"
	"time"
)

// Result says how a run ended.
type Result string

const (
	ResultDone       Result = "done"
	ResultUndone     Result = "undone"     // not a state to go back to by default
	ResultOverridden Result = "overridden" // someone else changed the manifest in the meantime, which was left to them
	ResultUnfinished Result = "unfinished" // see Unfinished
	ResultDamaged    Result = "damaged"    // run.json cannot be read; only ID is set
)

// Backup is a run with what was there before it.
type Backup struct {
	ID     string
	Verb   string
	Time   time.Time
	Meta   map[string]string
	Result Result
	Reason string // why it was undone
	Files  []BackupFile

	seq int
}

// BackupFile is one path as it was before the run.
type BackupFile struct {
	Path   string
	Kind   Kind // Absent: there was nothing
	Exists bool
	Mode   fs.FileMode
	UID    int
	GID    int
	SHA256 string
	Size   int64
}

// Backups lists all runs, the newest first.
func (n *Node) Backups() ([]Backup, error) {
	st, err := n.store()
	if err != nil || st == nil {
		return nil, err
	}
	defer st.close()
	return st.backups()
}

// Backup returns a run and every path as it was before it, by path: those that the
// run has changed, and those that later runs that stayed have changed, as the
// first of these found them. Contents are checked against their hash. Files whose
// content is not kept (kind Present) are not among them.
func (n *Node) Backup(id string) (Backup, map[string]File, error) {
	st, err := n.store()
	if err != nil {
		return Backup{}, nil, err
	}
	if st == nil {
		return Backup{}, nil, fail("backup", id, fs.ErrNotExist)
	}
	defer st.close()
	all, err := st.ids()
	if err != nil {
		return Backup{}, nil, err
	}
	if !slices.Contains(all, id) {
		return Backup{}, nil, fail("backup", id, fs.ErrNotExist)
	}
	rec, err := st.load(id)
	if err != nil {
		return Backup{}, nil, err
	}
	files, err := st.files(rec)
	if err == nil {
		err = st.addLater(id, files)
	}
	return st.backup(rec), files, err
}

// addLater adds what only later runs have changed.
func (s *store) addLater(id string, files map[string]File) error {
	runs, err := s.from(id)
	if err != nil {
		return err
	}
	for _, rec := range runs {
		if rec.ID == id || !s.marked(rec.ID, markDone) {
			continue
		}
		later, err := s.files(rec)
		if err != nil {
			return err
		}
		for name, f := range later {
			if _, known := files[name]; !known {
				files[name] = f
			}
		}
	}
	return nil
}

func (s *store) files(rec record) (map[string]File, error) {
	files := map[string]File{}
	for _, st := range rec.Steps {
		e := st.Old
		f := File{Path: st.Path, Exists: e.Kind != Absent, Dir: e.Kind == Directory,
			Mode: fs.FileMode(e.Mode), UID: e.UID, GID: e.GID}
		if st.Real != st.Path {
			f.Real = st.Real
		}
		if st.opaque() {
			continue
		}
		if e.Kind == Regular {
			data, err := s.content(rec.ID, st, sideOld)
			if err != nil {
				return nil, err
			}
			f.Data = data
		}
		files[st.Path] = f
	}
	return files, nil
}

func (s *store) backups() ([]Backup, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	var all []Backup
	for _, id := range ids {
		b := Backup{ID: id, Result: ResultDamaged}
		if rec, err := s.load(id); err == nil {
			b = s.backup(rec)
		}
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b Backup) int {
		return cmp.Or(cmp.Compare(b.seq, a.seq), cmp.Compare(b.ID, a.ID))
	})
	return all, nil
}

func (s *store) backup(rec record) Backup {
	b := Backup{ID: rec.ID, Verb: rec.Verb, Time: rec.Time, Meta: rec.Meta, Result: ResultUnfinished, seq: rec.Seq}
	switch {
	case s.marked(rec.ID, markDone):
		b.Result = ResultDone
	case s.marked(rec.ID, markUndone):
		b.Result = ResultUndone
	case s.marked(rec.ID, markOverridden):
		b.Result = ResultOverridden
	}
	if b.Result != ResultDone {
		reason, _ := s.read(runsName + "/" + rec.ID + "/" + reasonName)
		b.Reason = string(reason)
	}
	for _, st := range rec.Steps {
		e := st.Old
		b.Files = append(b.Files, BackupFile{st.Path, e.Kind, e.Kind != Absent, fs.FileMode(e.Mode), e.UID, e.GID, e.SHA256, e.Size})
	}
	return b
}

// prune deletes the oldest runs beyond their quotas: Keep that were done, which
// are states to go back to, and keepOthers of all others, so that attempts that
// failed never push those out. That an old backup cannot be deleted is no failure
// of the run that has just ended.
func (n *Node) prune(st *store) {
	all, err := st.backups()
	if err != nil {
		return
	}
	done, others := 0, 0
	for _, b := range all {
		kept, quota := &others, keepOthers
		switch {
		case b.Result == ResultUnfinished:
			continue
		case st.marked(b.ID, markDone): // run.json may be of another version
			kept, quota = &done, max(n.Keep, 1)
		}
		if *kept++; *kept > quota {
			_ = st.drop(b.ID)
		}
	}
}
