package event

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// mostDepth is how deep encoding/json follows brackets.
const mostDepth = 10000

// Valid says whether encoding/json takes every byte of text for one JSON value.
func Valid(text []byte) bool { return invalid(text) < 0 }

// invalid is where a text stops being one JSON value: -1 if it never does, and its
// length if it ends too early.
func invalid(b []byte) int {
	var lists [mostDepth/64 + 1]uint64 // a bit for each depth: it is a list
	depth := 0
	i := space(b, 0)
	for {
		// A value has to begin here.
		switch c := at(b, i); c {
		case '{', '[':
			if depth++; depth > mostDepth {
				return i
			}
			lists[depth/64] &^= 1 << (depth % 64)
			if c == '[' {
				lists[depth/64] |= 1 << (depth % 64)
			}
			i = space(b, i+1)
			if at(b, i) == c+2 {
				depth--
				i++
				break
			}
			if c == '[' {
				continue
			}
			var ok bool
			if i, ok = member(b, i); !ok {
				return i
			}
			continue
		default:
			var ok bool
			if i, ok = scalar(b, i); !ok {
				return i
			}
		}
		var more bool
		if i, depth, more = after(b, i, depth, &lists); !more {
			if i == len(b) && depth == 0 {
				return -1
			}
			return i
		}
	}
}

// after goes on behind a value to where the next one has to begin. more is false at
// the end, or at what must not stand there.
func after(b []byte, i, depth int, lists *[mostDepth/64 + 1]uint64) (next, left int, more bool) {
	for {
		i = space(b, i)
		if depth == 0 {
			return i, depth, false
		}
		list := lists[depth/64]>>(depth%64)&1 == 1
		switch c := at(b, i); {
		case c == ',' && list:
			return space(b, i+1), depth, true
		case c == ',':
			next, ok := member(b, space(b, i+1))
			return next, depth, ok
		case c == ']' && list, c == '}' && !list:
			depth--
			i++
		default:
			return i, depth, false
		}
	}
}

// member goes behind a field's name and its colon.
func member(b []byte, i int) (next int, ok bool) {
	if at(b, i) != '"' {
		return i, false
	}
	if i, ok = str(b, i+1); !ok {
		return i, false
	}
	if i = space(b, i); at(b, i) != ':' {
		return i, false
	}
	return space(b, i+1), true
}

// scalar goes behind a string, a number, true, false or null.
func scalar(b []byte, i int) (next int, ok bool) {
	if at(b, i) == '"' {
		return str(b, i+1)
	}
	if next = literal(b, i); next >= 0 {
		return next, true
	}
	// Where the text ends within it, it is cut off and not wrong.
	for k := i; k < len(b); k++ {
		switch c := b[k]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c-'0' <= 9, c == '-', c == '+', c == '.':
		default:
			return i, false
		}
	}
	return len(b), false
}

// str goes behind the string whose text begins at i. What is no UTF-8 is left to the
// reader, as encoding/json does.
func str(b []byte, i int) (next int, ok bool) {
	for {
		for i+8 <= len(b) {
			x := binary.LittleEndian.Uint64(b[i:])
			m := x & lows
			stop := (lanes(m, quotes) | lanes(m, slashes) | controls(m)) &^ x & highs
			if stop != 0 {
				i += bits.TrailingZeros64(stop) >> 3
				break
			}
			i += 8
		}
		if i >= len(b) {
			return len(b), false
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1, true
		case c < ' ':
			return i, false
		case c != '\\':
			i++
		case at(b, i+1) == 'u' && hex(b[i:]) >= 0:
			i += 6
		case escapes[at(b, i+1)]:
			i += 2
		case i+6 > len(b) && at(b, i+1) == 'u', i+2 > len(b):
			return len(b), false
		default:
			return i, false
		}
	}
}

// escapes are the characters that may stand behind a backslash, u aside.
var escapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

// mostTorn is how many places in a damaged line are tried: a body may hold objects that begin as
// events do.
const mostTorn = 64

// Torn is where an event begins that takes a line to its end, behind a part of another event whose
// writer died before it was whole; -1 without one. parse says whether a text is an event. A string
// cannot hold such a beginning, since its quotation marks are escaped.
func Torn(line []byte, parse func([]byte) error) int {
	const begin = `{"kind":"Event"`
	at := len(line)
	for range mostTorn {
		if at = bytes.LastIndex(line[:at], []byte(begin)); at <= 0 {
			break
		}
		if parse(line[at:]) == nil {
			return at
		}
	}
	return -1
}
