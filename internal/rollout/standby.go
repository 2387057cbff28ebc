package rollout

import (
	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
)

// Standby is an API server with the new settings that serves while the node's own restarts.
type Standby interface {
	// Attach has it take new connections from now on. missed says which it cannot take,
	// and why.
	Attach() (missed string, err error)
	// Ended tells whether it has ended by itself, and why, "" when nothing is known.
	Ended() (why string, ended bool)
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
	missed   string
}

// Served tells whether another API server took connections from before the change until
// after it.
func (l *Live) Served() bool { return l.standby.attached && !l.standby.ended }

// Missed says why nobody took connections in that time, or not all; "" where all were taken.
func (l *Live) Missed() string {
	if l.standby.ended {
		return "the kube-apiserver that served meanwhile has ended before the new one was ready"
	}
	return l.standby.missed
}

// but is an exception to what was said.
func but(missed string) string {
	if missed == "" {
		return ""
	}
	return "; " + missed
}

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
	missed, err := l.standby.Attach()
	switch {
	case err == nil:
		l.standby.attached, l.standby.missed, l.old.served = true, missed, true
		n.stepf("restart", "the rehearsed kube-apiserver takes connections%s", but(missed))
	case l.Restart == Seamless:
		return &NotSeamless{Reason: err.Error()}
	default:
		l.standby.missed = err.Error()
		n.stepf("restart", "quick: %v", err)
		_ = l.standby.End(false) // it has not served
		l.standby.Standby = nil
	}
	return nil
}

// tend says when the standby has ended.
func (w *watch) tend() {
	if w.standby == nil || !w.standby.attached || w.standby.ended {
		return
	}
	if why, ended := w.standby.Ended(); ended {
		w.standby.ended = true
		if why != "" {
			why = ": " + why
		}
		w.stepf("restart", "the rehearsed kube-apiserver does not serve any more, and nobody does until the new one is ready%s", why)
	}
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
