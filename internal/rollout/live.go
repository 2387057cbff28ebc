package rollout

import (
	"context"
	"fmt"
	"path"
	"time"

	"auditpatch/internal/node"
	"auditpatch/patch"
)

const (
	// healthWithin is how long an API server may take to answer before a change.
	healthWithin = 10 * time.Second
	// settleAfterUndo is longer than the kubelet takes to act on a file.
	settleAfterUndo = 5 * time.Second
	// clearWithin is how long a failed Pod is waited for, 1 to 2 s where its
	// process has ended, before the earlier manifest is put back all the same.
	clearWithin = 12 * time.Second
)

// NotHealthy says why a change was not begun: afterwards nobody could tell
// what it had broken. Nothing has been written.
type NotHealthy struct{ Reason string }

func (e *NotHealthy) Error() string { return e.Reason }

// Live is the Watcher of the API server on this machine.
type Live struct {
	Node     *node.Node
	Manifest string         // its path on the node
	Old, New patch.Settings // of the manifest, before and after the change
	Probe    *Probe         // how to prove that events are written; nil: it cannot be
	Unproven string         // why not
	Webhook  *Webhook       // where events are posted, nil for nowhere
	Delay    time.Duration  // how long a batch may hold an event back
	Timeout  time.Duration  // of each wait
	Force    bool           // begin although the API server is not healthy
	Restart  Restart        // how the old API server ends
	// Resumed says that the files were written by a run that died: what it found
	// is not known any more.
	Resumed bool
	Say     func(Progress)
	Warn    func(error) // of what is no reason to put anything back

	running []node.Process // when the change began
	old     *turn          // those processes
	failed  []string       // the cgroups of the Pod that Wait has seen
	start   time.Time
}

// Before wants a kubelet that acts on the manifest, and a healthy API server
// that runs with it.
func (l *Live) Before(ctx context.Context) error {
	server, err := NewServer(l.Node, l.Old.Server)
	if err != nil && server.client == nil {
		return fmt.Errorf("prepare to ask the API server: %w", err)
	}
	l.start = time.Now()
	if l.running, err = server.processes(l.Old.Server.Command); err != nil {
		return err
	}
	l.old = newTurn(l.Node, l.Old.Server.Port, l.running)
	l.old.quick, l.old.mayKill = l.Restart == Quick, mayKill(l.Old)
	if l.Force {
		return nil
	}
	if err := l.kubelet(); err != nil {
		return err
	}
	if len(l.running) == 0 {
		return &NotHealthy{"no kube-apiserver runs with the manifest's command line: the manifest and what runs differ already"}
	}
	deadline := time.Now().Add(healthWithin)
	for {
		ready, why := server.Ready(ctx)
		switch {
		case ready:
			l.start = time.Now()
			return nil
		case time.Now().After(deadline):
			return &NotHealthy{fmt.Sprintf("the API server is not healthy now (%s): a change could not be told from what ails it", why)}
		case ctx.Err() != nil:
			return errInterrupted
		}
		time.Sleep(pollEvery)
	}
}

// kubelet wants one that reads the manifest's directory.
func (l *Live) kubelet() error {
	k, err := FindKubelet(l.Node)
	switch dir := path.Dir(l.Manifest); {
	case err != nil:
		return err
	case k.PID == 0:
		return &NotHealthy{"the kubelet does not run, so nobody would act on the manifest"}
	case k.StaticPodPath != "" && k.StaticPodPath != dir:
		return &NotHealthy{fmt.Sprintf("the kubelet reads manifests from %s (%s), not from %s", k.StaticPodPath, k.Config, dir)}
	}
	return nil
}

// Wait waits for the new API server, and for an event in its log.
func (l *Live) Wait(ctx context.Context, files Files) error {
	server, err := NewServer(l.Node, l.New.Server)
	if err != nil && server.client == nil {
		return err
	}
	if l.start.IsZero() {
		l.start = time.Now()
	}
	w := l.watch(server, l.New.Server)
	w.taken, w.files = files.Taken, l.files()
	if l.Resumed {
		err = w.adopt()
	} else {
		w.turn = l.old
		w.turn.finalize, w.turn.tell = files.Finalize, w.tell
	}
	if err != nil {
		return err
	}
	err = w.run(ctx)
	l.failed = w.cgroups
	if err != nil {
		return err
	}
	return l.prove(ctx, w)
}

// prove finds a marked request in the log, and sees the webhook take events.
func (l *Live) prove(ctx context.Context, w *watch) error {
	switch {
	case l.Unproven != "":
		w.tell("proof", "not proven: %s", l.Unproven)
	case l.Probe != nil && l.New.Log.Covered():
		id, err := w.server.prove(ctx, *l.Probe, l.New, l.Delay)
		if err != nil {
			return err
		}
		w.tell("proof", "event %.8s found in the log", id) // as much of it as grep needs
	}
	if l.Webhook == nil {
		return nil
	}
	warning, err := w.proveWebhook(ctx, l.Probe, l.Webhook)
	if warning != nil && l.Warn != nil {
		l.Warn(warning)
	}
	return err
}

// Failing tells whether the new Pod was seen.
func (l *Live) Failing() bool { return len(l.failed) > 0 }

// Clear sees the new Pod off.
func (l *Live) Clear() {
	running, err := l.Node.Processes("kube-apiserver")
	if err != nil {
		return
	}
	t := newTurn(l.Node, l.New.Server.Port, running)
	t.old = append(t.old, &oldServer{cgroups: l.failed}) // it may have no process now
	t.quick, t.tell, t.finalize = l.Restart == Quick, func(string, string, ...any) {}, func() error { return nil }
	for deadline := time.Now().Add(clearWithin); time.Now().Before(deadline); time.Sleep(pollEvery) {
		if gone, err := t.look(time.Now()); gone || err != nil {
			return
		}
	}
}

// Back waits until the earlier API server is healthy again.
func (l *Live) Back() error {
	server, err := NewServer(l.Node, l.Old.Server)
	if err != nil && server.client == nil {
		return err
	}
	if l.start.IsZero() {
		l.start = time.Now()
	}
	w := l.watch(server, l.Old.Server)
	w.tell("undo", "the earlier files are back")
	if err := w.adopt(); err != nil {
		return err
	}
	w.which, w.patient = "earlier", true
	if l.Restart == Quick {
		w.going = newTurn(l.Node, l.Old.Server.Port, w.known)
		w.going.quick, w.going.tell = true, func(string, string, ...any) {}
	}
	return w.run(context.Background())
}

// adopt lets whichever process runs with the wanted command line do: the
// kubelet may not have touched it at all. But it may be about to, so one has to
// stay ready.
func (w *watch) adopt() (err error) {
	w.settle = settleAfterUndo
	w.known, err = w.server.node.Processes("kube-apiserver")
	return err
}

func (l *Live) watch(s *Server, want patch.Server) *watch {
	timeout := l.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &watch{server: s, want: want, start: l.start, began: time.Now(), say: l.Say, timeout: timeout, notice: noticeWithin, which: "new"}
}

// files are those without which no container is made.
func (l *Live) files() []string {
	var out []string
	for _, loc := range []*patch.Location{l.New.Policy, l.New.Webhook} {
		if loc.Covered() {
			out = append(out, loc.Host)
		}
	}
	return out
}
