package column

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/glyph"
)

// Flat prints each event as one JSON object in a line, with every column in each.
type Flat struct {
	to   io.Writer
	line []byte
	cell []byte
}

// NewFlat prints to a writer, one call of Write an event.
func NewFlat(to io.Writer) *Flat { return &Flat{to: to} }

// Add prints an event.
func (f *Flat) Add(e *event.Event) error {
	f.line = f.line[:0]
	between := `{"`
	for _, c := range columns {
		f.line = append(append(append(f.line, between...), c.Name...), `":`...)
		between = `,"`
		switch f.cell = c.add(f.cell[:0], e); {
		case len(f.cell) == 0:
			f.line = append(f.line, "null"...)
		case c.Number:
			f.line = append(f.line, f.cell...)
		default:
			f.line = AppendJSON(f.line, f.cell)
		}
	}
	f.line = append(f.line, "}\n"...)
	_, err := f.to.Write(f.line)
	return err
}

// AppendJSON appends a text as a JSON string. What a terminal does not show is escaped.
func AppendJSON(to, text []byte) []byte {
	to = append(to, '"')
	var sight glyph.Sight
	for {
		before, n := text, simple(text)
		to = append(to, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			return append(to, '"')
		}
		if n > 0 {
			sight.Shows(rune(before[n-1]))
		}
		r, n := utf8.DecodeRune(text)
		shows := sight.Shows(r)
		switch {
		case r == '"' || r == '\\':
			to = append(to, '\\', byte(r))
		case r == utf8.RuneError && n == 1 || !shows:
			to = glyph.EscapeJSON(to, r)
		default:
			to = append(to, text[:n]...)
		}
		text = text[n:]
	}
}

// simple is how many characters in front stand for themselves in JSON and in CSV.
func simple(text []byte) int {
	for i, c := range text {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return i
		}
	}
	return len(text)
}

// Shown is the JSON of an event as a terminal may have it, with the same meaning: in one
// line, and with what it does not show escaped.
func Shown(to, json []byte) []byte {
	if bytes.ContainsAny(json, "\n\r\t") { // only between values: JSON has none in strings
		json = slices.DeleteFunc(bytes.Clone(json), func(c byte) bool { return c == '\n' || c == '\r' || c == '\t' })
	}
	return glyph.JSON(to, json)
}

// OneLine is valid JSON without the line ends that stand between its values.
func OneLine(to, json []byte) []byte {
	if bytes.IndexByte(json, '\n') < 0 && bytes.IndexByte(json, '\r') < 0 {
		return append(to, json...)
	}
	for _, c := range json {
		if c != '\n' && c != '\r' {
			to = append(to, c)
		}
	}
	return to
}
