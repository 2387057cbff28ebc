package simnode

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// runtimeSocket is where the kubelet finds the container runtime.
const runtimeSocket = "/run/containerd/containerd.sock"

// Runtime runs containers. They outlive the kubelet that has asked for them.
type Runtime struct {
	machine *Machine

	mu         sync.Mutex
	containers map[string]*container
}

// Container is a container as the kubelet sees it.
type Container struct {
	ContainerSpec
	PID     int
	Running bool
	Exit    int
	Started time.Time
	Ended   time.Time
}

type container struct {
	Container
	process *process
	killed  string // by whom, for the event of its end
}

func newRuntime(m *Machine) *Runtime {
	return &Runtime{machine: m, containers: map[string]*container{}}
}

// listen serves the kubelet.
func (r *Runtime) listen() error {
	if err := os.MkdirAll(filepath.Dir(runtimeSocket), 0o755); err != nil {
		return err
	}
	l, err := net.Listen("unix", runtimeSocket)
	if err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(r); err != nil {
		return err
	}
	go server.Accept(l)
	return nil
}

// Run creates and starts a container.
func (r *Runtime) Run(spec ContainerSpec, id *string) error {
	spec.ID = newID()
	spec.Group = containerGroup(spec.Group, spec.ID, r.machine.config.Systemd, r.machine.config.Crun)
	log, err := openLog(spec.Log)
	if err != nil {
		return err
	}
	c := &container{Container: Container{ContainerSpec: spec, Running: true}}
	faults := r.machine.faultsFor(spec.Argv)
	var lines sync.Mutex
	c.process, err = r.machine.processes.start(launch{
		path: selfPath, argv: spec.Argv, env: append(append(baseEnv(), toEnv(envFaults, faults)), spec.Env...),
		credential: &syscall.Credential{Uid: uint32(spec.UID), Gid: uint32(spec.GID)}, group: spec.Group, container: &spec,
		out: func(from io.Reader) { copyLog(log, &lines, from, "stdout") },
		err: func(from io.Reader) {
			if faults != nil && faults.LateLog {
				said, _ := io.ReadAll(from)
				time.Sleep(paced(time.Second))
				from = bytes.NewReader(said)
			}
			copyLog(log, &lines, from, "stderr")
		},
	})
	if err != nil {
		_ = log.Close() // nothing was written
		return err
	}
	c.PID, c.Started = c.process.pid, time.Now()
	r.mu.Lock()
	r.containers[spec.ID] = c
	r.mu.Unlock()
	r.machine.note(Started, spec.PodUID, fmt.Sprintf("%s pid %d", spec.Name, c.PID))
	go r.follow(c, log)
	*id = spec.ID
	return nil
}

// follow notes the end of a container and removes its control group.
func (r *Runtime) follow(c *container, log io.Closer) {
	<-c.process.done
	_ = log.Close() // a line that is lost, as a full disk loses it
	r.mu.Lock()
	c.Ended, c.Exit = time.Now(), c.process.status.ExitStatus()
	how := fmt.Sprintf("exit status %d", c.Exit)
	if c.process.status.Signaled() {
		c.Exit = 128 + int(c.process.status.Signal())
		how = c.process.status.Signal().String() + c.killed
	}
	r.mu.Unlock()
	group := strings.TrimSuffix(c.Group, "/container")
	for _, root := range groupRoots() {
		_ = removeGroups(filepath.Join(root, group))
	}
	r.mu.Lock()
	c.Running = false
	r.mu.Unlock()
	r.machine.note(Exited, c.PodUID, fmt.Sprintf("%s pid %d: %s", c.Name, c.PID, how))
}

// Stop is how a container is to end.
type Stop struct {
	ID    string
	Grace time.Duration
}

// End sends SIGTERM, and SIGKILL when the grace is over. It does not wait.
func (r *Runtime) End(s Stop, _ *None) error {
	r.mu.Lock()
	c := r.containers[s.ID]
	r.mu.Unlock()
	if c == nil {
		return fmt.Errorf("no container %s", s.ID)
	}
	if c.process.ended() {
		return nil
	}
	r.machine.note(Stopped, c.PodUID, c.Name)
	err := syscall.Kill(c.PID, syscall.SIGTERM)
	go func() {
		select {
		case <-c.process.done:
		case <-time.After(s.Grace):
			r.mu.Lock()
			c.killed = " by the kubelet"
			r.mu.Unlock()
			r.machine.note(Killed, c.PodUID, c.Name)
			_ = syscall.Kill(c.PID, syscall.SIGKILL)
		}
	}()
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// List lists all containers, also those that have ended.
func (r *Runtime) List(_ None, out *[]Container) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.containers {
		*out = append(*out, c.Container)
	}
	return nil
}

// Forget removes the containers of a Pod.
func (r *Runtime) Forget(uid string, _ *None) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.containers {
		if c.PodUID == uid {
			delete(r.containers, id)
		}
	}
	return nil
}

// Note lets the kubelet tell the test something.
func (r *Runtime) Note(e Event, _ *None) error {
	r.machine.note(e.Kind, e.Pod, e.Text)
	return nil
}

// Systemd tells which cgroup driver is in use.
func (r *Runtime) Systemd(_ None, yes *bool) error {
	*yes = r.machine.config.Systemd
	return nil
}

// reset is what a reboot leaves.
func (r *Runtime) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.containers)
}

func newID() string {
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return hex.EncodeToString(id)
}

// openLog opens a container's log, whose folder the kubelet has made.
func openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
}

// copyLog writes lines as the CRI wants them (k8s.io/cri-client/pkg/logs): TIME
// STREAM TAG TEXT.
func copyLog(log io.Writer, mu *sync.Mutex, from io.Reader, stream string) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		mu.Lock()
		fmt.Fprintf(log, "%s %s F %s\n", time.Now().UTC().Format(time.RFC3339Nano), stream, lines.Text())
		mu.Unlock()
	}
}

// newUUID has the form that the API server gives its objects and requests.
func newUUID() string {
	id := newID()
	return id[:8] + "-" + id[8:12] + "-4" + id[13:16] + "-a" + id[17:20] + "-" + id[20:32]
}
