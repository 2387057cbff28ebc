package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"auditpatch/internal/node"
	"auditpatch/patch"
)

// Watcher waits for the API server around a change. Live is the real one.
type Watcher interface {
	// Before makes sure that there is a healthy API server to begin with, and
	// remembers it. Nothing has been written yet.
	Before(ctx context.Context) error
	// Wait returns nil when the API server runs with the files that were
	// written, and has proven it.
	Wait(ctx context.Context) error
	// Back waits, after everything was put back, until the API server is
	// healthy as before. Nothing cancels it but its own time limit.
	Back() error
}

// Options says how a plan is carried out.
type Options struct {
	Version string  // the program's own, noted in the backup
	Watch   Watcher // nil: nobody waits for the API server
	// Wrote is called when all files are written, before the wait.
	Wrote func(backup string)
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
}

func (e *RolledBack) Error() string {
	return fmt.Sprintf("%v; the earlier settings are back and healthy", e.Cause)
}

func (e *RolledBack) Unwrap() error { return e.Cause }

// NotRestored is the error of a run that failed and could not be undone.
type NotRestored struct {
	Backup string
	Cause  error // why the run failed
	Undo   error // why it could not be undone
}

func (e *NotRestored) Error() string {
	return fmt.Sprintf("%v; and it could not be undone: %v", e.Cause, e.Undo)
}

func (e *NotRestored) Unwrap() []error { return []error{e.Cause, e.Undo} }

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
		if err := o.Watch.Before(ctx); err != nil {
			return Report{}, err
		}
	}
	run, err := n.Begin(p.Verb, steps(p), map[string]string{"version": o.Version})
	if err != nil {
		return Report{}, err
	}
	if err := run.Apply(); err != nil {
		return Report{}, applyError(run, err)
	}
	if o.Wrote != nil {
		o.Wrote(run.ID)
	}
	if o.Watch != nil {
		if err := o.Watch.Wait(ctx); err != nil {
			return Report{}, undo(run, err, o.Watch)
		}
	}
	if err := run.Done(); err != nil {
		return Report{}, &NotRestored{run.ID, err, errors.New("auditpatch recover ends the run")}
	}
	return Report{Backup: run.ID}, nil
}

// undo puts everything back, waits for the API server and says so in the
// error.
func undo(run *node.Run, cause error, w Watcher) error {
	if err := run.Undo(); err != nil {
		return &NotRestored{run.ID, cause, err}
	}
	if err := run.Abandon(cause.Error()); err != nil {
		return &NotRestored{run.ID, cause, err}
	}
	if err := w.Back(); err != nil {
		return &NotRestored{run.ID, cause, fmt.Errorf("the earlier files are back, but %w", err)}
	}
	return &RolledBack{run.ID, cause}
}

// applyError tells the two ways apart in which writing can fail.
func applyError(run *node.Run, err error) error {
	var half *node.HalfwayError
	if errors.As(err, &half) {
		return &NotRestored{run.ID, half.Err, half.Undo}
	}
	return err
}

// Recover ends a run that died, forward or back. It returns "" when there is
// none.
func Recover(n *node.Node) (id string, outcome node.Outcome, err error) {
	run, err := n.Unfinished()
	if run == nil || err != nil {
		return "", "", err
	}
	lock, err := n.Lock("recover")
	if err != nil {
		return "", "", err
	}
	defer lock.Unlock()
	// Its holder may have ended the run between the first look and the lock.
	if run, err = n.Unfinished(); run == nil || err != nil {
		return "", "", err
	}
	outcome, err = run.Recover()
	return run.ID, outcome, err
}

// steps turns a plan into the node's own terms, in the same order.
func steps(p *patch.Plan) []node.Step {
	var out []node.Step
	for _, c := range p.Changes {
		s := node.Step{
			Path:   c.Path,
			Old:    nodeFile(c.Old),
			New:    node.Content{Data: c.Data, Mode: c.Mode, UID: c.UID, GID: c.GID},
			Commit: c.Path == p.Manifest,
		}
		s.Old.Path = c.Path
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

// nodeFile is a file in the node's terms.
func nodeFile(f patch.File) node.File {
	return node.File{Path: f.Path, Real: f.Real, Exists: f.Exists, Dir: f.Dir, Data: f.Data, Mode: f.Mode, UID: f.UID, GID: f.GID}
}

// PatchFile is a file in the plan's terms.
func PatchFile(f node.File) patch.File {
	return patch.File{Path: f.Path, Real: f.Real, Exists: f.Exists, Dir: f.Dir, Data: f.Data, Mode: f.Mode, UID: f.UID, GID: f.GID}
}
