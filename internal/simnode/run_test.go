//go:build linux

package simnode

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// outcome is how a run of the program ended.
type outcome struct {
	Result
	args string
	took time.Duration
}

func (o outcome) String() string {
	how := fmt.Sprintf("exit status %d", o.Exit)
	if o.Exit < 0 {
		how = o.Signal.String()
	}
	return fmt.Sprintf("auditpatch %s: %s after %.2f s\n%s%s", o.args, how, o.took.Seconds(), o.Stdout, o.Stderr)
}

// running is a program that runs.
type running struct {
	node  *node
	pid   int
	args  string
	began time.Time
	// others are what goes on beside it, done when it has ended.
	others []chan struct{}
	ended  chan struct{}
}

// begin starts the program.
func (n *node) begin(args ...string) *running {
	n.Helper()
	return n.beginWith(nil, args...)
}

// beginWith starts the program with variables in its environment.
func (n *node) beginWith(env []string, args ...string) *running {
	n.Helper()
	r := &running{node: n, args: strings.Join(args, " "), began: time.Now(), ended: make(chan struct{})}
	n.call("Start", Command{Path: programPath, Argv: append([]string{"auditpatch"}, args...), Env: env, Dir: "/root"}, &r.pid)
	return r
}

// wait waits for its end.
func (r *running) wait() outcome {
	n := r.node
	n.Helper()
	o := outcome{args: r.args}
	call := n.machine.Go("Machine.Wait", r.pid, &o.Result, nil)
	select {
	case <-call.Done:
	case <-time.After(longestRun):
		n.Errorf("auditpatch %s did not end within %s", r.args, longestRun)
		r.signal(syscall.SIGKILL)
		<-call.Done
	}
	n.ok(call.Error)
	o.took = time.Since(r.began)
	close(r.ended)
	for _, done := range r.others {
		<-done
	}
	n.outcomes = append(n.outcomes, o)
	n.Logf("%s", o)
	return o
}

// longestRun is more than any run takes that does what it should, on a busy
// machine too.
const longestRun = 45 * time.Second

// signal sends it a signal.
func (r *running) signal(s syscall.Signal) {
	r.node.Helper()
	if s == syscall.SIGKILL {
		r.node.died = true
	}
	if err := r.node.machine.Call("Machine.Send", Signal{r.pid, s}, &None{}); err != nil {
		r.node.Logf("signal %s came too late: %v", s, err)
	}
}

// at does something at a moment of the run, unless the run ends before.
func (r *running) at(m moment, do func()) *running {
	done := make(chan struct{})
	r.others = append(r.others, done)
	comes := m(r.node)
	go func() {
		defer close(done)
		for {
			if comes() {
				do()
				return
			}
			select {
			case <-r.ended:
				r.node.Errorf("a moment of the run never came")
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return r
}

// run runs the program to its end.
func (n *node) run(args ...string) outcome { n.Helper(); return n.begin(args...).wait() }

// moment is something that comes to be true. It is asked for when the run
// begins, and may remember how things were then.
type moment func(n *node) (comes func() bool)

// after is so long after the start, in the node's time.
func after(d time.Duration) moment {
	return func(*node) func() bool {
		began := time.Now()
		return func() bool { return time.Since(began) >= paced(d) }
	}
}

// interim is when the manifest has the annotation that the final one has not.
func interim(n *node) func() bool {
	return func() bool { return strings.Contains(n.read(manifestPath), "auditpatch/restart") }
}

// final is when the manifest is neither what it was nor the interim one.
func final(n *node) func() bool {
	before := n.read(manifestPath)
	passed := interim(n)
	was := false
	return func() bool {
		if passed() {
			was = true
			return false
		}
		now := n.read(manifestPath)
		return was && now != before && now != ""
	}
}

// sees is when an event of a kind has come so many times.
func sees(kind string, times int) moment {
	return func(n *node) func() bool {
		before := n.count(kind)
		return func() bool { return n.count(kind) >= before+times }
	}
}

// oldGone is when the API server's process has ended; newStarted is when a new
// one was started.
var (
	oldGone    = sees(Exited, 1)
	newStarted = sees(Started, 1)
	draining   = sees(Stopped, 1)
)

// wantExit wants an exit status.
func (n *node) wantExit(o outcome, want int) {
	n.Helper()
	if o.Exit != want {
		n.Errorf("auditpatch %s: exit status %d, want %d", o.args, o.Exit, want)
	}
}

// wantSays wants texts in what the program said.
func (n *node) wantSays(o outcome, texts ...string) {
	n.Helper()
	for _, text := range texts {
		if !strings.Contains(o.Stdout+o.Stderr, text) {
			n.Errorf("auditpatch %s does not say %q", o.args, text)
		}
	}
}

// wantSilent wants texts not to be there.
func (n *node) wantSilent(o outcome, texts ...string) {
	n.Helper()
	for _, text := range texts {
		if strings.Contains(o.Stdout+o.Stderr, text) {
			n.Errorf("auditpatch %s says %q", o.args, text)
		}
	}
}

// wantRestarts wants so many starts of the API server since the last such want.
//
// A start of the interim Pod does not count where that Pod has waited for longer
// than the kubelet's back-off: then its turn comes when the old Pod has gone, and
// before anybody could write the final manifest. It takes a graceful end, or a
// machine that is busy with something else.
func (n *node) wantRestarts(want int) {
	n.Helper()
	have := 0
	interim := map[string]time.Time{}
	for _, e := range n.events()[n.start:] {
		switch {
		case e.Kind == PodAdded && strings.Contains(e.Text, "auditpatch/restart"):
			interim[e.Pod] = e.At
		case e.Kind == Started:
			if added, is := interim[e.Pod]; !is || e.At.Sub(added) < paced(backOffPeriod) {
				have++
			}
		}
	}
	if have-n.restarts != want {
		n.Errorf("the API server was started %d times, want %d", have-n.restarts, want)
	}
	n.restarts = have
}

// wantPods wants so many generations of the Pod that the kubelet has seen, the
// interim ones among them.
func (n *node) wantPods(want int) {
	n.Helper()
	if have := n.count(PodAdded); have != want {
		n.Errorf("the kubelet saw %d generations of the Pod, want %d", have, want)
	}
}

// wantBytes wants a file to be exactly that; "" is no file.
func (n *node) wantBytes(name, want string) {
	n.Helper()
	if have := n.read(name); have != want {
		n.Errorf("%s is\n%s\nwant\n%s", name, have, want)
	}
}

// wantManifest wants the manifest to have a text, or not to.
func (n *node) wantManifest(text string, want bool) {
	n.Helper()
	if have := strings.Contains(n.read(manifestPath), text); have != want {
		n.Errorf("the manifest has %q: %v, want %v", text, have, want)
	}
}

// wantOn wants audit logging on, and everything whole.
func (n *node) wantOn() {
	n.Helper()
	n.wantReady()
	n.wantManifest("--audit-log-path", true)
	n.wantManifest("auditpatch/restart", false)
	log := n.read(logPath)
	if !strings.Contains(log, `"auditID"`) && !strings.Contains(log, "AUDIT: id=") {
		n.Errorf("no event in %s", logPath)
	}
}

// wantAgreed wants status to find nothing that differs.
func (n *node) wantAgreed() {
	n.Helper()
	n.wantOn()
	n.wantExit(n.run("status", "--check"), 0)
}

// wantBack wants the manifest as it was at the beginning, and healthy.
func (n *node) wantBack() {
	n.Helper()
	n.wantReady()
	n.wantBytes(manifestPath, n.original)
	if info, err := os.Stat(n.path(policyPath)); err == nil && !n.had[policyPath] {
		n.Errorf("%s is there: %s, %d bytes", policyPath, info.Mode(), info.Size())
	}
}

// wantWhole wants audit logging to be on, or everything to be as it was: which
// of the two depends on the moment at which something died.
func (n *node) wantWhole() {
	n.Helper()
	if strings.Contains(n.read(manifestPath), "--audit-log-path") {
		n.wantOn()
		return
	}
	n.wantBack()
}

// wantWithin wants the last run to have taken no longer, in the node's time.
func (n *node) wantWithin(o outcome, most time.Duration) {
	n.Helper()
	// Other work on the machine costs time too.
	if took := o.took; took > paced(most)+slack {
		n.Errorf("auditpatch %s took %.1f s, want %.1f s", o.args, took.Seconds(), paced(most).Seconds())
	}
}

// slack is what a busy machine may add to a run.
const slack = 10 * time.Second
