package inspect

import (
	"path"

	"auditpatch/internal/hint"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// unmountable lists the volumes of the Pod that the kubelet would not mount. What
// cannot be looked at is taken for missing. A policy or webhook config that is
// missing has a line of its own already.
func unmountable(t *target.Target, m *manifest.File) []patch.Problem {
	now := patch.Inspect(m)
	return patch.Unmountable(m, func(name string) string {
		kind, _ := t.Node.Kind(name)
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
func unfit(t *target.Target, m *manifest.File) []patch.Problem {
	files := map[string]patch.File{}
	now := patch.Inspect(m)
	for _, l := range []*patch.Location{now.Policy, now.Webhook, now.Log} {
		if !l.Covered() {
			continue
		}
		for _, name := range []string{path.Clean(l.Host), path.Dir(path.Clean(l.Host))} {
			if f, err := t.Node.Stat(name); err == nil {
				files[name] = target.PatchFile(f)
			}
		}
	}
	return append(unmountable(t, m), patch.Unusable(m, patch.State{Files: files})...)
}

// withHint is a problem in one line, with what to type for it, as a hint that is still to
// learn of the node.
func withHint(p patch.Problem) hint.Hint {
	return hint.Words("%s", p.Message).Then(": ", p.Hint.As("enable"))
}
