package vector

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// page is memory behind which none may be read: whoever does ends the test.
func page(t *testing.T) []byte {
	t.Helper()
	size := unix.Getpagesize()
	b, err := unix.Mmap(-1, 0, 2*size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(b) })
	if err := unix.Mprotect(b[size:], unix.PROT_NONE); err != nil {
		t.Fatal(err)
	}
	return b[:size:size]
}

// TestEdge has texts of all lengths end where their memory does: no loop reads behind them.
func TestEdge(t *testing.T) {
	memory := page(t)
	for n := range 301 {
		b := memory[len(memory)-n:]
		for _, fill := range []string{"a", `{`, `{"`, `{"\`, `[]{`, `{"a":[1,"\"}"],`, "\xe9"} {
			copy(b, strings.Repeat(fill, n))
			for i := range n + 1 {
				checkPlain(t, b, i)
			}
			if n > 0 {
				b[0] = '{'
				checkNested(t, b)
				b[n-1] = '}'
				checkNested(t, b)
			}
		}
		copy(b, strings.Repeat("ab", n))
		for _, gap := range []int{0, 1, 2, 7, 16, 31, 32, 63, 64, 65, 128, 200, 300, 1000} {
			for _, first := range []byte("abx") {
				p := Pair{Two{first, 'x', gap}, Two{'x', 'b', gap / 3}}
				for from := 0; from <= n; from += 1 + n/9 {
					checkPair(t, p, b, from)
				}
			}
		}
	}
}
