package manifest

import (
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// document is the text with its nodes: where the parts of the Pod are that
// edits touch.
type document struct {
	*text
	root, meta, spec *yaml.Node
	containers       *yaml.Node // the list
	container        *yaml.Node // the one that runs the API server
	listIndent       int        // how much deeper than its key a list of mappings is indented
	mapIndent        int        // the same for mappings
}

// load parses src for positions. index is the API server's container.
func load(src []byte, index int) (*document, *Error) {
	docs, e := documents(src)
	if e != nil {
		return nil, refuse(1, 1, "%s", e)
	}
	root, err := rootOf(docs)
	if err != nil {
		return nil, err
	}
	d := &document{text: newText(src), root: root}
	return d, d.locate(index)
}

// locate finds the parts of the Pod.
func (d *document) locate(index int) *Error {
	err := checkDuplicates(d.root)
	if err != nil {
		return err
	}
	if d.meta, err = mapping(d.root, "metadata"); err != nil {
		return err
	}
	if d.spec, err = mapping(d.root, "spec"); err != nil {
		return err
	}
	k, v := child(d.spec, "containers")
	if v == nil || v.Kind != yaml.SequenceNode || index >= len(v.Content) {
		return refuseNode(d.spec, "the containers are not written out as a list here").
			hint("write spec.containers as a plain list")
	}
	d.containers, d.container = v, v.Content[index]
	if d.container.Kind != yaml.MappingNode || len(d.container.Content) == 0 {
		return refuseNode(d.container, "the API server's container is an alias for a mapping elsewhere").
			hint("write the container out here")
	}
	d.measureIndent(k)
	_, notes := child(d.meta, "annotations")
	return checkDuplicates(d.meta, notes, d.spec, d.container)
}

// mapping is the mapping under key, which an edit can be written into.
func mapping(m *yaml.Node, key string) (*yaml.Node, *Error) {
	k, v := child(m, key)
	switch {
	case k == nil:
		return nil, refuseNode(m, "%s is not written in this mapping", key)
	case v.Kind == yaml.AliasNode:
		return nil, refuseNode(v, "%s is an alias for a mapping elsewhere", key).
			hint("write %s out here", key)
	case v.Kind != yaml.MappingNode || len(v.Content) == 0:
		return nil, refuseNode(v, "%s is not a mapping with keys", key)
	}
	return v, nil
}

// measureIndent learns the file's own style from the list of containers,
// whose key is k, and from the metadata.
func (d *document) measureIndent(k *yaml.Node) {
	if d.containers.Style&yaml.FlowStyle == 0 {
		first := d.containers.Content[0]
		if _, col, ok := d.dash(first.Line, first.Column); ok && col >= k.Column {
			d.listIndent = col - k.Column
		}
	}
	d.mapIndent = 2
	key, _ := child(d.root, "metadata")
	if first := d.meta.Content[0]; d.meta.Style&yaml.FlowStyle == 0 && first.Line > key.Line {
		d.mapIndent = max(first.Column-key.Column, 1)
	}
}

// checkDuplicates refuses a duplicate key in a mapping that edits
// walk through: parsers disagree on which one counts.
func checkDuplicates(maps ...*yaml.Node) *Error {
	for _, m := range maps {
		seen := map[string]int{}
		for i := 0; m != nil && i+1 < len(m.Content); i += 2 {
			k := m.Content[i]
			if k.Kind != yaml.ScalarNode {
				continue
			}
			if first, twice := seen[k.Value]; twice {
				return refuseNode(k, "duplicate key %q, first on line %d", k.Value, first).
					hint("remove one of the two: only the last one counts for the kubelet")
			}
			seen[k.Value] = k.Line
		}
	}
	return nil
}

// list is the slot of a list below the spec or the container.
func (d *document) list(m *yaml.Node, key string) (*slot, *Error) {
	s := &slot{t: d.text, m: m, key: key, kind: yaml.SequenceNode, indent: d.listIndent, entryIndent: d.mapIndent}
	if d.listIndent == 0 {
		s.nullIndent = 2
	}
	return s, d.fill(s)
}

// annotations is the slot of the annotations.
func (d *document) annotations() (*slot, *Error) {
	s := &slot{t: d.text, m: d.meta, key: "annotations", kind: yaml.MappingNode, indent: d.mapIndent, nullIndent: d.mapIndent + 2}
	return s, d.fill(s)
}

// fill looks the slot's key up and refuses what cannot be edited in place.
func (d *document) fill(s *slot) *Error {
	s.k, s.v = child(s.m, s.key)
	if s.v == nil {
		return d.checkShared(s)
	}
	what := "list"
	if s.kind == yaml.MappingNode {
		what = "mapping"
	}
	switch {
	case s.v.Kind == yaml.AliasNode:
		return refuseNode(s.v, "%s is an alias (*%s): the %s is shared", s.key, s.v.Value, what).
			hint("write %s out here", s.key)
	case s.v.Kind != s.kind && !s.isNull():
		return refuseNode(s.v, "%s is not a %s", s.key, what)
	}
	return d.checkShared(s)
}

// checkShared refuses to edit what an alias elsewhere repeats, by itself or
// with all around it: the edit would change both places.
func (d *document) checkShared(s *slot) *Error {
	path := []*yaml.Node{d.root, s.m, s.v}
	if s.m == d.container {
		path = append(path, d.spec, d.containers)
	}
	var found *yaml.Node
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		for _, c := range n.Content {
			walk(c)
		}
		for _, p := range path {
			if n.Kind == yaml.AliasNode && n.Alias == p && found == nil {
				found = n
			}
		}
	}
	walk(d.root)
	if found == nil {
		return nil
	}
	return refuseNode(found, "%s is shared: the alias *%s repeats it here, and an edit would change both places", s.key, found.Value).
		hint("write it out in place of *%s", found.Value)
}

// child finds key in mapping m.
func child(m *yaml.Node, key string) (k, v *yaml.Node) {
	for i := 0; i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key && m.Content[i].Kind == yaml.ScalarNode {
			return m.Content[i], m.Content[i+1]
		}
	}
	return nil, nil
}

// dereference follows an alias; the parser does not allow one to an alias.
func dereference(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// checkMerged refuses to edit what a merge key brings into m.
func checkMerged(m *yaml.Node, key string) *Error {
	if k, _ := child(m, key); k != nil {
		return nil
	}
	if n := mergedWithin(m, key, 8); n != nil {
		return refuseNode(n, "%s comes in through a merge key (<<) and is shared", key).
			hint("write %s out in this mapping", key)
	}
	return nil
}

// mergedWithin is the merge key of m that brings key, if one does; the
// mappings that it merges may merge others, depth levels deep.
func mergedWithin(m *yaml.Node, key string, depth int) *yaml.Node {
	k, v := child(m, "<<")
	if k == nil || depth == 0 {
		return nil
	}
	sources := []*yaml.Node{v}
	if v.Kind == yaml.SequenceNode {
		sources = v.Content
	}
	for _, n := range sources {
		n = dereference(n)
		if _, found := child(n, key); found != nil || mergedWithin(n, key, depth-1) != nil {
			return k
		}
	}
	return nil
}

// entry is item i of the list under key, or what comes nearest to it.
func entry(m *yaml.Node, key string, i int) *yaml.Node { return listed(m, key)(i) }

// listed is entry for many items of one list, which is looked up once.
func listed(m *yaml.Node, key string) func(i int) *yaml.Node {
	var items []*yaml.Node
	if _, v := child(m, key); v != nil {
		if v = dereference(v); v.Kind == yaml.SequenceNode {
			items = v.Content
		}
	}
	return func(i int) *yaml.Node {
		if i < len(items) {
			return items[i]
		}
		return m
	}
}
