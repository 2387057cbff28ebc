package manifest

import (
	"slices"
	"strings"
)

// batcher chooses splices for the edits at the front, of which the first has
// something to do; all says that every edit has a part in them, or has none to do.
type batcher func(f *File, d *document, edits []Edit) (splices []splice, all bool, err *Error)

// oneByOne takes a step of the first edit.
func oneByOne(f *File, d *document, edits []Edit) ([]splice, bool, *Error) {
	splices, err := edits[0].step(d, f.program)
	return splices, len(edits) == 1, err
}

// together takes a step of as many edits as give the same text as one after the
// other: those of different collections, and flags that are set, as long as their
// places in the text do not touch. A large manifest is then read once, and not
// once for each edit.
func together(f *File, d *document, edits []Edit) ([]splice, bool, *Error) {
	b := batch{alone: map[string]bool{}, names: map[string]bool{}}
	for i, e := range edits {
		splices, err := e.step(d, f.program)
		if err != nil && i == 0 {
			return nil, false, err
		}
		if err != nil || i > 0 && !b.fits(e, splices, d.eol) {
			return b.inOrder(), false, nil
		}
		b.add(e, splices, d.eol)
	}
	return b.inOrder(), true, nil
}

// batch collects splices of one text.
type batch struct {
	splices []splice
	alone   map[string]bool // collections that nothing else may touch any more
	names   map[string]bool // flags that are set
	append  int             // offset at which flags are appended, 0 for none
}

// fits tells whether an edit gives the same text together with the others as after them.
func (b *batch) fits(e Edit, splices []splice, eol string) bool {
	kind, name, shared := collection(e)
	switch {
	case kind == "", b.alone[""], b.alone[kind], shared && b.names[name], kind == "flags" && len(b.names) > 0 && !(shared && inPlace(splices)):
		return false
	case len(splices) == 1 && appends(splices[0], eol) && shared && splices[0].off == b.append:
		return true
	}
	return !slices.ContainsFunc(splices, b.touches)
}

// add takes an edit's splices in. One that has none counts too: what comes after
// it must not give it something to do.
func (b *batch) add(e Edit, splices []splice, eol string) {
	b.splices = append(b.splices, splices...)
	kind, name, shared := collection(e)
	if !shared || !inPlace(splices) {
		b.alone[kind] = true
		return
	}
	b.names[name] = true
	if len(splices) == 1 && appends(splices[0], eol) {
		b.append = splices[0].off
	}
}

// inPlace tells whether splices write one value, and cut nothing out.
func inPlace(splices []splice) bool {
	return len(splices) == 0 || len(splices) == 1 && splices[0].ins != ""
}

// appends tells whether a splice writes new items of a block list behind what is there.
// Those of a flow list go one by one: each is quoted like the one before it.
func appends(s splice, eol string) bool {
	lines, ok := strings.CutPrefix(s.ins, eol)
	return ok && s.del == 0 && strings.HasPrefix(strings.TrimLeft(lines, " "), "- ")
}

// touches tells whether a splice overlaps or adjoins one that is there.
func (b *batch) touches(s splice) bool {
	return slices.ContainsFunc(b.splices, func(o splice) bool {
		return s.off <= o.off+o.del && o.off <= s.off+s.del
	})
}

// inOrder are the splices by their places, those of one place as they came.
func (b *batch) inOrder() []splice {
	slices.SortStableFunc(b.splices, func(x, y splice) int { return x.off - y.off })
	return b.splices
}

// collection is what an edit touches, "" for an edit that goes alone; shared says
// that edits of other names may touch it at the same time.
func collection(e Edit) (kind, name string, shared bool) {
	switch e := e.(type) {
	case SetFlag:
		return "flags", flagName(e.Name), true
	case DropFlag:
		return "flags", "", false
	case AddMount, DropMount:
		return "mounts", "", false
	case AddVolume, DropVolume:
		return "volumes", "", false
	case SetAnnotation, DropAnnotation:
		return "annotations", "", false
	}
	return "", "", false
}
