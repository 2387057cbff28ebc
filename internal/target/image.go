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
	if err := t.astray(f); err != nil {
		return patch.State{}, err
	}
	if other, err := t.otherManifest(); err != nil || other != "" {
		if err == nil {
			err = hint.Errorf(hint.Spaced("manifest", other), "there is no %s, and %s is a manifest of kube-apiserver", t.Manifest, other)
		}
		return patch.State{}, err
	}
	return patch.State{Manifest: patch.StandIn(t.Manifest), Files: map[string]patch.File{}, Offline: true, StateDir: t.Node.StateDir}, nil
}

// missing says that there is no manifest.
func (t *Target) missing(f patch.File) error {
	if t.Live {
		return hint.Errorf(t.another().Note(", on a control-plane node").Then("; before kubeadm init or join: ", hint.Command("enable").Spaced("root", "/")),
			"there is no manifest %s: is this a control-plane node made by kubeadm or kind?", t.Manifest)
	}
	if err := t.astray(f); err != nil {
		return err
	}
	return hint.Errorf(hint.Command("enable"), "there is no manifest %s yet: kubeadm init and join write it", t.Manifest)
}

// astray says why kubeadm would not write the manifest that is missing below --root,
// nil when it would. A file system without /etc is most likely a mistyped DIR. kubeadm
// writes the manifest beside that of the controller manager, so where that lies the API
// server's has another name.
func (t *Target) astray(f patch.File) error {
	etc, err := t.Node.Stat("/etc")
	if err != nil {
		return err
	}
	if !etc.Dir {
		return hint.Errorf(hint.Command(t.command).Spaced("root", "DIR"), "there is no /etc below --root %s: is it the file system of a node?", t.Node.Root)
	}
	manager, err := t.Node.Stat(path.Join(path.Dir(t.Manifest), "kube-controller-manager.yaml"))
	switch {
	case err != nil:
		return err
	case f.Real != "":
		return hint.Errorf(t.another(), "there is no manifest %s: it is a symlink that leads nowhere", t.Manifest)
	case manager.Exists:
		return hint.Errorf(t.another(), "there is no manifest %s, and that of kube-controller-manager lies beside it", t.Manifest)
	}
	return nil
}

// another is the command that was typed, with another manifest.
func (t *Target) another() hint.Hint { return hint.Command(t.command).Spaced("manifest", "PATH") }

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
