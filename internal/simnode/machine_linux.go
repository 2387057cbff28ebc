package simnode

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// machineConfig is what a machine is made of.
type machineConfig struct {
	Hostname    string
	Root        string // an empty directory of the host, for its file system
	Program     string // the binary under test
	Self        string // this one
	Hierarchies []Hierarchy
	Systemd     bool // the cgroup driver of kubelet and runtime
	Crun        bool // the runtime is crun, not runc
}

// controlFD is the test's wire, in pid 1.
const controlFD = 3

// Machine is a machine as its test holds it, by RPC.
type Machine struct {
	config    machineConfig
	processes *processes
	runtime   *Runtime

	mu       sync.Mutex
	programs map[int]*program
	client   *client // an administrator
	ports    map[string]net.Listener
	events   []Event
	faults   []*Faults
}

// Event is something that happened on the machine.
type Event struct {
	At   time.Time
	Kind string // see the constants
	Pod  string // its UID
	Text string
}

// The kinds of events.
const (
	PodAdded       = "pod added"     // the kubelet learned of a static Pod
	PodRemoved     = "pod removed"   // and that it is gone
	RemoveSkipped  = "skipped"       // "skipping delete because sources aren't ready yet"
	NameSeen       = "name seen"     // a visible name in the manifests directory
	InvalidFile    = "invalid file"  // that is no Pod
	MountFailed    = "mount failed"  // of a Pod's volume
	Started        = "started"       // a container
	Exited         = "exited"        // a container, and how
	Stopped        = "stopped"       // a container got SIGTERM from the kubelet
	Killed         = "killed"        // or SIGKILL
	KubeletStarted = "kubelet start" // a kubelet
)

// None is no argument and no answer.
type None struct{}

// Reboot ends every process at once, and empties what does not survive.
func (m *Machine) Reboot(None, *None) error {
	if !m.processes.killAll(20 * time.Second) {
		return errors.New("some processes do not end")
	}
	m.runtime.reset()
	for _, root := range groupRoots() {
		entries, _ := os.ReadDir(root)
		for _, e := range entries {
			if e.IsDir() {
				if err := removeGroups(filepath.Join(root, e.Name())); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// StopContainers ends all containers, as crictl stopp does, and waits for them.
func (m *Machine) StopContainers(_ None, _ *None) error {
	m.runtime.mu.Lock()
	defer m.runtime.mu.Unlock()
	for id, c := range m.runtime.containers {
		_ = syscall.Kill(c.PID, syscall.SIGKILL)
		<-c.process.done
		delete(m.runtime.containers, id)
	}
	return nil
}

// note adds an event.
func (m *Machine) note(kind, pod, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events = append(m.events, Event{time.Now(), kind, pod, text})
}

// Events are those after the first n.
func (m *Machine) Events(n int, out *[]Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	*out = append([]Event(nil), m.events[n:]...)
	return nil
}

// Counting is which events to count.
type Counting struct {
	From int // after so many
	Kind string
	Pod  string // "" for any
}

// Count counts events.
func (m *Machine) Count(c Counting, n *int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events[c.From:] {
		if e.Kind == c.Kind && (c.Pod == "" || e.Pod == c.Pod) {
			*n++
		}
	}
	return nil
}

// Fail sets the faults of API servers that are started from now on.
func (m *Machine) Fail(faults []*Faults, _ *None) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = faults
	return nil
}

// Volume is a file system of its own in the tree.
type Volume struct {
	Path string
	Size string // as mount(8) has it
}

// Mount mounts a small tmpfs.
func (m *Machine) Mount(v Volume, _ *None) error {
	if err := os.MkdirAll(v.Path, 0o700); err != nil {
		return err
	}
	return syscall.Mount("tmpfs", v.Path, "tmpfs", 0, "mode=700,size="+v.Size)
}

// runMachine is pid 1.
func runMachine() error {
	var c machineConfig
	if err := fromEnv(envMachine, &c); err != nil {
		return err
	}
	syscall.CloseOnExec(controlFD)
	if err := c.enterGroups(); err != nil {
		return err
	}
	if err := c.setUp(); err != nil {
		return fmt.Errorf("set up the node: %w", err)
	}
	m := &Machine{config: c, processes: newProcesses(), programs: map[int]*program{}, ports: map[string]net.Listener{}}
	m.runtime = newRuntime(m)
	if err := m.runtime.listen(); err != nil {
		return err
	}
	// etcd; what it would answer nobody here asks.
	if err := m.Listen(Port{Address: "127.0.0.1:2379", Do: "hang"}, &None{}); err != nil {
		return err
	}
	server := rpc.NewServer()
	if err := server.Register(m); err != nil {
		return err
	}
	control := os.NewFile(controlFD, "control")
	conn, err := net.FileConn(control)
	if err != nil {
		return err
	}
	if err := control.Close(); err != nil {
		return err
	}
	server.ServeConn(conn)
	// The test has ended, or died: with pid 1 all the others go.
	return io.EOF
}

// administrator is who watches from then on, as the controllers do.
func (m *Machine) administrator() (c *client, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.client == nil {
		if m.client, err = newClient("/etc/kubernetes/super-admin.conf"); err == nil {
			go watchAlways(m.client)
		}
	}
	return m.client, err
}

// Ready tells whether the API server is ready and the kubelet's mirror Pod is
// that of the Pod which runs.
func (m *Machine) Ready(_ None, yes *bool) error {
	var running []Container
	_ = m.runtime.List(None{}, &running)
	c, err := m.administrator()
	if err != nil {
		return err
	}
	if code, err := c.do(http.MethodGet, "/readyz", nil, nil); err != nil || code != http.StatusOK {
		return nil
	}
	for _, r := range running {
		var pod corev1.Pod
		code, err := c.do(http.MethodGet, "/api/v1/namespaces/"+r.Namespace+"/pods/"+r.Pod, nil, &pod)
		if r.Running && err == nil && code == http.StatusOK && pod.Annotations[corev1.MirrorPodAnnotationKey] == r.PodUID {
			*yes = true
		}
	}
	return nil
}

// ReadOnly makes a mount read-only.
func (m *Machine) ReadOnly(path string, _ *None) error {
	return syscall.Mount("", path, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}
