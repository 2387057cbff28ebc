package rollout

import (
	"cmp"
	"context"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// Restart is a way to end the old API server.
type Restart string

const (
	// Auto is Seamless where that is possible, and Quick elsewhere.
	Auto Restart = "auto"
	// Seamless has the API server that was rehearsed serve meanwhile, or refuses the
	// change. The old one ends as with Quick.
	Seamless Restart = "seamless"
	// Quick ends the old API server as soon as it has answered what it had
	// accepted, by cutting the connections that hold it.
	Quick Restart = "quick"
	// Graceful leaves its end to itself and to the kubelet, which gives it 30 s:
	// as long as somebody watches something, it uses them.
	Graceful Restart = "graceful"
)

// Strategies are all ways to end the old API server, the default first.
var Strategies = []struct {
	Restart Restart
	Means   string // who serves meanwhile, and when the old API server ends
}{
	{Auto, "seamless where it is possible, else quick"},
	{Seamless, "the rehearsed API server serves meanwhile, or the change is refused"},
	{Quick, "the old one ends as soon as it has answered everything"},
	{Graceful, "the kubelet gives the old one 30 s"},
}

// drains tells whether the old API server is ended, and not left to the kubelet.
func (r Restart) drains() bool { return r != Graceful }

// HandsOver tells whether another API server may serve meanwhile.
func (r Restart) HandsOver() bool { return r == Auto || r == Seamless }

// ParseRestart reads the flag's value.
func ParseRestart(text string) (Restart, error) {
	var names []string
	for _, s := range Strategies {
		if string(s.Restart) == text {
			return s.Restart, nil
		}
		names = append(names, string(s.Restart))
	}
	return "", hint.Errorf(hint.Flag("restart", names[0]), "--restart %q: it is one of %s", text, strings.Join(names, ", "))
}

// How long the parts of a restart take. The kubelet's own are measured with
// kubelet 1.36.
var (
	// drainFor is how long an API server that no longer listens is left alone:
	// requests that it has accepted are answered, and audited, meanwhile.
	drainFor = wait.Scaled(time.Second)
	// quietFor is how long it must have had nothing to do.
	quietFor = wait.Scaled(500 * time.Millisecond)
	// servedDrainFor is how long one may stay busy while another serves in its place: all
	// that is written meanwhile it passes on to its watches, so it may never be quiet.
	servedDrainFor = wait.Scaled(5 * time.Second)
	// drainWithin is when one that stays busy is left to the kubelet.
	drainWithin = wait.Scaled(10 * time.Second)
	// exitWithin is how long an API server takes to end without connections:
	// 0.3 s when idle.
	exitWithin = wait.Scaled(3 * time.Second)
	// podReleasedWithin is how long after the Pod's last process the kubelet may hold
	// its name. It lets go of it when it has seen, once a second (pkg/kubelet,
	// genericPlegRelistPeriod), that no container is left: 0.25 to 1.03 s after the
	// process in 34 restarts. The control groups are no sign of it alone: its
	// cleanup, every 2 s, may remove them before that look.
	podReleasedWithin = wait.Scaled(1400 * time.Millisecond)
	// settleAfterPod is how long the control groups must have been gone.
	settleAfterPod = wait.Scaled(300 * time.Millisecond)
	// settleUnseen is how long after the process a Pod is given whose control
	// groups cannot be seen.
	settleUnseen = wait.Scaled(2 * time.Second)
	// graceOver is when an API server that was left to the kubelet has not ended by
	// itself: kubeadm's manifests have the default grace period of 30 s.
	graceOver = wait.Scaled(29 * time.Second)
)

// quietTicks is how much of a processor counts as nothing within quietFor, in
// ticks of 10 ms.
const quietTicks = 5

// drain goes along with the old API server to its end, and writes the final
// manifest when its Pod is completely gone. Missing the moment costs no more
// than the kubelet's back-off.
type drain struct {
	host proc.Host
	// owns tells whether a process is one of the static Pod: no other is ever
	// signalled or cut.
	owns func(proc.Process) bool
	port int
	old  []*oldServer
	manner
	finalize     func() error
	stepf        func(step, format string, a ...any)
	settleUnseen time.Duration // of a Pod whose control groups cannot be seen

	ended   bool
	endedAt time.Time // of the last process
	goneAt  time.Time // of the Pod
}

// manner is how old API servers are drained.
type manner struct {
	quick   bool
	mayKill bool // SIGKILL loses nothing but what it has not answered
	served  bool // another API server serves in the place of the old ones
}

// oldServer is a kube-apiserver that ends.
type oldServer struct {
	proc.Process
	cgroups []string // of its Pod

	closedAt      time.Time // of its listener
	ticks         uint64
	quietAt       time.Time // since when it has had nothing to do
	cutAt         time.Time
	killed        bool
	leftToKubelet bool
}

func newDrain(pod *apiserver.StaticPod, port int, old []proc.Process) *drain {
	t := &drain{host: pod.Host, owns: pod.Owns, port: port, settleUnseen: settleUnseen}
	for _, p := range old {
		t.old = append(t.old, &oldServer{Process: p, cgroups: pod.Host.PodOf(p).Cgroups})
	}
	return t
}

// processes are the old API servers.
func (t *drain) processes() (out []proc.Process) {
	for _, s := range t.old {
		out = append(out, s.Process)
	}
	return out
}

// look is one round. It says true when the old Pod is gone and the final
// manifest is in place.
func (t *drain) look(now time.Time) (done bool, err error) {
	for _, s := range t.old {
		if t.host.Runs(s.Process) {
			t.endedAt, t.goneAt = time.Time{}, time.Time{}
			return false, t.end(s, now)
		}
	}
	if t.endedAt.IsZero() {
		t.endedAt = now
	}
	if !t.ended {
		t.ended = true
		if len(t.old) > 0 {
			t.stepf("restart", "old kube-apiserver %s", t.how(now))
		}
	}
	settle, known := settleAfterPod, false
	for _, s := range t.old {
		known = known || len(s.cgroups) > 0
		if t.host.Exist(s.cgroups) {
			t.goneAt = time.Time{}
			return false, nil
		}
	}
	if !known {
		settle = t.settleUnseen
	}
	if t.goneAt.IsZero() {
		t.goneAt = now
	}
	if now.Sub(t.goneAt) < settle || known && now.Sub(t.endedAt) < podReleasedWithin {
		return false, nil
	}
	return true, t.finalize()
}

// how says how the old API server ended.
func (t *drain) how(now time.Time) string {
	for _, s := range t.old {
		switch {
		case s.killed:
			return "drained and killed"
		case !s.closedAt.IsZero() && now.Sub(s.closedAt) > graceOver:
			return "ended when the kubelet's grace period was over"
		case !s.cutAt.IsZero():
			return "drained and ended"
		}
	}
	return "ended"
}

// end does what is to be done about one that still runs.
func (t *drain) end(s *oldServer, now time.Time) error {
	socks, err := t.host.SocketsOn(s.Process, t.port)
	if err != nil || socks.Listening {
		return nil // a wait that sees nothing is no reason to turn back
	}
	if s.closedAt.IsZero() {
		s.closedAt = now
	}
	if !t.quick || s.leftToKubelet || !t.owns(s.Process) {
		return nil
	}
	if !t.drained(s, now) {
		if now.Sub(s.closedAt) > drainWithin {
			s.leftToKubelet = true
			t.stepf("restart", "old kube-apiserver is still busy, left to the kubelet")
		}
		return nil
	}
	switch {
	case s.cutAt.IsZero():
		s.cutAt = now
		err = t.host.Abort(s.Process, socks.Open)
		if err == nil {
			return nil
		}
		if t.mayKill {
			return t.kill(s)
		}
		s.leftToKubelet, s.cutAt = true, time.Time{}
		t.stepf("restart", "old kube-apiserver left to the kubelet: %v", err)
	case now.Sub(s.cutAt) < exitWithin:
		// Connections that it had not yet accepted when its listener closed.
		_ = t.host.Abort(s.Process, socks.Open)
	case t.mayKill:
		return t.kill(s)
	default:
		s.leftToKubelet = true
	}
	return nil
}

// drained tells whether an API server that no longer listens has answered all
// that it had accepted, as far as can be seen from here: its watches never end.
func (t *drain) drained(s *oldServer, now time.Time) bool {
	if ticks := t.host.CPU(s.Process); s.quietAt.IsZero() || ticks-s.ticks > quietTicks {
		s.ticks, s.quietAt = ticks, now
	}
	closed := now.Sub(s.closedAt)
	return closed >= drainFor && (now.Sub(s.quietAt) >= quietFor || t.served && closed >= servedDrainFor)
}

func (t *drain) kill(s *oldServer) error {
	if s.killed {
		return nil
	}
	s.killed = true
	if err := t.host.Kill(s.Process); err != nil {
		s.leftToKubelet = true
		t.stepf("restart", "old kube-apiserver left to the kubelet: %v", err)
	}
	return nil
}

// mayKill tells whether an API server with these settings may be ended with
// SIGKILL when all it had accepted is answered: not when it holds events back,
// in batches or for the time of a shutdown delay.
func mayKill(s patch.Settings) bool {
	for _, backend := range []struct {
		on   bool
		mode string
	}{
		{s.Flags["audit-log-path"] != "" && s.Policy != nil, cmp.Or(s.Flags["audit-log-mode"], "blocking")},
		{s.Flags["audit-webhook-config-file"] != "" && s.Policy != nil, cmp.Or(s.Flags["audit-webhook-mode"], "batch")},
	} {
		if backend.on && backend.mode == "batch" {
			return false
		}
	}
	for _, a := range s.Server.Command {
		name, value, _ := strings.Cut(strings.ReplaceAll(strings.TrimLeft(a, "-"), "_", "-"), "=")
		if name != "shutdown-delay-duration" {
			continue
		}
		if d, err := time.ParseDuration(value); err != nil || d > 0 {
			return false
		}
	}
	return true
}

// hasten ends API servers that are going down anyway, when files have been put
// back; what was written for their successor is gone.
func (t *drain) hasten(ctx context.Context) {
	for _, s := range t.old {
		if ctx.Err() == nil && t.host.Runs(s.Process) {
			_ = t.end(s, time.Now())
		}
	}
}
