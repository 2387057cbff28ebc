package rollout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

// standInEnv makes the test's own program an API server as far as its end is
// concerned: on SIGTERM it closes its listener, answers what it has accepted,
// and waits for its watches. "deaf" goes on for ever all the same.
const standInEnv = "ROLLOUT_STAND_IN"

func TestMain(m *testing.M) {
	if how := os.Getenv(standInEnv); how != "" {
		standIn(how)
		return
	}
	os.Exit(m.Run())
}

func standIn(how string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/watch", func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
		// By many, so that on a machine with much else to do it still has a processor at times.
		runtime.GOMAXPROCS(16)
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() {
				for end := time.Now().Add(2500 * time.Millisecond); time.Now().Before(end); {
				}
			})
		}
		all.Wait()
		fmt.Fprint(w, "answered")
	})
	srv := &http.Server{Handler: mux}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() { _ = srv.Serve(l) }()
	fmt.Println(l.Addr().(*net.TCPAddr).Port)
	<-stop
	_ = srv.Shutdown(context.Background())
	if how == "deaf" {
		select {}
	}
}

// ending is a stand-in that runs, in a made-up Pod.
type ending struct {
	*testing.T
	cmd   *exec.Cmd
	port  int
	group string
	drain *drain
	steps []string
	final time.Time
}

func newEnding(t *testing.T, how string) *ending {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), standInEnv+"="+how)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	buf := make([]byte, 16)
	n, err := out.Read(buf)
	port, err2 := strconv.Atoi(strings.TrimSpace(string(buf[:n])))
	if err = errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	h := proc.Host{Root: "/"}
	// /proc/self/exe is how it was called, so that is what it is called.
	all, err := h.Processes("exe")
	if err != nil {
		t.Fatal(err)
	}
	e := &ending{T: t, cmd: cmd, port: port, group: filepath.Join(t.TempDir(), "pod1")}
	if err := os.Mkdir(e.group, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.PID == cmd.Process.Pid {
			e.drain = newDrain(apiserver.NewStaticPod(node.New("/", ""), patch.Server{}), port, []proc.Process{p})
			e.drain.owns = func(proc.Process) bool { return true }
		}
	}
	if e.drain == nil {
		t.Fatalf("pid %d is not among %v", cmd.Process.Pid, all)
	}
	e.drain.old[0].cgroups = []string{e.group}
	e.drain.stepf = func(_, format string, a ...any) { e.steps = append(e.steps, fmt.Sprintf(format, a...)) }
	e.drain.finalize = func() error { e.final = time.Now(); return nil }
	return e
}

// get asks for a path and returns the answer as far as it has come.
func (e *ending) get(path string) *http.Response {
	e.Helper()
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", e.port, path))
	if err != nil {
		e.Fatal(err)
	}
	e.Cleanup(func() { resp.Body.Close() })
	return resp
}

// terminate is what the kubelet does first.
func (e *ending) terminate() {
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		e.Fatal(err)
	}
}

// look goes on until the process has ended or the time is over.
func (e *ending) look(within time.Duration) (ended bool) {
	e.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if _, err := e.drain.look(time.Now()); err != nil {
			e.Fatal(err)
		}
		if e.drain.ended {
			return true
		}
	}
	return false
}

// aborts skips a test where connections cannot be aborted.
func (e *ending) aborts() {
	e.Helper()
	if err := e.drain.host.Abort(e.drain.old[0].Process, []proc.Connection{}); err != nil || os.Geteuid() != 0 {
		e.Skip("to abort connections takes root: ", err)
	}
}

func TestTurnQuick(t *testing.T) {
	t.Parallel()
	e := newEnding(t, "plain")
	e.aborts()
	e.drain.quick = true
	watch := e.get("/watch")
	if e.look(1500 * time.Millisecond) {
		t.Fatal("an API server that listens was ended")
	}
	e.terminate()
	from := time.Now()
	if !e.look(10 * time.Second) {
		t.Fatal("it still runs")
	}
	if took := time.Since(from); took < drainFor {
		t.Errorf("it was given only %s", took)
	}
	if err := e.cmd.Wait(); err != nil {
		t.Errorf("it did not end by itself: %v", err)
	}
	if _, err := io.ReadAll(watch.Body); err == nil {
		t.Error("the watch has ended as if it were complete")
	}
	if want := "old kube-apiserver drained and ended"; len(e.steps) != 1 || e.steps[0] != want {
		t.Errorf("said %q, want %q", e.steps, want)
	}
	// Its Pod is still being taken down.
	time.Sleep(settleAfterPod + 200*time.Millisecond)
	if done, _ := e.drain.look(time.Now()); done || !e.final.IsZero() {
		t.Fatal("the final manifest was written while the old Pod was there")
	}
	if err := os.Remove(e.group); err != nil {
		t.Fatal(err)
	}
	gone := time.Now()
	for done := false; !done; time.Sleep(20 * time.Millisecond) {
		done, _ = e.drain.look(time.Now())
	}
	due := gone.Add(settleAfterPod)
	if released := e.drain.endedAt.Add(podReleasedWithin); released.After(due) {
		due = released
	}
	if after := e.final.Sub(due); after < 0 || after > time.Second {
		t.Errorf("the final manifest was written %s after it was due", after)
	}
}

// TestTurnAnswersFirst wants a request that takes the processor for longer than
// the drain to be answered.
func TestTurnAnswersFirst(t *testing.T) {
	t.Parallel()
	e := newEnding(t, "plain")
	e.aborts()
	e.drain.quick = true
	e.get("/watch")
	answer := make(chan string, 1)
	go func() {
		resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/busy", e.port))
		if err != nil {
			answer <- err.Error()
			return
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		answer <- fmt.Sprint(string(text), err)
	}()
	time.Sleep(200 * time.Millisecond)
	e.terminate()
	if !e.look(15 * time.Second) {
		t.Fatal("it still runs")
	}
	if got := <-answer; got != "answered<nil>" {
		t.Errorf("the request that was under way got %q", got)
	}
}

func TestTurnGraceful(t *testing.T) {
	t.Parallel()
	e := newEnding(t, "plain")
	e.get("/watch")
	e.terminate()
	if e.look(3 * time.Second) {
		t.Error("it was ended")
	}
}

// TestTurnElsewhere leaves a process alone that is not the static Pod's.
func TestTurnElsewhere(t *testing.T) {
	t.Parallel()
	e := newEnding(t, "plain")
	e.drain.quick, e.drain.mayKill = true, true
	e.drain.owns = apiserver.NewStaticPod(node.New("/", ""), patch.Server{Namespace: "kube-system", Pod: "kube-apiserver"}).Owns
	e.get("/watch")
	e.terminate()
	if e.look(3 * time.Second) {
		t.Error("it was ended")
	}
}

// TestTurnKill has an API server that does not end although nothing holds it.
func TestTurnKill(t *testing.T) {
	for _, may := range []bool{true, false} {
		t.Run(fmt.Sprint(may), func(t *testing.T) {
			t.Parallel()
			e := newEnding(t, "deaf")
			e.aborts()
			e.drain.quick, e.drain.mayKill = true, may
			e.terminate()
			if ended := e.look(drainFor + exitWithin + 3*time.Second); ended != may {
				t.Errorf("ended: %v", ended)
			}
			if may && e.steps[0] != "old kube-apiserver drained and killed" {
				t.Errorf("said %q", e.steps)
			}
		})
	}
}

func TestMayKill(t *testing.T) {
	policy := &patch.Location{}
	for name, c := range map[string]struct {
		flags   map[string]string
		command string
		want    bool
	}{
		"log":                     {map[string]string{"audit-log-path": "/a"}, "", true},
		"log in batches":          {map[string]string{"audit-log-path": "/a", "audit-log-mode": "batch"}, "", false},
		"webhook":                 {map[string]string{"audit-webhook-config-file": "/a"}, "", false},
		"webhook, blocking":       {map[string]string{"audit-webhook-config-file": "/a", "audit-webhook-mode": "blocking"}, "", true},
		"no audit logging":        {nil, "--etcd-servers=x", true},
		"shutdown delay":          {nil, "--shutdown-delay-duration=20s", false},
		"shutdown delay, spelt _": {nil, "--shutdown_delay_duration=1s", false},
		"no shutdown delay":       {nil, "--shutdown-delay-duration=0s", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := patch.Settings{Flags: c.flags, Policy: policy, Server: patch.Server{Command: []string{"kube-apiserver", c.command}}}
			if got := mayKill(s); got != c.want {
				t.Errorf("mayKill = %v", got)
			}
		})
	}
}
