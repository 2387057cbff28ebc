//go:build !purego

package vector

import "golang.org/x/sys/cpu"

// wide says that the processor can run the assembly.
var wide = cpu.X86.HasAVX2 && cpu.X86.HasBMI1 && cpu.X86.HasPCLMULQDQ && cpu.X86.HasPOPCNT

// nestedBlocks looks at the whole blocks of b for where the value that goes on at its beginning
// ends, and returns -1, with s as it is behind them, if that is not in them.
//
//go:noescape
func nestedBlocks(b []byte, s *state) int

// pairBlocks is Pair.blocks: of each block of text[i:last] it reads as many bytes more as the
// larger gap has, which stand in text behind last.
//
//go:noescape
func pairBlocks(text []byte, i, last int, p *Pair) (at int, mask uint64)

// plainBlocks is plain for the whole blocks of b[i:], of which there is one at least. Where there is
// nothing in them, it returns a place in the last one, from which plain goes on.
//
//go:noescape
func plainBlocks(b []byte, i int) int
