package typed

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// blank are letters and signs of which nothing is seen: a name made of them looks like none.
const blank = "\u115f\u1160\u2800\u3164\uffa0"

// Line is a text as one line that looks like what it is: a name on a disk may hold a
// newline, behind which it goes on like a hint, or a sequence for the terminal.
func Line(text string) string {
	var b strings.Builder
	for rest := text; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case strings.ContainsRune(blank, r):
			fmt.Fprintf(&b, `\u%04x`, r)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		rest = rest[n:]
	}
	return b.String()
}
