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
	var all []rare
	for _, word := range q.Words {
		for _, c := range []byte(word) {
			if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
				return nil
			}
		}
		all = append(all, newRare(`"`+word+`"`))
	}
	all = append(all, newEscape(q.Words))
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
	at            int        // where the two stand in the word
	first, second uint64     // each in all bytes
	escaped       *[128]bool // of the escape \u: the characters that it may stand for
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
	return rare{word: []byte(word), at: at, first: uint64(word[at]) * ones, second: uint64(word[at+1]) * ones}
}

// newEscape is the escape that a character of the words may be written as. Those of other
// characters are in most lines: kube-apiserver writes each & of a URL as one.
func newEscape(words []string) rare {
	r := newRare(`\u`)
	r.escaped = &[128]bool{}
	for _, word := range words {
		for i := range len(word) {
			r.escaped[word[i]] = true
		}
	}
	return r
}

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stands says whether the word stands in text so that its two neighbours are at i.
func (r *rare) stands(text []byte, i int) bool {
	from := i - r.at
	if from < 0 || from+len(r.word) > len(text) || !bytes.Equal(text[from:from+len(r.word)], r.word) {
		return false
	}
	return r.escaped == nil || r.matters(text[from+len(r.word):])
}

// matters says whether an escape whose digits these are may be one of the characters. What is no
// escape may be.
func (r *rare) matters(digits []byte) bool {
	if len(digits) < 4 {
		return true
	}
	var c uint16
	for _, d := range digits[:4] {
		switch {
		case d-'0' < 10:
			c = c<<4 | uint16(d-'0')
		case d|' '-'a' < 6:
			c = c<<4 | uint16(d|' '-'a'+10)
		default:
			return true
		}
	}
	return c < 128 && r.escaped[c]
}

// pair are two words that are looked for at once.
type pair struct{ a, b rare }

// find is where one of the words stands first behind from, or the end of the text.
// It is exact only as to the line.
func (p *pair) find(text []byte, from int) int {
	a1, a2, b1, b2 := p.a.first, p.a.second, p.b.first, p.b.second
	i := from
	for ; i+33 <= len(text); i += 32 {
		t := text[i : i+33 : i+33]
		h0, h1 := seem(t[:9], a1, a2, b1, b2), seem(t[8:17], a1, a2, b1, b2)
		h2, h3 := seem(t[16:25], a1, a2, b1, b2), seem(t[24:33], a1, a2, b1, b2)
		if (h0|h1|h2|h3)&highs == 0 {
			continue
		}
		if at := p.confirm(text, i, [4]uint64{h0, h1, h2, h3}); at >= 0 {
			return at
		}
	}
	for ; i < len(text); i++ {
		if p.stand(text, i) {
			return i
		}
	}
	return len(text)
}

// seem has the highest bit of each of 8 bytes set where one of the words may stand, and other
// bits that say nothing. The lowest highest bit is right, others may be wrong.
func seem(t []byte, a1, a2, b1, b2 uint64) uint64 {
	x, y := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint64(t[1:])
	a, b := (x^a1)|(y^a2), (x^b1)|(y^b2)
	return (a-ones)&^a | (b-ones)&^b
}

// confirm is where one of the words stands in the 32 bytes from i on, -1 for nowhere.
func (p *pair) confirm(text []byte, i int, seem [4]uint64) int {
	for k, hits := range seem {
		for hits &= highs; hits != 0; hits &= hits - 1 {
			if at := i + k*8 + bits.TrailingZeros64(hits)>>3; p.stand(text, at) {
				return at
			}
		}
	}
	return -1
}

func (p *pair) stand(text []byte, i int) bool { return p.a.stands(text, i) || p.b.stands(text, i) }
