// Package kubelet finds the kubelet of this machine, what it was told, and whether
// it was restarted.
//
// Call [Find]; [NewWatch] notices a restart.
package kubelet

import (
	"cmp"
	"path"
	"slices"
	"strings"

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

// Find looks for the kubelet's process and what it was told. The kubelet
// runs as root and in no Pod: another program of that name is not it. Without one
// the usual configuration file still tells what the next one will be told.
func Find(n *node.Node) (Kubelet, error) {
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

// Logs is where it keeps the logs of containers.
func (k Kubelet) Logs() string { return cmp.Or(strings.TrimSuffix(k.PodLogsDir, "/"), podLogs) }

// podLogs is where the kubelet has the logs of containers unless its
// configuration names another directory (podLogsDir).
const podLogs = "/var/log/pods"
