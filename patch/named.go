package patch

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// finish looks at a plan as a whole, once all its changes are in it.
func (p *Plan) finish(s State) *Plan {
	p.keepNamed(s)
	for i, c := range p.Changes {
		p.Changes[i].Shown = p.shows(c, s)
	}
	return p
}

// keepNamed takes out of the plan what would remove a file that the manifest as
// planned still names, or another static Pod of the node: its next start would
// fail. The manifest itself is never removed.
func (p *Plan) keepNamed(s State) {
	users := slices.Concat([]File{p.resulting(s)}, s.Siblings)
	p.Changes = slices.DeleteFunc(p.Changes, func(c Change) bool {
		if c.Kind != RemoveFile {
			return false
		}
		if c.Path == p.Manifest {
			return true
		}
		for _, f := range users {
			if names(f, s.SymlinkTargets, c.Path, c.Old.Real) {
				p.Warnings = append(p.Warnings, Problem{Message: fmt.Sprintf("%s is kept: %s names it", c.Path, f.Path)})
				return true
			}
		}
		return false
	})
}

// resulting is the manifest that the plan leads to.
func (p *Plan) resulting(s State) File {
	f := s.Manifest
	if text, ok := p.Text(p.Manifest); ok {
		f.Data = text
	} else if p.unwritten != nil {
		f.Data = p.unwritten
	}
	return f
}

// names tells whether a static Pod names one of two paths of a file on the node,
// also through a symlink. In a text that cannot be read as a Pod the mere path is
// enough.
func names(pod File, leads map[string]string, file, real string) bool {
	named, ok := NamedFiles(pod.Data)
	if !ok {
		return strings.Contains(string(pod.Data), path.Clean(file)) || real != "" && strings.Contains(string(pod.Data), real)
	}
	return slices.ContainsFunc(named, func(n string) bool {
		return slices.ContainsFunc([]string{n, leads[n]}, func(at string) bool {
			return at != "" && (at == path.Clean(file) || at == real)
		})
	})
}

// NamedFiles lists the paths on the node that a static Pod names: in the flags and
// the environment of all its containers, as far as a mount leads to the node, and
// in hostPath volumes. It is not ok for a text that is no Pod.
func NamedFiles(text []byte) (paths []string, ok bool) {
	var pod corev1.Pod
	if err := yaml.Unmarshal(text, &pod); err != nil || pod.Kind != "Pod" {
		return nil, false
	}
	for _, v := range pod.Spec.Volumes {
		if v.HostPath != nil {
			paths = append(paths, path.Clean(v.HostPath.Path))
		}
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		names := pathsOf(&c)
		for _, m := range c.VolumeMounts {
			if m.SubPath != "" {
				names = append(names, m.MountPath)
			}
		}
		for _, at := range names {
			if l := locateIn(&pod, &c, at); l.Covered() {
				paths = append(paths, l.Host)
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), true
}

// pathsOf are all absolute paths in a container's command line and environment,
// those too that are in a list.
func pathsOf(c *corev1.Container) (paths []string) {
	env := Server{Env: environment(c)}
	words := slices.Concat(c.Command, c.Args)
	for _, e := range c.Env {
		words = append(words, e.Value)
	}
	for _, w := range words {
		paths = append(paths, pathsIn(env.expand(w).String())...)
	}
	return paths
}
