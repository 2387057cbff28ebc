package vector

import (
	"encoding/binary"
	"math/bits"
)

// Plain is where the first byte at or behind i stands that does not stand for itself in a JSON
// string: a quotation mark, a backslash, a control character or anything but ASCII; len(b) when
// there is none. quote says that it is a quotation mark.
func Plain(b []byte, i int) (end int, quote bool) {
	if wide && len(b)-i >= plainBlock {
		end = plainBlocks(b, i)
		if b[end] == '"' {
			return end, true
		}
		i = end
	}
	return plain(b, i)
}

// plainBlock is how many bytes the assembly of Plain looks at at once: most strings are short.
const plainBlock = 32

// plain looks at eight bytes at once.
func plain(b []byte, i int) (end int, quote bool) {
	for i+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[i:])
		m := x & lows
		stop := ((lanes(m, quotes)|lanes(m, slashes)|controls(m))&^x | x) & highs
		if stop == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stop) >> 3
		return i, b[i] == '"'
	}
	for ; i < len(b); i++ {
		switch c := b[i]; {
		case c == '"':
			return i, true
		case c == '\\' || c < ' ' || c >= 0x80:
			return i, false
		}
	}
	return i, false
}

// controls finds control characters in a word whose bytes are ASCII.
func controls(ascii uint64) uint64 { return ^(ascii + 0x60*ones) }
