package node

import (
	"errors"
	"path"
	"slices"
)

// Apply carries out all steps in their order, those with an interim content up
// to that. If one fails, all are put back and
// the run is abandoned; a *HalfwayError says that putting back failed too. It
// takes milliseconds and is not to be interrupted.
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

// Finalize puts the new content where Apply left an interim one. Calling it
// again does no harm. If it fails the run is as it was, and can be undone.
func (r *Run) Finalize() error { return r.putInterims(sideNew) }

// putInterims puts one side wherever there is an interim content.
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

// forward lays everything out and then carries out the steps that are not there
// yet, each up to the side that upTo names. With yield, files that somebody else changed are left and listed;
// otherwise they are an error.
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
		err := r.carryOut(t, s, upTo(s))
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

// prepare does what may fail and changes nothing yet: it makes directories that
// are missing, and lays out the step's contents beside their target, the old one
// too, so that going back needs no space.
func (r *Run) prepare(t tree, s *step) error {
	cur, err := s.look(t)
	if err != nil || s.settled(cur, sideNew) {
		return err
	}
	if s.state(cur) == StateOther && !(s.created() && s.stray(cur)) {
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

func (r *Run) carryOut(t tree, s *step, upTo side) error {
	switch s.New.Kind {
	case Regular:
		return r.put(t, s, upTo)
	case Absent:
		if s.Old.Kind == Directory { // the old contents of its files lie in it
			return nil // until Done
		}
		return s.remove(t)
	}
	return s.ensure(t, s.New)
}

// put gives the step's path the content, mode and owner of one side: one rename
// of the file that layOut wrote.
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
		if cur, err = s.vacate(t, cur); err != nil {
			return err
		}
	}
	if s.foreign(cur, want) {
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
	if cur, err = s.look(t); err != nil { // laying out took its time
		return err
	}
	if s.foreign(cur, want) {
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

// stray tells whether a directory lies where only files belong.
func (s *step) stray(cur entry) bool {
	return cur.Kind == Directory && s.Old.Kind != Directory && s.New.Kind != Directory
}

// vacate takes away an empty directory that has appeared where a file of ours
// belongs: a container runtime makes one for the source of a mount that is
// missing when it restarts a container. It returns what is there then.
func (s *step) vacate(t tree, cur entry) (entry, error) {
	if !s.stray(cur) {
		return cur, nil
	}
	if err := t.unlink(s.Real); err != nil {
		return cur, fail("remove", s.Path, err)
	}
	return s.look(t)
}

// foreign tells whether somebody else's content lies where one side is to be put.
// A file that was removed meanwhile comes back when the run is undone: nobody's
// content is lost by that, and the earlier manifest may name it.
func (s *step) foreign(cur entry, want side) bool {
	return s.state(cur) == StateOther && !(want == sideOld && cur.Kind == Absent)
}

// layOut writes one side's content under its dot name beside the target, unless
// it is there already, whole.
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

// remove takes the path away if one of our contents lies there, or an empty
// directory.
func (s *step) remove(t tree) error {
	cur, err := s.look(t)
	if err == nil {
		cur, err = s.vacate(t, cur)
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

// ensure makes the directory or the empty file that want says, and gives it mode
// and owner, in place.
func (s *step) ensure(t tree, want entry) error {
	cur, err := s.look(t)
	if err != nil || cur.same(want) && cur.sameOwner(want) {
		return err
	}
	if cur.Kind != Absent && cur.Kind != want.Kind {
		return &ChangedError{s.Path}
	}
	s.touched = true
	f, err := s.obtain(t, want, cur.Kind == Absent)
	if err == nil {
		defer f.Close()
		err = dress(f, want)
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
