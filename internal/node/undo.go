package node

import "slices"

// Undo rolls back every step: it restores contents, mode, owner and attributes,
// and removes what the run created, directories only if they are empty. A file
// that someone else has changed in the meantime is skipped and listed in a
// *ChangedByOthersError. If it is a decisive file, nothing at all is touched,
// because it may refer to the others. Call Abandon afterwards to end the run.
func (r *Run) Undo() error {
	return changedByOthers(r.undo())
}

// PutBack is the first part of an Undo: it restores everything that was replaced or
// removed, the decisive file last. Files that the run created stay for
// [Run.RemoveMade], until no Pod that refers to them can start.
func (r *Run) PutBack() error {
	r.markUndoing()
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	if left := r.takenOver(t); left != nil {
		return &ChangedByOthersError{Paths: left}
	}
	return changedByOthers(r.putBack(t, rankFolder, rankDecisive))
}

// RemoveMade is the second part of an Undo.
func (r *Run) RemoveMade() error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	return join(changedByOthers(r.putBack(t, rankMade, rankMade)), r.clean(t))
}

// Rewind prepares an Undo: it replaces the new content with the interim content,
// where there is one, and does nothing else. Undo has to follow.
func (r *Run) Rewind() error {
	r.markUndoing()
	return r.putInterims(sideInterim)
}

// Made tells whether a file that the run created still exists, for RemoveMade.
func (r *Run) Made() bool {
	t, err := r.node.open()
	if err != nil {
		return false
	}
	defer t.close()
	return slices.ContainsFunc(r.ranked(rankMade), func(s *step) bool {
		cur, err := s.look(t)
		return err == nil && s.touched && s.New.Kind == Regular && s.state(cur) == StateNew
	})
}

// changedByOthers is the error for files that someone else has changed.
func changedByOthers(changed []string, err error) error {
	if err == nil && changed != nil {
		return &ChangedByOthersError{Paths: changed}
	}
	return err
}

func (r *Run) undo() (left []string, err error) {
	r.markUndoing()
	t, err := r.node.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	if left := r.takenOver(t); left != nil {
		return left, r.clean(t)
	}
	left, err = r.putBack(t, rankFolder, rankMade)
	if err != nil {
		return left, err // the dot names stay for the next try
	}
	return left, r.clean(t)
}

// markUndoing makes the direction durable. If it cannot be, going back still
// matters more than surviving a crash in the middle of it.
func (r *Run) markUndoing() {
	st, err := r.openStore()
	if err != nil {
		return
	}
	defer st.close()
	_ = st.mark(r.ID, markUndoing)
}

// takenOver lists the decisive files that someone else has changed since.
func (r *Run) takenOver(t tree) (left []string) {
	for _, s := range r.steps {
		if !s.Commit || !s.touched {
			continue
		}
		if cur, err := s.look(t); err == nil && s.state(cur) == StateOther && !s.isStrayDir(cur) {
			left = append(left, s.Path)
		}
	}
	return left
}

// The ranks in which steps are rolled back. Rank 1 comes before 2 because the old
// manifest must find the old policy, and 3 after 2 because until then the new
// manifest still names the new one.
const (
	rankFolder   = iota // directories that were removed; the inner ones last
	rankContent         // files that were replaced or removed, in the order of the steps
	rankDecisive        // the files that name the others
	rankMade            // what was made, or only got a mode and owner; the last one first
)

func (s *step) rank() int {
	switch {
	case s.Old.Kind == Directory && s.New.Kind == Absent:
		return rankFolder
	case s.Commit:
		return rankDecisive
	case s.Old.Kind == Regular:
		return rankContent
	}
	return rankMade
}

// putBack goes through the ranks. If a decisive file cannot be rolled back, what
// was made stays, since that file may name it.
func (r *Run) putBack(t tree, from, to int) (left []string, err error) {
	var errs []error
	for rank := from; rank <= to; rank++ {
		for _, s := range r.ranked(rank) {
			err := r.back(t, s)
			if isChanged(err) {
				left = append(left, s.Path)
			} else if err != nil {
				errs = append(errs, err)
			}
		}
		if rank == rankDecisive && len(errs) > 0 {
			break
		}
	}
	return left, join(errs...)
}

func (r *Run) ranked(rank int) []*step {
	var some []*step
	for _, s := range r.steps {
		if s.rank() == rank {
			some = append(some, s)
		}
	}
	if rank == rankFolder || rank == rankMade {
		slices.Reverse(some)
	}
	return some
}

// back puts one step back. What the run has not touched is as it was, or
// someone else's.
func (r *Run) back(t tree, s *step) error {
	switch {
	case !s.touched:
		return nil
	case s.Old.Kind == Regular:
		return r.put(t, s, sideOld)
	case s.Old.Kind != Absent:
		return s.ensure(t, s.Old)
	case s.New.Kind == Regular:
		return s.remove(t)
	case s.New.Kind == Present:
		return s.removeEmpty(t)
	case s.New.Kind == Directory:
		return s.unmake(t)
	}
	return nil
}

// removeEmpty removes a file made for another program, unless that has begun to
// write.
func (s *step) removeEmpty(t tree) error {
	cur, err := s.look(t)
	if err != nil || cur.Kind != Present || cur.Size > 0 {
		return err
	}
	return s.remove(t)
}

// unmake removes the directories that the step made, as far as they are empty.
func (s *step) unmake(t tree) error {
	for _, real := range slices.Backward(s.Made) {
		if info, err := t.lstat(real); err == nil && info != nil && !info.IsDir() {
			continue // someone else's, in the place of ours
		}
		if err := t.unlink(real); err != nil {
			return fail("remove", s.Path, err)
		}
	}
	return nil
}
