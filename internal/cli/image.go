package cli

import (
	"fmt"
	"path"

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
	// A file system without /etc is most likely a mistyped DIR. kubeadm writes the
	// manifest beside this one, so where it lies the API server's has another name.
	etc, err1 := t.node.Stat("/etc")
	manager, err2 := t.node.Stat(path.Join(path.Dir(t.manifest), "kube-controller-manager.yaml"))
	if err1 != nil || err2 != nil || !etc.Dir || manager.Exists {
		return t.readManifest(p)
	}
	return patch.State{Manifest: patch.StandIn(t.manifest), Files: map[string]patch.File{}, Offline: true, StateDir: t.node.StateDir}, nil
}

// sayUnbuilt tells what is left to do for whoever builds the image.
func (p *program) sayUnbuilt(plan *patch.Plan) {
	if !plan.Unbuilt() || plan.Verb != "enable" || p.quiet {
		return
	}
	p.say("there is no kube-apiserver manifest yet; kubeadm init and join write it, with what they are told:")
	fmt.Fprintln(p.Err, "auditpatch: hint: auditpatch export kubeadm")
}
