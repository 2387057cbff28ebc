package manifest

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// text is the source with what is needed to turn the parser's lines and
// columns into offsets, and back into lines.
type text struct {
	src   []byte
	flat  []byte // src with spaces and LF for Unicode's line breaks, byte for byte
	lines []int  // offset of each line's first byte
	eol   string // the line end that new lines get
	json  bool   // the file is JSON and has to stay JSON
}

// breaks are the line breaks as the YAML parser counts them: CRLF, LF, CR and
// Unicode's NEL, LS and PS.
var breaks = []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"}

// flatten replaces Unicode's line breaks by LF and spaces of the same length.
var flatten = strings.NewReplacer("\u0085", " \n", "\u2028", "  \n", "\u2029", "  \n")

// newText indexes src.
func newText(src []byte) *text {
	t := &text{src: src, flat: []byte(flatten.Replace(string(src))), lines: []int{0}, eol: "\n"}
	if i := bytes.IndexByte(src, '\n'); i > 0 && src[i-1] == '\r' {
		t.eol = "\r\n"
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		i += n
		if r == '\r' && i < len(src) && src[i] == '\n' {
			i, r = i+1, '\n'
		}
		if r == '\n' || r == '\r' || r == 0x85 || r == 0x2028 || r == 0x2029 {
			t.lines = append(t.lines, i)
		}
	}
	trimmed := bytes.TrimLeft(src, " \t\r\n")
	t.json = len(trimmed) > 0 && trimmed[0] == '{' && json.Valid(src)
	return t
}

// line is line n (from 1) without its line break.
func (t *text) line(n int) string {
	if n < 1 || n > len(t.lines) {
		return ""
	}
	if n == len(t.lines) {
		return string(t.src[t.lines[n-1]:])
	}
	s := string(t.src[t.lines[n-1]:t.lines[n]])
	for _, b := range breaks {
		if cut, ok := strings.CutSuffix(s, b); ok {
			return cut
		}
	}
	return s
}

// lineEnd is the offset just before line n's line break.
func (t *text) lineEnd(n int) int { return t.lines[n-1] + len(t.line(n)) }

// lineOf is the line (from 1) that holds offset off.
func (t *text) lineOf(off int) int {
	lo, hi := 0, len(t.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; t.lines[mid] <= off {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + 1
}

// position is the line and the column, in characters, of offset off.
func (t *text) position(off int) (line, col int) {
	line = t.lineOf(off)
	return line, utf8.RuneCount(t.src[t.lines[line-1]:off]) + 1
}

// offset is the byte offset of a line and a column as the parser gives them:
// both from 1, columns in characters.
func (t *text) offset(line, col int) int {
	if line < 1 || line > len(t.lines) {
		return len(t.src)
	}
	off := t.lines[line-1]
	for ; col > 1 && off < len(t.src); col-- {
		_, n := utf8.DecodeRune(t.src[off:])
		off += n
	}
	return off
}

// indent is how many spaces line n starts with; ok is false for a line that
// is blank.
func (t *text) indent(n int) (spaces int, rest string, ok bool) {
	s := t.line(n)
	rest = strings.TrimLeft(s, " ")
	return len(s) - len(rest), rest, strings.TrimSpace(rest) != ""
}

// splice replaces del bytes at off by ins.
type splice struct {
	off, del int
	ins      string
}

// with is the source after the splices; ok is false unless they are in order
// and apart.
func (t *text) with(splices ...splice) (out []byte, ok bool) {
	var b bytes.Buffer
	at := 0
	for _, s := range splices {
		if s.off < at || s.del < 0 || s.off+s.del > len(t.src) {
			return nil, false
		}
		b.Write(t.src[at:s.off])
		b.WriteString(s.ins)
		at = s.off + s.del
	}
	b.Write(t.src[at:])
	return b.Bytes(), true
}

// linesAfter inserts whole lines below line n. The line break goes in front,
// so that a file without a final newline stays one, and so that cutting the
// same span out again gives the same bytes even where line ends are mixed. A
// comment that goes on behind one of Unicode's line breaks stays in one piece.
func (t *text) linesAfter(n int, lines []string) splice {
	for ; n < len(t.lines) && t.src[t.lines[n]-1] >= utf8.RuneSelf; n++ {
		if _, rest, ok := t.indent(n + 1); ok && rest[0] != '#' {
			break
		}
	}
	return splice{off: t.lineEnd(n), ins: t.eol + strings.Join(lines, t.eol)}
}

// cutLines removes lines first to last, with the line break before them: what
// is cut is never on the first line.
func (t *text) cutLines(first, last int) splice {
	off := t.lineEnd(first - 1)
	return splice{off: off, del: t.lineEnd(last) - off}
}
