//go:build linux

package simnode

import (
	"fmt"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// manifestPath is the manifest of every node.
const manifestPath = "/etc/kubernetes/manifests/kube-apiserver.yaml"

// The paths that the program chooses by itself.
const (
	policyPath = "/etc/kubernetes/audit-policy.yaml"
	logPath    = "/var/log/kubernetes/audit/audit.log"
)

// setup is how a node differs from the usual one.
type setup struct {
	v2       bool                // cgroup v2
	systemd  bool                // the kubelet's cgroup driver
	crun     bool                // the runtime makes nested control groups
	host     string              // the host's name
	override string              // the kubelet's --hostname-override
	manifest func(string) string // edits the manifest before the first start
	before   func(n *node)       // once the file system is there, before the kubelet
	broken   bool                // the API server does not start
}

// node is a simulated node in a scenario.
type node struct {
	*testing.T
	machine *rpc.Client
	root    string // its file system, as seen from the host
	config  machineConfig
	setup   setup
	kubelet *kubeletProcess
	pki     *PKI

	original   string // the manifest's first bytes
	start      int    // how many events there were before the scenario
	names      map[string]bool
	bystanders []bystander
	outcomes   []outcome
	restarts   int             // that wantRestarts has accepted
	had        map[string]bool // files that were there before the scenario
	died       bool            // the program was killed: what it leaves is for the next run
	anyBytes   bool            // somebody else has written files
	seen       *diary          // what was in the files
}

var nodes atomic.Int32

// newNode makes a node with a healthy API server.
func newNode(t *testing.T, s setup) *node {
	t.Helper()
	n := &node{T: t, setup: s, names: map[string]bool{filepath.Base(manifestPath): true}}
	name := fmt.Sprintf("%s%d-%d", groupPrefix, os.Getpid(), nodes.Add(1))
	groups, err := hierarchies(name, s.v2)
	if err != nil {
		t.Skipf("a node needs control groups of its own: %v", err)
	}
	t.Cleanup(func() {
		for _, h := range groups {
			if err := removeGroups(h.Parent); err != nil {
				t.Errorf("remove control groups: %v", err)
			}
		}
	})
	if s.host == "" {
		n.setup.host = "cp-1"
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n.config = machineConfig{Hostname: n.setup.host, Root: t.TempDir(), Program: buildProgram(t), Self: self, Hierarchies: groups, Systemd: s.systemd, Crun: s.crun}
	n.boot()
	n.furnish()
	if s.before != nil {
		s.before(n)
	}
	n.kubelet = &kubeletProcess{node: n}
	n.kubelet.start()
	if s.broken {
		n.eventually("the API server has died", func() bool { return n.count(Exited) > 0 })
	} else {
		n.wantReady()
	}
	n.seen = n.keepDiary()
	n.start = len(n.events())
	n.had = map[string]bool{policyPath: n.exists(policyPath)}
	return n
}

const groupPrefix = "simnode-"

// boot starts pid 1.
func (n *node) boot() {
	n.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		n.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	mine := os.NewFile(uintptr(pair[0]), "control")
	conn, err := net.FileConn(mine)
	_ = mine.Close() // conn has a descriptor of its own
	if err != nil {
		n.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{"simnode-init"}
	cmd.Env = append(baseEnv(), toEnv(envMachine, n.config))
	cmd.ExtraFiles = []*os.File{theirs}
	var errs strings.Builder
	cmd.Stderr = &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWNET |
		syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	if err := cmd.Start(); err != nil {
		n.Fatalf("make namespaces: %v", err)
	}
	n.machine = rpc.NewClient(conn)
	n.Cleanup(func() {
		_ = n.machine.Close()
		_ = cmd.Wait() // pid 1 ends with its wire, and all the others with it
	})
	_ = theirs.Close() // so that an early end is noticed
	n.root = fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
	var none []Event
	if err := n.machine.Call("Machine.Events", 0, &none); err != nil {
		n.Fatalf("boot: %v: %s", err, errs.String())
	}
}

var pki struct {
	once sync.Once
	*PKI
	err error
}

// furnish writes what kubeadm would.
func (n *node) furnish() {
	n.Helper()
	pki.once.Do(func() { pki.PKI, pki.err = NewPKI() })
	if pki.err != nil {
		n.Fatal(pki.err)
	}
	n.pki = pki.PKI
	manifest, err := os.ReadFile("../../testdata/kube-apiserver.yaml")
	if err != nil {
		n.Fatal(err)
	}
	n.original = string(manifest)
	if n.setup.manifest != nil {
		n.original = n.setup.manifest(n.original)
	}
	n.write(manifestPath, n.original, 0o600)
	cert, key, err := n.pki.ServerCert(n.name())
	if err != nil {
		n.Fatal(err)
	}
	n.write("/etc/kubernetes/pki/ca.crt", string(n.pki.CA), 0o644)
	n.write("/etc/kubernetes/pki/apiserver.crt", string(cert), 0o644)
	n.write("/etc/kubernetes/pki/apiserver.key", string(key), 0o600)
	year := time.Now().AddDate(1, 0, 0)
	n.kubeconfig("admin", Admin, year)
	n.kubeconfig("super-admin", SuperAdmin, year)
	n.kubeconfig("kubelet", NodeUser(n.name()), year)
	n.write("/var/lib/kubelet/config.yaml", "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\nstaticPodPath: /etc/kubernetes/manifests\n", 0o644)
	n.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n", 0o644)
	n.write("/etc/group", "root:x:0:\nadm:x:4:\n", 0o644)
	n.write("/var/lib/etcd/configmaps/kube-system/kubeadm-config", kubeadmConfig, 0o600)
	n.write("/var/lib/etcd/endpointslices/default/kubernetes", endpointSlice, 0o600)
}

// name is the node's in the cluster.
func (n *node) name() string {
	if n.setup.override != "" {
		return n.setup.override
	}
	return strings.ToLower(n.setup.host)
}

func (n *node) kubeconfig(file string, u User, ends time.Time) {
	n.Helper()
	data, err := n.pki.Kubeconfig(u, ends)
	if err != nil {
		n.Fatal(err)
	}
	n.write("/etc/kubernetes/"+file+".conf", string(data), 0o600)
}

const kubeadmConfig = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"kubeadm-config","namespace":"kube-system","resourceVersion":"1"},
"data":{"ClusterConfiguration":"apiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\nkubernetesVersion: v1.36.3\napiServer: {}\n"}}`

const endpointSlice = `{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"kubernetes","namespace":"default",
"labels":{"kubernetes.io/service-name":"kubernetes"}},"addressType":"IPv4","endpoints":[{"addresses":["` + NodeIP + `"]}],
"ports":[{"name":"https","port":6443,"protocol":"TCP"}]}`

// fail sets what is wrong with API servers that start from now on.
func (n *node) fail(faults ...*Faults) { n.Helper(); n.call("Fail", faults, nil) }

// call asks the machine.
func (n *node) call(method string, argument, answer any) {
	n.Helper()
	if answer == nil {
		answer = &None{}
	}
	if err := n.machine.Call("Machine."+method, argument, answer); err != nil {
		n.Errorf("%s: %v", method, err)
	}
}

// events are all that happened on the machine.
func (n *node) events() (out []Event) {
	n.Helper()
	n.call("Events", 0, &out)
	return out
}

// count is how many events of a kind there were since the node was ready.
func (n *node) count(kind string) (count int) {
	n.call("Count", Counting{From: n.start, Kind: kind}, &count)
	return count
}

// eventually waits for something that the stand-ins do.
func (n *node) eventually(what string, is func() bool) {
	n.Helper()
	for deadline := time.Now().Add(30 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) || n.Failed() {
			n.Fatalf("never: %s", what)
		}
	}
}

// wantReady waits until the API server is ready and the kubelet has its mirror
// Pod in place.
func (n *node) wantReady() {
	n.Helper()
	n.eventually("the API server is ready", func() (ready bool) { n.call("Ready", None{}, &ready); return ready })
}

// kubeletProcess is the node's kubelet.
type kubeletProcess struct {
	node *node
	pid  int
}

// start starts it, as systemd does.
func (k *kubeletProcess) start() {
	k.node.Helper()
	argv := []string{"kubelet", "--kubeconfig=/etc/kubernetes/kubelet.conf", "--config=/var/lib/kubelet/config.yaml"}
	if k.node.setup.override != "" {
		argv = append(argv, "--hostname-override="+k.node.setup.override)
	}
	k.node.call("Start", Command{Path: selfPath, Argv: argv, Group: "system.slice/kubelet.service"}, &k.pid)
}

// stop ends it, and waits for its end.
func (k *kubeletProcess) stop() {
	k.node.Helper()
	k.node.call("Send", Signal{k.pid, syscall.SIGKILL}, nil)
	k.node.call("Wait", k.pid, &Result{})
}

// restart is systemctl restart kubelet.
func (k *kubeletProcess) restart() { k.node.Helper(); k.stop(); k.start() }

// reboot ends everything at once, and starts the kubelet.
func (n *node) reboot() {
	n.Helper()
	n.died = true
	n.call("Reboot", None{}, nil)
	n.kubelet.start()
}
