package kubelet

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"

	"auditpatch/internal/node"
)

// NodeNames are the names that the kubelet may have for its node. One that runs
// and was told a name has that one. Else it is the one that its client certificate
// speaks for, or the host's in small letters (pkg/util/node, GetHostname); while no
// kubelet runs nobody knows whether it is told another, and the certificate does.
func NodeNames(n *node.Node, k Kubelet) []string {
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
