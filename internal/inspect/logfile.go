package inspect

import (
	"path"

	"auditpatch/internal/hint"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// LogFile is where the log lies that the node's manifest names, as a path on this
// machine. The error of a node without one says how to get one.
func LogFile(t *target.Target) (string, error) {
	s, err := t.ReadManifest()
	if err != nil {
		return "", err
	}
	m, err := manifest.Parse(s.Manifest.Path, s.Manifest.Data)
	if err != nil {
		return "", err
	}
	now := patch.Inspect(m)
	if !now.Log.Covered() {
		return "", hint.Errorf(hint.Command("enable"), "%s: audit logging is off, so there is no log to read", s.Manifest.Path)
	}
	return path.Join(t.Node.Root, now.Log.Host), nil
}
