package manifest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// checkPod makes those checks of the kubelet on a static pod that an edit
// could break or that a hand-made manifest usually fails
// (k8s.io/kubernetes pkg/apis/core/validation, ValidatePodCreate). The kubelet
// does not start a Pod that fails them, and at its next look it removes the
// one that runs.
func checkPod(pod *corev1.Pod, d *document) (nameless, err *Error) {
	if len(validation.IsDNS1123Subdomain(pod.Name)) > 0 {
		return nil, kubeletRefuses(valueOf(d.meta, "name"), "%s", badName("Pod", pod.Name))
	}
	if err := checkAnnotations(pod.Annotations, d.meta); err != nil {
		return nil, err
	}
	c := &podChecks{names: map[string]bool{}, volumes: map[string]bool{}}
	at := listed(d.spec, "volumes")
	for i := range pod.Spec.Volumes {
		if err := c.volume(&pod.Spec.Volumes[i], at(i)); err != nil {
			return nil, err
		}
	}
	at = listed(d.spec, "containers")
	for i := range pod.Spec.Containers {
		if err := c.container(&pod.Spec.Containers[i], at(i)); err != nil {
			return nil, err
		}
	}
	at = listed(d.spec, "initContainers")
	for i := range pod.Spec.InitContainers {
		if err := c.container(&pod.Spec.InitContainers[i], at(i)); err != nil {
			return nil, err
		}
	}
	return c.nameless, nil
}

// kubeletRefuses is a refusal that the kubelet would make too.
func kubeletRefuses(at *yaml.Node, format string, args ...any) *Error {
	return refuseNode(at, "the kubelet would refuse this Pod: %s", fmt.Sprintf(format, args...)).
		hint("mend the manifest first: the kubelet stops an API server whose manifest it refuses")
}

// badName says what is wrong with a name.
func badName(what, name string) string {
	if name == "" {
		return fmt.Sprintf("a %s has no name", what)
	}
	return fmt.Sprintf("the %s name %q must consist of lower case letters, digits and \"-\"", what, name)
}

// maxAnnotations is how many bytes a Pod's annotations may have
// (k8s.io/apimachinery pkg/api/validation, TotalAnnotationSizeLimitB).
const maxAnnotations = 256 << 10

func checkAnnotations(notes map[string]string, meta *yaml.Node) *Error {
	at, size := valueOf(meta, "annotations"), 0
	for _, k := range slices.Sorted(maps.Keys(notes)) {
		size += len(k) + len(notes[k])
		if len(validation.IsQualifiedName(strings.ToLower(k))) > 0 {
			key, _ := child(dereference(at), k)
			if key == nil {
				key = at
			}
			return kubeletRefuses(key, "%q is not a valid annotation name", k)
		}
	}
	if size > maxAnnotations {
		return kubeletRefuses(at, "the annotations are larger than 256 KiB")
	}
	return nil
}

// podChecks collects what names the Pod has while its parts are checked.
type podChecks struct {
	names, volumes map[string]bool
	// nameless is the first container without a name: manifests in documentation
	// leave it out, so it is the caller who decides.
	nameless *Error
}

func (c *podChecks) volume(v *corev1.Volume, at *yaml.Node) *Error {
	switch {
	case c.volumes[v.Name]:
		return kubeletRefuses(at, "two volumes are named %q", v.Name)
	case len(validation.IsDNS1123Label(v.Name)) > 0:
		return kubeletRefuses(at, "%s", badName("volume", v.Name))
	}
	c.volumes[v.Name] = true
	if why := checkHostPath(v.HostPath); why != "" {
		return kubeletRefuses(at, "volume %q: %s", v.Name, why)
	}
	return nil
}

func (c *podChecks) container(p *corev1.Container, at *yaml.Node) *Error {
	switch {
	case p.Name == "" && c.nameless == nil:
		c.nameless = kubeletRefuses(at, "%s", badName("container", p.Name))
	case len(validation.IsDNS1123Label(p.Name)) > 0:
		return kubeletRefuses(at, "%s", badName("container", p.Name))
	case c.names[p.Name]:
		return kubeletRefuses(at, "two containers are named %q", p.Name)
	}
	if p.Image == "" {
		return kubeletRefuses(at, "container %q has no image", p.Name)
	}
	c.names[p.Name] = true
	if err := checkProbes(p, dereference(at)); err != nil {
		return err
	}
	paths := map[string]bool{}
	mountAt := listed(dereference(at), "volumeMounts")
	for i, m := range p.VolumeMounts {
		at := mountAt(i)
		switch {
		case m.MountPath == "":
			return kubeletRefuses(at, "the mount of volume %q has no mountPath", m.Name)
		case paths[m.MountPath]:
			return kubeletRefuses(at, "mountPath %q is used twice in container %q", m.MountPath, p.Name)
		case !c.volumes[m.Name]:
			return kubeletRefuses(at, "mountPath %q names volume %q, which the Pod does not have", m.MountPath, m.Name)
		}
		paths[m.MountPath] = true
	}
	return nil
}

// checkProbes looks at the ports of the probes, where people who publish a
// manifest write <port>.
func checkProbes(p *corev1.Container, at *yaml.Node) *Error {
	for _, probe := range []struct {
		key string
		*corev1.Probe
	}{{"livenessProbe", p.LivenessProbe}, {"readinessProbe", p.ReadinessProbe}, {"startupProbe", p.StartupProbe}} {
		var port intstr.IntOrString
		handler := ""
		switch {
		case probe.Probe == nil:
		case probe.HTTPGet != nil:
			port, handler = probe.HTTPGet.Port, "httpGet"
		case probe.TCPSocket != nil:
			port, handler = probe.TCPSocket.Port, "tcpSocket"
		}
		if handler != "" && !isPort(port) {
			for _, key := range []string{probe.key, handler, "port"} {
				at = dereference(valueOf(at, key))
			}
			return kubeletRefuses(at, "%s has the port %q, which is neither a port number nor a name", probe.key, port.String())
		}
	}
	return nil
}

// isPort tells whether a port has a number or a name that the kubelet takes.
func isPort(p intstr.IntOrString) bool {
	if p.Type == intstr.Int {
		return len(validation.IsValidPortNum(p.IntValue())) == 0
	}
	return len(validation.IsValidPortName(p.StrVal)) == 0
}

// hostPathTypes are the types that the kubelet knows.
var hostPathTypes = []corev1.HostPathType{
	corev1.HostPathUnset, corev1.HostPathDirectoryOrCreate, corev1.HostPathDirectory, corev1.HostPathFileOrCreate,
	corev1.HostPathFile, corev1.HostPathSocket, corev1.HostPathCharDev, corev1.HostPathBlockDev,
}

// checkHostPath says what is wrong with a hostPath, "" when nothing is.
func checkHostPath(h *corev1.HostPathVolumeSource) string {
	switch {
	case h == nil:
		return ""
	case h.Path == "":
		return "hostPath has no path"
	case slices.Contains(strings.Split(h.Path, "/"), ".."):
		return "hostPath must not contain \"..\""
	case h.Type != nil && !slices.Contains(hostPathTypes, *h.Type):
		return fmt.Sprintf("hostPath has the unknown type %q", *h.Type)
	}
	return ""
}

// valueOf is the value under key, or what comes nearest to it.
func valueOf(m *yaml.Node, key string) *yaml.Node {
	if _, v := child(m, key); v != nil {
		return v
	}
	return m
}
