package manifest

import (
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// A list or mapping that an edit fills may be missing, be empty ([], {}),
// or have no value (volumes:). Taking the last entry out again has to lead
// back to just that, with nothing to remember but the text itself. So each
// leaves its mark in how the entry is written:
//
//	                       block                      flow
//	missing                as containers is indented  [ x ]  blanks on both sides
//	volumes:               indented the other way     (refused)
//	volumes: null          [ x]                       [ x]
//	volumes: ~             [  x]                      [  x]
//	volumes: []            [x]                        [x]
//
// A collection that a person emptied by hand in one of these forms goes back
// to a form with the same meaning.

// nullMarks maps how a null is written to the blanks that remember it.
var nullMarks = map[string]string{"null": " ", "~": "  "}

// slot is the place of one collection: the value of key in mapping m.
type slot struct {
	t           *text
	m           *yaml.Node // the mapping
	key         string
	kind        yaml.Kind // what the value has to be
	k, v        *yaml.Node
	indent      int // how much deeper than its key a new block collection is written
	nullIndent  int // the same where the key is there without a value
	entryIndent int // how much deeper a mapping inside an entry is written
}

// appendItem adds one list item.
func (s *slot) appendItem(item any) ([]splice, *Error) {
	return s.add(flowText(item, s.t.json, s.neighbour()), func(col int) []string { return listLines(col, item, s.entryIndent) })
}

// appendPair adds one key with a string value to a mapping.
func (s *slot) appendPair(key, value string) ([]splice, *Error) {
	entry := quote(key) + ": " + quote(value)
	if s.t.json {
		entry = doubleQuote(key) + ": " + doubleQuote(value)
	}
	return s.add(entry, func(col int) []string {
		return []string{strings.Repeat(" ", col-1) + quote(key) + ": " + quote(value)}
	})
}

// add puts one entry into the collection, in the style that it has.
func (s *slot) add(entry string, block func(col int) []string) ([]splice, *Error) {
	switch {
	case s.k == nil:
		return s.addKey(entry, block)
	case s.isNull():
		return s.fillNull(entry, block)
	case s.v.Style&yaml.FlowStyle != 0:
		f, err := s.t.flowOf(s.v)
		if err != nil {
			return nil, err
		}
		return s.t.appendFlow(f, entry), nil
	case s.kind == yaml.SequenceNode:
		n, col, end, err := s.item(len(s.v.Content) - 1)
		if err != nil {
			return nil, err
		}
		return []splice{s.t.linesAfter(max(n, end), block(col))}, nil
	}
	last := s.v.Content[len(s.v.Content)-2]
	end := max(s.t.blockEnd(last.Line, last.Column, true), s.t.nodeEnd(s.v))
	return []splice{s.t.linesAfter(end, block(last.Column))}, nil
}

// addKey adds the key itself, with its first entry.
func (s *slot) addKey(entry string, block func(col int) []string) ([]splice, *Error) {
	if err := checkMerged(s.m, s.key); err != nil {
		return nil, err
	}
	if s.m.Style&yaml.FlowStyle != 0 {
		f, err := s.t.flowOf(s.m)
		if err != nil {
			return nil, err
		}
		key, left, right := s.key, "[ ", " ]"
		if s.t.json {
			key = doubleQuote(key)
		}
		if s.kind == yaml.MappingNode {
			left, right = "{ ", " }"
		}
		return s.t.appendFlow(f, key+": "+left+entry+right), nil
	}
	last := s.m.Content[len(s.m.Content)-2]
	end := max(s.t.blockEnd(last.Line, last.Column, true), s.t.nodeEnd(s.m))
	lines := append([]string{strings.Repeat(" ", last.Column-1) + s.key + ":"}, block(last.Column+s.indent)...)
	return []splice{s.t.linesAfter(end, lines)}, nil
}

// fillNull writes the first entry where the key has no value.
func (s *slot) fillNull(entry string, block func(col int) []string) ([]splice, *Error) {
	mark, explicit := nullMarks[s.v.Value]
	switch {
	case s.v.Anchor != "" || s.v.Style&yaml.TaggedStyle != 0:
		return nil, refuseNode(s.v, "%s is empty and has an anchor or a tag", s.key).
			hint("write \"%s: []\"", s.key)
	case explicit:
		off := s.t.offset(s.v.Line, s.v.Column)
		open, end := "[", "]"
		if s.kind == yaml.MappingNode {
			open, end = "{", "}"
		}
		return []splice{{off: off, del: len(s.v.Value), ins: open + mark + entry + end}}, nil
	case s.v.Value != "" || s.m.Style&yaml.FlowStyle != 0:
		return nil, refuseNode(s.k, "%s has no value that can be edited in place", s.key).
			hint("write \"%s: []\"", s.key)
	}
	return []splice{s.t.linesAfter(s.k.Line, block(s.k.Column+s.nullIndent))}, nil
}

// cut removes entry i (of a mapping: the i-th pair), and with the last entry
// whatever the first one had brought.
func (s *slot) cut(i int) ([]splice, *Error) {
	if s.v.Style&yaml.FlowStyle != 0 {
		return s.cutFlow(i)
	}
	if entries(s.v) == 1 && s.isAsAdded() {
		end := s.t.contentEnd(s.k.Line, max(s.t.blockEnd(s.k.Line, s.k.Column, true), s.t.nodeEnd(s.v)))
		return []splice{s.t.cutLines(s.k.Line, end)}, nil
	}
	if s.kind == yaml.MappingNode {
		k := s.v.Content[2*i]
		if !s.t.ownLine(k.Line, k.Column) {
			return nil, refuseNode(k, "this key is not on a line of its own")
		}
		end := max(s.t.blockEnd(k.Line, k.Column, true), s.t.nodeEnd(s.v.Content[2*i+1]))
		return []splice{s.t.cutLines(k.Line, s.t.contentEnd(k.Line, end))}, nil
	}
	n, col, end, err := s.item(i)
	if err != nil {
		return nil, err
	}
	if !s.t.ownLine(n, col) {
		return nil, refuseNode(s.v.Content[i], "this list item is not on a line of its own")
	}
	return []splice{s.t.cutLines(n, s.t.contentEnd(n, end))}, nil
}

// cutFlow removes entry i of a flow collection.
func (s *slot) cutFlow(i int) ([]splice, *Error) {
	f, err := s.t.flowOf(s.v)
	if err != nil {
		return nil, err
	}
	if len(f.entries) > 1 {
		return s.t.cutFlow(f, i), nil
	}
	e := f.entries[0]
	left, right := string(s.t.src[f.open+1:e.start]), string(s.t.src[e.end:f.close])
	for null, mark := range nullMarks {
		if left == mark && right == "" {
			return []splice{{off: f.open, del: f.close + 1 - f.open, ins: null}}, nil
		}
	}
	if left == " " && right == " " && s.m.Style&yaml.FlowStyle != 0 {
		around, err := s.t.flowOf(s.m)
		if err != nil {
			return nil, err
		}
		return s.t.cutFlow(around, slices.Index(s.m.Content, s.k)/2), nil
	}
	return s.t.cutFlow(f, i), nil
}

// isAsAdded tells whether the block collection is written as addKey writes one:
// the bare key on its line, the first entry on the next, in the file's indent.
func (s *slot) isAsAdded() bool {
	line := s.t.line(s.k.Line)
	if !s.t.ownLine(s.k.Line, s.k.Column) || strings.TrimSpace(line) != s.key+":" {
		return false
	}
	if s.kind == yaml.MappingNode {
		first := s.v.Content[0]
		return first.Line == s.k.Line+1 && first.Column == s.k.Column+s.indent
	}
	n, col, _, err := s.item(0)
	return err == nil && n == s.k.Line+1 && col == s.k.Column+s.indent
}

// item is where block list item i is: the line and column of its dash and
// the last line that belongs to it.
func (s *slot) item(i int) (n, col, end int, err *Error) {
	it := s.v.Content[i]
	n, col, ok := s.t.dash(it.Line, it.Column)
	if !ok {
		return 0, 0, 0, refuseNode(it, "the dash of this list item was not found")
	}
	return n, col, max(s.t.blockEnd(n, col, false), s.t.nodeEnd(it)), nil
}

// flowOf finds the ends of a flow collection and of its entries.
func (t *text) flowOf(n *yaml.Node) (flow, *Error) {
	if open, ok := t.bracket(n); ok {
		if f, ok := t.scanFlow(open); ok && len(f.entries) == entries(n) {
			return f, nil
		}
	}
	return flow{}, refuseNode(n, "the entries of this collection cannot be separated").
		hint("write it in block style, one entry a line")
}

// entries is how many entries a collection has.
func entries(n *yaml.Node) int {
	if n.Kind == yaml.MappingNode {
		return len(n.Content) / 2
	}
	return len(n.Content)
}

// neighbour is the style of the last entry, for a new one next to it.
func (s *slot) neighbour() yaml.Style {
	if s.v == nil || len(s.v.Content) == 0 {
		return 0
	}
	return s.v.Content[len(s.v.Content)-1].Style
}

// isNull tells whether the key is there without a value.
func (s *slot) isNull() bool { return s.v.Kind == yaml.ScalarNode && s.v.Tag == "!!null" }
