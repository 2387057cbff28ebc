package patch

import (
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// Settings is what a manifest configures. All its fields are in one struct
// because callers compare the settings of two manifests as a whole.
type Settings struct {
	Version Version
	// Flags are the audit flags that count, by name; Line is where each is.
	Flags map[string]string
	Line  map[string]int
	// Policy, Log and Webhook are the paths of the three flags, nil when not set.
	Policy, Log, Webhook *Location
	// Annotations are ours.
	Annotations map[string]string
	// UID and GID are the user that the API server runs as; 0 unless the Pod
	// says otherwise.
	UID, GID int
	// HostPaths are the volumes that the kubelet looks at before it makes a
	// container.
	HostPaths []HostPath
	// Server is what the manifest starts and where it listens.
	Server Server
	// Proxy is how it reaches what is outside of the cluster.
	Proxy Proxy
	// ManagedBy names the program that regenerates this manifest, "" for kubeadm
	// and for manifests made by hand.
	ManagedBy string
}

// Server is the API server that a manifest describes.
type Server struct {
	Namespace, Pod string   // as in the manifest, without the node's name
	Container      string   // its name
	Command        []string // the whole command line, as in the manifest
	InArgs         int      // how many items at the end of Command stand in args
	// Env are the container's variables whose values the manifest has; the
	// command line may name them.
	Env     map[string]string
	User    int    // that it runs as
	Address string // where it can be reached from the node
	Port    int
	Image   string
	Mounts  []Mount // of its container
	traits  string
}

// Enabled tells whether these settings log anything: a policy and a backend.
func (s Settings) Enabled() bool {
	return s.Policy != nil && (s.Flags[logFlag] != "" || s.Webhook != nil)
}

// Location is a path of the API server's container and where it is on the
// node.
type Location struct {
	Path  string // in the container
	Host  string // on the node, "" when no hostPath mount covers it
	Mount *corev1.VolumeMount
	// Volume is what the mount names, nil without a mount.
	Volume *corev1.Volume
}

// Covered tells whether a hostPath mount brings the path to the node.
func (l *Location) Covered() bool { return l != nil && l.Host != "" }

// Inspect reads the settings out of a manifest.
func Inspect(m *manifest.File) Settings {
	s := Settings{Flags: map[string]string{}, Line: map[string]int{}, Annotations: map[string]string{}}
	s.Version, _ = auditflags.ParseImageVersion(m.Container().Image)
	for _, f := range m.Flags() {
		if !strings.HasPrefix(f.Name, "audit-") {
			continue
		}
		s.Flags[f.Name], s.Line[f.Name] = f.Value, f.Line
		if f.Alone {
			s.Flags[f.Name] = "true"
		}
	}
	s.Policy = located(m, s.Flags[policyFlag])
	if s.Flags[logFlag] != "-" {
		s.Log = located(m, s.Flags[logFlag])
	}
	s.Webhook = located(m, s.Flags[webhookFlag])
	for k, v := range m.Pod().Annotations {
		if strings.HasPrefix(k, "auditpatch/") {
			s.Annotations[k] = v
		}
	}
	s.UID, s.GID = runsAs(m)
	s.ManagedBy = managedBy(m)
	s.HostPaths = HostPaths(m)
	s.Server = server(m)
	s.Proxy = proxy(m)
	return s
}

// server describes the API server. An unspecified bind address is reached over
// the loopback interface.
func server(m *manifest.File) Server {
	c := m.Container()
	s := Server{
		Namespace: m.Pod().Namespace, Pod: m.Pod().Name, Container: c.Name,
		Command: slices.Concat(c.Command, c.Args), InArgs: len(c.Args), Env: environment(c), Address: "127.0.0.1", Port: 6443,
	}
	s.User, _ = runsAs(m)
	s.Image, s.Mounts, s.traits = c.Image, containerMounts(m), traits(m)
	if address, ok := s.expandedFlag(m, "bind-address"); ok {
		if ip := net.ParseIP(address); ip != nil && !ip.IsUnspecified() {
			s.Address = address
		}
	}
	if text, ok := s.expandedFlag(m, "secure-port"); ok {
		if port, err := strconv.Atoi(text); err == nil {
			s.Port = port
		}
	}
	return s
}

// located is the location of a path, nil without one.
func located(m *manifest.File, p string) *Location {
	if p == "" {
		return nil
	}
	l := locate(m, p)
	return &l
}

// locate finds the mount that covers a path of the API server's container.
func locate(m *manifest.File, p string) Location { return locateIn(m.Pod(), m.Container(), p) }

// locateIn finds the mount that covers a path of a container: the one with the
// longest mount path.
func locateIn(pod *corev1.Pod, c *corev1.Container, p string) Location {
	l := Location{Path: p}
	for i := range c.VolumeMounts {
		mount := &c.VolumeMounts[i]
		if !under(p, mount.MountPath) {
			continue
		}
		if l.Mount == nil || len(path.Clean(mount.MountPath)) >= len(path.Clean(l.Mount.MountPath)) {
			l.Mount = mount
		}
	}
	if l.Mount == nil {
		return l
	}
	l.Volume = volumeOf(pod, l.Mount.Name)
	if l.Volume != nil && l.Volume.HostPath != nil && l.Mount.SubPathExpr == "" {
		rest := strings.TrimPrefix(path.Clean(p), path.Clean(l.Mount.MountPath))
		l.Host = path.Join(l.Volume.HostPath.Path, l.Mount.SubPath, rest)
	}
	return l
}

// volume finds a volume by name.
func volume(m *manifest.File, name string) *corev1.Volume { return volumeOf(m.Pod(), name) }

func volumeOf(pod *corev1.Pod, name string) *corev1.Volume {
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.Name == name {
			return v
		}
	}
	return nil
}

// runsAs is the user and group of the API server's process: kubeadm's
// RootlessControlPlane sets them on the Pod.
func runsAs(m *manifest.File) (uid, gid int) {
	if p := m.Pod().Spec.SecurityContext; p != nil {
		uid, gid = number(p.RunAsUser, uid), number(p.RunAsGroup, gid)
	}
	if c := m.Container().SecurityContext; c != nil {
		uid, gid = number(c.RunAsUser, uid), number(c.RunAsGroup, gid)
	}
	return uid, gid
}

func number(v *int64, otherwise int) int {
	if v == nil {
		return otherwise
	}
	return int(*v)
}
