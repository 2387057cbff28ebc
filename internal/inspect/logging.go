package inspect

import (
	"path"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// Logging is what a node logs, as its manifest and files have it.
type Logging struct {
	Log        string // as a path on this machine, "" where audit logging is off
	PolicyName string // on the node, "" when there is no policy
	Policy     []byte
	Flags      map[string]string // the audit flags that count
	Version    patch.Version
	Usage      auditlog.Usage // what the log takes now
	Space      *node.Space    // of the file system that the log is on; nil when it is not known
}

// LookAtLogging reads the manifest, the policy and the log's file system. Only a manifest
// that cannot be read is an error.
func LookAtLogging(t *target.Target) (Logging, error) {
	s, err := t.ReadManifest()
	if err != nil {
		return Logging{}, err
	}
	m, err := manifest.Parse(s.Manifest.Path, s.Manifest.Data)
	if err != nil {
		return Logging{}, err
	}
	now := patch.Inspect(m)
	l := Logging{Flags: now.Flags, Version: now.Version}
	if t.Stdin() {
		return l, nil // it is that of another machine
	}
	if now.Policy.Covered() {
		if f, err := t.Node.Read(now.Policy.Host); err == nil && f.Exists && !f.Dir {
			l.PolicyName, l.Policy = now.Policy.Host, f.Data
		}
	}
	if now.Log.Covered() {
		l.Log = path.Join(t.Node.Root, now.Log.Host)
		if d, err := t.MeasureLog(now); err == nil {
			l.Usage, l.Space = d.Usage, &d.Space
		}
	}
	return l, nil
}
