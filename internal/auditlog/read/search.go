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

// rare is a word, with the two characters in it that are the least common together: where
// they stand the word may.
type rare struct {
	word          []byte
	at            int        // where the first of the two stands in the word
	gap           int        // and the second behind it
	first, second uint64     // each in all bytes
	escaped       *[128]bool // of the escape \u: the characters that it may stand for
}

// common are the characters of audit logs, those of most use first.
const common = `"eats:niocu0rd ,1\2m-l6p3b485./f79hv{}gkRyTI[]PwCSAxVqE_zMZ=DBUGjH?O()NL@XFWKJY;$Q+%&<>'*^~#!|`

// rank is how rare a character is: the higher, the rarer.
func rank(c byte) int {
	if i := strings.IndexByte(common, c); i >= 0 {
		return i + 1
	}
	return len(common) + 1
}

// mostGap is how far apart the two characters may stand.
const mostGap = 16

// newRare weighs the characters' ranks. Neighbours are parts of many other words, such
// as "de" and "le" of "delete": they count less.
func newRare(word string) rare {
	r := rare{word: []byte(word)}
	best := 0
	for i := range len(word) {
		for gap := 1; gap <= mostGap && i+gap < len(word); gap++ {
			weight := rank(word[i]) * rank(word[i+gap])
			if gap > 1 {
				weight *= 8
			}
			if weight > best {
				best, r.at, r.gap = weight, i, gap
			}
		}
	}
	r.first, r.second = uint64(word[r.at])*ones, uint64(word[r.at+r.gap])*ones
	return r
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

// stands says whether the word stands in text so that the first of the two characters is at i.
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

// block is how many bytes are looked at at once.
const block = 64

// find is where one of the words stands first behind from, or the end of the text.
// It is exact only as to the line.
func (p *pair) find(text []byte, from int) int {
	l := likes{p.a.first ^ highs, p.a.second ^ highs, p.b.first ^ highs, p.b.second ^ highs}
	gapA, gapB := p.a.gap, p.b.gap
	i := from
	for last := len(text) - block - max(gapA, gapB); i <= last; i += block {
		t, ta, tb := (*[block]byte)(text[i:]), (*[block]byte)(text[i+gapA:]), (*[block]byte)(text[i+gapB:])
		miss := l.miss(t[0:], ta[0:], tb[0:]) & l.miss(t[8:], ta[8:], tb[8:]) &
			l.miss(t[16:], ta[16:], tb[16:]) & l.miss(t[24:], ta[24:], tb[24:]) &
			l.miss(t[32:], ta[32:], tb[32:]) & l.miss(t[40:], ta[40:], tb[40:]) &
			l.miss(t[48:], ta[48:], tb[48:]) & l.miss(t[56:], ta[56:], tb[56:])
		if miss&highs == highs {
			continue
		}
		for k := 0; k < block; k += 8 {
			hits := ^l.miss(t[k:], ta[k:], tb[k:])
			for hits &= highs; hits != 0; hits &= hits - 1 {
				if at := i + k + bits.TrailingZeros64(hits)>>3; p.stand(text, at) {
					return at
				}
			}
		}
	}
	for ; i < len(text); i++ {
		if p.stand(text, i) {
			return i
		}
	}
	return len(text)
}

// likes are the two characters of two words, each in all bytes, with the highest bit the
// other way round.
type likes struct{ a1, a2, b1, b2 uint64 }

// miss has the highest bit of each of 8 bytes cleared where one of the words may stand.
// A byte that is like both characters of a word is 0x80 before one is taken away. Behind bytes that
// are not ASCII it may also be cleared where none stands.
func (l likes) miss(first, secondA, secondB []byte) uint64 {
	x := binary.LittleEndian.Uint64(first)
	a := (x ^ l.a1) | (binary.LittleEndian.Uint64(secondA) ^ l.a2)
	b := (x ^ l.b1) | (binary.LittleEndian.Uint64(secondB) ^ l.b2)
	return (a - ones) & (b - ones)
}

func (p *pair) stand(text []byte, i int) bool { return p.a.stands(text, i) || p.b.stands(text, i) }
