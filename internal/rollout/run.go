package rollout

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/node"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// Watcher waits for the API server around a change. Live is the real one.
type Watcher interface {
	// Before makes sure that there is a healthy API server to begin with, and
	// remembers it. Nothing has been written yet. It also comes before a run that
	// died is ended, and then wants less.
	Before(ctx context.Context) error
	// Wait returns nil when the API server runs with the files that were
	// written, all of them final, and has proven it.
	Wait(ctx context.Context, files Files) error
	// Failing tells, after Wait, whether there is a Pod that failed to wait for.
	Failing() bool
	// Clear waits, after the manifest has become another one, until that Pod is
	// gone, or has taken too long.
	Clear()
	// Back waits, after everything was put back, until the API server is
	// healthy as before. Nothing cancels it but its own time limit.
	Back(files Files) error
	// Yield leaves the manifest to somebody else who has changed it, and waits
	// until the API server is healthy with theirs; the error says why it is not.
	Yield() error
	// After ends what Before began, once all is over and also when Before has
	// failed.
	After()
}

// Files are what a change has written, for whoever waits for the API server.
// A *node.Run is one.
type Files interface {
	// Finalize writes the manifest itself in the place of [patch.Plan.Interim].
	Finalize() error
	// Interim tells whether Finalize has something to write.
	Interim() (bool, error)
	// ChangedByOthers returns an error when somebody else has changed the manifest.
	ChangedByOthers() error
}

// Options says how a plan is carried out.
type Options struct {
	Version string  // the program's own, noted in the backup
	Watch   Watcher // nil: nobody waits for the API server, and the manifest is written once
	Restart Restart // noted for whoever recovers the run
	// Cluster is entered before the first file is written, and its lock is left to
	// expire after the last: for a change that nobody waits for. nil enters nothing.
	Cluster *clusterlock.Cluster
	// Wrote is called when all files are written, before the wait.
	Wrote func(backup string)
}

// Notes in a run, for whoever recovers it.
const (
	metaRestart = "restart" // how the old API server ends
	metaKubelet = "kubelet" // the one that acts on the manifest
)

// KubeletOf is the kubelet that a run began with, "" when it notes none.
func KubeletOf(run *node.Run) string { return run.Meta[metaKubelet] }

// metaWebhooks is the note in a run of where the webhook's config lay, before and
// after: one path a line.
const metaWebhooks = "webhook-configs"

// meta is what a run notes.
func (o Options) meta(p *patch.Plan) map[string]string {
	m := map[string]string{"version": o.Version, metaRestart: string(o.Restart)}
	if paths := p.WebhookConfigs(); len(paths) > 0 {
		m[metaWebhooks] = strings.Join(paths, "\n")
	}
	if l, ok := o.Watch.(*Live); ok {
		m[metaKubelet] = l.Kubelet()
	}
	return m
}

// WebhookConfigs are the paths that a run has noted as those of a webhook's config.
func WebhookConfigs(meta map[string]string) []string {
	return strings.FieldsFunc(meta[metaWebhooks], func(r rune) bool { return r == '\n' })
}

// RestartOf is how the old API server ends in a run that died: as it was asked
// for then, Quick when nothing was. Whoever served meanwhile has died with the run.
func RestartOf(run *node.Run) Restart {
	if r, err := ParseRestart(run.Meta[metaRestart]); err == nil && !r.HandsOver() {
		return r
	}
	return Quick
}

// Report is what a run did.
type Report struct {
	Backup string // the ID to restore what was there before; "" when nothing changed
}

// RolledBack is the error of a run that failed after its files were written,
// and whose node is again as it was before.
type RolledBack struct {
	Backup string
	Cause  error
	// Unhealthy says what was wrong before a change that was forced, and is so again;
	// nil when the API server is healthy.
	Unhealthy *apiserver.NotHealthy
}

func (e *RolledBack) Error() string {
	if e.Unhealthy != nil {
		return fmt.Sprintf("%v; the earlier settings are back, which were not healthy either: %v", e.Cause, e.Unhealthy)
	}
	return fmt.Sprintf("%v; the earlier settings are back and healthy", e.Cause)
}

func (e *RolledBack) Unwrap() error { return e.Cause }

// NotRestored is the error of a run that failed and could not be undone.
type NotRestored struct {
	Backup string
	Cause  error // why the run failed
	Undo   error // why it could not be undone
	// Overridden says that somebody else has changed the manifest, and that it was
	// left to them; Undo then is nil when the API server is healthy with theirs.
	Overridden bool
	// Back says that the earlier files are back, so that nothing is left to undo:
	// only the API server is not.
	Back bool
	// Held says that the files which the run has made stay until auditpatch recover
	// ends the run, since a container that mounts them may be started again.
	Held bool
}

func (e *NotRestored) Error() string {
	switch {
	case e.Overridden && e.Undo == nil:
		return fmt.Sprintf("%v; the API server is healthy with it", e.Cause)
	case e.Overridden:
		return fmt.Sprintf("%v; the API server is not healthy with it: %v", e.Cause, e.Undo)
	}
	if e.Back {
		return fmt.Sprintf("%v; %v", e.Cause, e.Undo)
	}
	return fmt.Sprintf("%v; and it could not be undone: %v", e.Cause, e.Undo)
}

// Unwrap has no nil among its errors, which whoever walks them may rely on.
func (e *NotRestored) Unwrap() []error {
	return slices.DeleteFunc([]error{e.Cause, e.Undo}, func(err error) bool { return err == nil })
}

// CheckFiles refuses a plan that Run would refuse for what lies on the node, and writes
// nothing: a file that others could have put there, say.
func CheckFiles(n *node.Node, p *patch.Plan) error {
	if p.Empty() {
		return nil
	}
	return n.Check(steps(p, false))
}

// Run carries out a plan. It returns with the plan carried out, or with an
// error and the node as it was; only a *NotRestored says otherwise. When ctx
// ends before the proof, everything is put back: putting back is not
// cancelled by anything.
func Run(ctx context.Context, n *node.Node, p *patch.Plan, o Options) (Report, error) {
	if p.Empty() {
		return Report{}, nil
	}
	lock, err := n.Lock(p.Verb)
	if err != nil {
		return Report{}, err
	}
	defer lock.Unlock()
	if o.Watch != nil {
		defer o.Watch.After()
		if err := o.Watch.Before(ctx); err != nil {
			return Report{}, err
		}
	}
	if o.Cluster != nil {
		defer o.Cluster.Leave(false)
		if err := o.Cluster.Enter(ctx); err != nil {
			return Report{}, err
		}
	}
	if ctx.Err() != nil {
		return Report{}, wait.ErrInterrupted // the last moment in which nothing need be put back
	}
	run, err := n.Begin(p.Verb, steps(p, o.Watch != nil), o.meta(p))
	if err != nil {
		return Report{}, err
	}
	if err := run.Apply(); err != nil {
		return Report{}, applyError(run, err)
	}
	if o.Wrote != nil {
		o.Wrote(run.ID)
	}
	if o.Cluster != nil {
		o.Cluster.LeaveUnwatched()
	}
	if o.Watch != nil {
		if err := o.Watch.Wait(ctx, run); err != nil {
			return Report{}, undo(run, err, o.Watch)
		}
	}
	if err := run.Done(); err != nil {
		return Report{}, &NotRestored{Backup: run.ID, Cause: err, Undo: errors.New("the run has not ended")}
	}
	return Report{Backup: run.ID}, nil
}

// undo puts everything back, waits for the API server and says so in the
// error.
func undo(run *node.Run, cause error, w Watcher) error {
	if isOverridden(cause) {
		return yield(run, cause, w)
	}
	// The kubelet starts the earlier Pod at once only when it is new to it at a
	// time at which the failed one is gone, as in patch.Plan.Interim.
	if w.Failing() && run.Rewind() == nil {
		w.Clear()
	}
	err := run.PutBack()
	if isOverridden(err) && run.ChangedByOthers() != nil {
		return yield(run, fmt.Errorf("%w (before that: %v)", err, cause), w)
	}
	if err != nil && !isForeign(err) {
		return &NotRestored{Backup: run.ID, Cause: cause, Undo: err}
	}
	return back(run, cause, w, err, false)
}

// isForeign tells whether files were left as somebody else made them.
func isForeign(err error) bool {
	var foreign *node.ChangedByOthersError
	return errors.As(err, &foreign)
}

// isOverridden tells whether somebody else's content lies there: one that is put
// back by somebody else is no content of theirs.
func isOverridden(err error) bool {
	var foreign *node.ChangedByOthersError
	return errors.As(err, &foreign) && !foreign.Reverted
}

// reasonOf is the cause of a failure for doctor --last, with the end of the API
// server's log.
func reasonOf(cause error) string {
	reason := cause.Error()
	var f *Failed
	if errors.As(cause, &f) && f.Log != "" {
		reason += "\n\n" + f.Log
	}
	return strings.TrimSuffix(reason, "\n")
}

// yield leaves the manifest to whoever has changed it, and says whether the API
// server is healthy with theirs.
func yield(run *node.Run, cause error, w Watcher) error {
	unhealthy := w.Yield()
	not := &NotRestored{Backup: run.ID, Cause: cause, Undo: unhealthy, Overridden: true}
	if err := run.Yield(reasonOf(cause)); err != nil {
		not.Undo, not.Overridden = err, false
	}
	return not
}

// back waits for the API server when all files are back, and says so in the
// error. What the run has made goes when the earlier API server runs: until then
// a container of the failed Pod may be started again, whose mounts name it. Should
// that not be seen, the run stays unfinished, and recover, which calls last, removes
// it all the same. left is what PutBack has left to others.
func back(run *node.Run, cause error, w Watcher, left error, last bool) error {
	not := &NotRestored{Backup: run.ID, Cause: cause, Back: true}
	err := w.Back(run)
	if isOverridden(err) {
		return yield(run, fmt.Errorf("%w (before that: %v)", err, cause), w)
	}
	var unhealthy *apiserver.NotHealthy
	if err != nil && !errors.As(err, &unhealthy) {
		not.Undo = fmt.Errorf("the earlier files are back, but %w", err)
	}
	// Without a kubelet no container is started either.
	safe := not.Undo == nil || errors.Is(err, ErrNoKubelet) || last
	if !safe && run.Made() && run.Hold(reasonOf(cause)) == nil {
		not.Held = true
		return not
	}
	if safe {
		if err := run.RemoveMade(); err != nil && !isForeign(err) {
			not.Undo = errors.Join(not.Undo, err)
		}
	}
	if err := run.Abandon(reasonOf(cause)); err != nil {
		not.Undo, not.Back = errors.Join(not.Undo, err), false
	}
	switch {
	case not.Undo != nil:
		return not
	case left != nil:
		not.Undo = fmt.Errorf("the earlier API server is back, but %w", left)
		return not
	}
	return &RolledBack{run.ID, cause, unhealthy}
}

// applyError tells the two ways apart in which writing can fail.
func applyError(run *node.Run, err error) error {
	var half *node.HalfwayError
	if errors.As(err, &half) {
		return &NotRestored{Backup: run.ID, Cause: half.Err, Undo: half.Undo}
	}
	return err
}

// Recovered is how a run that died was ended.
type Recovered struct {
	ID      string // "" when there was none
	Outcome node.Outcome
	Waited  bool // for the API server
	Touched bool // some file is another one than before
}

// Recover ends a run that died, forward or back. watch gives who waits for the
// API server of such a run, nil for nobody. A run that goes forward and whose
// API server does not come back is undone: a *RolledBack says so, or a
// *NotRestored.
func Recover(ctx context.Context, n *node.Node, watch func(*node.Run) (Watcher, error)) (r Recovered, err error) {
	run, err := n.Unfinished()
	if run == nil || err != nil {
		return Recovered{}, err
	}
	lock, err := n.Lock("recover")
	if err != nil {
		return Recovered{}, err
	}
	defer lock.Unlock()
	// Its holder may have ended the run between the first look and the lock.
	if run, err = n.Unfinished(); run == nil || err != nil {
		return Recovered{}, err
	}
	before, _ := run.State()
	defer func() {
		after, err := run.State()
		r.Touched = r.Outcome != "" || err == nil && !slices.Equal(before, after)
	}()
	w, err := watch(run)
	if err != nil {
		return Recovered{ID: run.ID}, err
	}
	if w == nil {
		outcome, err := run.Recover()
		return Recovered{ID: run.ID, Outcome: outcome}, err
	}
	defer w.After()
	if err := w.Before(ctx); err != nil {
		return Recovered{ID: run.ID}, err
	}
	return recoverLive(ctx, run, w)
}

// recoverLive ends a run on a node that runs.
func recoverLive(ctx context.Context, run *node.Run, w Watcher) (Recovered, error) {
	r := Recovered{ID: run.ID, Waited: true}
	onward, err := run.ShouldFinish()
	if err != nil {
		return r, err
	}
	if !onward {
		return recoverBack(run, w)
	}
	left := run.Resume()
	var foreign *node.ChangedByOthersError
	if left != nil && !errors.As(left, &foreign) {
		return r, left
	}
	if err := w.Wait(ctx, run); err != nil {
		return r, undo(run, err, w)
	}
	if err := run.Done(); err != nil {
		return r, err
	}
	r.Outcome = node.Finished
	return r, left
}

// recoverBack puts back what a run that died has written, and waits.
func recoverBack(run *node.Run, w Watcher) (Recovered, error) {
	r := Recovered{ID: run.ID, Waited: true, Outcome: node.Undone}
	err := run.PutBack()
	if isOverridden(err) {
		r.Outcome = node.Overridden
		var not *NotRestored
		if errors.As(yield(run, err, w), &not) && not.Undo != nil {
			return r, not
		}
		return r, err
	}
	if err != nil && !isForeign(err) {
		return r, err
	}
	var not *NotRestored
	cause := errRecovered
	if held := strings.TrimSpace(run.Held()); held != "" {
		cause = errors.New(held)
	}
	if err := back(run, cause, w, err, true); errors.As(err, &not) {
		return r, err
	}
	return r, nil
}

// errRecovered is why a run was undone that died.
var errRecovered = errors.New("recovered after a crash")

// steps turns a plan into the node's own terms, in the same order. With twice
// set the manifest is written twice; should the interim one be impossible, the
// kubelet's own way still works.
func steps(p *patch.Plan, twice bool) []node.Step {
	var interim []byte
	if twice {
		interim, _ = p.Interim(strings.ToLower(rand.Text()[:12]))
	}
	var out []node.Step
	for _, c := range p.Changes {
		s := node.Step{
			Path:   c.Path,
			Old:    c.Old,
			New:    node.Content{Data: c.Data, Mode: c.Mode, UID: c.UID, GID: c.GID},
			Commit: c.Path == p.Manifest,
		}
		s.Old.Path = c.Path
		if s.Commit && c.Kind == patch.WriteFile {
			s.Interim = interim
		}
		switch c.Kind {
		case patch.WriteFile:
			s.New.Kind = node.Regular
		case patch.MakeDir:
			s.New.Kind = node.Directory
		case patch.EnsureFile:
			s.New.Kind, s.New.Enforce = node.Present, true
		case patch.RemoveFile:
			s.New = node.Content{Kind: node.Absent}
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}
