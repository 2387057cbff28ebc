package filter

import (
	"bytes"
	"strconv"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
)

// buffers hold events without escapes; those of large events are not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const mostKept = 64 << 10

func readGrep(r reading) (condition, error) {
	return r.condition(0, func(value string) (test, error) {
		text := []byte(value)
		match := func(e *event.Event) bool {
			if bytes.Contains(e.JSON, text) {
				return true
			}
			if bytes.IndexByte(e.JSON, '\\') < 0 {
				return false
			}
			buf := buffers.Get().(*[]byte)
			*buf = unescaped((*buf)[:0], e.JSON)
			found := bytes.Contains(*buf, text)
			if cap(*buf) <= mostKept {
				buffers.Put(buf)
			}
			return found
		}
		return test{match: match, key: value, covers: func(key string) bool { return bytes.Contains([]byte(key), text) }}, nil
	})
}

// unescaped appends JSON with the characters that its escapes mean.
func unescaped(to, text []byte) []byte {
	for {
		at := bytes.IndexByte(text, '\\')
		if at < 0 || at+1 == len(text) {
			return append(to, text...)
		}
		to, text = append(to, text[:at]...), text[at:]
		if text[1] != 'u' {
			to, text = append(to, plainEscape(text[1])), text[2:]
			continue
		}
		r, n := unicodeEscape(text)
		to, text = utf8.AppendRune(to, r), text[n:]
	}
}

// plainEscape is the character that an escape of one letter means.
func plainEscape(letter byte) byte {
	switch letter {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return letter
}

// unicodeEscape reads an escape, \u with four hex digits, or two that are one character; n is how
// long it is.
func unicodeEscape(text []byte) (r rune, n int) {
	r, ok := hexEscape(text)
	if !ok {
		return '\\', 1
	}
	if utf16.IsSurrogate(r) {
		if low, ok := hexEscape(text[6:]); ok {
			if both := utf16.DecodeRune(r, low); both != utf8.RuneError {
				return both, 12
			}
		}
		r = utf8.RuneError
	}
	return r, 6
}

func hexEscape(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(n), err == nil
}
