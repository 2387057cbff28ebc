package patch

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

// preexisting are audit flags, mounts and volumes that were in a manifest that did
// not log anything, and what was changed in them. They are recorded in an
// annotation, so that Disable can restore exactly that manifest.
type preexisting struct {
	flags    map[string]string
	mounts   []string // mount paths
	volumes  []string // names
	readOnly []string // paths of mounts that were read-only and are writable now
	types    []string // "volume/type" of volumes that have another type now
}

func (l *preexisting) empty() bool {
	return len(l.flags) == 0 && len(l.mounts) == 0 && len(l.volumes) == 0
}

// preexistingAnnotation is the value of the annotation after a plan. For a manifest
// that did not log, it records everything that was found. For any other, it adds
// what was changed in place, unless the mount or volume is already recorded. ""
// means no annotation.
func (p *planner) preexistingAnnotation() string {
	old, set := p.current.Annotations[PreexistingAnnotation]
	if !set && !p.current.Enabled() {
		if p.preexisting.empty() && len(p.preexisting.types) == 0 {
			return ""
		}
		return p.preexisting.encode()
	}
	l := decodePreexisting(old)
	for _, m := range p.preexisting.readOnly {
		if !slices.Contains(l.readOnly, m) && slices.Contains(l.mounts, m) {
			l.readOnly = append(l.readOnly, m)
		}
	}
	for _, word := range p.preexisting.types {
		name, _, _ := strings.Cut(word, "/")
		known := slices.ContainsFunc(l.types, func(w string) bool { return strings.HasPrefix(w, name+"/") })
		if !known && (slices.Contains(l.volumes, name) || !p.removedWithAudit(name)) {
			l.types = append(l.types, word)
		}
	}
	if l.empty() && len(l.types) == 0 {
		return old
	}
	return l.encode()
}

// removedWithAudit tells whether disable removes a volume together with its mount.
func (p *planner) removedWithAudit(name string) bool {
	return !slices.ContainsFunc(usesOf(p.m, name), func(u use) bool { return !p.onlyForAudit(u.mount) })
}

// restorePreexisting plans to revert what was changed in place in mounts and
// volumes that stay. A volume type with which the kubelet would not start the
// container on this node is not restored.
func (p *planner) restorePreexisting(l *preexisting) {
	for _, m := range p.m.Container().VolumeMounts {
		if slices.Contains(l.readOnly, m.MountPath) && !m.ReadOnly {
			p.edit(manifest.SetMountReadOnly{MountPath: m.MountPath, ReadOnly: true})
		}
	}
	for _, word := range l.types {
		name, old, _ := strings.Cut(word, "/")
		v := volume(p.m, name)
		if v == nil || v.HostPath == nil || string(typeOf(v)) == old {
			continue
		}
		if h := (HostPath{v.HostPath.Path, old, name}); p.state.Kinds != nil && h.Fault(p.state.kind(h.Path)) != "" {
			p.plan.Warnings = append(p.plan.Warnings, Problem{Message: fmt.Sprintf(
				"volume %q keeps the type %s instead of its earlier type %s: %s", name, typeOf(v), old, h.Fault(p.state.kind(h.Path)))})
			continue
		}
		p.edit(manifest.SetVolumeType{Name: name, Type: corev1.HostPathType(old)})
	}
}

// encode writes them as words on one line.
func (l *preexisting) encode() string {
	var words []string
	for name, value := range l.flags {
		words = append(words, "--"+name+"="+url.QueryEscape(value))
	}
	for _, m := range l.mounts {
		words = append(words, "mount="+url.QueryEscape(m))
	}
	for _, v := range l.volumes {
		words = append(words, "volume="+url.QueryEscape(v))
	}
	for _, m := range l.readOnly {
		words = append(words, "readonly="+url.QueryEscape(m))
	}
	for _, v := range l.types {
		words = append(words, "type="+url.QueryEscape(v))
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

// decodePreexisting reads what encode wrote, and ignores unknown words.
func decodePreexisting(s string) *preexisting {
	l := &preexisting{flags: map[string]string{}}
	for _, word := range strings.Fields(s) {
		name, value, _ := strings.Cut(word, "=")
		value, err := url.QueryUnescape(value)
		switch {
		case err != nil:
		case strings.HasPrefix(name, "--"):
			l.flags[name[2:]] = value
		case name == "mount":
			l.mounts = append(l.mounts, value)
		case name == "volume":
			l.volumes = append(l.volumes, value)
		case name == "readonly":
			l.readOnly = append(l.readOnly, value)
		case name == "type":
			l.types = append(l.types, value)
		}
	}
	return l
}
