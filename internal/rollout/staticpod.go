package rollout

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path"
	"slices"
	"strings"

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

// podLogs is where the kubelet has the logs of containers unless its
// configuration names another directory (podLogsDir).
const podLogs = "/var/log/pods"

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

// nodeNames are the names that the kubelet may have for its node. One that runs
// and was told a name has that one. Else it is the one that its client certificate
// speaks for, or the host's in small letters (pkg/util/node, GetHostname); while no
// kubelet runs nobody knows whether it is told another, and the certificate does.
func nodeNames(n *node.Node, k Kubelet) []string {
	certified := plainName(certifiedNode(n))
	if told := plainName(k.HostnameOverride); told != "" {
		return []string{told}
	}
	if certified != "" && k.PID == 0 {
		return []string{certified}
	}
	host, _ := os.Hostname()
	names := slices.DeleteFunc([]string{certified, plainName(host)}, func(s string) bool { return s == "" })
	return slices.Compact(names)
}

// plainName is a node's name as the kubelet has it, "" when it cannot be one.
func plainName(name string) string {
	if name = strings.ToLower(strings.TrimSpace(name)); strings.Contains(name, "/") {
		return ""
	}
	return name
}

// kubeletCertificate is where the kubelet keeps its current client certificate
// (pkg/kubelet/certificate, with kubeadm's --cert-dir).
const kubeletCertificate = "/var/lib/kubelet/pki/kubelet-client-current.pem"

// certifiedNode is the node that the kubelet's client certificate speaks for, ""
// when there is none that can be read.
func certifiedNode(n *node.Node) string {
	f, err := n.Read(kubeletCertificate)
	if err != nil {
		return ""
	}
	for block, rest := pem.Decode(f.Data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			name, _ := strings.CutPrefix(cert.Subject.CommonName, "system:node:")
			return name
		}
	}
	return ""
}
