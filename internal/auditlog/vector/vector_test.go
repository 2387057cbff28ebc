package vector

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// asGo runs f with the loops in Go, and says what it gives.
func asGo[T any](f func() T) T {
	defer func(was bool) { setWide(was) }(wide)
	setWide(false)
	return f()
}

// event is one, and different for each n.
func event(n int) []byte {
	return fmt.Appendf(nil, `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"%x","requestURI":"/api/v1/pods?a=b\u0026c=%d",`+
		`"user":{"username":"jane","groups":["a","system:authenticated"],"extra":{"x":["%s"]}},"requestObject":{"a":"{\"b\":[%s]}"}}`+"\n",
		n*7919, n, strings.Repeat(`\\`, n%40), strings.Repeat(`\"{\",`, n%50))
}

// slow is Nested for one byte after the other.
func slow(b []byte) int { return nestedTail(b, 0, 0, false, false) }

func checkNested(t *testing.T, b []byte) {
	t.Helper()
	want := slow(b)
	if got := Nested(b); got != want {
		t.Fatalf("%q ends at %d, want %d", b, got, want)
	}
	if got := asGo(func() int { return Nested(b) }); got != want {
		t.Fatalf("%q ends at %d in Go, want %d", b, got, want)
	}
}

func TestNested(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const likely = `{}[]""\\\ax:,` + "\x00\x7f\xdb\xfb"
	for range 100_000 {
		b := make([]byte, 1+r.IntN(300))
		b[0] = "{["[r.IntN(2)]
		few := 1 + r.IntN(len(likely)) // some texts have no ends, some no strings
		for i := 1; i < len(b); i++ {
			b[i] = likely[r.IntN(few)]
		}
		checkNested(t, b)
	}
	for n := range 300 {
		in := strings.Repeat("[", n) + `"` + strings.Repeat(`\`, n) + `"` + strings.Repeat(`]`, n) + `"` + strings.Repeat("}", n)
		for from := range min(9, n) {
			checkNested(t, []byte("{"+in[from:]+"}"))
		}
	}
}

func FuzzNested(f *testing.F) {
	for n := range 20 {
		f.Add(event(n))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 0 {
			b[0] = "{["[b[0]&1]
			checkNested(t, b)
		}
	})
}

// place is what Next gives.
type place struct {
	i    int
	mask uint64
}

func checkPair(t *testing.T, p Pair, text []byte, from int) {
	t.Helper()
	next := func() place { i, mask := p.Next(text, from); return place{i, mask} }
	want := place{i: len(text)}
	for i := from; i < len(text) && want.mask == 0; i += Block {
		for k := i; k < min(i+Block, len(text)); k++ {
			for _, two := range []Two{p.A, p.B} {
				if text[k] == two.First && k+two.Gap < len(text) && text[k+two.Gap] == two.Second {
					want.mask |= 1 << (k - i)
				}
			}
		}
		if want.mask != 0 {
			want.i = i
		}
	}
	if got := next(); got != want {
		t.Fatalf("%+v stands in %q behind %d at %+v, want %+v", p, text, from, got, want)
	}
	if got := asGo(next); got != want {
		t.Fatalf("%+v stands in %q behind %d at %+v in Go, want %+v", p, text, from, got, want)
	}
}

func TestPair(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 50_000 {
		text := make([]byte, r.IntN(400))
		other := []byte{'x', 0, 0x80, 0xe1}[r.IntN(4)]
		for i := range text {
			if text[i] = other; r.IntN(50) == 0 {
				text[i] = "abcd\x80\xe1\x00"[r.IntN(7)]
			}
		}
		two := func() Two { return Two{"abcd\x80\xe1\x00"[r.IntN(7)], "abcd"[r.IntN(4)], r.IntN(70)} }
		checkPair(t, Pair{two(), two()}, text, r.IntN(len(text)+1))
	}
}

func FuzzPair(f *testing.F) {
	f.Add([]byte(`{"verb":"delete","user":{"username":"jane"}}`), byte('d'), byte('e'), uint8(5), byte('\\'), byte('u'), uint8(1), uint8(0))
	f.Fuzz(func(t *testing.T, text []byte, a1, a2 byte, gapA uint8, b1, b2 byte, gapB, from uint8) {
		checkPair(t, Pair{Two{a1, a2, int(gapA)}, Two{b1, b2, int(gapB)}}, text, min(int(from), len(text)))
	})
}

func checkPlain(t *testing.T, b []byte, i int) {
	t.Helper()
	end := i
	for end < len(b) && b[end] != '"' && b[end] != '\\' && b[end] >= ' ' && b[end] < 0x80 {
		end++
	}
	want := place{i: end}
	if end < len(b) && b[end] == '"' {
		want.mask = 1
	}
	got := func() place {
		end, quote := Plain(b, i)
		if quote {
			return place{end, 1}
		}
		return place{i: end}
	}
	if first := got(); first != want {
		t.Fatalf("%q behind %d: %+v, want %+v", b, i, first, want)
	}
	if first := asGo(got); first != want {
		t.Fatalf("%q behind %d: %+v in Go, want %+v", b, i, first, want)
	}
}

func TestPlain(t *testing.T) {
	for n := range 150 {
		for at := range n {
			b := []byte(strings.Repeat("a", n))
			checkPlain(t, b, at)
			for _, c := range []byte("\"\\\x00\x1f \x7f\x80\xff!~") {
				b[at] = c
				for i := range min(at+2, n) {
					checkPlain(t, b, i)
				}
			}
		}
	}
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte(`{"a":"b\\"}`+strings.Repeat("x", 70)+"\u00e9"), uint8(3))
	f.Fuzz(func(t *testing.T, b []byte, i uint8) { checkPlain(t, b, min(int(i), len(b))) })
}

// BenchmarkNested goes behind objects of some sizes, and BenchmarkPair through a log for what does
// not stand in it; each by the assembly, where there is one, and in Go.
func BenchmarkNested(b *testing.B) {
	for _, n := range []int{1, 5, 50, 500} {
		text := []byte(`{"metadata":{` + strings.Repeat(`"name":"a\"b","labels":{"k":"v"},`, n) + `"x":1}}` + strings.Repeat(" ", Block))
		both(b, fmt.Sprint(len(text)-Block), len(text)-Block, func() { Nested(text) })
	}
}

func BenchmarkPair(b *testing.B) {
	var text []byte
	for len(text) < 1<<20 {
		text = append(text, event(len(text))...)
	}
	p := Pair{Two{'Q', 'Z', 5}, Two{'\\', 'U', 1}}
	both(b, "absent", len(text), func() { p.Next(text, 0) })
}

func both(b *testing.B, name string, size int, f func()) {
	run := func(b *testing.B) {
		b.SetBytes(int64(size))
		for b.Loop() {
			f()
		}
	}
	if wide {
		b.Run(name+"/assembly", run)
	}
	b.Run(name+"/go", func(b *testing.B) { asGo(func() int { run(b); return 0 }) })
}
