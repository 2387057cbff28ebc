package rollout

import (
	"path"
	"strings"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/node"
)

// Kubelet is the kubelet of this machine.
type Kubelet struct {
	PID    int    // 0: none runs
	Config string // its configuration file
	// StaticPodPath is the directory whose manifests it runs; "" when the
	// configuration could not be read, or names none.
	StaticPodPath string
	Err           error // why it could not be read
}

// kubeletConfig is where kubeadm has the kubelet's configuration
// (cmd/kubeadm/app/constants, KubeletConfigurationFileName).
const kubeletConfig = "/var/lib/kubelet/config.yaml"

// FindKubelet looks for the kubelet's process and what it was told.
func FindKubelet(n *node.Node) (Kubelet, error) {
	ps, err := n.Processes("kubelet")
	if err != nil || len(ps) == 0 {
		return Kubelet{}, err
	}
	k := Kubelet{PID: ps[0].PID, Config: kubeletConfig}
	for _, a := range ps[0].Argv {
		if v, ok := strings.CutPrefix(a, "--config="); ok {
			k.Config = v
		}
		if v, ok := strings.CutPrefix(a, "--pod-manifest-path="); ok {
			k.StaticPodPath = path.Clean(v) // flags win over the file
		}
	}
	if k.StaticPodPath != "" {
		return k, nil
	}
	f, err := n.Read(k.Config)
	var config struct {
		StaticPodPath string `json:"staticPodPath"`
	}
	if err == nil {
		err = yaml.Unmarshal(f.Data, &config)
	}
	if k.Err = err; err == nil && config.StaticPodPath != "" {
		k.StaticPodPath = path.Clean(config.StaticPodPath)
	}
	return k, nil
}
