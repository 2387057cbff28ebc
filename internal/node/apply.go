package node

import (
	"errors"
	"path"
	"slices"
)

// Apply executes all steps in order; those with an interim content stop there. If
// a step fails, all steps are rolled back and the run is abandoned. A
// *HalfwayError says that the rollback failed as well. Apply takes milliseconds
// and must not be interrupted.
func (r *Run) Apply() error {
	_, err := r.forward(false, (*step).first)
	if err == nil {
		return nil
	}
	if undo := r.Undo(); undo != nil {
		return &HalfwayError{r.ID, err, undo}
	}
	return join(err, r.Abandon(err.Error()))
}

// Finalize replaces the interim content that Apply wrote with the new content. It
// may be called again. If it fails, the run is as before, and can be undone.
func (r *Run) Finalize() error { return r.putInterims(sideNew) }

// putInterims writes one side of every step that has an interim content.
func (r *Run) putInterims(to side) error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	for _, s := range r.steps {
		if s.Interim == nil {
			continue
		}
		if err := r.put(t, s, to); err != nil {
			return err
		}
	}
	return nil
}

// forward prepares everything and then executes the steps that are not done yet,
// each up to the side that upTo returns. With yield, files that someone else
// changed are skipped and returned; without it they are an error.
func (r *Run) forward(yield bool, upTo func(*step) side) (left []string, err error) {
	t, err := r.node.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	for _, s := range r.steps {
		if err := r.prepare(t, s); err != nil && !(yield && isChanged(err)) {
			return nil, err
		}
	}
	for _, s := range r.steps {
		err := r.execute(t, s, upTo(s))
		if yield && isChanged(err) {
			left = append(left, s.Path)
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

func isChanged(err error) bool {
	var c *ChangedError
	return errors.As(err, &c)
}

// prepare does what may fail, but changes no existing file: it creates missing
// directories, and writes the step's contents next to their target, including the
// old content, so that a rollback needs no disk space.
func (r *Run) prepare(t tree, s *step) error {
	cur, err := s.look(t)
	if err != nil || s.settled(cur, sideNew) {
		return err
	}
	if s.state(cur) == StateOther && !(s.created() && s.isStrayDir(cur)) {
		return &ChangedError{s.Path}
	}
	if s.New.Kind == Directory && s.created() {
		return s.ensure(t, s.New)
	}
	for _, of := range sides {
		if s.entry(of).Kind != Regular {
			continue
		}
		if err := r.layOut(t, s, of); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) execute(t tree, s *step, upTo side) error {
	switch s.New.Kind {
	case Regular:
		return r.put(t, s, upTo)
	case Absent:
		if s.Old.Kind == Directory { // it has the old contents of its files
			return nil // until Done
		}
		return s.remove(t)
	}
	return s.ensure(t, s.New)
}

// put gives the step's path the content, mode and owner of one side, by renaming
// the file that layOut wrote.
func (r *Run) put(t tree, s *step, want side) error {
	cur, err := s.look(t)
	if err != nil {
		return err
	}
	if s.settled(cur, want) {
		s.at = want
		return nil
	}
	if s.created() || want == sideOld {
		if cur, err = s.removeStrayDir(t, cur); err != nil {
			return err
		}
	}
	if s.changedByOthers(cur, want) {
		return &ChangedError{s.Path}
	}
	if err := r.layOut(t, s, want); err != nil {
		return err
	}
	dir, err := t.folder(path.Dir(s.Real))
	if err != nil {
		return fail("write", s.Path, err)
	}
	defer dir.Close()
	if cur, err = s.look(t); err != nil { // it may have changed while layOut wrote
		return err
	}
	if s.changedByOthers(cur, want) {
		return &ChangedError{s.Path}
	}
	s.touched, s.at = true, want
	err = dir.Rename(s.temp(r.ID, want), path.Base(s.Real))
	if err == nil {
		err = syncDir(dir, ".")
	}
	if err != nil {
		return fail("write", s.Path, err)
	}
	t.touchLink(s.Path)
	return nil
}

// isStrayDir tells whether there is a directory where only a file belongs.
func (s *step) isStrayDir(cur entry) bool {
	return cur.Kind == Directory && s.Old.Kind != Directory && s.New.Kind != Directory
}

// removeStrayDir removes an empty directory that has appeared in place of one of
// our files: a container runtime creates one if the source of a mount is missing
// when it restarts a container. It returns what is there afterwards.
func (s *step) removeStrayDir(t tree, cur entry) (entry, error) {
	if !s.isStrayDir(cur) {
		return cur, nil
	}
	if err := t.unlink(s.Real); err != nil {
		return cur, fail("remove", s.Path, err)
	}
	return s.look(t)
}

// changedByOthers tells whether someone else's content is in the place of one side.
// A file that was removed in the meantime is restored when the run is undone: that
// loses nobody's content, and the earlier manifest may refer to the file.
func (s *step) changedByOthers(cur entry, want side) bool {
	return s.state(cur) == StateOther && !(want == sideOld && cur.Kind == Absent)
}

// layOut writes one side's content under its dot name next to the target, unless
// the complete file is already there.
func (r *Run) layOut(t tree, s *step, of side) error {
	want := s.entry(of)
	name := s.temp(r.ID, of)
	cur, _, err := t.look(path.Join(path.Dir(s.Real), name), false)
	if err == nil && cur.same(want) && cur.sameOwner(want) {
		return nil
	}
	data, err := r.content(s, of)
	if err != nil {
		return err
	}
	dir, err := t.folder(path.Dir(s.Real))
	if err == nil {
		defer dir.Close()
		err = writeNew(dir, name, data, want)
	}
	if err == nil {
		err = syncDir(dir, ".")
	}
	if err != nil {
		return fail("write", s.Path, err)
	}
	return nil
}

// remove removes the path if it has one of our contents, or is an empty directory.
func (s *step) remove(t tree) error {
	cur, err := s.look(t)
	if err == nil {
		cur, err = s.removeStrayDir(t, cur)
	}
	if err != nil || cur.Kind == Absent {
		return err
	}
	if s.state(cur) == StateOther {
		return &ChangedError{s.Path}
	}
	s.touched = true
	if err := t.unlink(s.Real, s.also()...); err != nil {
		return fail("remove", s.Path, err)
	}
	return nil
}

// ensure creates the directory or the empty file that want describes, and sets
// its mode and owner in place.
func (s *step) ensure(t tree, want entry) error {
	cur, err := s.look(t)
	if err != nil || cur.same(want) && cur.sameOwner(want) {
		return err
	}
	if cur.Kind != Absent && cur.Kind != want.Kind {
		return &ChangedError{s.Path}
	}
	s.touched = true
	f, err := s.openOrCreate(t, want, cur.Kind == Absent)
	if err == nil {
		defer f.Close()
		err = setMetadata(f, want)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil && !isChanged(err) {
		return fail("write", s.Path, err)
	}
	return err
}

// clean removes the run's dot names.
func (r *Run) clean(t tree) error {
	var errs []error
	for _, s := range r.steps {
		for _, of := range sides {
			if s.entry(of).Kind != Regular {
				continue
			}
			if err := t.unlink(path.Join(path.Dir(s.Real), s.temp(r.ID, of))); err != nil {
				errs = append(errs, fail("remove", s.Path, err))
			}
		}
	}
	return join(errs...)
}

// decisive is the last step that is marked Commit.
func (r *Run) decisive() *step {
	for _, s := range slices.Backward(r.steps) {
		if s.Commit {
			return s
		}
	}
	return r.steps[len(r.steps)-1] // not reached: Begin and load see to it
}
