package rollout

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/node"
	"auditpatch/internal/proc"
)

// Kubelet is the kubelet of this machine.
type Kubelet struct {
	proc.Process // PID 0: none runs
	// Config is its configuration file.
	Config string
	// StaticPodPath is the directory whose manifests it runs; "" when the
	// configuration could not be read, or names none.
	StaticPodPath string
	// HostnameOverride is its node's name, "" when that is the host's.
	HostnameOverride string
	// PodLogsDir is where it keeps the logs of containers, "" for the usual place.
	PodLogsDir string
	Err        error // why the configuration could not be read
}

// kubeletConfig is where kubeadm has the kubelet's configuration
// (cmd/kubeadm/app/constants, KubeletConfigurationFileName).
const kubeletConfig = "/var/lib/kubelet/config.yaml"

// FindKubelet looks for the kubelet's process and what it was told. The kubelet
// runs as root and in no Pod: another program of that name is not it. Without one
// the usual configuration file still tells what the next one will be told.
func FindKubelet(n *node.Node) (Kubelet, error) {
	ps, err := kubelets(n)
	if err != nil {
		return Kubelet{}, err
	}
	k := Kubelet{Config: kubeletConfig}
	if len(ps) > 0 {
		k.Process = ps[0]
		k.Config = cmp.Or(k.Flag("config"), kubeletConfig)
		k.HostnameOverride = k.Flag("hostname-override")
	}
	k.Err = k.configure(n)
	// Flags win over the files.
	k.StaticPodPath = cmp.Or(k.Flag("pod-manifest-path"), k.StaticPodPath)
	if k.StaticPodPath != "" {
		k.StaticPodPath = path.Clean(k.StaticPodPath)
	}
	return k, nil
}

// configure reads the configuration file, and then the drop-ins of --config-dir,
// which are sorted by name and end in .conf (cmd/kubelet/app/server.go,
// mergeKubeletConfigurations).
func (k *Kubelet) configure(n *node.Node) error {
	main, err := n.Read(k.Config)
	if err != nil {
		return err
	}
	texts := [][]byte{main.Data}
	if dir := k.Flag("config-dir"); dir != "" {
		files, err := n.Siblings(dir)
		if err != nil {
			return err
		}
		for _, f := range files {
			if f.Err == nil && path.Ext(f.Path) == ".conf" {
				texts = append(texts, f.Data)
			}
		}
	}
	for _, text := range texts {
		var config struct {
			StaticPodPath string `json:"staticPodPath"`
			PodLogsDir    string `json:"podLogsDir"`
		}
		if err := yaml.Unmarshal(text, &config); err != nil {
			return err
		}
		k.StaticPodPath = cmp.Or(config.StaticPodPath, k.StaticPodPath)
		k.PodLogsDir = cmp.Or(config.PodLogsDir, k.PodLogsDir)
	}
	return nil
}

// kubelets are the processes that may be the kubelet, the oldest first: not those of
// somebody who asks for its version, nor of a node that runs in a container.
func kubelets(n *node.Node) ([]proc.Process, error) {
	h := proc.Host{Root: n.Root}
	ps, err := h.Processes("kubelet")
	ps = slices.DeleteFunc(ps, func(p proc.Process) bool {
		asks := slices.ContainsFunc(p.Argv[1:], func(a string) bool {
			word, _, _ := strings.Cut(strings.TrimLeft(a, "-"), "=")
			return strings.HasPrefix(a, "-") && (word == "version" || word == "help" || word == "h")
		})
		return asks || p.UID != 0 || h.Elsewhere(p) || h.PodOf(p).UID != ""
	})
	slices.SortFunc(ps, func(a, b proc.Process) int { return cmp.Compare(a.Start, b.Start) })
	return ps, err
}

// logs is where it keeps the logs of containers.
func (k Kubelet) logs() string { return cmp.Or(strings.TrimSuffix(k.PodLogsDir, "/"), podLogs) }

// kubeletWatch notices that the kubelet was restarted. One that has started
// while the API server was away has not heard from it yet which Pods there are:
// until then it removes none ("skipping delete because sources aren't ready yet",
// pkg/kubelet/kubelet.go, deletePod), and a manifest that is changed under it
// leaves a Pod that neither runs nor goes.
type kubeletWatch struct {
	node  *node.Node
	first proc.Process // that ran while the API server was last seen healthy
}

// watchKubelet begins with the kubelet that runs now.
func watchKubelet(n *node.Node) *kubeletWatch {
	k, _ := FindKubelet(n)
	return &kubeletWatch{n, k.Process}
}

// restarted tells whether another kubelet runs than at first. None at all is no
// other: whichever starts later reads what lies there then.
func (k *kubeletWatch) restarted() bool {
	now, err := kubelets(k.node)
	return err == nil && len(now) > 0 && !slices.ContainsFunc(now, k.first.Same)
}

// name tells this kubelet from all others of this machine, also after a reboot.
func (k *kubeletWatch) name() string {
	if k.first.PID == 0 {
		return ""
	}
	return fmt.Sprintf("%s %d %d", bootID(k.node), k.first.PID, k.first.Start)
}

// resumedWatch is the watch of a change that another process began: name is what
// it noted. A kubelet that it did not note has not heard from the API server.
func resumedWatch(n *node.Node, name string) *kubeletWatch {
	k := watchKubelet(n)
	if k.name() != name {
		k.first = proc.Process{}
	}
	return k
}

// bootID is different after each start of the machine.
func bootID(n *node.Node) string {
	data, _ := os.ReadFile(filepath.Join(n.Root, "proc/sys/kernel/random/boot_id"))
	return strings.TrimSpace(string(data))
}

// KubeletStuck tells whether the manifest was written last after the kubelet that
// runs had started, and a while ago: if no API server runs all the same, the
// kubelet may have been restarted while there was none, and need another start.
func KubeletStuck(n *node.Node, manifest string) bool {
	k, err := FindKubelet(n)
	if err != nil || k.PID == 0 {
		return false
	}
	started, written := (proc.Host{Root: n.Root}).Started(k.Process), n.Written(manifest)
	return !started.IsZero() && written.After(started) && time.Since(written) > stuckAfter
}

// stuckAfter is longer than a kubelet that is all right takes to start a Pod.
var stuckAfter = paced(20 * time.Second)

// trust takes the kubelet that runs now for one that has heard from the API
// server.
func (k *kubeletWatch) trust() { k.first = watchKubelet(k.node).first }

// Runs tells whether there is a kubelet to act on a manifest.
func Runs(n *node.Node) bool {
	k, err := FindKubelet(n)
	return err == nil && k.PID != 0
}

// restartKubelet is the way out when the kubelet cannot act on a manifest
// before it is started once more.
const restartKubelet = "systemctl restart kubelet"

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

// podLogs is where the kubelet has the logs of containers unless its
// configuration names another directory (podLogsDir).
const podLogs = "/var/log/pods"
