package apiserver

import (
	"path"
	"slices"

	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

// StaticPod tells the processes of one manifest's static Pod from all others: a
// node may run more API servers, in Pods of their own (Karmada, Kamaji, vcluster)
// or in none, and anybody can start a program with any command line.
type StaticPod struct {
	node *node.Node
	Host proc.Host
	user int // that the manifest lets it run as
	// folders are what the names of its log folders begin with; the UID follows.
	folders []string
}

// NewStaticPod is the static Pod of a manifest on this node. The kubelet adds
// its node's name to the Pod's (pkg/kubelet/config/common.go, generatePodName).
func NewStaticPod(n *node.Node, spec patch.Server) *StaticPod {
	s := &StaticPod{node: n, Host: proc.Host{Root: n.Root}, user: spec.User}
	k, _ := kubelet.Find(n)
	for _, name := range kubelet.NodeNames(n, k) {
		s.folders = append(s.folders, path.Join(k.Logs(), spec.Namespace+"_"+spec.Pod+"-"+name+"_"))
	}
	return s
}

// Owns is the one test that a process has to pass before it is counted as an
// API server of this manifest, and before it is signalled or its connections are
// cut: it runs as the manifest's user, in the control groups of a Pod that the
// kubelet has made from a manifest, and the kubelet keeps logs for that Pod under
// this Pod's name. Nobody but root can make either.
func (s *StaticPod) Owns(p proc.Process) bool {
	pod := s.Host.PodOf(p)
	return p.UID == s.user && pod.Static() && s.folder(pod.UID) != ""
}

// Processes are the kube-apiservers of the static Pod, with any command line.
func (s *StaticPod) Processes() ([]proc.Process, error) {
	all, err := s.Host.Processes("kube-apiserver")
	return slices.DeleteFunc(all, func(p proc.Process) bool { return !s.Owns(p) }), err
}

// folder is the log folder of the Pod with this UID, "" without one.
func (s *StaticPod) folder(uid string) string {
	for _, prefix := range s.folders {
		if f, err := s.node.Stat(prefix + uid); err == nil && f.Dir && f.UID == 0 {
			return prefix + uid
		}
	}
	return ""
}
