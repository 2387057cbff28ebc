package rollout

import (
	"context"
	"errors"
	"time"

	"auditpatch/internal/kubelet"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

// errHeld says that the final manifest must not be written yet.
var errHeld = errors.New("the kubelet was restarted")

// guarded writes the final manifest, unless the kubelet was restarted since the
// API server was last healthy: such a kubelet would neither remove the interim
// Pod nor start the final one.
func guarded(k *kubelet.Watch, finalize func() error) func() error {
	return func() error {
		if k.Restarted() {
			return errHeld
		}
		return finalize()
	}
}

// hold goes on to wait for the interim manifest's Pod, which is the final one's
// but for an annotation.
func (w *watch) hold() {
	w.drain, w.beforeFinal, w.held = nil, nil, true
	w.account()
	w.stepf("restart", "the kubelet was restarted meanwhile: it starts the interim manifest first")
}

// release writes the final manifest when the kubelet has heard from the API
// server that runs with the interim one, and restarts the API server once more.
func (w *watch) release(ctx context.Context, interim proc.Process) error {
	if _, heard := w.server.StartedWith(ctx); !heard && time.Since(w.readySince) < heardWithin {
		return nil
	}
	w.kubelet.Trust()
	if err := w.finalize(); err != nil {
		return err
	}
	w.stepf("restart", "kube-apiserver is ready with the interim manifest: once more with the final one")
	w.held, w.released, w.seen, w.readySince, w.began = false, true, nil, time.Time{}, time.Now()
	w.drain = w.newDrain([]proc.Process{interim})
	w.drain.finalize, w.drain.stepf = func() error { return nil }, w.stepf
	return nil
}

// isInterim tells whether what runs was started from the interim manifest, after
// the final one was written: the kubelet has not seen that one yet, and is going
// to restart the API server.
func (w *watch) isInterim(ctx context.Context) bool {
	if w.changedByOthers == nil {
		return false
	}
	started, known := w.server.StartedWith(ctx)
	if _, interim := started[patch.RestartAnnotation]; !known || !interim {
		return false
	}
	if !w.interimSaid {
		w.stepf("restart", "the kubelet has started the interim manifest, and has yet to see the final one")
		w.interimSaid = true
	}
	return true
}
