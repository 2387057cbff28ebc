package column

import (
	"bytes"
	"io"
	"slices"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/glyph"
)

// CSV prints rows as RFC 4180 has them. Nothing in a cell runs in a spreadsheet or in a
// terminal: a text that a spreadsheet would take for a formula has a ' in front, and what
// a terminal does not show is written as in a Go string, so that a row is one line. No two texts
// become one: a backslash is written as there, too, and a ' before a formula gets another one.
type CSV struct {
	to   io.Writer
	row  []byte
	cell []byte
}

// NewCSV prints to a writer, one call of Write a row.
func NewCSV(to io.Writer) *CSV { return &CSV{to: to} }

// Header prints the names of the columns.
func (c *CSV) Header() error {
	names := make([]string, len(columns))
	for i, col := range columns {
		names[i] = col.Name
	}
	return c.Row(names...)
}

// Row prints texts.
func (c *CSV) Row(cells ...string) error {
	c.row = c.row[:0]
	for i, text := range cells {
		c.row = appendCell(c.row, []byte(text), i > 0)
	}
	return c.end()
}

// Add prints an event.
func (c *CSV) Add(e *event.Event) error {
	c.row = c.row[:0]
	for i, col := range columns {
		c.cell = col.add(c.cell[:0], e)
		if col.Number {
			c.row = append(append(c.row, ','), c.cell...) // a negative one is no formula
			continue
		}
		c.row = appendCell(c.row, c.cell, i > 0)
	}
	return c.end()
}

func (c *CSV) end() error {
	c.row = append(c.row, "\r\n"...)
	_, err := c.to.Write(c.row)
	return err
}

// formulas begin what spreadsheets take for one; the wide forms of the signs count too.
var formulas = [][]byte{[]byte("="), []byte("+"), []byte("-"), []byte("@"), []byte("\t"), []byte("\r"), []byte("\n"),
	[]byte("＝"), []byte("＋"), []byte("－"), []byte("＠")}

func isFormula(text []byte) bool {
	text = bytes.TrimLeft(text, " '")
	if len(text) == 0 || text[0] >= '.' && text[0] < '=' || text[0] > '@' && text[0] < utf8.RuneSelf {
		return false // most texts begin with a letter or a slash
	}
	return slices.ContainsFunc(formulas, func(sign []byte) bool { return bytes.HasPrefix(text, sign) })
}

func appendCell(to, text []byte, comma bool) []byte {
	if comma {
		to = append(to, ',')
	}
	if isFormula(text) {
		text = append([]byte{'\''}, text...)
	}
	quoted := bytes.ContainsAny(text, "\",\r\n;")
	if quoted {
		to = append(to, '"')
	}
	var sight glyph.Sight
	for {
		before, n := text, simple(text)
		to = append(to, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			break
		}
		if n > 0 {
			sight.Shows(rune(before[n-1]))
		}
		r, n := utf8.DecodeRune(text)
		switch shows := sight.Shows(r); {
		case r == '"' || r == '\\':
			to = append(to, byte(r), byte(r))
		case r == utf8.RuneError:
			to = append(to, "\ufffd"...)
		case !shows:
			to = glyph.Escape(to, r)
		default:
			to = append(to, text[:n]...)
		}
		text = text[n:]
	}
	if quoted {
		to = append(to, '"')
	}
	return to
}
