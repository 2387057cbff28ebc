package target

import (
	"auditpatch/patch"
)

// Follow notes where the symlinks lead that the manifest, its siblings and further
// manifests name.
func (t *Target) Follow(s *patch.State, texts ...[]byte) {
	if t.Stdin() {
		return
	}
	s.SymlinkTargets = map[string]string{}
	texts = append(texts, s.Manifest.Data)
	for _, f := range s.Siblings {
		texts = append(texts, f.Data)
	}
	for _, text := range texts {
		named, _ := patch.NamedFiles(text)
		for _, name := range named {
			// What is no file, and cannot be looked at, is no link to a file either.
			if f, err := t.Node.Stat(name); err == nil && f.Real != "" {
				s.SymlinkTargets[name] = f.Real
			}
		}
	}
}
