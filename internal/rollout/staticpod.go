package rollout

import (
	"path"
	"slices"

	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

// staticPod tells the processes of one manifest's static Pod from all others: a
// node may run more API servers, in Pods of their own (Karmada, Kamaji, vcluster)
// or in none, and anybody can start a program with any command line.
type staticPod struct {
	node *node.Node
	host proc.Host
	user int // that the manifest lets it run as
	// folders are what the names of its log folders begin with; the UID follows.
	folders []string
}

// newStaticPod is the static Pod of a manifest on this node. The kubelet adds
// its node's name to the Pod's (pkg/kubelet/config/common.go, generatePodName).
func newStaticPod(n *node.Node, spec patch.Server) *staticPod {
	s := &staticPod{node: n, host: proc.Host{Root: n.Root}, user: spec.User}
	k, _ := FindKubelet(n)
	for _, name := range nodeNames(n, k) {
		s.folders = append(s.folders, path.Join(k.logs(), spec.Namespace+"_"+spec.Pod+"-"+name+"_"))
	}
	return s
}

// owns is the one test that a process has to pass before it is counted as an
// API server of this manifest, and before it is signalled or its connections are
// cut: it runs as the manifest's user, in the control groups of a Pod that the
// kubelet has made from a manifest, and the kubelet keeps logs for that Pod under
// this Pod's name. Nobody but root can make either.
func (s *staticPod) owns(p proc.Process) bool {
	pod := s.host.PodOf(p)
	return p.UID == s.user && pod.Static() && s.folder(pod.UID) != ""
}

// processes are the kube-apiservers of the static Pod, with any command line.
func (s *staticPod) processes() ([]proc.Process, error) {
	all, err := s.host.Processes("kube-apiserver")
	return slices.DeleteFunc(all, func(p proc.Process) bool { return !s.owns(p) }), err
}

// folder is the log folder of the Pod with this UID, "" without one.
func (s *staticPod) folder(uid string) string {
	for _, prefix := range s.folders {
		if f, err := s.node.Stat(prefix + uid); err == nil && f.Dir && f.UID == 0 {
			return prefix + uid
		}
	}
	return ""
}
