package patch

import (
	"encoding/json"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

// Mount is a mount of the API server's container, as the manifest has it.
type Mount struct {
	Path     string // in the container
	Host     string // on the node; "" for a volume that is not a hostPath
	Type     string // of the hostPath; "" when the kubelet does not check
	ReadOnly bool
}

// containerMounts are the mounts of the API server's container, those that others lie in
// first, which is the order in which the kubelet has them made.
func containerMounts(m *manifest.File) []Mount {
	var out []Mount
	for _, v := range m.Container().VolumeMounts {
		mount := Mount{Path: path.Clean(v.MountPath), ReadOnly: v.ReadOnly}
		if volume := volume(m, v.Name); volume != nil && volume.HostPath != nil && v.SubPathExpr == "" {
			mount.Host, mount.Type = path.Join(volume.HostPath.Path, v.SubPath), string(typeOf(volume))
		}
		out = append(out, mount)
	}
	slices.SortStableFunc(out, func(a, b Mount) int {
		return strings.Count(a.Path, "/") - strings.Count(b.Path, "/")
	})
	return out
}

// podTraits is what decides how the API server runs, beside its command line, the values
// of its environment and its mounts.
type podTraits struct {
	Pod          *corev1.PodSecurityContext
	Container    *corev1.SecurityContext
	WorkingDir   string
	HostNetwork  bool
	HostPID      bool
	HostIPC      bool
	HostUsers    *bool
	RuntimeClass *string
	From         []corev1.EnvVar        // variables whose values come from elsewhere
	EnvFrom      []corev1.EnvFromSource // the same
}

// traits are those of a manifest, as text that can be compared.
func traits(m *manifest.File) string {
	spec, c := m.Pod().Spec, m.Container()
	t := podTraits{
		Pod: spec.SecurityContext, Container: c.SecurityContext, WorkingDir: c.WorkingDir,
		HostNetwork: spec.HostNetwork, HostPID: spec.HostPID, HostIPC: spec.HostIPC, HostUsers: spec.HostUsers,
		RuntimeClass: spec.RuntimeClassName, EnvFrom: c.EnvFrom,
	}
	for _, v := range c.Env {
		if v.ValueFrom != nil {
			t.From = append(t.From, v)
		}
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err.Error() // no type of the Pod API fails
	}
	return string(text)
}

// Unlike says what else, beside its command line, the values of its environment and its
// mounts, makes an API server run otherwise than another: "" when nothing does.
func (s Server) Unlike(o Server) string {
	switch {
	case s.Image != o.Image:
		return "its image is " + s.Image + ", and " + o.Image + " runs"
	case s.traits != o.traits:
		return "its user, security context or host settings are not those of the one that runs"
	}
	return ""
}

// ArgsIn are the arguments of kube-apiserver itself as the kubelet expands them, where
// env has the variables whose values the manifest takes from elsewhere.
func (s Server) ArgsIn(env map[string]string) []string {
	all := map[string]string{}
	for name, value := range env {
		all[name] = value
	}
	for name, value := range s.Env {
		all[name] = value
	}
	return Server{Command: s.Command, Env: all}.Args()
}
