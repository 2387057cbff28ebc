package manifest

import (
	"bytes"
	"slices"
)

// maxSteps bounds the steps of one edit: a flag repeated more often than this
// is not a manifest that anyone wrote.
const maxSteps = 1000

// Apply makes the edits and returns the new text, or the same text when they
// all hold already. It writes text only; before it returns, the new text is
// decoded and must mean exactly the old Pod plus the edits, must be a Pod that
// the kubelet accepts, and must still be one that Parse accepts. Anything else
// is an *Error and nothing has changed.
func (f *File) Apply(edits ...Edit) ([]byte, error) {
	out, err := f.apply(edits)
	if err != nil {
		err.File = f.name
		return nil, err
	}
	return out, nil
}

func (f *File) apply(edits []Edit) ([]byte, *Error) {
	d := f.doc
	for _, e := range edits {
		err := e.check()
		if err == nil {
			d, err = f.applyOne(d, e)
		}
		if err != nil {
			return nil, err
		}
	}
	g := f
	if !bytes.Equal(d.src, f.body) {
		g = newFile(f.name, slices.Concat(f.src[:len(f.src)-len(f.body)], d.src))
		if err := g.decode(); err != nil {
			return nil, f.refuseUnproven("the new text does not decode: " + err.Reason)
		}
		g.index, g.program = f.index, f.program
	}
	want := f.tree()
	for _, e := range edits {
		e.change(want)
	}
	if !want.same(g.tree()) {
		return nil, f.refuseUnproven("the new text would mean something else than the old one plus the edits")
	}
	return g.src, f.recheck(g)
}

// applyOne makes one edit, step by step: after each the text is read again.
func (f *File) applyOne(d *document, e Edit) (*document, *Error) {
	for range maxSteps {
		splices, err := e.step(d, f.program)
		if err != nil || len(splices) == 0 {
			return d, err
		}
		src, ok := d.with(splices...)
		if !ok {
			return nil, f.refuseUnproven(e.String() + ": it would change one place twice")
		}
		if d, err = load(src, f.index); err != nil {
			return nil, f.refuseUnproven(e.String() + ": " + err.Reason)
		}
	}
	return nil, f.refuseUnproven(e.String() + ": the edit does not come to an end")
}

// recheck refuses a result that Parse would refuse, or read as another API
// server.
func (f *File) recheck(g *File) *Error {
	if g == f {
		return nil
	}
	if err := g.locate(); err != nil {
		return refuseNode(f.doc.container, "the edited manifest would be refused: %s", err.Reason)
	}
	if g.index != f.index || g.program != f.program {
		return refuseNode(f.doc.container, "the edited manifest would run the API server in another way")
	}
	return nil
}

// refuseUnproven ends an edit whose result is not what it should be: the
// manifest is written in a way that this package does not edit.
func (f *File) refuseUnproven(why string) *Error {
	return refuseNode(f.doc.container, "the manifest is written in a way that cannot be edited safely: %s", why).
		hint("write the container and the volumes in plain block style")
}
