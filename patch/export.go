package patch

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// Settled is the manifest that a plan leads to.
func (p *Plan) Settled() (*manifest.File, error) {
	text, ok := p.Text(p.Manifest)
	if !ok {
		text = p.Unchanged
	}
	if p.unwritten != nil {
		text = p.unwritten
	}
	return manifest.Parse(p.Manifest, text)
}

// ExportKubeadm writes a manifest's audit settings as a ClusterConfiguration of
// a kubeadm API version, one of KubeadmAPIs. Without a version it is the newest that
// belongs to the manifest's image; a version that its kubeadm does not read is refused.
func ExportKubeadm(m *manifest.File, version string) ([]byte, error) {
	version, err := chooseKubeadmAPI(m, version)
	if err != nil {
		return nil, err
	}
	return clusterConfiguration(m, version)
}

func clusterConfiguration(m *manifest.File, version string) ([]byte, error) {
	text := "apiVersion: kubeadm.k8s.io/" + version + "\nkind: ClusterConfiguration\napiServer: {}\n"
	p, err := PlanKubeadm([]byte(text), m)
	if err != nil {
		return nil, err
	}
	return p.New, nil
}

// Names of the files that kubeadm --patches reads: the target, a suffix without
// a dot, and the type of the patch (cmd/kubeadm/app/util/patches/patches.go).
const (
	FlagsPatch = "kube-apiserver-audit+json.yaml"
	PodPatch   = "kube-apiserver-audit+strategic.yaml"
)

// ExportPatches writes a manifest's audit settings as files for kubeadm
// --patches. The flags are a JSON patch, since a strategic one would replace the
// whole command. The rest is a strategic one, which merges mounts by their path and
// volumes by their name: with the same settings in the ClusterConfiguration
// nothing is there twice, which the kubelet would refuse.
func ExportPatches(m *manifest.File) (map[string][]byte, error) {
	extra, err := auditVolumes(m)
	if err != nil {
		return nil, err
	}
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value string `json:"value"`
	}
	var ops []operation
	s := Inspect(m)
	for _, spec := range auditflags.All() {
		if v, ok := s.Flags[spec.Name]; ok {
			ops = append(ops, operation{"add", "/spec/containers/0/command/-", "--" + spec.Name + "=" + v})
		}
	}
	mounts, volumes := volumesOf(extra)
	pod := map[string]any{
		"apiVersion": "v1", "kind": "Pod",
		"metadata": metav1.ObjectMeta{Name: "kube-apiserver", Namespace: "kube-system", Annotations: s.Annotations},
		"spec":     podPatch{Containers: []containerPatch{{"kube-apiserver", mounts}}, Volumes: volumes},
	}
	out := map[string][]byte{}
	for name, v := range map[string]any{FlagsPatch: ops, PodPatch: pod} {
		if out[name], err = yaml.Marshal(v); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
	}
	return out, nil
}

// podPatch and containerPatch are a Pod's spec with nothing in it but what is
// patched.
type podPatch struct {
	Containers []containerPatch `json:"containers"`
	Volumes    []corev1.Volume  `json:"volumes,omitempty"`
}

type containerPatch struct {
	Name         string               `json:"name"`
	VolumeMounts []corev1.VolumeMount `json:"volumeMounts,omitempty"`
}

// KindDir is the folder of a kind node that the host's folder with the policy
// is mounted at. It is a folder, since a single file that is mounted stays the
// old one when it is replaced.
const KindDir = "/etc/kubernetes/audit"

// ExportKind writes a kind configuration for a new cluster with a manifest's
// audit settings, with so many control-plane nodes. dir is the host's folder with
// what has to be in KindDir.
//
// kind makes the ClusterConfiguration in the API version that belongs to the
// version of Kubernetes, and silently skips a patch of another: so the patch has
// none, and extraArgs as a mapping, which kind turns into a list where it has to
// (pkg/internal/patch/kubeadm_merge.go).
func ExportKind(m *manifest.File, dir string, nodes int) ([]byte, error) {
	config, err := clusterConfiguration(m, "v1beta3")
	if err != nil {
		return nil, err
	}
	_, config, _ = bytes.Cut(config, []byte("\n")) // its apiVersion
	var b strings.Builder
	b.WriteString("# A new cluster with audit logging: kind create cluster --config FILE\n")
	b.WriteString("kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\nnodes:\n")
	for range nodes {
		fmt.Fprintf(&b, "- role: control-plane\n  extraMounts:\n  - hostPath: %q\n    containerPath: %s\n", dir, KindDir)
	}
	b.WriteString("kubeadmConfigPatches:\n- |\n")
	for line := range strings.Lines(string(config)) {
		b.WriteString("  " + line)
	}
	return []byte(b.String()), nil
}

// FileNames are the names of exported files, sorted.
func FileNames(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }
