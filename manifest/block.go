package manifest

import (
	"bytes"
	"strings"

	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// blockEnd is the last line of the block that starts on line first and whose
// own text starts at column col (from 1). Further lines belong to it while
// they are indented deeper than col or, with dashes, are list items at col.
// Comments that are indented deeper belong to the block too: they may be text
// of a literal scalar. Blank lines and comments at or left of col, which
// follow the block, stay outside.
func (t *text) blockEnd(first, col int, dashes bool) int {
	end := first
	for n := first + 1; n <= len(t.lines); n++ {
		spaces, rest, ok := t.indent(n)
		switch {
		case !ok || spaces < col && rest[0] == '#':
		case spaces >= col || dashes && spaces == col-1 && isDash(rest):
			end = n
		default:
			return end
		}
	}
	return end
}

// isDash tells whether a line's text begins a list item.
func isDash(s string) bool { return s == "-" || strings.HasPrefix(s, "- ") }

// nodeEnd is the last line that n is known to reach: exact for quoted scalars
// and flow collections, the line of its start for plain ones. It catches the
// legal oddity of a scalar or bracket that continues left of its block.
func (t *text) nodeEnd(n *yaml.Node) int {
	off := t.offset(n.Line, n.Column)
	switch {
	case n.Kind == yaml.ScalarNode && n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		if i := bytes.IndexAny(t.src[off:t.lineEnd(n.Line)], `"'`); i >= 0 {
			return t.lineOf(t.quoteEnd(off+i) - 1)
		}
	case n.Style&yaml.FlowStyle != 0:
		if open, ok := t.bracket(n); ok {
			if f, ok := t.scanFlow(open); ok {
				return t.lineOf(f.close)
			}
		}
	case (n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode) && len(n.Content) > 0:
		return t.nodeEnd(n.Content[len(n.Content)-1])
	}
	return n.Line
}

// bracket is the offset of the opening bracket of a flow collection, which an
// anchor or a tag may precede.
func (t *text) bracket(n *yaml.Node) (int, bool) {
	b := byte('[')
	if n.Kind == yaml.MappingNode {
		b = '{'
	}
	off := t.offset(n.Line, n.Column)
	i := bytes.IndexByte(t.src[off:], b)
	return off + i, i >= 0
}

// dash finds the "-" of the block list item that starts at line and column:
// it is the first thing before the item, maybe some lines further up. col is
// the dash's column from 1.
func (t *text) dash(line, column int) (n, col int, ok bool) {
	s := string(t.src[t.lines[line-1]:t.offset(line, column)])
	for n = line; ; s = t.line(n) {
		if i := strings.Index(" "+s, " #"); i >= 0 {
			s = s[:i]
		}
		s = strings.TrimRight(s, " \t")
		switch {
		case strings.HasSuffix(s, "-"):
			return n, len(s), true
		case s != "" || n == 1:
			return 0, 0, false
		}
		n--
	}
}

// ownLine tells whether there are only spaces to the left of column col of line n.
func (t *text) ownLine(n, col int) bool {
	return strings.TrimSpace(t.line(n)[:col-1]) == ""
}

// contentEnd is the last line of first..end that is neither blank nor a
// comment.
func (t *text) contentEnd(first, end int) int {
	for end > first {
		if _, rest, ok := t.indent(end); ok && rest[0] != '#' {
			break
		}
		end--
	}
	return end
}
