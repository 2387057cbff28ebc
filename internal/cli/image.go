package cli

import (
	"fmt"

	"auditpatch/patch"
)

// readBuild reads the manifest as readManifest does. On a node before its first
// boot (--root, for image builds) there is none yet: kubeadm writes it, and its
// preflight refuses a node that has one. A stand-in takes its place then, so that
// a plan has everything but the manifest.
func (t *target) readBuild(p *program) (patch.State, error) {
	if t.live || t.stdin {
		return t.readManifest(p)
	}
	f, err := t.node.Stat(t.manifest)
	if err != nil || f.Exists {
		return t.readManifest(p)
	}
	if etc, err := t.node.Stat("/etc"); err != nil || !etc.Dir {
		return t.readManifest(p) // no node's file system, so most likely a mistyped DIR
	}
	return patch.State{Manifest: patch.StandIn(t.manifest), Files: map[string]patch.File{}, Offline: true}, nil
}

// sayUnbuilt tells what is left to do for whoever builds the image.
func (p *program) sayUnbuilt(plan *patch.Plan) {
	if !plan.Unbuilt() || plan.Verb != "enable" || p.quiet {
		return
	}
	p.say("there is no kube-apiserver manifest yet; kubeadm init and join write it, with what they are told:")
	fmt.Fprintln(p.Err, "auditpatch: hint: auditpatch export kubeadm")
}
