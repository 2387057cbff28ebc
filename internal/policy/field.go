package policy

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Text tells where the fields of a policy's text stand, also of one that is
// refused. Paths are those of findings, such as rules[0].verbs[1]. It remembers
// where it looked last, and is for one goroutine.
type Text struct {
	src    *source
	starts []int // offset of each line
	last   place // where offset went last
}

// place is a position with its byte.
type place struct{ line, col, at int }

// Span is a part of a text, in bytes.
type Span struct{ Start, End int }

// TextOf reads a text; nil when it cannot be read as a tree.
func TextOf(data []byte) (t *Text) {
	defer func() {
		if recover() != nil {
			t = nil // as in Load
		}
	}()
	if tooLarge(data, nil) != nil {
		return nil
	}
	src := parse(data)
	if src.root == nil || tooLarge(data, src) != nil {
		return nil
	}
	t = &Text{src: src, starts: []int{0}}
	for i, b := range data {
		if b == '\n' {
			t.starts = append(t.starts, i+1)
		}
	}
	return t
}

// Position is where the field stands or, where there is none, what would enclose
// it. Both count from 1, col in characters.
func (t *Text) Position(path string) (line, col int) {
	return position(first(t.src.root, path))
}

// KeyPosition is where the field's name stands or, where there is none, what
// would enclose it.
func (t *Text) KeyPosition(path string) (line, col int) {
	if spots := find(t.src.root, path); len(spots) > 0 && spots[0].key != nil {
		return position(spots[0].key)
	}
	return t.Position(path)
}

// Value is the part of the text that a value takes, with its quotes. ok is false
// when that is not certain: for what is not written on one line without escapes,
// tags and anchors, and for what stands elsewhere and is only referred to.
func (t *Text) Value(path string) (Span, bool) {
	if s, ok := t.only(path); ok {
		return t.scalar(s.value)
	}
	return Span{}, false
}

// Key is the part of the text that a field's name takes, as Value is for values.
func (t *Text) Key(path string) (Span, bool) {
	if s, ok := t.only(path); ok && s.key != nil {
		return t.scalar(s.key)
	}
	return Span{}, false
}

// InFlow reports whether the value at the path is a list in brackets.
func (t *Text) InFlow(path string) bool {
	s, ok := t.only(path)
	return ok && s.value.Kind == yaml.SequenceNode && s.value.Style&yaml.FlowStyle != 0
}

// only is the one spot at a path.
func (t *Text) only(path string) (spot, bool) {
	spots := find(t.src.root, path)
	if len(spots) != 1 || spots[0].value == nil {
		return spot{}, false
	}
	return spots[0], true
}

// scalar finds a scalar in the text and compares it with its value.
func (t *Text) scalar(n *yaml.Node) (Span, bool) {
	if n.Kind != yaml.ScalarNode || n.Anchor != "" || n.Line < 1 || n.Line > len(t.starts) {
		return Span{}, false
	}
	at := t.offset(n.Line, n.Column)
	rest := t.src.data[at:]
	var text string
	switch n.Style {
	case 0:
		text = n.Value
	case yaml.DoubleQuotedStyle:
		text = `"` + n.Value + `"`
	case yaml.SingleQuotedStyle:
		text = "'" + n.Value + "'"
	default:
		return Span{}, false
	}
	if text == "" || strings.ContainsAny(n.Value, "\\\"'\n") || !bytes.HasPrefix(rest, []byte(text)) {
		return Span{}, false
	}
	return Span{at, at + len(text)}, true
}

// offset is the byte at a position. In a long line it goes on from where it was.
func (t *Text) offset(line, col int) int {
	from := place{line, 1, t.starts[line-1]}
	if t.last.line == line && t.last.col <= col {
		from = t.last
	}
	for from.col < col && from.at < len(t.src.data) {
		_, n := utf8.DecodeRune(t.src.data[from.at:])
		from.at += n
		from.col++
	}
	t.last = from
	return from.at
}
