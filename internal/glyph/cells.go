package glyph

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// isWide says whether a character takes two cells of a terminal, as those of East Asia and the
// emoji do.
func isWide(r rune) bool {
	kind := width.LookupRune(r).Kind()
	return kind == width.EastAsianWide || kind == width.EastAsianFullwidth
}

// cell is how many cells of a terminal a character takes.
func cell(r rune) int {
	switch {
	case isMark(r):
		return 0
	case isWide(r):
		return 2
	}
	return 1
}

// Cells is how many cells of a terminal a text takes whose characters are all shown.
func Cells[Text string | []byte](text Text) (n int) {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			for _, r := range string(text) {
				n += cell(r)
			}
			return n
		}
	}
	return len(text)
}

// Head is as much of the front of a line as has room in so many cells. A letter keeps its marks,
// and an escape stays whole.
func Head(line string, cells int) string {
	at := 0
	for at < len(line) {
		end := at + whole(line[at:])
		if cells -= Cells(line[at:end]); cells < 0 {
			break
		}
		at = end
	}
	return line[:at]
}

// Tail is as much of the end of a line as has room, of the same parts.
func Tail(line string, cells int) string {
	rest := Cells(line)
	for line != "" && rest > max(cells, 0) {
		n := whole(line)
		rest -= Cells(line[:n])
		line = line[n:]
	}
	return line
}

// whole is the length of what stands in front of a line and means something else when it is cut.
func whole(line string) int {
	_, n := utf8.DecodeRuneInString(line)
	if escaped := escapeLength(line); escaped > 0 && escaped <= len(line) && !strings.ContainsFunc(line[:escaped], notASCII) {
		n = escaped
	}
	for i, r := range line[n:] {
		if cell(r) > 0 {
			return n + i
		}
	}
	return len(line)
}

func notASCII(r rune) bool { return r >= utf8.RuneSelf }

// escapeLength is that of an escape as a string of Go has it, 0 for none.
func escapeLength(line string) int {
	if len(line) < 2 || line[0] != '\\' {
		return 0
	}
	switch line[1] {
	case 'x':
		return len(`\x1b`)
	case 'u':
		return len(`\u202e`)
	case 'U':
		return len(`\U000e0100`)
	}
	return len(`\n`)
}

// Columns are rows of cells below one another, each as wide as its widest. The last is not filled
// up.
func Columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, text := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(row)-1 {
				widths[i] = max(widths[i], Cells(text))
			}
		}
	}
	var b strings.Builder
	for _, row := range rows {
		for i, text := range row {
			b.WriteString(text)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-Cells(text)+2))
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
