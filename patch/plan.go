package patch

import (
	"bytes"
	"fmt"
	"io/fs"
	"strings"

	"auditpatch/manifest"
)

// ChangeKind is what a Change does.
type ChangeKind string

// The kinds of changes.
const (
	WriteFile  ChangeKind = "write"
	RemoveFile ChangeKind = "remove"
	MakeDir    ChangeKind = "mkdir"
	// EnsureFile makes an empty file, or gives one that is there this mode and
	// owner; it never touches what is in it.
	EnsureFile ChangeKind = "ensure"
)

// Change is what becomes of one file or directory.
type Change struct {
	Path     string
	Kind     ChangeKind
	Old      File
	Data     []byte // of WriteFile
	Mode     fs.FileMode
	UID, GID int
	Why      string // for people
}

// Plan is a change of the node as data. The order of Changes is the order in
// which they have to be made: what the manifest refers to comes before it, and
// is removed after it.
type Plan struct {
	Verb     string // enable, disable, restore
	Manifest string // its path
	Changes  []Change
	Edits    []manifest.Edit // of the manifest
	Kept     []string        // settings of the manifest that the user did not mention
	Warnings []Problem
	Before   Settings // of the manifest as it is
	After    Settings // of the manifest as planned
	// Unchanged is the manifest's text as it was read.
	Unchanged []byte
	// Kubeadm is the change of kubeadm-config that goes with it, nil when none was
	// asked for.
	Kubeadm   *KubeadmPlan
	unwritten []byte // the manifest as planned, where kubeadm is still to write it
}

// Empty tells whether the node is as asked already.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// AsAsked tells whether there is nothing to do, on the node and in the cluster.
func (p *Plan) AsAsked() bool { return p.Empty() && (p.Kubeadm == nil || p.Kubeadm.Empty()) }

// Unbuilt tells whether the node has no manifest yet: kubeadm is still to write it.
func (p *Plan) Unbuilt() bool { return p.unwritten != nil }

// Restarts tells whether the kubelet restarts the API server for this plan:
// it does so for a changed manifest only.
func (p *Plan) Restarts() bool {
	_, changed := p.Text(p.Manifest)
	return changed
}

// Text is what becomes of a path: its planned content, ok only when the plan
// writes it.
func (p *Plan) Text(path string) (data []byte, ok bool) {
	for _, c := range p.Changes {
		if c.Path == path && c.Kind == WriteFile {
			return c.Data, true
		}
	}
	return nil, false
}

// Counts says what happens to the manifest: "+5 flags +2 mounts".
func (p *Plan) Counts() string {
	type count struct {
		what       string
		plus, less int
	}
	counts := []*count{{what: "flag"}, {what: "mount"}, {what: "volume"}, {what: "annotation"}}
	for _, e := range p.Edits {
		switch e.(type) {
		case manifest.SetFlag:
			counts[0].plus++
		case manifest.DropFlag:
			counts[0].less++
		case manifest.AddMount:
			counts[1].plus++
		case manifest.DropMount:
			counts[1].less++
		case manifest.AddVolume:
			counts[2].plus++
		case manifest.DropVolume:
			counts[2].less++
		case manifest.SetAnnotation:
			counts[3].plus++
		case manifest.DropAnnotation:
			counts[3].less++
		}
	}
	var out []string
	for _, c := range counts {
		for _, n := range []struct {
			sign string
			n    int
		}{{"+", c.plus}, {"-", c.less}} {
			if n.n > 0 {
				out = append(out, n.sign+plural(n.n, c.what))
			}
		}
	}
	return strings.Join(out, " ")
}

func plural(n int, what string) string {
	if n == 1 {
		return fmt.Sprintf("%d %s", n, what)
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeManifest makes the edits and adds the changed manifest to the plan.
// The kubelet takes a file of any mode; CIS 1.1.1 wants 0600, so an existing
// mode is kept and never widened.
func (p *Plan) writeManifest(m *manifest.File, old File) error {
	after, err := m.Edited(p.Edits...)
	if err != nil {
		return err
	}
	text := after.Bytes()
	p.Unchanged = old.Data
	if bytes.Equal(text, old.Data) {
		p.Edits, p.After = nil, p.Before
		return nil
	}
	p.After = Inspect(after)
	if !old.Exists {
		p.Edits, p.unwritten = nil, text
		return nil
	}
	p.Changes = append(p.Changes, Change{
		Path: old.Path, Kind: WriteFile, Old: old, Data: text,
		Mode: old.Mode, UID: old.UID, GID: old.GID, Why: p.Counts(),
	})
	return nil
}
