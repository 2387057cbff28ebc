package read

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"
)

// search finds lines that may hold a word.
type search struct {
	text  []byte
	pairs []pair
	next  []int // where a word of each pair stands next
}

// mostWords is how many words are looked for: more take longer than reading the events.
const mostWords = 3

// words are what a wanted line has one of, none if that cannot be said. A character
// can also be written as an escape, and a slash as two.
func words(q Query) []pair {
	if len(q.Words) == 0 || len(q.Words) > mostWords || q.Strict {
		return nil
	}
	all := []rare{newRare(`\u`)}
	for _, word := range q.Words {
		for _, c := range []byte(word) {
			if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
				return nil
			}
		}
		all = append(all, newRare(`"`+word+`"`))
	}
	if strings.Contains(strings.Join(q.Words, ""), "/") {
		all = append(all, newRare(`\/`))
	}
	if len(all)%2 == 1 {
		all = append(all, all[len(all)-1])
	}
	var out []pair
	for ; len(all) > 0; all = all[2:] {
		out = append(out, pair{all[0], all[1]})
	}
	return out
}

func (s *search) begin(text []byte, words []pair) {
	s.text, s.pairs = text, words
	s.next = s.next[:0]
	for range words {
		s.next = append(s.next, -1)
	}
}

// passed says that the line from..end holds no word. It is called for one line after
// the other.
func (s *search) passed(from, end int) bool {
	if len(s.pairs) == 0 {
		return false
	}
	passed := true
	for i, at := range s.next {
		if at < from {
			at = s.pairs[i].find(s.text, from)
			s.next[i] = at
		}
		passed = passed && at >= end
	}
	return passed
}

// rare is a word, with those two neighbours in it that are the least common ones: where
// they stand the word may.
type rare struct {
	word          []byte
	at            int    // where the two stand in the word
	first, second uint64 // each in all bytes
}

// common are the characters of audit logs, those of most use first.
const common = `"eats:niocu0rd ,1\2m-l6p3b485./f79hv{}gkRyTI[]PwCSAxVqE_zMZ=DBUGjH?O()NL@XFWKJY;$Q+%&<>'*^~#!|`

func newRare(word string) rare {
	best, at := -1, 0
	for i := range len(word) - 1 {
		a, b := strings.IndexByte(common, word[i]), strings.IndexByte(common, word[i+1])
		if a < 0 {
			a = len(common)
		}
		if b < 0 {
			b = len(common)
		}
		if a+b > best {
			best, at = a+b, i
		}
	}
	return rare{[]byte(word), at, uint64(word[at]) * ones, uint64(word[at+1]) * ones}
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stands says whether the word stands in text so that its two neighbours are at i.
func (r *rare) stands(text []byte, i int) bool {
	from := i - r.at
	return from >= 0 && from+len(r.word) <= len(text) && bytes.Equal(text[from:from+len(r.word)], r.word)
}

// pair are two words that are looked for at once.
type pair struct{ a, b rare }

// find is where one of the words stands first behind from, or the end of the text.
// It is exact only as to the line.
func (p *pair) find(text []byte, from int) int {
	a1, a2, b1, b2 := p.a.first, p.a.second, p.b.first, p.b.second
	i := from
	for ; i+9 <= len(text); i += 8 {
		x, y := binary.LittleEndian.Uint64(text[i:i+8]), binary.LittleEndian.Uint64(text[i+1:i+9])
		a, b := (x^a1)|(y^a2), (x^b1)|(y^b2)
		// A byte of a or b is 0 where the two stand; others may seem to be.
		for hit := ((a-ones)&^a | (b-ones)&^b) & highs; hit != 0; hit &= hit - 1 {
			if k := i + bits.TrailingZeros64(hit)>>3; p.a.stands(text, k) || p.b.stands(text, k) {
				return k
			}
		}
	}
	for ; i < len(text); i++ {
		if p.a.stands(text, i) || p.b.stands(text, i) {
			return i
		}
	}
	return len(text)
}
