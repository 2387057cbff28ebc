// Package vector has the loops that look at every byte of a log: Nested goes behind a JSON value
// that nobody wants, Plain to the end of a string, and Pair.Next finds where a word may stand.
//
// Each is there twice: in Go, which looks at eight bytes at once, and in assembly for amd64
// processors with AVX2, which looks at 32 or 64. Both give the same results, whatever the text:
// FuzzNested, FuzzPlain and FuzzPair compare them. The build tag purego leaves the assembly out.
package vector

// Block is how many bytes the assembly looks at at once, and how many bits a mask has.
const Block = 64

// The loops in Go look at words of eight bytes. A word's lanes are its bytes; where a comparison
// finds something, the lane's highest bit is set.
const (
	ones  = 0x0101010101010101
	lows  = 0x7f7f7f7f7f7f7f7f
	highs = 0x8080808080808080
)

// Wide says whether the assembly runs, so that looking for more words pays.
func Wide() bool { return wide }
