package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path"

	"auditpatch/manifest"
	"auditpatch/patch"
)

// readBuild reads what a plan of a change begins with: the manifest as
// readNodeOrImage does, and where earlier runs had credentials.
func (t *target) readBuild(p *program) (patch.State, error) {
	s, err := t.readNodeOrImage(p)
	if err == nil {
		s.WebhookConfigs = t.notedWebhooks()
	}
	return s, err
}

// readNodeOrImage reads the manifest as readManifest does. On a node before its first
// boot (--root, for image builds) there is none yet: kubeadm writes it, and its
// preflight refuses a node that has one. A stand-in takes its place then, so that
// a plan has everything but the manifest.
func (t *target) readNodeOrImage(p *program) (patch.State, error) {
	if t.live || t.stdin {
		return t.readManifest(p)
	}
	f, err := t.node.Stat(t.manifest)
	if err != nil || f.Exists {
		return t.readManifest(p)
	}
	if f.Real != "" { // a symlink that leads nowhere
		return t.readManifest(p)
	}
	// A file system without /etc is most likely a mistyped DIR. kubeadm writes the
	// manifest beside this one, so where it lies the API server's has another name.
	etc, err1 := t.node.Stat("/etc")
	manager, err2 := t.node.Stat(path.Join(path.Dir(t.manifest), "kube-controller-manager.yaml"))
	if err1 != nil || err2 != nil || !etc.Dir || manager.Exists {
		return t.readManifest(p)
	}
	if other, err := t.otherManifest(); err != nil || other != "" {
		if err == nil {
			err = hinted("--manifest "+other, "there is no %s, and %s is a manifest of kube-apiserver", t.manifest, other)
		}
		return patch.State{}, err
	}
	return patch.State{Manifest: patch.StandIn(t.manifest), Files: map[string]patch.File{}, Offline: true, StateDir: t.node.StateDir}, nil
}

// otherManifest finds a manifest of kube-apiserver beside where it usually lies.
func (t *target) otherManifest() (string, error) {
	all, err := t.node.Siblings(path.Dir(t.manifest))
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

// sayUnbuilt tells what is left to do for whoever builds the image.
func (p *program) sayUnbuilt(plan *patch.Plan) {
	if !plan.Unbuilt() || plan.Verb != "enable" || p.quiet {
		return
	}
	p.say("there is no kube-apiserver manifest yet; kubeadm init and join write it, with what they are told:")
	fmt.Fprintln(p.Err, "auditpatch: hint: auditpatch export kubeadm")
}
