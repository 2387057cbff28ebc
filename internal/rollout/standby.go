package rollout

import (
	"slices"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
)

// Standby is an API server with the new settings that serves while the node's own restarts.
type Standby interface {
	// Attach has it take new connections from now on.
	Attach() error
	// Loopback has it take connections to loopback addresses too, for less than a second
	// each time, or no more.
	Loopback(take bool)
	// Ended tells whether it has ended by itself, and its last words.
	Ended() (words string, ended bool)
	// End gives connections back and ends it. kept says that the node's own API server
	// runs with the new settings now. The error says what may be lost.
	End(kept bool) error
}

// standby is a Standby and what became of it; the zero one is none.
type standby struct {
	Standby
	attached bool
	ended    bool // by itself
	kept     bool // the change went well
}

// Served tells whether another API server took connections from before the change until
// after it.
func (l *Live) Served() bool { return l.standby.attached && !l.standby.ended }

// NotSeamless says why a change that has to be seamless was not begun.
type NotSeamless struct {
	Reason string
	Hint   hint.Hint
}

func (e *NotSeamless) Error() string { return "the change cannot be seamless: " + e.Reason }

// Remedy is what to type.
func (e *NotSeamless) Remedy() hint.Hint {
	return hint.First(e.Hint, hint.Flag("restart", string(Auto)))
}

// attach has the standby take connections. A change that need not be seamless goes on when
// that fails.
func (l *Live) attach() error {
	if l.standby.Standby == nil {
		return nil
	}
	n := l.watch(apiserver.New(l.Node, l.Old.Server)).narrator
	err := l.standby.Attach()
	switch {
	case err == nil:
		l.standby.attached = true
		n.stepf("restart", "the rehearsed kube-apiserver takes connections")
	case l.Restart == Seamless:
		return &NotSeamless{Reason: err.Error()}
	default:
		n.stepf("restart", "quick: %v", err)
		_ = l.standby.End(false) // it has not served
		l.standby.Standby = nil
	}
	return nil
}

// loopback is Loopback of what there may be.
func (s *standby) loopback(take bool) {
	if s != nil && s.attached {
		s.Loopback(take)
	}
}

// tend looks after the standby. Nobody answers on loopback addresses from the end of the old
// API server's listener to the start of the new one, which dials itself there and must find
// itself. So the standby answers, until there is a process that it does not know.
func (w *watch) tend() {
	if w.standby == nil || !w.standby.attached || w.standby.ended {
		return
	}
	if words, ended := w.standby.Ended(); ended {
		w.standby.ended = true
		w.stepf("restart", "the rehearsed kube-apiserver has ended, and nobody serves until the new one does%s", lastly(words))
		return
	}
	w.standby.loopback(w.unanswered())
}

// unanswered tells whether nobody listens on loopback addresses, nor is about to.
func (w *watch) unanswered() bool {
	if w.held || w.seen != nil || w.deaths > 0 {
		return false
	}
	old := w.beforeFinal
	if w.drain != nil {
		if !w.drain.closed() {
			return false
		}
		old = w.drain.processes()
	}
	now, err := w.server.Pod.Processes()
	return err == nil && !slices.ContainsFunc(now, func(p proc.Process) bool { return !slices.ContainsFunc(old, p.Same) })
}

// endStandby ends what served meanwhile.
func (l *Live) endStandby() {
	if l.standby.Standby == nil {
		return
	}
	w := l.watch(apiserver.New(l.Node, l.New.Server))
	stop := w.heartbeat("restart", "waiting: the kube-apiserver that served meanwhile answers what it has accepted")
	err := l.standby.End(l.standby.kept)
	stop()
	if l.standby.attached && !l.standby.ended {
		w.stepf("restart", "the rehearsed kube-apiserver has ended")
	}
	if err != nil && l.Warn != nil {
		l.Warn(err)
	}
	l.standby.Standby = nil
}
