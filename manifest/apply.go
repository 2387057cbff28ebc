package manifest

import (
	"bytes"
	"slices"
)

// maxSteps limits how often the text is parsed for one list of edits: nobody writes
// a manifest that repeats a flag more often than this.
const maxSteps = 1000

// maxRead limits the same in bytes, for large files: each step parses the file again.
const maxRead = 128 << 20

// Apply makes the edits and returns the new text, or the same text if all of
// them are already in effect. It edits text only. Before it returns, the new text
// is decoded: it must be exactly the old Pod plus the edits, a Pod that the
// kubelet accepts, and a text that Parse accepts. Otherwise Apply returns an
// *Error and f is unchanged.
func (f *File) Apply(edits ...Edit) ([]byte, error) {
	g, err := f.Edited(edits...)
	if err != nil {
		return nil, err
	}
	return g.src, nil
}

// Edited is like Apply, but returns the new text as Parse would read it, or f
// itself if all edits are already in effect.
func (f *File) Edited(edits ...Edit) (*File, error) {
	g, err := f.apply(edits, together)
	if err != nil {
		// One edit at a time is more likely to succeed, and gives a better error.
		g, err = f.apply(edits, oneByOne)
	}
	if err != nil {
		err.File = f.name
		return nil, err
	}
	return g, nil
}

func (f *File) apply(edits []Edit, batch batcher) (*File, *Error) {
	for _, e := range edits {
		if err := e.check(); err != nil {
			return nil, err
		}
	}
	g, err := f.rewrite(edits, batch)
	if err != nil {
		return nil, err
	}
	want := f.tree()
	for _, e := range edits {
		e.applyToTree(want)
	}
	if !want.same(g.tree()) {
		return nil, f.refuseUnproven("the new text would not mean the same as the old text with the edits")
	}
	return g, f.recheck(g)
}

// rewrite makes the edits on the text, as many at a time as batch allows. After
// each step the text is parsed again. An edit is done when it has no splices left.
func (f *File) rewrite(edits []Edit, batch batcher) (*File, *Error) {
	d, g := f.doc, f // g is f, or what d decodes to, or nil
	for steps := 0; ; steps++ {
		n, err := f.countApplied(d, edits)
		if err != nil {
			return nil, err
		}
		if edits = edits[n:]; len(edits) == 0 {
			break
		}
		if steps == maxSteps || steps*len(d.src) > maxRead {
			return nil, f.refuseUnproven(edits[0].String() + ": the edit never finishes")
		}
		splices, all, err := batch(f, d, edits)
		if err != nil {
			return nil, err
		}
		if d, g, err = f.spliced(d, splices, all); err != nil {
			return nil, f.refuseUnproven(edits[0].String() + ": " + err.Reason)
		}
	}
	if bytes.Equal(d.src, f.body) {
		return f, nil
	}
	if g != nil {
		return g, nil
	}
	g, err := f.decoded(d.src)
	if err != nil {
		return nil, f.refuseUnproven("the new text does not decode: " + err.Reason)
	}
	return g, nil
}

// countApplied counts the edits at the front that are already in effect.
func (f *File) countApplied(d *document, edits []Edit) (n int, err *Error) {
	for ; n < len(edits); n++ {
		splices, err := edits[n].step(d, f.program)
		if err != nil || len(splices) > 0 {
			return n, err
		}
	}
	return n, nil
}

// spliced parses the text after the splices, completely if this may be the last step.
func (f *File) spliced(d *document, splices []splice, last bool) (*document, *File, *Error) {
	src, ok := d.with(splices...)
	if !ok {
		return nil, nil, refuse(0, 0, "it would change the same place twice")
	}
	if !last {
		d, err := load(src, f.index)
		return d, nil, err
	}
	g, err := f.decoded(src)
	if err == nil {
		err = g.doc.locate(f.index)
	}
	if err != nil {
		return nil, nil, err
	}
	return g.doc, g, nil
}

// decoded is the file with another text.
func (f *File) decoded(body []byte) (*File, *Error) {
	g := newFile(f.name, slices.Concat(f.src[:len(f.src)-len(f.body)], body))
	g.index, g.program = f.index, f.program
	return g, g.decode()
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
		return refuseNode(f.doc.container, "the edited manifest would start the API server differently")
	}
	return nil
}

// refuseUnproven is the error for an edit whose result is not what it should be:
// the manifest uses a form of YAML that this package cannot edit.
func (f *File) refuseUnproven(why string) *Error {
	return refuseNode(f.doc.container, "the manifest is written in a way that cannot be edited safely: %s", why).
		hint("write the container and the volumes in plain block style")
}
