package read

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"auditpatch/internal/standin/auditevents"
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
			escape := []string{`\u0061`, `\u0026`, `\u006`, `\u2028`, `\u002F`, `\u0041`}[r.IntN(6)]
			i := r.IntN(len(text) + 1)
			text = append(text[:i:i], append([]byte(escape), text[i:]...)...)
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
			want := !escapes(line, names)
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

// escapes says whether a line has an escape that may stand for a character of the words.
func escapes(line []byte, words []string) bool {
	for _, after := range bytes.Split(line, []byte(`\u`))[1:] {
		if len(after) < 4 {
			return true
		}
		c, err := strconv.ParseUint(string(after[:4]), 16, 16)
		if err != nil || c < 128 && strings.ContainsRune(strings.Join(words, ""), rune(c)) {
			return true
		}
	}
	return false
}

// TestCodes passes over a line exactly when all codes in it are ones that are not wanted.
func TestCodes(t *testing.T) {
	t.Parallel()
	failed := func(n int) bool { return n >= 400 }
	for line, want := range map[string]bool{
		`{"responseStatus":{"code":200}}`:                          true,
		`{"responseStatus":{"code":200,"reason":"x"}}`:             true,
		`{"x":{"code":199},"responseStatus":{"code":399}}`:         true,
		`{"responseStatus":{}}`:                                    true,
		`{"stage":"RequestReceived"}`:                              true,
		`{"annotations":{"code":"404"}}`:                           false,
		`{"responseStatus":{"code":404}}`:                          false,
		`{"responseStatus":{"code":4.04e2}}`:                       false,
		`{"responseStatus":{"code": 200}}`:                         false,
		`{"responseStatus":{"code":2000}}`:                         false,
		`{"responseStatus":{"code":20}}`:                           false,
		`{"responseStatus":{"code":2e2}}`:                          false,
		`{"responseStatus":{"code":200 }}`:                         false,
		`{"responseStatus":{"code" :200}}`:                         false,
		`{"x":{"code":200},"responseStatus":{"code":500}}`:         false,
		`{"responseStatus":{"code":200},"responseStatus":{"code":`: false,
		`{"responseStatus":{"c\u006fde":404}}`:                     false,
		`{"responseStatus":{"\u0063ode":404},"x":"a\u0026b"}`:      false,
		`{"requestURI":"a\u0026b","userAgent":"\u003cx\u003e"}`:    true,
		`{"stage":"Panic"}`:                                        false,
	} {
		var s search
		s.begin([]byte(line), words(Query{Words: []string{"Panic"}, Code: failed}))
		if got := s.passed(0, len(line)); got != want {
			t.Errorf("%s: passed %v", line, got)
		}
	}
}

func look(names []string) []pair { return words(Query{Words: names}) }

// BenchmarkSearch goes through a log for words that do not occur in it.
func BenchmarkSearch(b *testing.B) {
	text := auditevents.New(1).Log(32 << 20)
	for _, words := range [][]string{{"nobody"}, {"nobody", "nothing"}, {"deletE"}} {
		b.Run(strings.Join(words, " "), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			pairs := look(words)
			for b.Loop() {
				for i := range pairs {
					for at := 0; at < len(text); at++ {
						at = pairs[i].find(text, at)
					}
				}
			}
		})
	}
}
