package change

import (
	"context"
	"errors"
	"fmt"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/handover"
	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/patch"
)

// Recovered is what came of a run that died half way. Its JSON is that of recover.
type Recovered struct {
	Changed bool   `json:"changed"`
	Run     string `json:"run,omitempty"`
	Outcome string `json:"outcome,omitempty"` // finished, undone, left
	Waited  bool   `json:"waited"`            // for the API server
}

// Recover ends a run that died half way. The steps stand in the Result.
func Recover(ctx context.Context, r RecoverRequest) (Recovered, Result, error) {
	j, err := newJob("recover", r.Target, r.How)
	if err != nil {
		return Recovered{}, newResult("recover"), err
	}
	if j.target.Stdin() {
		return Recovered{}, j.result, hint.Errorf(hint.Command("recover"), "recover works on a node, not on standard input")
	}
	ended, err := j.recover(ctx)
	if err != nil && ended.ID != "" {
		err = fmt.Errorf("recover %s: %w", ended.ID, err)
	}
	switch {
	case j.moved:
		j.result.Outcome = "audit events that an earlier run had left are in the log now"
	case ended.ID == "":
		j.result.Outcome = "no run died half way, nothing to do"
	}
	return Recovered{ended.Touched || j.moved, ended.ID, string(ended.Outcome), ended.Waited}, j.result, err
}

// recover ends an earlier run that died half way, and says so.
func (j *job) recover(ctx context.Context) (rollout.Recovered, error) {
	if j.target.Stdin() {
		return rollout.Recovered{}, nil
	}
	if err := j.target.CheckOwnRoot(j.result.Command); err != nil {
		return rollout.Recovered{}, err
	}
	if err := j.how.Listener.begin(); err != nil {
		return rollout.Recovered{}, err
	}
	r, err := rollout.Recover(ctx, j.target.Node, func(run *node.Run) (rollout.Watcher, error) { return j.watcher(ctx, run) })
	var left error
	j.moved, left = j.settle()
	if r.ID != "" || j.moved {
		j.forgetSecond()
	}
	if r.Touched || j.moved {
		j.result.Touched = true
	} else {
		j.how.Listener.spared()
	}
	if r.Outcome != "" {
		j.how.Listener.recover(r.ID, ended(r.Outcome))
		j.result.Steps = append(j.result.Steps, Step{Step: "recover", Text: r.ID + ": " + ended(r.Outcome)})
	}
	var foreign *node.ChangedByOthersError
	var not *rollout.NotRestored
	if r.Outcome != "" && errors.As(err, &foreign) && !errors.As(err, &not) {
		j.warn(patch.Problem{Message: foreign.Error()}) // the run has ended all the same
		err = nil
	}
	if left != nil {
		j.warn(patch.Problem{Message: left.Error(), Hint: hint.Command("recover")})
	}
	return r, err
}

// settle moves the audit events of a run that died to the log. A run that goes on does so
// itself.
func (j *job) settle() (moved bool, err error) {
	if !handover.Left(j.target.Node) {
		return false, nil
	}
	lock, err := j.target.Node.Lock("recover")
	var locked *node.LockedError
	if errors.As(err, &locked) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer lock.Unlock()
	err = handover.Settle(j.target.Node)
	return err == nil, err
}

// forgetSecond takes away what the second API server of a run that died has left in the
// cluster.
func (j *job) forgetSecond() {
	if state, err := j.read(); err == nil && j.target.Live {
		rehearsal.Forget(apiserver.New(j.target.Node, patch.Inspect(state.Parsed).Server))
	}
}

// watcher waits for the API server of a run that died, nil for nobody.
func (j *job) watcher(ctx context.Context, run *node.Run) (rollout.Watcher, error) {
	if !j.target.Live || j.how.NoWait {
		return nil, nil
	}
	j.how.Listener.recover(run.ID, run.Verb+" "+target.Unfinished(run))
	l, err := j.liveAgain(ctx, run)
	if l == nil || err != nil {
		return nil, err
	}
	return l, nil
}

// warnUnfinished says of a preview that the change itself ends an earlier run first.
func (j *job) warnUnfinished() {
	if j.target.Stdin() {
		return
	}
	run, by, err := j.target.UnderWay()
	if run == nil || by != nil || err != nil {
		return // who holds the lock, and a damaged journal, are for the change to refuse
	}
	j.warn(patch.Problem{
		Message: "the run " + run.ID + " (" + run.Verb + ") " + target.Unfinished(run) + ": a change ends it first, and may then differ from what is shown here",
		Hint:    hint.Command("recover"),
	})
}

// ended says how a run that died was ended.
func ended(o node.Outcome) string {
	switch o {
	case node.Finished:
		return "this run was unfinished and is now finished"
	case node.Overridden:
		return "this run was unfinished; somebody else has changed the manifest since, which was left as it is"
	}
	return "this run was unfinished and is now undone"
}
