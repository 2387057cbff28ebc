package inspect

import (
	"io/fs"
	"path"

	"auditpatch/internal/hint"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// LogFile is where the log lies that the node's manifest names, as a path on this
// machine. The error of a node without one says how to get one; command is what asks.
func LogFile(t *target.Target, command string) (string, error) {
	s, err := t.ReadManifest()
	if err != nil {
		return "", elsewhere(t, command, err)
	}
	m, err := manifest.Parse(s.Manifest.Path, s.Manifest.Data)
	if err != nil {
		return "", err
	}
	now := patch.Inspect(m)
	switch log := now.Flags["audit-log-path"]; {
	case now.Log.Covered():
		return below(t, now.Log.Host), nil
	case log == "-":
		return "", hint.Errorf(hint.Command(command).Spaced("log", podLogs(t)).Elsewhere(),
			"%s: the API server writes audit events to its standard output, which the container runtime keeps", s.Manifest.Path)
	case log != "":
		return "", hint.Errorf(hint.Command("enable"), "%s: the log %s lies in the container only, and is lost with it", s.Manifest.Path, log)
	case now.Webhook != nil:
		return "", hint.Errorf(hint.Command("enable").Note(", to have a log beside it").Then("; ", hint.Command(command).Spaced("log", "FILE").Note("reads what the receiver has kept")),
			"%s: audit events go to a webhook only, so there is no log to read", s.Manifest.Path)
	}
	return "", hint.Errorf(hint.Command("enable"), "%s: audit logging is off, so there is no log to read", s.Manifest.Path)
}

// below is a path of the node as one on this machine; its symlinks lead within the root.
func below(t *target.Target, name string) string {
	if f, err := t.Node.Stat(name); err == nil && f.Real != "" {
		name = f.Real
	}
	return path.Join(t.Node.Root, name)
}

// elsewhere is the error of a machine without a manifest: a log may have been brought there.
func elsewhere(t *target.Target, command string, err error) error {
	if f, bad := t.Node.Stat(t.Manifest); t.Stdin() || bad != nil || f.Exists {
		return err
	}
	return hint.Errorf(hint.Command(command).Spaced("log", "FILE").Elsewhere().Then(", or ", hint.Command(command).Spaced("manifest", "PATH").Note("on a control-plane node")), "%v", err)
}

// podLogs is the folder in which the container runtime keeps what the API server prints.
func podLogs(t *target.Target) string {
	const usual = "var/log/pods/kube-system_kube-apiserver-*/kube-apiserver"
	if fsys, err := t.Node.FS(); err == nil {
		defer fsys.Close()
		if found, _ := fs.Glob(fsys, usual); len(found) == 1 {
			return path.Join(t.Node.Root, "/"+found[0])
		}
	}
	return path.Join(t.Node.Root, "/"+usual)
}
