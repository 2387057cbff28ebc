package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"
)

// Machine is what a kind configuration has to be changed for.
type Machine struct {
	OwnImage   bool // the node image has no network add-on, kube-proxy and CoreDNS
	CgroupV1   bool
	Kubernetes *version.Version // in the node image
}

// failCgroupV1 is the first Kubernetes whose kubelet refuses control groups of the first
// version unless it is told not to. The setting is 1.31's; an older kubelet does not know it.
var failCgroupV1 = version.MustParseGeneric("1.35")

// Config returns the kind configuration base with what the machine needs added to it, so
// that base itself can stay the one that people are shown.
func Config(base []byte, m Machine) ([]byte, error) {
	var config map[string]any
	if err := yaml.UnmarshalStrict(base, &config); err != nil {
		return nil, fmt.Errorf("read the kind configuration: %w", err)
	}
	// Without it the kubelet's journal does not tell of static pod updates.
	kubelet := map[string]any{"logging": map[string]any{"verbosity": 2}}
	if m.CgroupV1 && m.Kubernetes.AtLeast(failCgroupV1) {
		kubelet["failCgroupV1"] = false
	}
	patches := []map[string]any{with(kubelet, "KubeletConfiguration")}
	if m.OwnImage {
		networking, _ := config["networking"].(map[string]any)
		config["networking"] = merge(networking, map[string]any{
			"disableDefaultCNI": true,
			"kubeProxyMode":     "none",
		})
		patches = append(patches, with(map[string]any{
			// A patch replaces the whole list, so kind's own entries are here too.
			"skipPhases": []string{"preflight", "addon/kube-proxy", "addon/coredns"},
		}, "InitConfiguration"))
	}
	return appendPatches(config, patches)
}

// nodesOf is the number of nodes of a kind configuration.
func nodesOf(config []byte) (int, error) {
	var c struct {
		Nodes []any `json:"nodes"`
	}
	if err := yaml.Unmarshal(config, &c); err != nil {
		return 0, fmt.Errorf("read the kind configuration: %w", err)
	}
	return max(len(c.Nodes), 1), nil // kind makes one where none is named
}

// appendPatches adds kubeadm patches, which kind wants as strings of YAML.
func appendPatches(config map[string]any, patches []map[string]any) ([]byte, error) {
	all, _ := config["kubeadmConfigPatches"].([]any)
	for _, p := range patches {
		text, err := yaml.Marshal(p)
		if err != nil {
			return nil, err
		}
		all = append(all, string(text))
	}
	config["kubeadmConfigPatches"] = all
	return yaml.Marshal(config)
}

// with names the kind of object that a patch is for. No apiVersion: kind skips a patch whose
// version is not the one that it chose for this Kubernetes.
func with(patch map[string]any, kind string) map[string]any {
	return merge(patch, map[string]any{"kind": kind})
}

func merge(into, from map[string]any) map[string]any {
	if into == nil {
		into = map[string]any{}
	}
	for key, value := range from {
		into[key] = value
	}
	return into
}

// cgroupV1 tells whether this machine still has the old control groups.
func cgroupV1() bool {
	_, err := os.Stat("/sys/fs/cgroup/cgroup.controllers")
	return errors.Is(err, fs.ErrNotExist)
}
