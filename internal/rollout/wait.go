package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/proc"
	"auditpatch/internal/wait"
	"auditpatch/internal/webhook"
	"auditpatch/patch"
)

// How long a wait looks before it draws a conclusion.
var (
	pollEvery = wait.Scaled(100 * time.Millisecond)
	// askEvery is how often the kubelet is looked for.
	askEvery = wait.Scaled(time.Second)
	// silentFor is how long a wait says nothing.
	silentFor = wait.Scaled(8 * time.Second)
	// heardWithin is how long an API server has been ready when its kubelet has
	// surely heard from it, where the mirror Pod cannot be asked: the kubelet tries
	// again every few seconds.
	heardWithin = wait.Scaled(10 * time.Second)
	// The kubelet re-reads its directory every 20 s, if it misses the event.
	noticeWithin = wait.Scaled(45 * time.Second)
	// missingFor is how long a file that the Pod needs may be away: the kubelet
	// would try to mount it for ever.
	missingFor = wait.Scaled(5 * time.Second)
	// orphanedFor is longer than a restart of the kubelet takes: systemd waits for
	// 10 s with kubeadm's unit.
	orphanedFor = wait.Scaled(20 * time.Second)
)

// DefaultTimeout is kubeadm's own for a static pod (timeouts.upgradeManifests).
const DefaultTimeout = 5 * time.Minute

// Progress is one step of a wait, for people.
type Progress struct {
	Step  string // restart, ready, proof, undo
	Text  string
	After time.Duration // since the manifest was written
	Timed bool          // the text says how long it took, or that is of no interest
	// Detail is what the API server said, on a line of its own.
	Detail string
}

// watch waits for the API server of one manifest.
type watch struct {
	server  *apiserver.Server
	standby *standby // what serves meanwhile, nil for nothing
	*narrator
	wanted
	mounts
	limits
	handover
	kubeletState
	process
	deathCount
}

// wanted says which API server is waited for.
type wanted struct {
	which string // "new" or "earlier", for people
	// preexisting ran before the change: that it starts is no news, and that it ends
	// no failure.
	preexisting []proc.Process
	// failed are the cgroups of the Pod that was put back.
	failed []string
	// patient goes on after deaths: the earlier settings have worked.
	patient bool
	// settle is how long one process has to stay ready.
	settle time.Duration
	// hook is where events are posted that requests wait for, nil for nowhere.
	hook *webhook.Receiver
}

// mounts have to be there for a container to be made.
type mounts struct {
	volumes    []patch.HostPath
	faultSince time.Time // one of them cannot be mounted
}

// limits are when a wait draws a conclusion.
type limits struct {
	began   time.Time // of this wait
	timeout time.Duration
	notice  time.Duration // how long the kubelet may take to act
}

// handover is the way from the old API server to the new one.
type handover struct {
	// drain is of the old API server; nil when there is none to wait for.
	drain *drain
	// beforeFinal ran when the final manifest was written.
	beforeFinal []proc.Process
	// going are API servers that are ending, and need not take their time.
	going *drain
	// newTurn drains API servers as the old one was; nil where nothing is held.
	newDrain func([]proc.Process) *drain
	// held says that the final manifest is not written yet: the kubelet was
	// restarted and starts the interim one first.
	held bool
	// released says that it was held, and that the final one is written now.
	released bool
	// finalize writes the final manifest.
	finalize func() error
	// changedByOthers tells when somebody else has changed the manifest; nil when
	// nobody needs to know.
	changedByOthers func() error
}

// kubeletState is what is known of the kubelet during the wait.
type kubeletState struct {
	// kubelet tells whether it was restarted; nil when that does not matter.
	kubelet *kubelet.Watch
	// stuckUnder is the kubelet that needs another restart; nil for none.
	stuckUnder *kubelet.Watch
	stuckSaid  bool      // that it needs one
	kubeletAt  time.Time // when one was seen
	askedAt    time.Time // for one
}

// process is the wanted API server as far as it was seen.
type process struct {
	seen        *proc.Process
	seenAt      time.Time
	readySince  time.Time
	wasReady    bool   // the one that was seen last
	notReady    string // why not, when it was asked last
	interim     bool   // what is ready was started from the interim manifest
	interimSaid bool   // that the kubelet has started that
}

// deathCount is what is known of API servers that have ended in this wait.
type deathCount struct {
	deaths int
	// logs are those of containers whose processes are accounted for: true once
	// they are.
	logs map[string]bool
	// cgroups are those of the Pod that was seen, and started of the last Pod that
	// was started.
	cgroups, started []string
	words            string // the last error
	log              string // the end of the log
}

var startKubelet = hint.Shell("systemctl start kubelet")

// ErrNoKubelet ends a wait that is in vain.
var ErrNoKubelet = hint.New(startKubelet, "the kubelet does not run, so nobody acts on the manifest")

// run waits until the wanted API server is ready, or it is certain that it
// will not be.
func (w *watch) run(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		ready, err := w.look(ctx)
		if ready || err != nil {
			return err
		}
		if time.Since(w.began) > w.timeout && (w.readySince.IsZero() || w.interim) {
			return w.tooLate(ctx)
		}
		select {
		case <-ctx.Done():
			return wait.ErrInterrupted
		case <-tick.C:
		}
	}
}

// look is one round.
func (w *watch) look(ctx context.Context) (ready bool, err error) {
	if w.changedByOthers != nil {
		if err := w.changedByOthers(); err != nil {
			return false, err
		}
	}
	w.unstick()
	w.pulse()
	if w.going != nil {
		w.going.hasten(ctx)
	}
	w.tend()
	now := time.Now()
	if over, err := w.oldOver(ctx); err != nil || !over {
		return false, cmp.Or(err, w.orphaned(now))
	}
	fresh, err := w.fresh()
	if err != nil {
		return false, err
	}
	if err := w.follow(fresh); err != nil {
		return false, err
	}
	if fresh == nil {
		return false, cmp.Or(w.unseen(), w.unmountable(now), w.orphaned(now))
	}
	if !w.ready(ctx) {
		w.readySince = time.Time{}
		return false, nil
	}
	w.wasReady = true
	if w.readySince.IsZero() {
		w.readySince = time.Now()
	}
	if w.held {
		return false, w.release(ctx, *fresh)
	}
	if time.Since(w.readySince) < w.settle {
		return false, nil
	}
	if w.interim = w.isInterim(ctx); w.interim {
		return false, w.orphaned(now) // which else is only asked when none runs
	}
	w.stepf("ready", "%s/readyz", w.server.Base)
	return true, nil
}

// unmountable gives up when no container can be made.
func (w *watch) unmountable(now time.Time) error {
	fault := w.mountFault()
	switch {
	case fault == "":
		w.faultSince = time.Time{}
	case w.faultSince.IsZero():
		w.faultSince = now
	case now.Sub(w.faultSince) > missingFor && !w.patient:
		return fmt.Errorf("the kubelet cannot start kube-apiserver: %s", fault)
	}
	return nil
}

// orphaned gives up when there is no kubelet to start an API server. One that
// goes away and comes back does no harm.
func (w *watch) orphaned(now time.Time) error {
	if w.kubeletAt.IsZero() {
		w.kubeletAt = now
	}
	if now.Sub(w.askedAt) >= askEvery {
		w.askedAt = now
		if kubelet.Runs(w.server.Node) {
			w.kubeletAt = now
		}
	}
	if now.Sub(w.kubeletAt) > orphanedFor {
		return ErrNoKubelet
	}
	return nil
}

// mountFault says why the kubelet cannot mount a volume of the Pod, "" when it
// can mount all.
func (w *watch) mountFault() string {
	for _, h := range w.volumes {
		kind, err := w.server.Node.Kind(h.Path)
		if fault := h.Fault(kind); err == nil && fault != "" {
			return fault
		}
	}
	return ""
}

// oldOver drains the old API server, and tells whether it is gone.
func (w *watch) oldOver(ctx context.Context) (bool, error) {
	if w.drain == nil {
		return true, nil
	}
	// Whatever runs when the final manifest is written was not made from it.
	all, err := w.server.Pod.Processes()
	if err != nil {
		return false, err
	}
	over, err := w.drain.look(time.Now())
	// A restarted kubelet keeps the old Pod's control groups until an API server runs.
	if errors.Is(err, errHeld) || err == nil && !over && w.drain.ended && w.kubelet != nil && w.kubelet.Restarted() {
		if w.released { // the final manifest is written: this kubelet starts that one
			w.drain, w.beforeFinal = nil, w.drain.processes()
			w.account()
			return true, nil
		}
		w.hold()
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if over {
		w.drain, w.beforeFinal = nil, all
		w.account()
		return true, nil
	}
	if !w.drain.ended && time.Since(w.began) > w.notice && w.listens(ctx) {
		return false, w.notNoticed()
	}
	return false, nil
}

// fresh is a wanted process that was not there before.
func (w *watch) fresh() (*proc.Process, error) {
	ps, err := w.server.Processes()
	if err != nil {
		return nil, err
	}
	for i := range ps {
		if !slices.ContainsFunc(w.beforeFinal, ps[i].Same) && !w.isFailed(ps[i]) {
			return &ps[i], nil
		}
	}
	return nil, nil
}

// isFailed tells whether a process is of the Pod that failed: where only a file
// has changed, its command line is that of the earlier one.
func (w *watch) isFailed(p proc.Process) bool {
	return len(w.failed) > 0 && slices.Equal(w.server.Host.PodOf(p).Cgroups, w.failed)
}

// follow keeps track of the wanted process and counts its deaths. The second
// one is certain, or the first when it says that it will not have these settings:
// the kubelet would go on trying for ever.
func (w *watch) follow(fresh *proc.Process) error {
	if w.seen != nil && (fresh == nil || !fresh.Same(*w.seen)) {
		if err := w.ended(); err != nil {
			return err
		}
	}
	if fresh == nil || w.seen != nil {
		return nil
	}
	w.seen, w.seenAt, w.wasReady = fresh, time.Now(), false
	w.account()
	if pod := w.server.Host.PodOf(*fresh); len(pod.Cgroups) > 0 {
		w.cgroups = pod.Cgroups
	}
	if w.stuckUnder != nil { // it has acted, so the API server may take as long as ever
		w.stuckUnder, w.timeout = nil, time.Since(w.began)+DefaultTimeout
	}
	if !w.preexisted(fresh) {
		w.started = w.cgroups
		w.stepf("restart", "%s kube-apiserver started, pid %d", w.which, fresh.PID)
	}
	return nil
}

// ended notes that the process which was seen has ended.
func (w *watch) ended() error {
	gone, lived := w.seen, time.Since(w.seenAt).Seconds()
	w.seen, w.readySince, w.interim = nil, time.Time{}, false
	if w.preexisted(gone) {
		w.stepf("restart", "kube-apiserver pid %d ended", gone.PID)
		return nil
	}
	return w.death(fmt.Sprintf("%.1f s after its start", lived))
}

// account notes the logs of the containers that there were until now.
func (w *watch) account() {
	w.logs = map[string]bool{}
	for _, name := range w.server.Logs() {
		w.logs[name] = true
	}
}

// unseen notes the death of a process that lived and died between two looks: it
// has written a log, and one look later there is still no process.
func (w *watch) unseen() error {
	if w.stuckUnder != nil {
		return nil // what dies is the failed Pod, which the kubelet does not remove
	}
	if w.logs == nil {
		w.account()
	}
	for _, name := range w.server.Logs() {
		accounted, known := w.logs[name]
		switch {
		case accounted || fileSize(name) == 0:
		case known:
			w.logs[name] = true
			return w.death("at once")
		default:
			w.logs[name] = false
		}
	}
	return nil
}

// death notes that an API server has died, and when.
func (w *watch) death(when string) error {
	w.deaths++
	if words, log := w.server.LastWordsSince(w.start); words != "" {
		w.words, w.log = words, log
	}
	w.quotef("restart", w.words, "%s kube-apiserver exited %s (time %d)", w.which, when, w.deaths)
	if (w.deaths >= 2 || hopeless(w.words)) && !w.patient {
		return w.died()
	}
	return nil
}

// hopeless tells whether kube-apiserver's last words are about its settings for
// auditing or its command line, which no second start mends. Others may pass: a
// port that is taken, an etcd that does not answer.
func hopeless(words string) bool {
	for _, mark := range []string{"audit", "ensureLogFile", "unknown flag", "invalid argument"} {
		if strings.Contains(words, mark) {
			return true
		}
	}
	return false
}

// preexisted tells whether a process ran before the change.
func (w *watch) preexisted(p *proc.Process) bool {
	return slices.ContainsFunc(w.preexisting, p.Same)
}

func (w *watch) listens(ctx context.Context) bool {
	_, err := w.server.Ask(ctx, "GET", "/livez")
	return err == nil
}

// died says that the API server does not start, in its own words.
func (w *watch) died() error {
	if cause := w.notSettings(); cause != "" {
		return &Failed{Reason: "kube-apiserver does not start: " + cause + lastly(w.words), Log: w.log}
	}
	what := "kube-apiserver does not start with these settings"
	if w.wasReady {
		what = "kube-apiserver was ready with these settings, and then ended"
	}
	if w.words == "" {
		return &Failed{Reason: what + ", and its log says nothing"}
	}
	return &Failed{Reason: what + ": " + w.words, Log: w.log}
}

// Failed says why a new API server did not come up, and has the end of its log:
// the kubelet removes that with the Pod.
type Failed struct {
	Reason string
	Log    string
	Hint   hint.Hint
}

func (e *Failed) Error() string { return e.Reason }

// Remedy is the hint, as an error's method.
func (e *Failed) Remedy() hint.Hint { return e.Hint }

func (w *watch) notNoticed() error {
	if !kubelet.Runs(w.server.Node) {
		return ErrNoKubelet
	}
	return &Failed{Reason: fmt.Sprintf("the kubelet has not acted on the manifest for %s", w.notice), Hint: hint.Shell("journalctl -u kubelet")}
}

// tooLate says what was last seen.
func (w *watch) tooLate(ctx context.Context) error {
	defer w.heartbeat("ready", "waiting: the cause is looked for")()
	switch {
	case w.interim:
		return &Failed{Reason: fmt.Sprintf("the kubelet has not acted on the final manifest within %s", w.timeout), Hint: w.nothingStarts()}
	case w.seen != nil:
		_, why := w.server.Ready(ctx)
		words, log := w.server.LastWordsSince(w.start)
		why = or(why, w.elsewhere(why+"\n"+log))
		return &Failed{Reason: fmt.Sprintf("kube-apiserver runs but was not ready within %s: %s%s", w.timeout, why, lastly(words)), Log: log}
	case w.deaths > 0:
		return w.died()
	case w.drain != nil && !w.drain.ended:
		return fmt.Errorf("the old kube-apiserver still ran after %s", w.timeout)
	}
	if fault := w.mountFault(); fault != "" {
		return fmt.Errorf("the kubelet started no container within %s: %s", w.timeout, fault)
	}
	return &Failed{Reason: fmt.Sprintf("the kubelet started no container within %s", w.timeout), Hint: w.nothingStarts()}
}
