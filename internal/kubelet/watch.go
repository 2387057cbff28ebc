package kubelet

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/internal/wait"
)

// Watch notices that the kubelet was restarted. One that has started
// while the API server was away has not heard from it yet which Pods there are:
// until then it removes none ("skipping delete because sources aren't ready yet",
// pkg/kubelet/kubelet.go, deletePod), and a manifest that is changed under it
// leaves a Pod that neither runs nor goes.
type Watch struct {
	node  *node.Node
	first proc.Process // that ran while the API server was last seen healthy
}

// NewWatch begins with the kubelet that runs now.
func NewWatch(n *node.Node) *Watch {
	k, _ := Find(n)
	return &Watch{n, k.Process}
}

// Restarted tells whether another kubelet runs than at first. None at all is no
// other: whichever starts later reads what lies there then.
func (k *Watch) Restarted() bool {
	now, err := kubelets(k.node)
	return err == nil && len(now) > 0 && !slices.ContainsFunc(now, k.first.Same)
}

// Name tells this kubelet from all others of this machine, also after a reboot.
func (k *Watch) Name() string {
	if k.first.PID == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d %d", bootID(k.node), k.first.PID, k.first.Start)
}

// ResumeWatch is the watch of a change that another process began: name is what
// it noted. A kubelet that it did not note has not heard from the API server.
func ResumeWatch(n *node.Node, name string) *Watch {
	k := NewWatch(n)
	if k.Name() != name {
		k.first = proc.Process{}
	}
	return k
}

// bootID is different after each start of the machine.
func bootID(n *node.Node) string {
	data, _ := os.ReadFile(filepath.Join(n.Root, "proc/sys/kernel/random/boot_id"))
	return strings.TrimSpace(string(data))
}

// Stuck tells whether the manifest was written last after the kubelet that
// runs had started, and a while ago: if no API server runs all the same, the
// kubelet may have been restarted while there was none, and need another start.
func Stuck(n *node.Node, manifest string) bool {
	k, err := Find(n)
	if err != nil || k.PID == 0 {
		return false
	}
	started, written := (proc.Host{Root: n.Root}).Started(k.Process), n.Written(manifest)
	return !started.IsZero() && written.After(started) && time.Since(written) > stuckAfter
}

// stuckAfter is longer than a kubelet that is all right takes to start a Pod.
var stuckAfter = wait.Scaled(20 * time.Second)

// Trust takes the kubelet that runs now for one that has heard from the API
// server.
func (k *Watch) Trust() { k.first = NewWatch(k.node).first }

// Runs tells whether there is a kubelet to act on a manifest.
func Runs(n *node.Node) bool {
	k, err := Find(n)
	return err == nil && k.PID != 0
}

// RestartCommand is the way out when the kubelet cannot act on a manifest
// before it is started once more.
const RestartCommand = "systemctl restart kubelet"
