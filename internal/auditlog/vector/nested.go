package vector

import (
	"encoding/binary"
	"math/bits"
)

// state is what is known of a value in the middle of it.
type state struct {
	depth   int    // of the brackets
	text    uint64 // all ones inside a string
	escaped uint64 // 1 if a backslash stands before the next byte
}

// Nested is where the JSON object or list at the beginning of b ends, or -1 if it does not. It is
// looked at only for strings and brackets: a bracket of one kind also closes one of the other, and
// a backslash keeps the next quotation mark from counting in a string and outside of one.
func Nested(b []byte) int {
	if !wide || len(b) < Block {
		return nested(b, 0, state{})
	}
	var s state
	if end := nestedBlocks(b, &s); end >= 0 {
		return end
	}
	return nested(b, len(b)&^(Block-1), s)
}

const (
	quotes  = '"' * ones
	slashes = '\\' * ones
)

// lanes finds a byte, given as a word of it, in a word whose bytes are ASCII.
func lanes(ascii, of uint64) uint64 { return highs - (ascii ^ of) }

// nested goes on at i.
func nested(b []byte, i int, s state) int {
	depth, text, escaped := s.depth, s.text, s.escaped != 0
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i : i+8])
		m := x & lows
		ascii := ^x & highs
		quote := lanes(m, quotes) & ascii
		if slash := lanes(m, slashes) & ascii; slash != 0 || escaped {
			quote, escaped = unescaped(quote, slash, escaped)
		}
		// A lane's highest bit now says whether quotes up to it are odd in number.
		inside := quote*ones ^ text
		text = uint64(int64(inside) >> 63)
		// Brackets become 0x7f so, and four other characters, which have neither or both of
		// the bits 1 and 2. Opening ones have the bit 1, closing ones the bit 2.
		bracket := ((m | 0x26*ones) + ones) & ascii &^ inside & (m<<6 ^ m<<5)
		end := bracket & (m << 5)
		ends := int(end >> 7 * ones >> 56)
		if depth <= ends && ends > 0 {
			if k := balance(bracket&^end, end, depth); k >= 0 {
				return i + k + 1
			}
		}
		depth += int(bracket>>7*ones>>56) - 2*ends
	}
	return nestedTail(b, i, depth, text != 0, escaped)
}

// unescaped takes those quotes away that a backslash stands before. The last result
// says that the next word's first byte is escaped.
func unescaped(quote, slash uint64, escaped bool) (uint64, bool) {
	if escaped {
		quote &^= 0x80
		slash &^= 0x80
	}
	for slash != 0 {
		first := slash & -slash
		next := first << 8
		if next == 0 {
			return quote, true
		}
		quote &^= next
		slash &^= first | next
	}
	return quote, false
}

// balance is the lane in which the depth becomes 0, or -1.
func balance(open, end uint64, depth int) int {
	for all := open | end; all != 0; all &= all - 1 {
		first := all & -all
		if open&first != 0 {
			depth++
		} else if depth--; depth == 0 {
			return bits.TrailingZeros64(first) >> 3
		}
	}
	return -1
}

// nestedTail is nested for the last bytes, less than a word.
func nestedTail(b []byte, i, depth int, text, escaped bool) int {
	for ; i < len(b); i++ {
		c, plain := b[i], !escaped
		escaped = c == '\\' && plain
		switch {
		case c == '"':
			text = text != plain
		case text:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth <= 0 {
				return i + 1
			}
		}
	}
	return -1
}
