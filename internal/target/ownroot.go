package target

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
)

// CheckOwnRoot refuses to change, as if it were an image, the file system of a node
// that runs: --root skips the health check, the wait, the rollback and the cluster's
// lock. It is one when a kubelet has that directory as its root, by whatever path,
// also that of another container or of the machine that we are a container of. Before
// kubeadm has run there is no manifest, and nothing to break.
func (t *Target) CheckOwnRoot(command string) error {
	if t.Live || t.Stdin() {
		return nil
	}
	kubelet, own, err := kubeletAt(t.Node.Root)
	if err != nil || kubelet == 0 {
		return err
	}
	f, err := t.Node.Stat(t.Manifest)
	switch {
	case err != nil || !f.Exists:
		return err
	case own:
		return hint.Errorf(hint.Command(command).Elsewhere().Note(", with the same flags but without --root"),
			"--root %s is this machine itself, where a kubelet runs (pid %d): it would be changed without the checks, the wait and the way back of a live node", t.Node.Root, kubelet)
	}
	return hint.Errorf(hint.Shell("nsenter --all --target %d", kubelet).Then(" ", hint.Command(command).Without("root")),
		"--root %s is the file system of a node whose kubelet runs (pid %d): it would be changed without the checks, the wait and the way back of a live node", t.Node.Root, kubelet)
}

// kubeletAt finds a kubelet of root's whose root directory is dir, and tells whether
// that is our own too. Who may not look at another's directory sees its own only.
func kubeletAt(dir string) (pid int, own bool, err error) {
	at, err := os.Stat(dir)
	if err != nil {
		return 0, false, nil // what follows says it better
	}
	slash, err := os.Stat("/")
	if err != nil {
		return 0, false, err
	}
	own = os.SameFile(at, slash)
	if !own && !isRoot(at) {
		return 0, false, nil
	}
	kubelets, err := (proc.Host{Root: "/"}).Processes("kubelet")
	if err != nil && !own {
		return 0, false, nil // no /proc, so nothing to be seen of others
	}
	for _, k := range kubelets {
		proc := filepath.Join("/proc", fmt.Sprint(k.PID))
		info, err := os.Stat(proc)
		if err != nil || !ownedByRoot(info) {
			continue
		}
		if root, err := os.Stat(filepath.Join(proc, "root") + "/."); err != nil && own || err == nil && os.SameFile(at, root) {
			return k.PID, own, nil
		}
	}
	return 0, own, err
}

// isRoot tells whether a directory is the root of any process that we may look at:
// hardly ever, and it takes less time to find out than what they all are.
func isRoot(dir os.FileInfo) bool {
	all, _ := os.ReadDir("/proc")
	return slices.ContainsFunc(all, func(e os.DirEntry) bool {
		if _, err := strconv.Atoi(e.Name()); err != nil {
			return false
		}
		root, err := os.Stat("/proc/" + e.Name() + "/root/.")
		return err == nil && os.SameFile(dir, root)
	})
}
