package vector

import (
	"encoding/binary"
	"math/bits"
)

// Two are two characters, the second Gap bytes behind the first; Gap is not negative.
type Two struct {
	First, Second byte
	Gap           int
}

// Pair is two of them that are looked for at once.
type Pair struct{ A, B Two }

// Next is the first block of 64 bytes at or behind from in which one of the two stands: bit k of
// mask says that A or B stands with its first character at i+k. A mask of 0 says that there is
// none, and i is len(text) then. The blocks begin at from.
func (p *Pair) Next(text []byte, from int) (i int, mask uint64) {
	i = from
	if last := len(text) - max(p.A.Gap, p.B.Gap); last-i >= Block {
		if wide {
			i, mask = pairBlocks(text, i, last, p)
		} else {
			i, mask = p.blocks(text, i, last)
		}
		if mask != 0 {
			return i, mask
		}
	}
	for ; i < len(text); i += Block {
		for k := range min(Block, len(text)-i) {
			if p.A.at(text, i+k) || p.B.at(text, i+k) {
				mask |= 1 << k
			}
		}
		if mask != 0 {
			return i, mask
		}
	}
	return len(text), 0
}

func (t Two) at(text []byte, i int) bool {
	return text[i] == t.First && i+t.Gap < len(text) && text[i+t.Gap] == t.Second
}

// blocks looks at the whole blocks of text[i:last].
func (p *Pair) blocks(text []byte, i, last int) (int, uint64) {
	l := likes{spread(p.A.First), spread(p.A.Second), spread(p.B.First), spread(p.B.Second)}
	for ; i+Block <= last; i += Block {
		t, ta, tb := (*[Block]byte)(text[i:]), (*[Block]byte)(text[i+p.A.Gap:]), (*[Block]byte)(text[i+p.B.Gap:])
		miss := l.miss(t[0:], ta[0:], tb[0:]) & l.miss(t[8:], ta[8:], tb[8:]) &
			l.miss(t[16:], ta[16:], tb[16:]) & l.miss(t[24:], ta[24:], tb[24:]) &
			l.miss(t[32:], ta[32:], tb[32:]) & l.miss(t[40:], ta[40:], tb[40:]) &
			l.miss(t[48:], ta[48:], tb[48:]) & l.miss(t[56:], ta[56:], tb[56:])
		if miss&highs == highs {
			continue
		}
		mask := uint64(0)
		for k := 0; k < Block; k += 8 {
			for hits := ^l.miss(t[k:], ta[k:], tb[k:]) & highs; hits != 0; hits &= hits - 1 {
				if at := k + bits.TrailingZeros64(hits)>>3; p.A.at(text, i+at) || p.B.at(text, i+at) {
					mask |= 1 << at
				}
			}
		}
		if mask != 0 {
			return i, mask
		}
	}
	return i, 0
}

// likes are the two characters of A and of B, each in all bytes, with the highest bit the
// other way round.
type likes struct{ a1, a2, b1, b2 uint64 }

func spread(c byte) uint64 { return uint64(c)*ones ^ highs }

// miss has the highest bit of each of 8 bytes cleared where A or B may stand. A byte that is like
// both characters is 0x80 before one is taken away. Behind bytes that are not ASCII it may also be
// cleared where none stands.
func (l likes) miss(first, secondA, secondB []byte) uint64 {
	x := binary.LittleEndian.Uint64(first)
	a := (x ^ l.a1) | (binary.LittleEndian.Uint64(secondA) ^ l.a2)
	b := (x ^ l.b1) | (binary.LittleEndian.Uint64(secondB) ^ l.b2)
	return (a - ones) & (b - ones)
}
