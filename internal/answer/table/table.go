// Package table prints events as lines that read like an answer: when, who, what, where,
// from where, with what result.
//
// New is the name to call first.
package table

import (
	"io"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/glyph"
)

// Style is how a table looks.
type Style struct {
	Width int                 // of the terminal; 0 cuts nothing
	Color bool                // with colours
	Wide  bool                // with the columns of -o wide
	Zone  *time.Location      // of the times
	Line  func(string) string // makes text safe for a terminal
}

// Table prints events. The first rows are kept until Flush, until there are some or until they
// are a while old: their widths are those of the columns. Where the terminal is too narrow the
// widest cells are shortened; elsewhere nothing is cut, and a column grows with what it holds.
type Table struct {
	to     io.Writer
	style  Style
	cells  []cell
	widths []int
	kept   []row
	since  time.Time // of the first row that is kept
	begun  bool
	next   row // memory for a row that is printed at once
	out    []byte
}

// row is the texts of an event one behind the other, with the end of each, and its colour.
type row struct {
	text []byte
	ends []int
	tint string
}

const (
	// mostKept is how many rows give the columns their widths, and longestKept how long they wait.
	mostKept    = 128
	longestKept = 300 * time.Millisecond
)

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
	if !t.begun {
		if len(t.kept) == 0 {
			t.since = time.Now()
		}
		t.kept = append(t.kept, t.fill(row{}, e))
		if len(t.kept) >= mostKept || time.Since(t.since) > longestKept {
			return t.Flush()
		}
		return nil
	}
	t.next = t.fill(t.next, e)
	if t.style.Width == 0 {
		t.measure(t.next)
	}
	t.out = t.print(t.out[:0], t.next)
	_, err := t.to.Write(t.out)
	return err
}

// fill makes the row of an event in the memory of another.
func (t *Table) fill(r row, e *event.Event) row {
	r = row{r.text[:0], r.ends[:0], tint(e)}
	for _, c := range t.cells {
		from := len(r.text)
		r.text = c.add(r.text, e)
		if !simple(r.text[from:]) {
			r.text = append(r.text[:from], t.style.Line(string(r.text[from:]))...)
		}
		r.ends = append(r.ends, len(r.text))
	}
	return r
}

// simple tells whether a terminal shows a text as it is.
func simple(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Flush prints what is kept.
func (t *Table) Flush() error {
	if len(t.kept) == 0 {
		return nil
	}
	titles := row{tint: bold}
	for _, c := range t.cells {
		titles.text = append(titles.text, c.title...)
		titles.ends = append(titles.ends, len(titles.text))
	}
	t.measure(titles)
	for _, r := range t.kept {
		t.measure(r)
	}
	t.fit()
	t.out = t.print(t.out[:0], titles)
	for _, r := range t.kept {
		t.out = t.print(t.out, r)
	}
	t.kept, t.begun = nil, true
	_, err := t.to.Write(t.out)
	return err
}

const (
	between = "  "
	// leftOut stands for the middle of a text that is shortened.
	leftOut = "…"
	// mostWide is how wide a column of a table without a terminal grows for good: one long
	// name would push all later rows aside.
	mostWide = 64
	// narrowest is how narrow a column may become.
	narrowest = 7
)

// measure makes the columns as wide as a row needs.
func (t *Table) measure(r row) {
	from := 0
	for i, end := range r.ends {
		n := glyph.Cells(r.text[from:end])
		if t.style.Width == 0 {
			n = min(n, mostWide)
		}
		t.widths[i], from = max(t.widths[i], n), end
	}
}

// fit makes the columns so narrow that the terminal has room for them.
func (t *Table) fit() {
	if t.style.Width == 0 || t.style.Wide {
		return
	}
	room := t.style.Width - len(between)*(len(t.widths)-1)
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

// print appends a row. Only the last column is never filled up.
func (t *Table) print(to []byte, r row) []byte {
	colored := t.style.Color && r.tint != ""
	if colored {
		to = append(to, r.tint...)
	}
	from := 0
	for i, end := range r.ends {
		text := r.text[from:end]
		if from = end; i > 0 {
			to = append(to, between...)
		}
		if t.style.Width > 0 && !t.style.Wide {
			text = t.cells[i].shortened(text, t.widths[i])
		}
		to = append(to, text...)
		if i == len(r.ends)-1 {
			break
		}
		for n := glyph.Cells(text); n < t.widths[i]; n++ {
			to = append(to, ' ')
		}
	}
	if colored {
		to = append(to, reset...)
	}
	return append(to, '\n')
}

// shortened is a text without its middle, or its end, where it is wider than a column.
func (c cell) shortened(text []byte, width int) []byte {
	if len(text) <= width || glyph.Cells(text) <= width {
		return text
	}
	s := string(text)
	if width < 3 {
		return []byte(glyph.Head(s, width))
	}
	if c.fromFront {
		return []byte(glyph.Head(s, width-1) + leftOut)
	}
	head := glyph.Head(s, (width-1)/2)
	return []byte(head + leftOut + glyph.Tail(s, width-1-glyph.Cells(head)))
}
