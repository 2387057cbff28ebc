package event

import (
	"bytes"
	"encoding/binary"
	"math/bits"

	"auditpatch/internal/auditlog/vector"
)

// The scanner looks at eight bytes at once. A word's lanes are its bytes; where a
// comparison finds something, the lane's highest bit is set.
const (
	ones  = 0x0101010101010101
	lows  = 0x7f7f7f7f7f7f7f7f
	highs = 0x8080808080808080

	quotes  = '"' * ones
	slashes = '\\' * ones
)

// lanes finds a byte, given as a word of it, in a word whose bytes are ASCII.
func lanes(ascii, of uint64) uint64 { return highs - (ascii ^ of) }

// controls finds control characters in such a word.
func controls(ascii uint64) uint64 { return ^(ascii + 0x60*ones) }

// at is the byte at i, 0 behind the end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// space goes on to the next byte that is no white space of JSON.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// closing is where the quotation mark stands that ends a string whose text begins at
// i, or -1.
func closing(b []byte, i int) int {
	for range 3 {
		if i+8 > len(b) {
			break
		}
		x := binary.LittleEndian.Uint64(b[i:])
		m := x & lows
		stop := (lanes(m, quotes) | lanes(m, slashes)) &^ x & highs
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		if b[i] == '"' {
			return i
		}
		i += 2 // a backslash, and what it stands before
	}
	return closingFar(b, i)
}

// closingFar is closing for long strings.
func closingFar(b []byte, i int) int {
	for i < len(b) {
		k := bytes.IndexByte(b[i:], '"')
		if k < 0 {
			return -1
		}
		k += i
		if k == i || b[k-1] != '\\' {
			return k
		}
		from := k
		for from > i && b[from-1] == '\\' {
			from--
		}
		if (k-from)%2 == 0 {
			return k
		}
		i = k + 1
	}
	return -1
}

// skip goes behind the value at i, or returns -1. What stands in an object or a list
// is looked at only for strings and brackets.
func skip(b []byte, i int) int {
	switch at(b, i) {
	case '"':
		if i = closing(b, i+1); i < 0 {
			return -1
		}
		return i + 1
	case '{', '[':
		return nested(b, i)
	}
	return literal(b, i)
}

// nested goes behind the object or list at i.
func nested(b []byte, i int) int {
	end := vector.Nested(b[i:])
	if end < 0 {
		return -1
	}
	return i + end
}

// literal goes behind the number, true, false or null at i.
func literal(b []byte, i int) int {
	rest := b[min(i, len(b)):]
	for _, word := range [...]string{"null", "true", "false"} {
		if len(rest) >= len(word) && string(rest[:len(word)]) == word {
			return i + len(word)
		}
	}
	return number(b, i)
}

// number goes behind the number at i.
func number(b []byte, i int) int {
	if at(b, i) == '-' {
		i++
	}
	if at(b, i) == '0' {
		i++
	} else if i = digits(b, i); i < 0 {
		return -1
	}
	if at(b, i) == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if at(b, i)|0x20 == 'e' {
		i++
		if c := at(b, i); c == '+' || c == '-' {
			i++
		}
		i = digits(b, i)
	}
	return i
}

// digits goes behind one digit or more.
func digits(b []byte, i int) int {
	from := i
	for at(b, i)-'0' <= 9 {
		i++
	}
	if i == from {
		return -1
	}
	return i
}
