package node

import (
	"errors"
	"path"
	"strconv"
	"time"

	"auditpatch/internal/nodefile"
)

// Run is an ordered list of steps that is executed as a whole.
type Run struct {
	ID   string
	Verb string
	Time time.Time
	Meta map[string]string

	node  *Node
	seq   int
	steps []*step
}

// file is the name of one side's content in the run's directory.
func (s *step) file(of side) string { return strconv.Itoa(s.index) + "." + string(of) }

// Contents are what a path of the run held before, and what it is to hold; nil
// where that is no file with contents.
func (r *Run) Contents(path string) (before, after []byte, err error) {
	for _, s := range r.steps {
		if s.Path != path {
			continue
		}
		if s.Old.Kind == Regular {
			if before, err = r.content(s, sideOld); err != nil {
				return nil, nil, err
			}
		}
		if s.New.Kind == Regular {
			after, err = r.content(s, sideNew)
		}
		return before, after, err
	}
	return nil, nil, nil
}

// content returns one side's content: from memory, or from the run's directory
// for a run that another process began.
func (r *Run) content(s *step, of side) ([]byte, error) {
	if data, ok := s.data[of]; ok {
		return data, nil
	}
	st, err := r.openStore()
	if err != nil {
		return nil, err
	}
	defer st.close()
	return st.content(r.ID, s, of)
}

// content reads one side's content and checks it.
func (s *store) content(id string, st *step, of side) ([]byte, error) {
	name := path.Join(runsName, id, st.file(of))
	if err := s.vet(name); err != nil {
		return nil, err
	}
	data, err := s.dir.ReadFile(name)
	if err == nil && nodefile.Checksum(data) != st.entry(of).SHA256 {
		err = errDamaged
	}
	if err != nil {
		return nil, s.fail("read", name, err)
	}
	return data, nil
}

// openStore opens a state directory that must be there.
func (r *Run) openStore() (*store, error) {
	st, err := r.node.store()
	if err == nil && st == nil {
		err = fail("read", r.node.StateDir, errors.New("the state directory is gone"))
	}
	return st, err
}

// State says for each step which side of it is on the disk.
func (r *Run) State() ([]StepState, error) {
	t, err := r.node.open()
	if err != nil {
		return nil, err
	}
	defer t.close()
	var all []StepState
	for _, s := range r.steps {
		cur, err := s.look(t)
		if err != nil {
			return nil, err
		}
		all = append(all, StepState{s.Path, s.Commit, s.state(cur)})
	}
	return all, nil
}

// StepState is the state of one step's path.
type StepState struct {
	Path   string
	Commit bool
	State  State
}
