package patch

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/manifest"
)

// leftovers are flags, mounts and volumes of auditing that stood in a manifest
// which did not log anything, and what was changed in them. They are remembered
// in an annotation, so that Disable leads back to just that manifest.
type leftovers struct {
	flags    map[string]string
	mounts   []string // mount paths
	volumes  []string // names
	readOnly []string // paths of mounts that were read-only and are writable now
	types    []string // "volume/type" of volumes that have another type now
}

func (l *leftovers) empty() bool {
	return len(l.flags) == 0 && len(l.mounts) == 0 && len(l.volumes) == 0
}

// remember is what the annotation has to say after a plan: of a manifest that did
// not log all that was found, of another what was changed in place, unless it says
// so of the same mount or volume already. "" is for no annotation.
func (p *planner) remember() string {
	old, set := p.now.Annotations[BeforeAnnotation]
	if !set && !p.now.Enabled() {
		if p.found.empty() && len(p.found.types) == 0 {
			return ""
		}
		return p.found.encode()
	}
	l := decodeLeftovers(old)
	for _, m := range p.found.readOnly {
		if !slices.Contains(l.readOnly, m) && slices.Contains(l.mounts, m) {
			l.readOnly = append(l.readOnly, m)
		}
	}
	for _, word := range p.found.types {
		name, _, _ := strings.Cut(word, "/")
		known := slices.ContainsFunc(l.types, func(w string) bool { return strings.HasPrefix(w, name+"/") })
		if !known && (slices.Contains(l.volumes, name) || !p.goesWithAudit(name)) {
			l.types = append(l.types, word)
		}
	}
	if l.empty() && len(l.types) == 0 {
		return old
	}
	return l.encode()
}

// goesWithAudit tells whether disable takes a volume out with its mount.
func (p *planner) goesWithAudit(name string) bool {
	return !slices.ContainsFunc(usesOf(p.m, name), func(u use) bool { return !p.onlyForAudit(u.mount) })
}

// giveBack plans to undo what was changed in place in mounts and volumes that
// stay. A type with which the kubelet would make no container does not come back
// while the node is seen to be so.
func (p *planner) giveBack(l *leftovers) {
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

// encode writes them as one line of words.
func (l *leftovers) encode() string {
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

// decodeLeftovers reads what encode wrote; words that it does not know are
// passed over.
func decodeLeftovers(s string) *leftovers {
	l := &leftovers{flags: map[string]string{}}
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
