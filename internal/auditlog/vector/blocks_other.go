//go:build !amd64 || purego

package vector

// wide says that the processor can run the assembly, of which there is none here.
const wide = false

func nestedBlocks([]byte, *state) int { panic("no assembly") }

func pairBlocks([]byte, int, int, *Pair) (int, uint64) { panic("no assembly") }

func plainBlocks([]byte, int) int { panic("no assembly") }
