package event

import (
	"bytes"
	"slices"
	"unicode/utf16"
	"unicode/utf8"

	"auditpatch/internal/auditlog/vector"
)

// mostKept is the size of the memory for decoded texts that an Event keeps for the
// next one: a program may hold many Events.
const mostKept = 1 << 10

// text reads the string whose text begins at i. It returns nil and -1 for what is no
// string of JSON.
func (e *Event) text(b []byte, i int) (value []byte, next int) {
	end, ok := vector.Plain(b, i)
	if ok {
		return b[i:end:end], end + 1
	}
	if end = closing(b, end); end < 0 {
		return nil, -1
	}
	value, ok = e.decoded(b[i:end:end])
	if !ok {
		return nil, -1
	}
	return value, end + 1
}

// decoded is a string's text without its escapes, and with the replacement character
// for what is no UTF-8, as encoding/json has it.
func (e *Event) decoded(s []byte) ([]byte, bool) {
	if bytes.IndexByte(s, '\\') < 0 && utf8.Valid(s) {
		return s, !slices.ContainsFunc(s, func(c byte) bool { return c < ' ' })
	}
	from := len(e.buf)
	for i := 0; i < len(s); {
		end, _ := vector.Plain(s, i)
		e.buf = append(e.buf, s[i:end]...)
		if i = end; i == len(s) {
			break
		}
		switch c := s[i]; {
		case c == '\\':
			n := 0
			if e.buf, n = unescape(e.buf, s[i:]); n == 0 {
				return nil, false
			}
			i += n
		case c < utf8.RuneSelf: // a string holds no quotation mark of its own, so it is a control character
			return nil, false
		default:
			r, n := utf8.DecodeRune(s[i:])
			e.buf = utf8.AppendRune(e.buf, r)
			i += n
		}
	}
	return e.buf[from:len(e.buf):len(e.buf)], true
}

// unescape appends what the escape at the beginning of s stands for, and says how long
// the escape is, 0 for none of JSON.
func unescape(to, s []byte) ([]byte, int) {
	if len(s) < 2 {
		return to, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return append(to, s[1]), 2
	case 'b':
		return append(to, '\b'), 2
	case 'f':
		return append(to, '\f'), 2
	case 'n':
		return append(to, '\n'), 2
	case 'r':
		return append(to, '\r'), 2
	case 't':
		return append(to, '\t'), 2
	}
	r := hex(s)
	if r < 0 {
		return to, 0
	}
	if utf16.IsSurrogate(r) {
		if pair := utf16.DecodeRune(r, hex(s[6:])); pair != utf8.RuneError {
			return utf8.AppendRune(to, pair), 12
		}
		r = utf8.RuneError
	}
	return utf8.AppendRune(to, r), 6
}

// hex is the character of the escape at the beginning of s, \u with four hex digits, or -1.
func hex(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range s[2:6] {
		switch {
		case c-'0' <= 9:
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
	}
	return r
}
