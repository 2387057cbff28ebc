package rollout

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/internal/wait"
	"auditpatch/internal/webhook"
	"auditpatch/patch"
)

var (
	// healthWithin is how long an API server may take to answer before a change.
	healthWithin = wait.Scaled(10 * time.Second)
	// settleAfterUndo is longer than the kubelet takes to act on a file.
	settleAfterUndo = wait.Scaled(5 * time.Second)
	// clearWithin is how long a failed Pod is waited for, 1 to 2 s where its
	// process has ended, before the earlier manifest is put back all the same.
	clearWithin = wait.Scaled(12 * time.Second)
)

// Live is the Watcher of the API server on this machine.
type Live struct {
	Node     *node.Node
	Manifest string         // its path on the node
	Old, New patch.Settings // of the manifest, before and after the change
	Proof
	Terms
	Listener
	// Resumed is the run that died and whose files are written; nil for a change
	// that is still to be made.
	Resumed *Resumed

	entered
	// kubelet is the one since the API server was last seen healthy.
	kubelet *kubelet.Watch
	preexisting
	outcome
}

// Proof is how to find out whether events are written.
type Proof struct {
	Probe    *apiserver.Probe  // a request that is recorded; nil: there is none
	Unproven string            // why nothing can be proven, "" when it can
	Webhook  *webhook.Receiver // where events are posted, nil for nowhere
	Delay    time.Duration     // how long a batch may hold an event back
}

// Terms are on what terms a change is made.
type Terms struct {
	Timeout time.Duration // of each wait; 0 for [DefaultTimeout]
	// LockTimeout is how long to wait for other control-plane nodes that restart
	// their API servers; 0 for [clusterlock.DefaultTimeout].
	LockTimeout time.Duration
	Force       bool    // begin although the API server is not healthy
	Restart     Restart // how the old API server ends
	// Rehearsal tries the change out before anything is touched; nil for none. What it
	// returns serves while the API server restarts, and is ended in [Live.After]; nil
	// leaves that out.
	Rehearsal func(context.Context) (Standby, error)
}

// Listener is who hears of a change; nil for nobody.
type Listener struct {
	Say  func(Progress)
	Warn func(error) // of what is no reason to put anything back
}

// Resumed is a run that died. What it found is not known any more.
type Resumed struct {
	// Kubelet is the one that the run has noted; see [KubeletOf].
	Kubelet string
}

// entered is what Before has begun and After ends.
type entered struct {
	cluster *clusterlock.Cluster
	standby standby
}

// preexisting is what was there when the change began.
type preexisting struct {
	start     time.Time
	running   []proc.Process
	old       *drain                // those processes
	unhealthy *apiserver.NotHealthy // why it was not healthy before a change that was forced
}

// outcome is what Wait has seen of the new Pod.
type outcome struct {
	waited    bool      // Wait was called
	failing   bool      // there was one
	failed    []string  // its cgroups
	started   []string  // the same, none where it ran before
	kubeletAt time.Time // when a kubelet was last seen
}

// Before wants a kubelet that acts on the manifest, a healthy API server that
// runs with it, and the other control-plane nodes to be all right. After a run
// that died it only makes sure that no other node restarts its API server now.
func (l *Live) Before(ctx context.Context) error {
	server := apiserver.New(l.Node, l.Old.Server)
	l.cluster = &clusterlock.Cluster{Server: server, LockTimeout: l.LockTimeout, Force: l.Force, Late: l.Resumed != nil, Say: ClusterSteps(l.Say), Warn: l.Warn}
	if l.Resumed != nil {
		l.kubelet = kubelet.ResumeWatch(l.Node, l.Resumed.Kubelet)
		return l.cluster.Enter(ctx)
	}
	l.start = time.Now()
	stop := l.watch(server).heartbeat("ready", "waiting: the API server, and the webhook if there is one, have to answer before anything is written")
	err := l.beforeChange(ctx, server)
	if err == nil {
		err = l.testWebhook(ctx)
	}
	stop()
	if err == nil {
		err = l.Rehearse(ctx)
	}
	if err != nil {
		return err
	}
	if err := l.cluster.Enter(ctx); err != nil {
		return err
	}
	// That may have taken minutes.
	if err := l.beforeChange(ctx, server); err != nil {
		return err
	}
	return l.attach()
}

// Rehearse tries the change out, if it is to be rehearsed.
func (l *Live) Rehearse(ctx context.Context) error {
	if l.Rehearsal == nil {
		return nil
	}
	if l.start.IsZero() {
		l.start = time.Now()
	}
	server := apiserver.New(l.Node, l.Old.Server)
	defer l.watch(server).heartbeat("rehearsal", "waiting: a second kube-apiserver has to get ready with the new settings")()
	var err error
	l.standby.Standby, err = l.Rehearsal(ctx)
	return err
}

// Preview refuses what Before would refuse for how this node is, and neither waits nor
// remembers.
func (l *Live) Preview(ctx context.Context) error {
	for _, check := range Preflight(apiserver.New(l.Node, l.Old.Server), l.Manifest, l.Webhook) {
		if _, err := check.Run(ctx); err != nil && !(l.Force && forced(err)) {
			return err
		}
	}
	return nil
}

// forced tells whether a change that is forced begins in spite of an error.
func forced(err error) bool {
	var down *apiserver.NotHealthy
	var blocked *webhook.Blocked
	return errors.As(err, &down) || errors.As(err, &blocked)
}

// beforeChange looks at this node and remembers what it saw.
func (l *Live) beforeChange(ctx context.Context, server *apiserver.Server) (err error) {
	l.preexisting = preexisting{start: time.Now()}
	l.kubelet = kubelet.NewWatch(l.Node)
	if l.running, err = server.Processes(); err != nil {
		return err
	}
	l.old = l.newDrain(server, l.running, mayKill(l.Old))
	err = l.healthy(ctx, server)
	if errors.As(err, &l.unhealthy) && l.Force {
		err = nil
	}
	l.start = time.Now()
	return err
}

// Kubelet names the kubelet that acts on the manifest, for whoever recovers the
// change; "" for none.
func (l *Live) Kubelet() string {
	if l.kubelet == nil {
		return ""
	}
	return l.kubelet.Name()
}

// newDrain drains API servers in the way that was asked for.
func (l *Live) newDrain(s *apiserver.Server, ps []proc.Process, mayKill bool) *drain {
	t := newDrain(s.Pod, s.Spec.Port, ps)
	t.quick, t.mayKill = l.Restart.drains(), mayKill
	t.stepf, t.finalize = func(string, string, ...any) {}, func() error { return nil }
	return t
}

// healthy wants a kubelet and an API server that are as they should be.
func (l *Live) healthy(ctx context.Context, server *apiserver.Server) error {
	if _, err := checkKubelet(l.Node, l.Manifest); err != nil {
		return err
	}
	_, err := checkServer(ctx, server, l.Manifest, healthWithin)
	return err
}

// After ends what served meanwhile, and lets other control-plane nodes restart their API
// servers.
func (l *Live) After() {
	l.endStandby()
	if l.cluster != nil {
		l.cluster.Leave(l.waited)
	}
}

// Wait waits for the new API server, and for an event in its log.
func (l *Live) Wait(ctx context.Context, files Files) error {
	l.waited = true
	server := apiserver.New(l.Node, l.New.Server)
	if l.start.IsZero() {
		l.start = time.Now()
	}
	w := l.watch(server)
	w.changedByOthers, w.volumes, w.finalize = files.ChangedByOthers, l.New.HostPaths, files.Finalize
	w.hook, w.standby = l.Webhook.IfBlocking(), &l.standby
	w.newDrain = func(ps []proc.Process) *drain { return l.newDrain(server, ps, mayKill(l.New)) }
	w.drain = l.old
	if l.Resumed != nil {
		if err := l.resume(w, files); err != nil {
			return err
		}
	}
	w.kubelet = l.kubelet
	if w.drain != nil {
		w.drain.finalize, w.drain.stepf = guarded(l.kubelet, files.Finalize), w.stepf
	}
	err := l.runAndProve(ctx, w)
	l.outcome = outcome{waited: true, failing: w.seen != nil || w.deaths > 0, failed: w.cgroups, started: w.started, kubeletAt: w.kubeletAt}
	if err != nil {
		l.unseen(w)
		// Somebody else's edit is the cause, whatever it has led to.
		return cmp.Or(files.ChangedByOthers(), err)
	}
	l.standby.kept = true
	return nil
}

// unseen notes a Pod that was started since the wait last looked, as one that is
// interrupted may have missed it: where only a file has changed, its command line is
// that of the earlier one, which it must not be taken for.
func (l *Live) unseen(w *watch) {
	old := l.running
	if l.Resumed != nil {
		old = w.preexisting
		if w.drain != nil {
			old = slices.Concat(old, w.drain.processes())
		}
	}
	now, err := w.server.Pod.Processes()
	if err != nil {
		return
	}
	for _, p := range now {
		if cgroups := w.server.Host.PodOf(p).Cgroups; len(cgroups) > 0 && !slices.ContainsFunc(old, p.Same) {
			l.failed, l.started, l.failing = cgroups, cgroups, true
		}
	}
}

// runAndProve waits for the API server and for the proof. One that ends before its
// proof is waited for again, as in any wait.
func (l *Live) runAndProve(ctx context.Context, w *watch) error {
	for {
		if err := w.run(ctx); err != nil {
			return err
		}
		err := w.undisturbed(ctx, func(ctx context.Context) error { return l.prove(ctx, w) })
		if !errors.Is(err, errEnded) {
			return err
		}
	}
}

// prove finds a marked request in the log, and sees the webhook take events.
func (l *Live) prove(ctx context.Context, w *watch) error {
	switch {
	case l.Unproven != "":
		w.stepf("proof", "not proven: %s", l.Unproven)
	case l.Probe != nil && l.New.Log.Covered():
		stop := w.heartbeat("proof", "waiting: a marked event has to be found in %s", l.New.Log.Host)
		id, err := prove(ctx, w.server, *l.Probe, l.New, l.Delay)
		stop()
		if err != nil {
			return err
		}
		w.stepf("proof", "event %.8s found in the log", id) // as much of it as grep needs
	}
	if l.Webhook == nil {
		return nil
	}
	stop := w.heartbeat("proof", "waiting: the webhook %s has to take an event", l.Webhook.Host)
	warning, err := w.proveWebhook(ctx, l.Probe, l.Webhook)
	stop()
	if warning != nil && l.Warn != nil {
		l.Warn(warning)
	}
	return err
}

// resume goes on where a run died: as that run would have, while the old API
// server is what runs; else with the final manifest, and with whatever the kubelet
// has made of it or of the interim one.
func (l *Live) resume(w *watch, files Files) error {
	old := apiserver.New(l.Node, l.Old.Server)
	going, err1 := old.Processes()
	if slices.Equal(l.Old.Server.Args(), l.New.Server.Args()) {
		going = old.Leaving(going) // the others may be new
	}
	all, err2 := old.Pod.Processes()
	interim, err3 := files.Interim()
	if err := cmp.Or(err1, err2, err3); err != nil {
		return err
	}
	switch {
	case interim && len(going) == len(all):
		w.drain = l.newDrain(old, going, mayKill(l.Old))
		return nil
	case interim && l.kubelet.Restarted():
		w.hold()
		return nil
	}
	if err := files.Finalize(); err != nil {
		return err
	}
	return l.adopt(w)
}

// adopt lets any API server do that is as it should be, and ends those that the
// kubelet ends meanwhile.
func (l *Live) adopt(w *watch) error {
	if err := w.adopt(); err != nil {
		return err
	}
	if l.Restart.drains() {
		w.going = l.newDrain(w.server, w.preexisting, false)
	}
	return nil
}

// Failing tells whether the new Pod was seen, and whether the kubelet can be made
// to end it before the earlier one comes: not while it removes none.
func (l *Live) Failing() bool { return l.failing && !l.kubelet.Restarted() }

// Clear waits for the end of the new Pod.
func (l *Live) Clear() {
	server := apiserver.New(l.Node, l.New.Server)
	running, err := server.Pod.Processes()
	if err != nil {
		return
	}
	t := l.newDrain(server, running, mayKill(l.New))
	t.old = append(t.old, &oldServer{cgroups: l.failed}) // it may have no process now
	defer l.watch(server).heartbeat("undo", "waiting: the kubelet has yet to remove the failed Pod")()
	for deadline := time.Now().Add(clearWithin); time.Now().Before(deadline) && !l.kubelet.Restarted(); time.Sleep(pollEvery) {
		if gone, err := t.look(time.Now()); gone || err != nil {
			return
		}
	}
}

// Back waits until the earlier API server is healthy again.
func (l *Live) Back(files Files) error {
	w, err := l.backTo(l.Old.Server)
	if err != nil {
		return err
	}
	w.stepf("undo", "the earlier files are back")
	if l.unhealthy != nil {
		if l.failing {
			l.Clear() // what was new must not go while its containers may start again
		}
		return l.unhealthy
	}
	w.changedByOthers, w.volumes, w.failed = files.ChangedByOthers, l.Old.HostPaths, l.started
	w.warnStuck()
	err = w.run(context.Background())
	return cmp.Or(files.ChangedByOthers(), err)
}

// backTo is a wait for an API server that may run already, or come back: the
// kubelet may not have touched it at all. But it may be about to, so one has to
// stay ready.
func (l *Live) backTo(spec patch.Server) (*watch, error) {
	server := apiserver.New(l.Node, spec)
	if l.start.IsZero() {
		l.start = time.Now()
	}
	w := l.watch(server)
	w.which, w.patient, w.kubeletAt, w.kubelet = "earlier", true, l.kubeletAt, l.kubelet
	// How long the new one may take says nothing of how soon the earlier one is back.
	w.timeout = max(w.timeout, DefaultTimeout)
	if w.stuck() {
		w.timeout, w.stuckUnder = stuckFor, kubelet.NewWatch(l.Node)
	}
	return w, l.adopt(w)
}

// stuckFor is how long somebody is waited for to restart a kubelet that was
// restarted at a bad moment; without that nothing comes.
var stuckFor = wait.Scaled(time.Minute)

// adopt lets whichever process of the static Pod runs with the wanted command
// line do.
func (w *watch) adopt() (err error) {
	w.settle = settleAfterUndo
	w.preexisting, err = w.server.Pod.Processes()
	return err
}

func (l *Live) watch(s *apiserver.Server) *watch {
	timeout := l.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return &watch{
		server: s, narrator: newNarrator(l.start, l.Say), wanted: wanted{which: "new"}, kubeletState: kubeletState{kubelet: l.kubelet},
		limits: limits{began: time.Now(), timeout: timeout, notice: noticeWithin},
	}
}

// ClusterSteps makes steps of what a Cluster says.
func ClusterSteps(say func(Progress)) func(text string, after time.Duration) {
	if say == nil {
		return nil
	}
	return func(text string, after time.Duration) { say(Progress{Step: "cluster", Text: text, After: after}) }
}
