// Package table prints events as lines that read like an answer: when, who, what, where,
// from where, with what result.
//
// New is the name to call first.
package table

import (
	"io"
	"slices"
	"time"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
)

// Style is how a table looks.
type Style struct {
	Width int                 // of the terminal; 0 cuts nothing
	Color bool                // with colours
	Wide  bool                // with the columns of -o wide
	Zone  *time.Location      // of the times
	Line  func(string) string // makes text safe for a terminal
}

// Table prints events. The first rows are kept until Flush, or until there are some: their
// widths are those of the columns. Where the terminal is too narrow the widest cells lose
// their middle; elsewhere nothing is cut, and a column grows with what it holds.
type Table struct {
	to     io.Writer
	style  Style
	cells  []cell
	widths []int
	kept   [][]string
	tints  []string // of the rows that are kept
	begun  bool
	out    []byte
}

// mostKept is how many rows give the columns their widths.
const mostKept = 128

// New prints to a writer, with one call of Write for some rows.
func New(to io.Writer, style Style) *Table {
	t := &Table{to: to, style: style, cells: cells(style)}
	t.widths = make([]int, len(t.cells))
	return t
}

// Fields are those that the table reads.
func (t *Table) Fields() (all event.Fields) {
	for _, c := range t.cells {
		all |= c.fields
	}
	return all
}

// Add prints a row, now or later.
func (t *Table) Add(e *event.Event) error {
	row := make([]string, len(t.cells))
	for i, c := range t.cells {
		row[i] = t.style.Line(c.text(e))
	}
	t.kept, t.tints = append(t.kept, row), append(t.tints, tint(e))
	if t.begun || len(t.kept) >= mostKept {
		return t.Flush()
	}
	return nil
}

// Flush prints what is kept.
func (t *Table) Flush() error {
	if len(t.kept) == 0 {
		return nil
	}
	t.out = t.out[:0]
	titles := make([]string, len(t.cells))
	for i, c := range t.cells {
		titles[i] = c.title
	}
	if !t.begun {
		t.measure(append(slices.Clone(t.kept), titles))
		t.row(titles, bold)
		t.begun = true
	} else if t.style.Width == 0 {
		t.measure(t.kept)
	}
	for i, row := range t.kept {
		t.row(row, t.tints[i])
	}
	t.kept, t.tints = t.kept[:0], t.tints[:0]
	_, err := t.to.Write(t.out)
	return err
}

const (
	between = "  "
	// mostWide is how wide a column of a table without a terminal grows for good: one long
	// name would push all later rows aside.
	mostWide = 64
	// narrowest is how narrow a column may become.
	narrowest = 7
)

// measure makes the columns as wide as some rows need, and as the terminal allows.
func (t *Table) measure(rows [][]string) {
	last := len(t.widths) - 1
	for _, row := range rows {
		for i, text := range row {
			n := utf8.RuneCountInString(text)
			if t.style.Width == 0 {
				n = min(n, mostWide)
			}
			t.widths[i] = max(t.widths[i], n)
		}
	}
	if t.style.Width == 0 || t.style.Wide {
		return
	}
	room := t.style.Width - len(between)*last
	for total(t.widths) > room {
		widest := 1 // the time stays whole
		for i, w := range t.widths {
			if i > 0 && w*t.cells[widest].weight > t.widths[widest]*t.cells[i].weight {
				widest = i
			}
		}
		if t.widths[widest] <= narrowest {
			return
		}
		t.widths[widest]--
	}
}

func total(widths []int) (sum int) {
	for _, w := range widths {
		sum += w
	}
	return sum
}

// row appends a row. Only the last column is never filled up.
func (t *Table) row(row []string, color string) {
	if t.style.Color && color != "" {
		t.out = append(t.out, color...)
	}
	for i, text := range row {
		if i > 0 {
			t.out = append(t.out, between...)
		}
		if t.style.Width > 0 && !t.style.Wide {
			text = t.cells[i].shortened(text, t.widths[i])
		}
		t.out = append(t.out, text...)
		if i == len(row)-1 {
			break
		}
		for n := utf8.RuneCountInString(text); n < t.widths[i]; n++ {
			t.out = append(t.out, ' ')
		}
	}
	if t.style.Color && color != "" {
		t.out = append(t.out, reset...)
	}
	t.out = append(t.out, '\n')
}

// shortened is a text without its middle, or its end, where it is longer than width.
func (c cell) shortened(text string, width int) string {
	if len(text) <= width {
		return text
	}
	r := []rune(text)
	if len(r) <= width {
		return text
	}
	if width < 3 {
		return string(r[:max(width, 0)])
	}
	head := (width - 1) / 2
	if c.fromFront {
		head = width - 1
	}
	return string(r[:head]) + "…" + string(r[len(r)-(width-1-head):])
}
