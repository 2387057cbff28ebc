package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"auditpatch/internal/hint"
	"auditpatch/internal/kubelet"
)

// pulse says what is being waited for when nothing was said for a while.
func (w *watch) pulse() {
	if w.silence() < silentFor {
		return
	}
	if w.interim {
		w.stepf("restart", "waiting: the kubelet has yet to see the final manifest")
		return
	}
	if w.seen != nil {
		why := cmp.Or(w.notReady, "it has just become ready")
		w.stepf("ready", "waiting: kube-apiserver pid %d is not ready for good yet: %s", w.seen.PID, why)
		return
	}
	w.stepf("restart", "waiting: %s", w.waitsFor())
}

// ready tells whether the API server is, and notes why it is not. It asks not much
// longer than until the next pulse is due: one that hangs must not make the wait
// silent, and one that is slow is ready all the same.
func (w *watch) ready(ctx context.Context) (ok bool) {
	ctx, cancel := context.WithTimeout(ctx, max(silentFor-w.silence(), silentFor/4))
	defer cancel()
	ok, w.notReady = w.server.Ready(ctx)
	return ok
}

// waitsFor is what has to happen next while no wanted API server runs.
func (w *watch) waitsFor() string {
	if w.drain != nil {
		return w.drain.waitsFor()
	}
	if fault := w.mountFault(); fault != "" {
		return "the kubelet cannot start kube-apiserver: " + fault
	}
	if w.stuck() {
		return "the kubelet was restarted while the API server was away, and may not act on the manifest before it is once more: " + kubelet.RestartCommand
	}
	if w.deaths > 0 {
		return "the kubelet starts kube-apiserver again, later each time"
	}
	return "the kubelet starts kube-apiserver"
}

// waitsFor is what the drain waits for.
func (t *drain) waitsFor() string {
	for _, s := range t.old {
		switch {
		case !t.host.Runs(s.Process):
		case s.closedAt.IsZero():
			return fmt.Sprintf("the kubelet has yet to end the old kube-apiserver, pid %d", s.PID)
		case !t.quick || s.leftToKubelet:
			return fmt.Sprintf("the old kube-apiserver, pid %d, drains; the kubelet ends it when its grace period is over", s.PID)
		default:
			return fmt.Sprintf("the old kube-apiserver, pid %d, drains", s.PID)
		}
	}
	return "the kubelet has yet to remove the old Pod"
}

// stuck tells whether the kubelet was restarted and has not heard from an API
// server since.
func (w *watch) stuck() bool { return w.kubelet != nil && !w.held && w.kubelet.Restarted() }

// warnStuck says at once what to type when files were put back under a kubelet
// that was restarted while the API server was away.
func (w *watch) warnStuck() {
	if w.stuck() && !w.stuckSaid {
		w.stuckSaid = true
		w.stepf("undo", "the kubelet was restarted while the API server was away: if nothing starts, type: %s", kubelet.RestartCommand)
	}
}

// unstick notes that somebody has restarted the kubelet that needed it. From then
// on the API server may take as long as ever.
func (w *watch) unstick() {
	if w.stuckUnder == nil || !w.stuckUnder.Restarted() {
		return
	}
	w.stuckUnder = nil
	w.kubelet.Trust()
	w.timeout = time.Since(w.began) + DefaultTimeout
	w.stepf("undo", "the kubelet was restarted again: it starts kube-apiserver")
}

// nothingStarts is what to type when the kubelet starts no container.
func (w *watch) nothingStarts() hint.Hint {
	if w.stuck() {
		return hint.Shell(kubelet.RestartCommand)
	}
	return hint.Shell("journalctl -u kubelet").Note("tells why").Then("; ", hint.Shell(kubelet.RestartCommand))
}

// errEnded says that the API server has ended while something was proven.
var errEnded = errors.New("kube-apiserver has ended")

// undisturbed does something that takes the API server which was seen to stay, and
// ends it when that one ends, or when somebody else changes the manifest.
func (w *watch) undisturbed(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var disturbed error
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(pollEvery)
		defer tick.Stop()
		for {
			if disturbed = w.disturbed(); disturbed != nil {
				cancel()
				return
			}
			select {
			case <-quit:
				return
			case <-tick.C:
			}
		}
	}()
	err := do(ctx)
	close(quit)
	<-done
	return cmp.Or(disturbed, w.disturbed(), err)
}

// disturbed is why a proof is worth nothing.
func (w *watch) disturbed() error {
	if w.changedByOthers != nil {
		if err := w.changedByOthers(); err != nil {
			return err
		}
	}
	if w.seen != nil && !w.server.Host.Runs(*w.seen) {
		return errEnded
	}
	return nil
}
