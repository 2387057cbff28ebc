package manifest

import (
	"reflect"
	"slices"
)

// podTree is the decoded Pod on which edits are made a second time, knowing
// nothing of the text. What both ways agree on is what gets written.
type podTree struct {
	root      map[string]any
	container map[string]any
	program   int
}

// tree decodes what the kubelet decodes.
func (f *File) tree() *podTree {
	root, _ := decodeTree(f.json)
	p := &podTree{root: root, program: f.program}
	containers, _ := p.spec()["containers"].([]any)
	if f.index < len(containers) {
		p.container, _ = containers[f.index].(map[string]any)
	}
	return p
}

// word is one item of command or args.
type word struct {
	value  any // a string, or null, which the kubelet reads as ""
	inArgs bool
}

// words are command and args taken together.
func (p *podTree) words() []word {
	var ws []word
	for _, key := range []string{"command", "args"} {
		list, _ := p.container[key].([]any)
		for _, v := range list {
			ws = append(ws, word{v, key == "args"})
		}
	}
	return ws
}

// setWords puts command and args back.
func (p *podTree) setWords(ws []word) {
	command, args := []any{}, []any{}
	for _, w := range ws {
		if w.inArgs {
			args = append(args, w.value)
		} else {
			command = append(command, w.value)
		}
	}
	p.container["command"], p.container["args"] = command, args
}

// items reads the flags among words.
func (p *podTree) items(ws []word) []item {
	v := make([]string, len(ws))
	for i, w := range ws {
		v[i], _ = w.value.(string)
	}
	return parseItems(v, p.program)
}

func (e SetFlag) applyToTree(p *podTree) {
	ws := p.words()
	it, ok := lastItem(p.items(ws), e.Name)
	switch {
	case !ok:
		inArgs := len(ws) > 0 && ws[len(ws)-1].inArgs
		ws = append(ws, word{"--" + e.Name + "=" + e.Value, inArgs})
	case it.hasValue(e.Value):
	case it.items == 2 && !looksLikeFlag(e.Value):
		ws[it.at+1].value = e.Value
	default:
		name, _ := ws[it.at].value.(string)
		ws[it.at].value = flagText(name, e.Value)
		ws = slices.Delete(ws, it.at+1, it.at+it.items)
	}
	p.setWords(ws)
}

func (e DropFlag) applyToTree(p *podTree) {
	ws := p.words()
	items := p.items(ws)
	for _, it := range slices.Backward(items) {
		if it.Name == flagName(e.Name) {
			ws = slices.Delete(ws, it.at, it.at+it.items)
		}
	}
	p.setWords(ws)
}

func (e AddMount) applyToTree(p *podTree) {
	addTo(p.container, mountAt(e.Mount.MountPath), mountFields(e.Mount))
}

func (e DropMount) applyToTree(p *podTree) {
	dropFrom(p.container, mountAt(e.MountPath))
}

func (e AddVolume) applyToTree(p *podTree) {
	addTo(p.spec(), volumeNamed(e.Volume.Name), volumeFields(e.Volume))
}

func (e DropVolume) applyToTree(p *podTree) { dropFrom(p.spec(), volumeNamed(e.Name)) }

func (e SetAnnotation) applyToTree(p *podTree) {
	meta, _ := p.root["metadata"].(map[string]any)
	notes, ok := meta["annotations"].(map[string]any)
	if !ok {
		notes = map[string]any{}
		meta["annotations"] = notes
	}
	notes[e.Key] = e.Value
}

func (e DropAnnotation) applyToTree(p *podTree) {
	meta, _ := p.root["metadata"].(map[string]any)
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, e.Key)
	}
}

func (p *podTree) spec() map[string]any {
	spec, _ := p.root["spec"].(map[string]any)
	return spec
}

// addTo appends an entry to a list of m unless it has that member.
func addTo(m map[string]any, id member, entry fields) {
	list, _ := m[id.list].([]any)
	if !slices.ContainsFunc(list, id.is) {
		m[id.list] = append(list, entry.tree())
	}
}

// dropFrom removes a member from a list of m, wherever it is.
func dropFrom(m map[string]any, id member) {
	list, _ := m[id.list].([]any)
	if slices.ContainsFunc(list, id.is) {
		m[id.list] = slices.DeleteFunc(list, id.is)
	}
}

// is tells whether a decoded mapping is that member.
func (id member) is(v any) bool {
	m, ok := v.(map[string]any)
	return ok && m[id.key] == id.value
}

// same tells whether two Pods mean the same to the kubelet. A missing list, a
// null and an empty one are the same there, for the collections that edits
// fill and empty.
func (p *podTree) same(q *podTree) bool {
	for _, t := range []*podTree{p, q} {
		meta, _ := t.root["metadata"].(map[string]any)
		dropEmpty(meta, "annotations")
		dropEmpty(t.spec(), "volumes")
		for _, key := range []string{"command", "args", "volumeMounts"} {
			dropEmpty(t.container, key)
		}
	}
	return reflect.DeepEqual(p.root, q.root)
}

func dropEmpty(m map[string]any, key string) {
	switch v := m[key].(type) {
	case nil:
		delete(m, key)
	case []any:
		if len(v) == 0 {
			delete(m, key)
		}
	case map[string]any:
		if len(v) == 0 {
			delete(m, key)
		}
	}
}
