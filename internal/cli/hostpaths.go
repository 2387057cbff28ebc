package cli

import (
	"path"
	"strings"

	"auditpatch/internal/rollout"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// look adds what lies at the hostPaths of the Pod to the state. Only a node that
// runs is asked: in an image the rest may still come.
func (t *target) look(s *patch.State, m *manifest.File) error {
	if !t.live {
		return nil
	}
	if s.Kinds == nil {
		s.Kinds = map[string]string{}
	}
	for _, h := range patch.HostPaths(m) {
		kind, err := t.node.Kind(h.Path)
		if err != nil {
			return err
		}
		s.Kinds[path.Clean(h.Path)] = kind
	}
	return nil
}

// unmountable lists the volumes of the Pod that the kubelet would not mount. What
// cannot be looked at is taken for missing. A policy or webhook config that is
// missing has a line of its own already.
func (t *target) unmountable(m *manifest.File) []patch.Problem {
	now := patch.Inspect(m)
	return patch.Unmountable(m, func(name string) string {
		kind, _ := t.node.Kind(name)
		for _, l := range []*patch.Location{now.Policy, now.Webhook} {
			if kind == patch.KindNothing && l.Covered() && path.Clean(l.Host) == path.Clean(name) {
				return patch.KindFile
			}
		}
		return kind
	})
}

// unfit lists what is wrong with how the manifest's paths lie on the node:
// volumes that the kubelet would not mount, and files that the API server's user
// could not use.
func (t *target) unfit(m *manifest.File) []patch.Problem {
	files := map[string]patch.File{}
	now := patch.Inspect(m)
	for _, l := range []*patch.Location{now.Policy, now.Webhook, now.Log} {
		if !l.Covered() {
			continue
		}
		for _, name := range []string{path.Clean(l.Host), path.Dir(path.Clean(l.Host))} {
			if f, err := t.node.Stat(name); err == nil {
				files[name] = rollout.PatchFile(f)
			}
		}
	}
	return append(t.unmountable(m), patch.Unusable(m, patch.State{Files: files})...)
}

// withHint is a problem in one line, with what to type for it.
func withHint(p patch.Problem) string {
	switch {
	case p.Hint == "":
		return p.Message
	case strings.HasPrefix(p.Hint, "--"):
		return p.Message + ": auditpatch enable " + p.Hint
	}
	return p.Message + ": " + p.Hint
}
