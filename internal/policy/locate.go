package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	yamlv2 "go.yaml.in/yaml/v2"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// source is the text of a policy as a YAML tree, which knows positions. The
// API server's own parser does not tell them and has the last word on the
// content, so that a text may be a policy and yet have no tree.
type source struct {
	data []byte
	root *yaml.Node // what the first document holds; nil: nothing, or it does not parse
	next *yaml.Node // the first later document that is not empty
	err  error      // why the text, or its rest, does not parse
}

// parse reads all documents. In JSON a tab may stand where YAML refuses it, and
// never inside a string, so a blank can take its place.
func parse(data []byte) *source {
	s := &source{data: data}
	text := data
	if utilyaml.IsJSONBuffer(data) {
		text = bytes.ReplaceAll(data, []byte("\t"), []byte(" "))
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	var empty *yaml.Node // a document that may be one
	for i := 0; s.next == nil; i++ {
		document := &yaml.Node{}
		if err := d.Decode(document); err != nil {
			if !errors.Is(err, io.EOF) {
				s.err = err
			} else if empty != nil && goesOn(data) {
				s.next = empty // "!" alone is an empty string to the API server's parser
			}
			return s
		}
		switch {
		case i == 0:
			s.root = document.Content[0]
		case !isNull(document.Content[0]):
			s.next = document
		default:
			empty = document
		}
	}
	return s
}

// goesOn reports whether content follows the first document, for a text without
// a tree: by the API server's own parser, which stops there.
func goesOn(data []byte) bool {
	d := yamlv2.NewDecoder(bytes.NewReader(data))
	var first, later any
	if utilyaml.IsJSONBuffer(data) || d.Decode(&first) != nil {
		return false
	}
	for later == nil {
		if err := d.Decode(&later); err != nil {
			return !errors.Is(err, io.EOF)
		}
	}
	return true
}

func isNull(n *yaml.Node) bool {
	return n == nil || n.Kind == yaml.ScalarNode && n.Tag == yaml.NodeTagNull
}

// isBare reports whether the node is written without quotes, block marks and
// tag, so that its text decides about its type.
func isBare(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0
}

// follow returns the node that an alias stands for.
func follow(n *yaml.Node) *yaml.Node {
	for range maxDepth {
		if n == nil || n.Kind != yaml.AliasNode {
			return n
		}
		n = n.Alias
	}
	return nil
}

// spot is one place in the tree.
type spot struct {
	path  string
	key   *yaml.Node // nil for the root and for list items
	value *yaml.Node // as it stands there: it may be an alias
}

// parent splits the path into that of the enclosing value and the own key.
func (s spot) parent() (path, key string) {
	if s.key == nil {
		return s.path, ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(s.path, s.key.Value), "."), s.key.Value
}

// node is the one whose position is that of the spot: the value where it is
// short, else its key, which stands on the line that one would edit.
func (s spot) node() *yaml.Node {
	if s.key == nil || s.value.Kind == yaml.ScalarNode && !isNull(s.value) {
		return s.value
	}
	return s.key
}

// text is a short value as it is written, or what kind of value it is.
func (s spot) text() string {
	switch {
	case s.value == nil:
		return ""
	case follow(s.value).Kind == yaml.ScalarNode:
		return follow(s.value).Value
	default:
		return kindOf(follow(s.value))
	}
}

// position is the place of a node; of no node, the beginning of the file.
func position(n *yaml.Node) (line, col int) {
	if n == nil {
		return 1, 1
	}
	return max(n.Line, 1), max(n.Column, 1)
}

// first is the node at the path or, where the path leads nowhere, the innermost
// one that would enclose it.
func first(root *yaml.Node, path string) *yaml.Node {
	for path != "" {
		if spots := find(root, path); len(spots) > 0 {
			return spots[0].node()
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return root
}

// find returns all spots that a path may mean. A path such as
// rules[0].resources.group, without an index, means the field of each item,
// since the API server names some fields so. A key may have dots in it.
func find(root *yaml.Node, path string) []spot {
	f := finder{budget: maxSteps}
	f.find(spot{value: root}, path)
	return f.found
}

// maxDepth and maxSteps bound the search in a tree that refers to itself.
const (
	maxDepth = 50
	maxSteps = 100_000
)

type finder struct {
	found         []spot
	budget, depth int
}

func (f *finder) find(at spot, rest string) {
	if f.budget--; f.budget < 0 || f.depth > maxDepth {
		return
	}
	if rest == "" {
		f.found = append(f.found, at)
		return
	}
	f.depth++
	defer func() { f.depth-- }()
	switch n := follow(at.value); {
	case n == nil:
	case n.Kind == yaml.SequenceNode:
		f.items(at.path, n, rest)
	case n.Kind == yaml.MappingNode:
		for _, c := range fields(n) {
			if tail, ok := cutStep(rest, c.key.Value); ok {
				f.find(spot{join(at.path, c.key.Value), c.key, c.value}, tail)
			}
		}
	}
}

// items goes on in the item that rest names by its index, or else in each.
func (f *finder) items(path string, n *yaml.Node, rest string) {
	index, tail, ok := strings.Cut(strings.TrimPrefix(rest, "["), "]")
	if i, err := strconv.Atoi(index); ok && err == nil && rest[0] == '[' {
		if 0 <= i && i < len(n.Content) {
			f.find(spot{path: item(path, i), value: n.Content[i]}, strings.TrimPrefix(tail, "."))
		}
		return
	}
	for i, c := range n.Content {
		f.find(spot{path: item(path, i), value: c}, rest)
	}
}

// cutStep takes a key from the front of a path.
func cutStep(path, key string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, key)
	switch {
	case !ok:
		return "", false
	case rest == "" || rest[0] == '[':
		return rest, true
	default:
		return strings.CutPrefix(rest, ".")
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// entry is one key with its value.
type entry struct {
	key, value *yaml.Node
	merged     bool // it comes from another mapping, by the key <<
}

// fields lists the entries of a mapping, its own before the merged ones.
func fields(n *yaml.Node) []entry {
	var own, merged []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag != yaml.MergeTag {
			own = append(own, entry{key: key, value: value})
			continue
		}
		merged = append(merged, mergedFields(value)...)
	}
	return append(own, merged...)
}

// mergedFields lists what the key << brings in: the fields of one mapping or of
// several. Merges inside merged mappings are left out, for they can be cycles.
func mergedFields(value *yaml.Node) []entry {
	n := follow(value)
	if n == nil {
		return nil
	}
	mappings := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		mappings = n.Content
	}
	var out []entry
	for _, m := range mappings {
		if m = follow(m); m == nil || m.Kind != yaml.MappingNode {
			continue
		}
		for i := 0; i+1 < len(m.Content); i += 2 {
			out = append(out, entry{key: m.Content[i], value: m.Content[i+1], merged: true})
		}
	}
	return out
}

// expanded is the size that the tree would have with each alias written out,
// never more than about the limit.
func expanded(root *yaml.Node, limit int) int {
	sizes := map[*yaml.Node]int{}
	var size func(n *yaml.Node) int
	size = func(n *yaml.Node) int {
		if n == nil {
			return 0
		}
		if known, ok := sizes[n]; ok {
			return known
		}
		sizes[n] = 0 // a node that holds itself has no size; the API server refuses it
		sum := len(n.Value) + 1
		if n.Kind == yaml.AliasNode {
			sum += size(n.Alias)
		}
		for _, c := range n.Content {
			sum = min(limit, sum+size(c))
		}
		sizes[n] = sum
		return sum
	}
	return size(root)
}
