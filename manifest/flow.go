package manifest

import (
	"bytes"
	"strings"
)

// span is a half-open range of offsets.
type span struct{ start, end int }

// flow is one flow collection in the text: [a, b] or {a: 1, b: 2}.
type flow struct {
	open, close int    // offsets of the brackets
	entries     []span // without surrounding blanks and comments
	commas      []int  // offset of the comma after each entry that has one
}

// blanks separate the tokens of a flow collection.
const blanks = " \t\r\n"

// scanFlow reads the flow collection whose bracket is at off. The parser
// gives nodes a start but no end; this finds the ends.
func (t *text) scanFlow(off int) (flow, bool) {
	f := flow{open: off}
	depth, cur := 0, span{-1, -1}
	prev, quoted := off, -1 // the last byte of a token; the end of a quoted scalar
	mark := func(from, to int) {
		if cur.start < 0 {
			cur.start = from
		}
		cur.end, prev = to, to-1
	}
	for i := off; i < len(t.flat); i++ {
		switch c := t.flat[i]; {
		case c == '[' || c == '{':
			if depth++; depth > 1 {
				mark(i, i+1)
			}
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				if cur.start >= 0 {
					f.entries = append(f.entries, cur)
				}
				f.close = i
				return f, true
			}
			mark(i, i+1)
		case (c == '\'' || c == '"') && t.opensQuote(i, prev):
			quoted = t.quoteEnd(i)
			mark(i, quoted)
			i = quoted - 1
		case c == '#' && (quoted == i || strings.IndexByte(blanks+"[]{},", t.flat[i-1]) >= 0):
			i = t.lineEnd(t.lineOf(i)) - 1
		case c == ',' && depth == 1:
			if cur.start < 0 {
				return f, false
			}
			f.entries, f.commas = append(f.entries, cur), append(f.commas, i)
			cur, prev = span{-1, -1}, i
		case strings.IndexByte(blanks, c) < 0:
			mark(i, i+1)
		}
	}
	return f, false
}

// opensQuote tells whether a quote at i opens a quoted scalar; inside a plain
// scalar it is an ordinary character. prev is the end of what is before
// it: an indicator, or an anchor or a tag.
func (t *text) opensQuote(i, prev int) bool {
	switch c := t.flat[prev]; c {
	case '[', '{', ',':
		return true
	case ':', '?':
		return prev+1 < i || strings.IndexByte(`"'`, t.flat[prev-1]) >= 0
	}
	if prev+1 == i {
		return false // before the search: a word may hold any number of quotes
	}
	before := t.flat[:prev+1]
	word := before[bytes.LastIndexAny(before, blanks+"[{,")+1:]
	return word[0] == '&' || word[0] == '!'
}

// quoteEnd is the offset behind the quote that closes the one at i.
func (t *text) quoteEnd(i int) int {
	q := t.src[i]
	for j := i + 1; j < len(t.src); j++ {
		switch {
		case q == '"' && t.src[j] == '\\':
			j++
		case t.src[j] != q:
		case q == '\'' && j+1 < len(t.src) && t.src[j+1] == q:
			j++
		default:
			return j + 1
		}
	}
	return len(t.src)
}

// appendFlow puts a new entry behind the last one: on the same line, or on a
// line of its own where the last one has one.
func (t *text) appendFlow(f flow, entry string) []splice {
	n := len(f.entries)
	if n == 0 {
		return []splice{{off: f.open + 1, ins: entry}}
	}
	last := f.entries[n-1]
	if !t.startsLine(last) {
		return []splice{{off: last.end, ins: t.separator(f) + entry}}
	}
	row := t.eol + string(t.src[t.lines[t.lineOf(last.start)-1]:last.start]) + entry
	trailing := len(f.commas) == n
	line := t.lineOf(last.end - 1)
	if trailing {
		line = t.lineOf(f.commas[n-1])
	}
	// A comment behind the last entry is that entry's: the new one goes below.
	switch end := t.lineEnd(line); {
	case t.lineOf(f.close) == line:
		return []splice{{off: last.end, ins: "," + row}}
	case trailing:
		return []splice{{off: end, ins: row + ","}}
	default:
		return []splice{{off: last.end, ins: ","}, {off: end, ins: row}}
	}
}

// startsLine tells whether there are only blanks to the left of an entry.
func (t *text) startsLine(e span) bool {
	return len(bytes.Trim(t.flat[t.lines[t.lineOf(e.start)-1]:e.start], blanks)) == 0
}

// separator is what is between entries on one line.
func (t *text) separator(f flow) string {
	if n := len(f.entries); n > 1 {
		if s := string(t.src[f.entries[n-2].end:f.entries[n-1].start]); s == "," {
			return s
		}
	}
	return ", "
}

// cutFlow removes entry i and the comma that it brought.
func (t *text) cutFlow(f flow, i int) []splice {
	if splices := t.cutOwnLines(f, i); splices != nil {
		return splices
	}
	e := f.entries[i]
	if i > 0 {
		from := f.entries[i-1].end
		// A comment between the two is that of the entry before.
		if !bytes.Contains(t.src[from:e.start], []byte("#")) {
			return []splice{{off: from, del: e.end - from}}
		}
	}
	end := f.endOf(i)
	if i+1 < len(f.entries) {
		end = f.entries[i+1].start
	}
	return []splice{{off: e.start, del: end - e.start}}
}

// endOf is the end of entry i with its comma.
func (f flow) endOf(i int) int {
	if i < len(f.commas) {
		return f.commas[i] + 1
	}
	return f.entries[i].end
}

// cutOwnLines removes entry i with its lines, where it shares them with no
// other: with its comma and with a comment behind it.
func (t *text) cutOwnLines(f flow, i int) []splice {
	e, end := f.entries[i], f.endOf(i)
	line := t.lineOf(end - 1)
	rest := strings.TrimLeft(string(t.flat[end:t.lineEnd(line)]), blanks)
	if !t.startsLine(e) || rest != "" && rest[0] != '#' {
		return nil
	}
	lines := t.cutLines(t.lineOf(e.start), line)
	if i > 0 && i == len(f.commas) {
		return []splice{{off: f.commas[i-1], del: 1}, lines}
	}
	return []splice{lines}
}
