package rollout

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// machine is a made-up /proc and /var/log, and a listener that answers /readyz:
// what the wait looks at. The real thing is in e2e.
type machine struct {
	standin.Tree
	spec  patch.Server
	mu    sync.Mutex
	code  int
	steps []string
	// finalized is when the final manifest was written.
	finalized []time.Time
}

func newMachine(t *testing.T) *machine {
	m := &machine{Tree: standin.NewTree(t), code: 500}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		w.WriteHeader(m.code)
	}))
	t.Cleanup(srv.Close)
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	m.spec = patch.Server{Namespace: "kube-system", Pod: "kube-apiserver", Container: "kube-apiserver", Address: host, Port: n,
		Command: []string{"kube-apiserver", "--new"}}
	return m
}

func (m *machine) answer(code int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.code = code
}

// watch is a wait for --new after --old, which runs as PID 10.
func (m *machine) watch() *watch {
	n := node.New(m.Root, "")
	s := apiserver.New(n, m.spec)
	m.Start(10, "kube-apiserver", "--old")
	before, err := s.Pod.Processes()
	if err != nil || len(before) != 1 {
		m.T.Fatalf("the old process is not found: %v, %v", before, err)
	}
	now := time.Now()
	turn := newDrain(s.Pod, m.spec.Port, before)
	turn.settleUnseen, turn.finalize = 0, func() error { m.finalized = append(m.finalized, time.Now()); return nil }
	w := &watch{
		server: s, wanted: wanted{which: "new"}, handover: handover{drain: turn},
		limits: limits{began: now, timeout: 10 * time.Second, notice: 5 * time.Second},
		narrator: newNarrator(now, func(p Progress) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.steps = append(m.steps, strings.TrimRight(p.Step+" "+p.Text+" "+p.Detail, " "))
		}),
	}
	turn.stepf = w.stepf
	return w
}

func (m *machine) said() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return strings.Join(m.steps, "\n")
}

func TestWaitReady(t *testing.T) {
	m := newMachine(t)
	w := m.watch()
	m.answer(200) // the old one answers: that must not count
	go func() {
		time.Sleep(300 * time.Millisecond)
		m.answer(403)
		m.End(10)
		time.Sleep(300 * time.Millisecond)
		m.answer(500)
		m.Start(20, "/usr/local/bin/kube-apiserver", "--new")
		time.Sleep(300 * time.Millisecond)
		m.answer(200)
	}()
	if err := w.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	want := "restart old kube-apiserver ended\nrestart new kube-apiserver started, pid 20\nready " + w.server.Base + "/readyz"
	if got := m.said(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if time.Since(w.start) < 900*time.Millisecond {
		t.Error("it was ready before the new one answered 200")
	}
}

func TestWaitDeaths(t *testing.T) {
	for name, c := range map[string]struct {
		says   string
		deaths int
	}{
		"may pass": {`"command failed" err="failed to create listener: listen tcp 0.0.0.0:6443: bind: address already in use"`, 2},
		"hopeless": {`"command failed" err="unknown flag: --nonsense"`, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			w := m.watch()
			var dying sync.WaitGroup
			defer dying.Wait()
			dying.Go(func() {
				m.End(10)
				for pid := 20; pid < 24; pid++ {
					time.Sleep(250 * time.Millisecond)
					m.Start(pid, "kube-apiserver", "--new")
					time.Sleep(250 * time.Millisecond)
					stamp := time.Now().UTC().Format(time.RFC3339Nano)
					m.Write("var/log/pods/kube-system_kube-apiserver-cp_00000000000000000000000000000077/kube-apiserver/0.log",
						"2020-01-01T00:00:00Z stderr F E0101 00:00:00 from another life\n"+
							stamp+" stderr F I1122 10:00:00.0 1 options.go:1] starting\n"+
							stamp+` stderr F E1122 10:00:00.0 1 run.go:72] `+c.says+"\n"+
							stamp+" stderr F I1122 10:00:00.0 1 bye\n")
					m.End(pid)
				}
			})
			err := w.run(context.Background())
			want := `kube-apiserver does not start with these settings: E1122 10:00:00.0 1 run.go:72] ` + c.says
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
			if w.deaths != c.deaths {
				t.Errorf("%d deaths were waited for, want %d", w.deaths, c.deaths)
			}
		})
	}
}

// TestWaitKubeletRestarted has a kubelet that was restarted, which keeps the old Pod's
// control groups while no API server runs: the interim one's failure has to be seen
// all the same.
func TestWaitKubeletRestarted(t *testing.T) {
	m := newMachine(t)
	m.Mkdir(fmt.Sprintf("sys/fs/cgroup/kubepods/burstable/pod%032x", 10))
	w := m.watch()
	if len(w.drain.old[0].cgroups) == 0 {
		t.Fatal("the old Pod has no control groups")
	}
	w.kubelet = kubelet.NewWatch(w.server.Node)
	w.drain.finalize = guarded(w.kubelet, w.drain.finalize)
	m.End(5)
	m.Start(6, "/usr/bin/kubelet", "--hostname-override=cp")
	m.End(10)
	var dying sync.WaitGroup
	defer dying.Wait()
	dying.Go(func() {
		time.Sleep(500 * time.Millisecond)
		m.Start(20, "kube-apiserver", "--new")
		time.Sleep(500 * time.Millisecond)
		m.Write("var/log/pods/kube-system_kube-apiserver-cp_00000000000000000000000000000077/kube-apiserver/0.log",
			time.Now().UTC().Format(time.RFC3339Nano)+" stderr F Error: unknown flag: --nonsense\n")
		m.End(20)
	})
	want := "kube-apiserver does not start with these settings: Error: unknown flag: --nonsense"
	if err := w.run(context.Background()); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if len(m.finalized) != 0 {
		t.Error("the final manifest was written under a kubelet that had not heard from the API server")
	}
}

// TestWaitUnstuck restarts a kubelet that could not act on what was put back: from then
// on the wait has as long as any other.
func TestWaitUnstuck(t *testing.T) {
	defer func(d time.Duration) { stuckFor = d }(stuckFor)
	stuckFor = time.Second
	m := newMachine(t)
	l := &Live{Node: &node.Node{Root: m.Root}, Listener: Listener{Say: func(p Progress) { m.steps = append(m.steps, p.Text) }}}
	l.kubelet = kubelet.NewWatch(l.Node)
	m.End(5)
	m.Start(6, "/usr/bin/kubelet", "--hostname-override=cp")
	w, err := l.backTo(m.spec)
	if err != nil {
		t.Fatal(err)
	}
	w.settle = 0
	m.answer(200)
	var starting sync.WaitGroup
	defer starting.Wait()
	starting.Go(func() {
		time.Sleep(500 * time.Millisecond)
		m.End(6)
		m.Start(7, "/usr/bin/kubelet", "--hostname-override=cp")
		time.Sleep(time.Second)
		m.Start(20, "kube-apiserver", "--new")
	})
	if err := w.run(context.Background()); err != nil {
		t.Error(err)
	}
	want := "the kubelet was restarted again: it starts kube-apiserver\nearlier kube-apiserver started, pid 20\n" + w.server.Base + "/readyz"
	if got := m.said(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// TestWaitUnseen lets API servers live and die between two looks: their logs tell.
func TestWaitUnseen(t *testing.T) {
	m := newMachine(t)
	w := m.watch()
	const log = "var/log/pods/kube-system_kube-apiserver-cp_00000000000000000000000000000077/kube-apiserver/%d.log"
	m.Write(fmt.Sprintf(log, 0), "2020-01-01T00:00:00Z stderr F of the old one\n")
	m.End(10)
	go func() {
		for i := 1; i < 3; i++ {
			time.Sleep(500 * time.Millisecond)
			m.Write(fmt.Sprintf(log, i), time.Now().UTC().Format(time.RFC3339Nano)+" stderr F Error: no time to lose\n")
		}
	}()
	err := w.run(context.Background())
	if want := "kube-apiserver does not start with these settings: Error: no time to lose"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if w.deaths != 2 {
		t.Errorf("%d deaths were counted, want 2", w.deaths)
	}
}

func TestWaitEnds(t *testing.T) {
	for _, tc := range []struct {
		name    string
		prepare func(m *machine, w *watch)
		want    string
	}{
		{"nobody acts", func(m *machine, w *watch) { w.notice = 0; m.End(5); m.answer(200) },
			"the kubelet does not run, so nobody acts on the manifest"},
		{"the kubelet does not act", func(m *machine, w *watch) {
			w.notice = time.Second
			m.answer(200)
		}, "the kubelet has not acted on the manifest for 1s"},
		{"a volume cannot be mounted", func(m *machine, w *watch) {
			w.timeout = time.Second
			w.volumes = []patch.HostPath{{Path: "/etc/kubernetes/audit-policy.yaml", Type: "File", Volume: "audit"}}
			m.End(10)
		}, "the kubelet started no container within 1s: /etc/kubernetes/audit-policy.yaml is missing, but volume \"audit\" has the type File: the kubelet does not start the container without it"},
		{"no container, for a reason unknown", func(m *machine, w *watch) { w.timeout = time.Second; m.End(10) },
			"the kubelet started no container within 1s"},
		{"it never becomes ready", func(m *machine, w *watch) {
			w.timeout = time.Second
			m.End(10)
			time.AfterFunc(300*time.Millisecond, func() { m.Start(20, "kube-apiserver", "--new") })
		}, "kube-apiserver runs but was not ready within 1s: /readyz says 500"},
		{"the kubelet goes away", func(m *machine, w *watch) { m.End(5); w.kubeletAt = time.Now().Add(-orphanedFor); m.End(10) },
			"the kubelet does not run, so nobody acts on the manifest"},
		{"the old one does not end", func(m *machine, w *watch) { w.timeout = time.Second },
			"the old kube-apiserver still ran after 1s"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			w := m.watch()
			tc.prepare(m, w)
			if err := w.run(context.Background()); err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
		})
	}
}

// TestWaitBack lets the old process end while its settings are put back: that
// is no failure, and neither are the deaths of its successors.
func TestWaitBack(t *testing.T) {
	m := newMachine(t)
	w := m.watch()
	w.server.Spec.Command = []string{"kube-apiserver", "--old"}
	w.preexisting, w.drain, w.patient, w.which, w.settle = w.drain.processes(), nil, true, "earlier", 500*time.Millisecond
	m.answer(200)
	go func() {
		time.Sleep(250 * time.Millisecond) // less than it has to stay ready
		m.answer(500)
		m.End(10)
		for pid := 20; pid < 23; pid++ {
			time.Sleep(250 * time.Millisecond)
			m.End(pid - 1)
			m.Start(pid, "kube-apiserver", "--old")
		}
		m.answer(200)
	}()
	if err := w.run(context.Background()); err != nil {
		t.Fatal(err)
	}
	got := m.said()
	if !strings.HasPrefix(got, "restart kube-apiserver pid 10 ended\nrestart earlier kube-apiserver started, pid 20\n") || !strings.Contains(got, "started, pid 22") {
		t.Errorf("got:\n%s", got)
	}
}

func TestWaitInterrupted(t *testing.T) {
	m := newMachine(t)
	w := m.watch()
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := w.run(ctx); !errors.Is(err, wait.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// TestWaitSpeaks has an API server that takes requests and answers none.
func TestWaitSpeaks(t *testing.T) {
	defer func(d time.Duration) { silentFor = d }(silentFor)
	silentFor = 200 * time.Millisecond
	m := newMachine(t)
	w := m.watch()
	w.drain = nil
	m.Start(20, "/usr/local/bin/kube-apiserver", "--new")
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	m.mu.Lock() // so that it does not answer
	w.say = func(p Progress) {
		if m.steps = append(m.steps, p.Text); len(m.steps) == 4 {
			cancel()
		}
	}
	err := w.run(ctx)
	steps := m.steps
	m.mu.Unlock()
	if !errors.Is(err, wait.ErrInterrupted) || len(steps) < 4 {
		t.Fatalf("got %v, and it said:\n%s", err, strings.Join(steps, "\n"))
	}
	if want := "waiting: kube-apiserver pid 20 is not ready for good yet: no answer in time"; steps[3] != want {
		t.Errorf("it said %q, want %q", steps[3], want)
	}
}
