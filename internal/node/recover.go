package node

import (
	"errors"
	"io/fs"
	"path"
)

// Outcome is how Recover ended a run.
type Outcome string

const (
	// Finished: the decisive file had its new content, and now all files have.
	Finished Outcome = "finished"
	// Undone: everything is as before the run.
	Undone Outcome = "undone"
	// Overridden: someone else has changed the decisive file; nothing was touched.
	Overridden Outcome = "left"
)

// Unfinished returns the run that was neither finished nor undone, nil if there
// is none.
func (n *Node) Unfinished() (*Run, error) {
	st, err := n.store()
	if err != nil || st == nil {
		return nil, err
	}
	defer st.close()
	id, err := st.journal()
	if err == nil && id == "" {
		return nil, nil
	}
	var rec record
	if err == nil {
		rec, err = st.load(id)
	}
	if err != nil {
		return nil, &JournalError{path.Join(n.StateDir, journalName), err}
	}
	return &Run{rec.ID, rec.Verb, rec.Time, rec.Meta, n, rec.Seq, rec.Steps}, nil
}

// Recover ends a run that was interrupted. It finishes the run if its decisive step
// is on disk and no undo had started; otherwise it undoes the run. If it returns
// an outcome, the run is over, and a *ChangedByOthersError with it lists files that
// someone else changed and that were skipped. Without an outcome the run is still
// unfinished. The caller holds the lock.
func (r *Run) Recover() (Outcome, error) {
	onward, err := r.ShouldFinish()
	if err != nil {
		return "", err
	}
	if onward {
		left, err := r.forward(true, finalSide)
		if err == nil {
			err = r.Done()
		}
		return ended(Finished, left, err)
	}
	outcome, err := Undone, error(nil)
	if r.lost() {
		outcome = Overridden
	}
	left, err := r.undo()
	switch {
	case err != nil:
	case outcome == Overridden:
		err = r.Yield("somebody else changed the manifest")
	default:
		err = r.Abandon("recovered after a crash")
	}
	return ended(outcome, left, err)
}

// Resume is Recover without its end, for a run that goes onward: everything is
// new afterwards, or interim where it was so, for Finalize; and the run can still
// be undone. A *ChangedByOthersError lists files that someone else changed.
func (r *Run) Resume() error {
	interim, err := r.interims()
	if err != nil {
		return err
	}
	left, err := r.forward(true, func(s *step) side {
		if interim[s] {
			return sideInterim
		}
		return sideNew
	})
	if err == nil && left != nil {
		err = &ChangedByOthersError{Paths: left}
	}
	return err
}

// Interim tells whether an interim content is on the disk, so that Finalize has
// something to write.
func (r *Run) Interim() (bool, error) {
	all, err := r.interims()
	return len(all) > 0, err
}

// interims are the steps whose interim content is on the disk.
func (r *Run) interims() (map[*step]bool, error) {
	t, err := r.node.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	out := map[*step]bool{}
	for _, s := range r.steps {
		cur, err := s.look(t)
		if err != nil {
			return nil, err
		}
		if s.state(cur) == StateInterim {
			out[s] = true
		}
	}
	return out, nil
}

// finalSide makes forward execute a step completely.
func finalSide(*step) side { return sideNew }

func ended(o Outcome, left []string, err error) (Outcome, error) {
	switch {
	case err != nil:
		return "", err
	case left != nil:
		return o, &ChangedByOthersError{Paths: left}
	}
	return o, nil
}

// ShouldFinish tells whether Recover would finish the run: its decisive step is on
// disk, and no undo had started.
func (r *Run) ShouldFinish() (bool, error) {
	st, err := r.openStore()
	if err != nil {
		return false, err
	}
	defer st.close()
	if st.marked(r.ID, markUndoing) {
		return false, nil
	}
	t, err := r.node.open()
	if err != nil {
		return false, err
	}
	defer t.close()
	s := r.decisive()
	cur, err := s.look(t)
	state := s.state(cur)
	return state == StateNew || state == StateInterim, err
}

// ChangedByOthers returns a *ChangedByOthersError when a decisive file is not what this
// process has put there last: also when someone has put the earlier one back.
func (r *Run) ChangedByOthers() error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	for _, s := range r.steps {
		if !s.Commit || s.at == "" {
			continue
		}
		cur, err := s.look(t)
		if err != nil {
			return err
		}
		if !cur.same(s.entry(s.at)) {
			return &ChangedByOthersError{[]string{s.Path}, s.at != sideOld && cur.same(s.Old)}
		}
	}
	return nil
}

func (r *Run) lost() bool {
	t, err := r.node.open()
	if err != nil {
		return false
	}
	defer t.close()
	return r.takenOver(t) != nil
}

// Done ends a run that stays: its old contents are a backup from now on.
func (r *Run) Done() error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	if err := r.clean(t); err != nil {
		return err
	}
	for _, s := range r.steps {
		if s.Old.Kind != Directory || s.New.Kind != Absent {
			continue
		}
		if err := s.remove(t); err != nil && !isChanged(err) {
			return err
		}
	}
	return r.end(markDone, "")
}

// Hold notes why a run is being undone whose end has to wait, because what it has made
// may still be needed. It stays unfinished, and Recover or Abandon ends it.
func (r *Run) Hold(reason string) error {
	st, err := r.openStore()
	if err != nil {
		return err
	}
	defer st.close()
	return st.write(path.Join(runsName, r.ID, reasonName), []byte(reason+"\n"))
}

// Held is the reason that Hold has noted, "" when it has not.
func (r *Run) Held() string {
	st, err := r.openStore()
	if err != nil {
		return ""
	}
	defer st.close()
	reason, _ := st.read(path.Join(runsName, r.ID, reasonName))
	return string(reason)
}

// Abandon ends a run that was undone, and notes why, unless Hold has.
func (r *Run) Abandon(reason string) error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	err = r.end(markUndone, reason)
	return join(r.clean(t), err)
}

// Yield ends a run whose decisive file someone else has changed, and notes why:
// nothing was rolled back, and the file is theirs.
func (r *Run) Yield(reason string) error {
	t, err := r.node.open()
	if err != nil {
		return err
	}
	defer t.close()
	err = r.end(markOverridden, reason)
	if errors.Is(err, fs.ErrNotExist) { // a run that was begun by an earlier version
		err = r.end(markUndone, reason)
	}
	return join(r.clean(t), err)
}

func (r *Run) end(mark, reason string) error {
	st, err := r.openStore()
	if err != nil {
		return err
	}
	defer st.close()
	if reason != "" && r.Held() == "" {
		// For people; a full disk must not stop us here.
		_ = st.write(path.Join(runsName, r.ID, reasonName), []byte(reason+"\n"))
	}
	_ = st.dir.Remove(path.Join(runsName, r.ID, newName)) // of a SetPhase that died
	if err := st.mark(r.ID, mark); err != nil {
		return err
	}
	if err := st.closeJournal(); err != nil {
		return err
	}
	r.node.prune(st)
	return nil
}

// SetPhase notes durably how far the caller is.
func (r *Run) SetPhase(phase string) error {
	st, err := r.openStore()
	if err != nil {
		return err
	}
	defer st.close()
	return st.write(path.Join(runsName, r.ID, phaseName), []byte(phase))
}

// Phase returns what SetPhase noted last, "" for nothing.
func (r *Run) Phase() (string, error) {
	st, err := r.openStore()
	if err != nil {
		return "", err
	}
	defer st.close()
	data, err := st.read(path.Join(runsName, r.ID, phaseName))
	return string(data), err
}
