package patch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// Kinds of what is at a path, symlinks followed, as HostPath.Fault and
// State.Kinds speak of it.
const (
	KindNothing     = ""
	KindDirectory   = "directory"
	KindFile        = "file"
	KindSocket      = "socket"
	KindCharDevice  = "character device"
	KindBlockDevice = "block device"
	KindOther       = "neither file nor directory" // a named pipe
	KindToCome      = "to come"                    // nothing yet, on a node that does not run
)

// HostPath is a hostPath volume of a Pod as the kubelet looks at it before it
// makes a container.
type HostPath struct {
	Path   string // on the node
	Type   string // "" when the kubelet does not check
	Volume string // its name
}

// HostPaths lists every hostPath volume that a container of the Pod mounts, in
// the order of the manifest. What no container mounts the kubelet passes over
// (pkg/kubelet/volumemanager/populator).
func HostPaths(m *manifest.File) []HostPath {
	var out []HostPath
	for _, v := range m.Pod().Spec.Volumes {
		if v.HostPath == nil || len(usesOf(m, v.Name)) == 0 {
			continue
		}
		out = append(out, HostPath{Path: v.HostPath.Path, Type: string(typeOf(&v)), Volume: v.Name})
	}
	return out
}

// Fault says why the kubelet would not mount the volume, given what is at its
// path; "" when it would. It is what pkg/volume/hostpath checks: the types that
// end in OrCreate make what is missing, and without a type nothing is checked.
func (h HostPath) Fault(kind string) string {
	want := map[corev1.HostPathType]string{
		corev1.HostPathDirectory: KindDirectory, corev1.HostPathDirectoryOrCreate: KindDirectory,
		corev1.HostPathFile: KindFile, corev1.HostPathFileOrCreate: KindFile,
		corev1.HostPathSocket: KindSocket, corev1.HostPathCharDev: KindCharDevice, corev1.HostPathBlockDev: KindBlockDevice,
	}[corev1.HostPathType(h.Type)]
	creates := h.Type == string(corev1.HostPathDirectoryOrCreate) || h.Type == string(corev1.HostPathFileOrCreate)
	switch {
	case h.Type == "", want != "" && (kind == want || kind == KindToCome), kind == KindNothing && creates:
		return ""
	case want == "":
		return fmt.Sprintf("volume %q has the type %s, which the kubelet does not know", h.Volume, h.Type)
	case kind == KindNothing:
		return fmt.Sprintf("%s is missing, but volume %q has the type %s: the kubelet does not start the container without it", h.Path, h.Volume, h.Type)
	}
	what := "a " + kind
	if kind == KindOther {
		what = kind
	}
	return fmt.Sprintf("%s is %s, but volume %q has the type %s: the kubelet does not start the container with it", h.Path, what, h.Volume, h.Type)
}

// typeOf is a hostPath volume's type.
func typeOf(v *corev1.Volume) corev1.HostPathType {
	if v.HostPath == nil || v.HostPath.Type == nil {
		return corev1.HostPathUnset
	}
	return *v.HostPath.Type
}

// use is one mount of a volume.
type use struct {
	container string
	mount     corev1.VolumeMount
}

// usesOf lists the mounts of a volume in all containers of the Pod.
func usesOf(m *manifest.File, name string) []use {
	var out []use
	spec := m.Pod().Spec
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		for _, v := range c.VolumeMounts {
			if v.Name == name {
				out = append(out, use{c.Name, v})
			}
		}
	}
	return out
}

// kindNeeded is what has to be at the path of a location's volume: what the
// location itself needs where the mount is just of that, else a directory.
func kindNeeded(l *Location, kind string) string {
	if l.Mount.SubPath != "" || path.Clean(l.Mount.MountPath) != path.Clean(l.Path) {
		return KindDirectory
	}
	return kind
}

// typeFault says why the kubelet would not mount the volume of a location once
// all is there; "" when it would.
func typeFault(l *Location, kind string) string {
	if l == nil || l.Mount == nil || l.Volume == nil || l.Volume.HostPath == nil {
		return ""
	}
	h := HostPath{Path: l.Volume.HostPath.Path, Type: string(typeOf(l.Volume)), Volume: l.Volume.Name}
	need := kindNeeded(l, kind)
	if h.Fault(need) == "" {
		return ""
	}
	return fmt.Sprintf("volume %q has the type %s, but a %s belongs at %s: the kubelet does not start the container with it", h.Volume, h.Type, need, h.Path)
}

// fixable tells whether a volume of the wrong type serves auditing alone, so that
// it may be given another: it has one mount, and no other flag's file is there.
func fixable(m *manifest.File, l *Location) bool {
	if len(usesOf(m, l.Volume.Name)) != 1 {
		return false
	}
	for _, f := range m.Flags() {
		if !strings.HasPrefix(f.Name, "audit-") && slices.ContainsFunc(pathsIn(f.Value), func(file string) bool { return under(file, l.Mount.MountPath) }) {
			return false
		}
	}
	return true
}

// typeHint says what to write into the manifest by hand.
func typeHint(l *Location, kind string) hint.Hint {
	return hint.Words("write \"type: %s\" for volume %s", typeWanted(kindNeeded(l, kind)), l.Volume.Name)
}

// typeWanted is the type of a volume that Enable makes for what has to be there.
func typeWanted(kind string) corev1.HostPathType {
	if kind == KindFile {
		return corev1.HostPathFile
	}
	return corev1.HostPathDirectoryOrCreate
}

// Unmountable lists the volumes of a Pod that the kubelet would not mount as
// the node is now, but for those that MountProblems lists. kind tells what is
// at a path.
func Unmountable(m *manifest.File, kind func(path string) string) []Problem {
	return unmountable(m, m, kind)
}

// unmountable is Unmountable with the positions of text, where that has the
// volume too: the one that people have before them.
func unmountable(m, text *manifest.File, kind func(path string) string) (out []Problem) {
	listed := map[string]bool{}
	for _, a := range auditPaths(m) {
		if typeFault(a.at, a.kind) != "" {
			listed[a.at.Volume.Name] = true
		}
	}
	for _, h := range HostPaths(m) {
		fault := h.Fault(kind(h.Path))
		if fault == "" || listed[h.Volume] {
			continue
		}
		if line, col := text.VolumeAt(h.Volume); line > 0 {
			fault = fmt.Sprintf("%s:%d:%d: %s", text.Name(), line, col, fault)
		}
		next := fixHint(h, kind(h.Path))
		switch {
		case fixedByEnable(m, h):
			next = hint.Command("enable")
		case isLogFile(m, h) && kind(h.Path) == KindNothing:
			next = hint.Shell("touch %s", hint.Path(h.Path))
		}
		out = append(out, Problem{Message: fault, Hint: next})
	}
	return out
}

// fixedByEnable tells whether a volume is there for the policy alone, at the path at
// which Enable makes both fit.
func fixedByEnable(m *manifest.File, h HostPath) bool {
	l := locate(m, DefaultPolicyPath)
	return Inspect(m).Policy == nil && l.Mount != nil && l.Mount.Name == h.Volume && kindNeeded(&l, KindFile) == KindFile && fixable(m, &l)
}

// isLogFile tells whether a volume brings the log file itself.
func isLogFile(m *manifest.File, h HostPath) bool {
	l := Inspect(m).Log
	return l.Covered() && l.Volume.Name == h.Volume && path.Clean(l.Host) == path.Clean(h.Path)
}

// fixHint is what makes a volume fit that the kubelet would not mount.
func fixHint(h HostPath, kind string) hint.Hint {
	switch {
	case kind == KindDirectory:
		return hint.Words("write \"type: Directory\" for volume %s", h.Volume)
	case kind == KindFile:
		return hint.Words("write \"type: File\" for volume %s", h.Volume)
	case kind == KindNothing && h.Type == string(corev1.HostPathDirectory):
		return hint.Shell("mkdir -p %s", hint.Path(h.Path))
	}
	return hint.Shell("ls -ld %s", hint.Path(h.Path))
}
