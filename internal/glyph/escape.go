package glyph

import (
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Escape appends a character as a string of Go has it, in ASCII.
func Escape(to []byte, r rune) []byte {
	from := len(to)
	to = strconv.AppendQuoteRuneToASCII(to, r)
	return append(to[:from], to[from+1:len(to)-1]...)
}

// Line is a text as one line, with what is not seen written as escapes.
func Line(text string) string {
	var b strings.Builder
	var sight Sight
	for rest := text; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && n == 1:
			sight.Shows(0)
			b.WriteString(`\x`)
			b.WriteByte(hex[rest[0]>>4])
			b.WriteByte(hex[rest[0]&15])
		case sight.Shows(r):
			b.WriteString(rest[:n])
		default:
			b.Write(Escape(nil, r))
		}
		rest = rest[n:]
	}
	return b.String()
}

const hex = "0123456789abcdef"

// EscapeJSON appends a character as a string of JSON can have it, in ASCII.
func EscapeJSON(to []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return EscapeJSON(EscapeJSON(to, 0xd800+r>>10), 0xdc00+r&0x3ff)
	}
	return append(to, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

// JSON appends JSON with the same meaning, in which what is not seen is escaped. Line ends between
// values stay.
func JSON(to, text []byte) []byte {
	var sight Sight
	for {
		n := usual(text)
		if n > 0 {
			sight.Shows(rune(text[n-1]))
		}
		to = append(to, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			return to
		}
		r, n := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && n == 1 || !sight.Shows(r):
			to = EscapeJSON(to, r)
		default:
			to = append(to, text[:n]...)
		}
		text = text[n:]
	}
}

// usual is how many characters in front are ASCII with a shape, or ends of lines.
func usual(text []byte) int {
	for i, c := range text {
		if (c < ' ' || c > '~') && c != '\n' {
			return i
		}
	}
	return len(text)
}

// NewEncoder prints values as JSON that a terminal may have, and that programs read as any other.
func NewEncoder(to io.Writer) *json.Encoder {
	enc := json.NewEncoder(shownJSON{to})
	enc.SetEscapeHTML(false)
	return enc
}

// shownJSON gets whole values: an encoder writes each at once.
type shownJSON struct{ to io.Writer }

func (w shownJSON) Write(text []byte) (int, error) {
	if _, err := w.to.Write(JSON(nil, text)); err != nil {
		return 0, err
	}
	return len(text), nil
}
