package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/nodefile"
)

// Begin compares every Old with the disk, refuses with a *ChangedError if one
// differs, and stores the run: after Begin it can be finished or undone whatever
// happens. No file of the node has been touched yet. The caller holds the lock.
func (n *Node) Begin(verb string, steps []Step, meta map[string]string) (*Run, error) {
	st, err := n.makeStore()
	if err != nil {
		return nil, err
	}
	defer st.close()
	if err := st.free(); err != nil {
		return nil, err
	}
	if err := st.sweep(); err != nil {
		return nil, err
	}
	now := n.Now().UTC().Truncate(time.Second)
	r := &Run{Verb: verb, Time: now, Meta: meta, node: n}
	if err := r.take(steps); err != nil {
		return nil, err
	}
	if r.ID, r.seq, err = st.nextID(now); err != nil {
		return nil, err
	}
	return r, r.store(st)
}

// Check refuses what Begin would refuse of the steps, and writes nothing.
func (n *Node) Check(steps []Step) error {
	t, err := n.open()
	if err != nil {
		return err
	}
	defer t.close()
	if err := n.mayKeepState(t); err != nil {
		return err
	}
	return (&Run{node: n}).take(steps)
}

// free refuses when a run is unfinished.
func (s *store) free() error {
	id, err := s.journal()
	if err != nil || id == "" {
		return err
	}
	verb := "run"
	if rec, err := s.load(id); err == nil {
		verb = rec.Verb
	}
	return fmt.Errorf("%w: %s %s", ErrUnfinished, verb, id)
}

func (s *store) nextID(now time.Time) (id string, seq int, err error) {
	all, err := s.ids()
	if err != nil {
		return "", 0, err
	}
	for _, id := range all {
		if rec, err := s.load(id); err == nil {
			seq = max(seq, rec.Seq)
		}
	}
	base := now.Format(time.RFC3339)
	id = base
	for i := 2; slices.Contains(all, id); i++ {
		id = base + "-" + strconv.Itoa(i)
	}
	return id, seq + 1, nil
}

// take turns the caller's steps into the run's.
func (r *Run) take(steps []Step) error {
	if len(steps) == 0 {
		return errors.New("a run without steps")
	}
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	for i, want := range steps {
		s, err := t.plan(want)
		if err != nil {
			return err
		}
		s.index = i
		if err := r.fits(t, s); err != nil {
			return err
		}
		r.steps = append(r.steps, s)
	}
	if !slices.ContainsFunc(r.steps, func(s *step) bool { return s.Commit }) {
		r.steps[len(r.steps)-1].Commit = true
	}
	for _, s := range r.steps {
		if s.settled(s.Old, sideNew) {
			continue
		}
		if err := t.mayCarryOut(s); err != nil {
			return err
		}
	}
	return r.fitsDisk(t)
}

// plan compares one step with the disk and notes what is there.
func (t tree) plan(want Step) (*step, error) {
	if err := want.New.check(); err != nil {
		return nil, fail("write", want.Path, err)
	}
	real, _, err := t.resolve(want.Path)
	if err != nil {
		return nil, fail("read", want.Path, err)
	}
	cur, data, err := t.look(real, want.New.Kind == Present)
	if err != nil {
		return nil, fail("read", want.Path, err)
	}
	if !isAsRead(want.Old, cur, data, real) {
		return nil, &ChangedError{want.Path}
	}
	if want.Old.Empty && cur.Kind == Directory && want.New.Kind == Regular {
		cur = entry{Kind: Absent} // nobody's content: Apply takes it away
	}
	if cur.Kind != Absent && want.New.Kind != Absent && cur.Kind != want.New.Kind {
		return nil, fail("write", want.Path, fmt.Errorf("is a %s, not a %s", cur.Kind, want.New.Kind))
	}
	s := &step{Path: want.Path, Real: real, Commit: want.Commit, Old: cur, New: want.New.entry(cur)}
	s.data = map[side][]byte{sideOld: data, sideNew: bytes.Clone(want.New.Data)}
	if want.Interim != nil && want.New.Kind == Regular {
		e := Content{Kind: Regular, Data: want.Interim, Mode: want.New.Mode, UID: want.New.UID, GID: want.New.GID}.entry(cur)
		s.Interim, s.data[sideInterim] = &e, bytes.Clone(want.Interim)
	}
	if err := s.vet(t, cur); err != nil {
		op := "write"
		if want.New.Kind == Absent {
			op = "remove"
		}
		if !isChanged(err) {
			err = fail(op, want.Path, err)
		}
		return nil, err
	}
	if want.New.Kind == Directory {
		s.Made, err = t.missing(real)
	}
	return s, err
}

// isAsRead says whether f still describes what is there: kind, place and content.
func isAsRead(f File, cur entry, data []byte, real string) bool {
	if f.Real != "" && f.Real != real || f.Real == "" && f.Exists && path.Clean(f.Path) != real {
		return false
	}
	switch cur.Kind {
	case Absent:
		return !f.Exists
	case Directory:
		return f.Dir && (f.Exists || f.Empty)
	case Present: // its owner is to change, or to stay: it must be the one that was seen
		return f.Exists && !f.Dir && f.UID == cur.UID
	case Regular:
		return f.Exists && !f.Dir && bytes.Equal(f.Data, data)
	}
	return false
}

func (c Content) check() error {
	switch c.Kind {
	case Absent:
		return nil
	case Regular, Present, Directory:
		if c.Mode == 0 {
			return errors.New("no mode given")
		}
		if !isID(c.UID) || !isID(c.GID) {
			return fmt.Errorf("there is no owner %d:%d", c.UID, c.GID)
		}
		if len(c.Data) > maxFile {
			return errTooLarge
		}
		return nil
	}
	return fmt.Errorf("unknown kind %q", c.Kind)
}

// isID says whether a user or group can have the number. The last one of 32 bits
// means "as it is" to chown(2).
func isID(id int) bool { return id >= 0 && int64(id) < math.MaxUint32 }

// entry is what the content makes of what is there.
func (c Content) entry(cur entry) entry {
	e := entry{Kind: c.Kind, Mode: octal(c.Mode & modeBits), UID: c.UID, GID: c.GID}
	switch c.Kind {
	case Absent:
		return entry{Kind: Absent}
	case Regular:
		e.SHA256, e.Size, e.Xattrs = nodefile.Checksum(c.Data), int64(len(c.Data)), cur.Xattrs
	case Present, Directory:
		if cur.Kind == c.Kind && !c.Enforce {
			e.Mode, e.UID, e.GID = cur.Mode, cur.UID, cur.GID
		}
	}
	return e
}

// fits refuses what would fail half way: two steps for one path, a file whose
// directory nobody makes, and what is in the state directory.
func (r *Run) fits(t tree, s *step) error {
	for _, other := range r.steps {
		if other.Real == s.Real {
			return fail("write", s.Path, errors.New("twice in one run"))
		}
	}
	state, _, err := t.resolve(r.node.StateDir)
	if err != nil {
		return fail("read", r.node.StateDir, err)
	}
	if strings.HasPrefix(s.Real, state+"/") || path.Dir(s.Real) == state {
		return fail("write", s.Path, errors.New("in the state directory"))
	}
	if s.New.Kind != Regular && s.New.Kind != Present {
		return nil
	}
	dir := path.Dir(s.Real)
	made := slices.ContainsFunc(r.steps, func(o *step) bool { return slices.Contains(o.Made, dir) })
	if made {
		return nil
	}
	info, err := t.lstat(dir)
	if err == nil && info == nil {
		err = fmt.Errorf("the directory %s is missing", dir)
	}
	if err != nil {
		return fail("write", s.Path, err)
	}
	return nil
}

// store makes the run durable; see the package's page for the order.
func (r *Run) store(st *store) error {
	name, temp := path.Join(runsName, r.ID), path.Join(runsName, "."+r.ID)
	err := r.fill(st, temp)
	if err == nil {
		err = st.dir.Rename(temp, name)
	}
	if err == nil {
		err = syncDir(st.dir, runsName)
	}
	if err != nil {
		err = st.fail("write", name, err)
	} else {
		err = st.write(journalName, []byte(r.ID+"\n"))
	}
	if err != nil { // nothing has been touched: leave no run behind
		_ = st.dir.Remove(journalName)
		_ = st.dir.RemoveAll(temp)
		_ = st.dir.RemoveAll(name)
	}
	return err
}

func (r *Run) fill(st *store, dir string) error {
	if err := st.dir.Mkdir(dir, 0o700); err != nil {
		return err
	}
	rec := record{format, r.ID, r.seq, r.Verb, r.Time, r.Meta, r.steps}
	text, err := json.MarshalIndent(rec, "", "  ")
	if err != nil {
		return err
	}
	files := map[string][]byte{recordName: append(text, '\n')}
	for _, mark := range []string{markDone, markUndone, markUndoing, markOverridden} {
		files["."+mark] = nil
	}
	for _, s := range r.steps {
		for _, of := range sides {
			if s.entry(of).Kind == Regular {
				files[s.file(of)] = s.data[of]
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := st.create(path.Join(dir, name), files[name]); err != nil {
			return err
		}
	}
	return syncDir(st.dir, dir)
}
