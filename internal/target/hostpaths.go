package target

import (
	"path"

	"auditpatch/manifest"
	"auditpatch/patch"
)

// Look adds what lies at the hostPaths of the Pod to the state. Only a node that
// runs is asked: in an image the rest may still come.
func (t *Target) Look(s *patch.State, m *manifest.File) error {
	if !t.Live {
		return nil
	}
	if s.Kinds == nil {
		s.Kinds = map[string]string{}
	}
	for _, h := range patch.HostPaths(m) {
		kind, err := t.Node.Kind(h.Path)
		if err != nil {
			return err
		}
		s.Kinds[path.Clean(h.Path)] = kind
	}
	return nil
}
