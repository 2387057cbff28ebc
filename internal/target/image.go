package target

import (
	"errors"
	"io/fs"
	"path"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// ReadBuild reads the manifest as ReadManifest does. On a node before its first
// boot (--root, for image builds) there is none yet: kubeadm writes it, and its
// preflight refuses a node that has one. A stand-in takes its place then, so that
// a plan has everything but the manifest.
func (t *Target) ReadBuild() (patch.State, error) {
	if t.Live || t.Stdin() {
		return t.ReadManifest()
	}
	f, err := t.Node.Stat(t.Manifest)
	if err != nil || f.Exists {
		return t.ReadManifest()
	}
	if f.Real != "" { // a symlink that leads nowhere
		return t.ReadManifest()
	}
	// A file system without /etc is most likely a mistyped DIR. kubeadm writes the
	// manifest beside this one, so where it lies the API server's has another name.
	etc, err1 := t.Node.Stat("/etc")
	manager, err2 := t.Node.Stat(path.Join(path.Dir(t.Manifest), "kube-controller-manager.yaml"))
	if err1 != nil || err2 != nil || !etc.Dir || manager.Exists {
		return t.ReadManifest()
	}
	if other, err := t.otherManifest(); err != nil || other != "" {
		if err == nil {
			err = hint.Errorf(hint.Spaced("manifest", other), "there is no %s, and %s is a manifest of kube-apiserver", t.Manifest, other)
		}
		return patch.State{}, err
	}
	return patch.State{Manifest: patch.StandIn(t.Manifest), Files: map[string]patch.File{}, Offline: true, StateDir: t.Node.StateDir}, nil
}

// otherManifest finds a manifest of kube-apiserver beside where it usually lies.
func (t *Target) otherManifest() (string, error) {
	all, err := t.Node.Siblings(path.Dir(t.Manifest))
	for _, f := range all {
		if _, fault := manifest.Parse(f.Path, f.Data); f.Err == nil && fault == nil {
			return f.Path, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return "", err
}
