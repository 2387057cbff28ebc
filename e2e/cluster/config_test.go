package cluster

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/version"
)

// TestConfig holds the generated configuration against the one written by hand.
func TestConfig(t *testing.T) {
	const base = `kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
networking:
  apiServerPort: 7443
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  clusterName: mine
nodes:
- role: control-plane
`
	const plain = `apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  clusterName: mine
- |
  kind: KubeletConfiguration
  logging:
    verbosity: 2
networking:
  apiServerPort: 7443
nodes:
- role: control-plane
`
	v130, v137 := version.MustParseGeneric("v1.30.14"), version.MustParseGeneric("v1.37.2")
	for _, test := range []struct {
		name    string
		machine Machine
		want    string
	}{
		{"official image", Machine{Kubernetes: v137}, plain},
		{"old control groups, and a kubelet that does not mind", Machine{CgroupV1: true, Kubernetes: v130}, plain},
		{"our own image", Machine{OwnImage: true, CgroupV1: true, Kubernetes: v137}, `apiVersion: kind.x-k8s.io/v1alpha4
kind: Cluster
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  clusterName: mine
- |
  failCgroupV1: false
  kind: KubeletConfiguration
  logging:
    verbosity: 2
- |
  kind: InitConfiguration
  skipPhases:
  - preflight
  - addon/kube-proxy
  - addon/coredns
networking:
  apiServerPort: 7443
  disableDefaultCNI: true
  kubeProxyMode: none
nodes:
- role: control-plane
`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Config([]byte(base), test.machine)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodesOf(t *testing.T) {
	for text, want := range map[string]int{
		"kind: Cluster\n": 1,
		"nodes:\n- role: control-plane\n- role: control-plane\n- role: worker\n": 3,
	} {
		if got, err := nodesOf([]byte(text)); got != want || err != nil {
			t.Errorf("%q has %d nodes, %v; want %d", text, got, err, want)
		}
	}
}
