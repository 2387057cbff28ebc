package read

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// TestSearch passes over a line exactly when no word stands in it.
func TestSearch(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	lists := [][]string{{"a"}, {"ab"}, {"delete"}, {"a", "delete"}, {"a/b"}, {"a", "ab", "b"}, {""}}
	for range 20000 {
		names := lists[r.IntN(len(lists))]
		text := make([]byte, r.IntN(100))
		for i := range text {
			text[i] = "ab\"\n\\u/\x01\xff{"[r.IntN(10)]
		}
		for range r.IntN(3) {
			word := `"` + names[r.IntN(len(names))] + `"`
			i := r.IntN(len(text) + 1)
			text = append(text[:i:i], append([]byte(word), text[i:]...)...)
		}
		var s search
		s.begin(text, words(Query{Words: names}))
		from := 0
		for line := range bytes.SplitSeq(text, []byte("\n")) {
			want := !bytes.Contains(line, []byte(`\u`))
			for _, n := range names {
				want = want && !bytes.Contains(line, []byte(`"`+n+`"`)) && !(bytes.Contains(line, []byte(`\/`)) && n == "a/b")
			}
			if got := s.passed(from, from+len(line)); got != want {
				t.Fatalf("%q in %q of %q: passed %v", names, line, text, got)
			}
			from += len(line) + 1
		}
	}
}
