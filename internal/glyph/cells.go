package glyph

import (
	"sort"
	"strings"
	"unicode/utf8"
)

// wide are the characters that take two cells of a terminal: those that Unicode 15 calls wide and
// fullwidth, which are those of East Asia and the emoji. What Unicode has not given
// out counts with its neighbours, which keeps the table short.
var wide = [...][2]rune{
	{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23ec}, {0x23f0, 0x23f0}, {0x23f3, 0x23f3}, {0x25fd, 0x25fe}, {0x2614, 0x2615},
	{0x2648, 0x2653}, {0x267f, 0x267f}, {0x2693, 0x2693}, {0x26a1, 0x26a1}, {0x26aa, 0x26ab}, {0x26bd, 0x26be}, {0x26c4, 0x26c5}, {0x26ce, 0x26ce},
	{0x26d4, 0x26d4}, {0x26ea, 0x26ea}, {0x26f2, 0x26f3}, {0x26f5, 0x26f5}, {0x26fa, 0x26fa}, {0x26fd, 0x26fd}, {0x2705, 0x2705}, {0x270a, 0x270b},
	{0x2728, 0x2728}, {0x274c, 0x274c}, {0x274e, 0x274e}, {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27b0, 0x27b0}, {0x27bf, 0x27bf},
	{0x2b1b, 0x2b1c}, {0x2b50, 0x2b50}, {0x2b55, 0x2b55}, {0x2e80, 0x303e}, {0x3041, 0x3247}, {0x3250, 0x4dbf}, {0x4e00, 0xa4c6}, {0xa960, 0xa97c},
	{0xac00, 0xd7a3}, {0xf900, 0xfad9}, {0xfe10, 0xfe6b}, {0xff01, 0xff60}, {0xffe0, 0xffe6}, {0x16fe0, 0x1b2fb}, {0x1f004, 0x1f004}, {0x1f0cf, 0x1f0cf},
	{0x1f18e, 0x1f18e}, {0x1f191, 0x1f19a}, {0x1f200, 0x1f320}, {0x1f32d, 0x1f335}, {0x1f337, 0x1f37c}, {0x1f37e, 0x1f393}, {0x1f3a0, 0x1f3ca}, {0x1f3cf, 0x1f3d3},
	{0x1f3e0, 0x1f3f0}, {0x1f3f4, 0x1f3f4}, {0x1f3f8, 0x1f43e}, {0x1f440, 0x1f440}, {0x1f442, 0x1f4fc}, {0x1f4ff, 0x1f53d}, {0x1f54b, 0x1f54e}, {0x1f550, 0x1f567},
	{0x1f57a, 0x1f57a}, {0x1f595, 0x1f596}, {0x1f5a4, 0x1f5a4}, {0x1f5fb, 0x1f64f}, {0x1f680, 0x1f6c5}, {0x1f6cc, 0x1f6cc}, {0x1f6d0, 0x1f6d2}, {0x1f6d5, 0x1f6df},
	{0x1f6eb, 0x1f6ec}, {0x1f6f4, 0x1f6fc}, {0x1f7e0, 0x1f7f0}, {0x1f90c, 0x1f93a}, {0x1f93c, 0x1f945}, {0x1f947, 0x1f9ff}, {0x1fa70, 0x1faf8}, {0x20000, 0x323af},
}

func isWide(r rune) bool {
	at := sort.Search(len(wide), func(i int) bool { return r <= wide[i][1] })
	return at < len(wide) && r >= wide[at][0]
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
