package read

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strings"

	"auditpatch/internal/auditlog/vector"
)

// search finds lines that may hold a word.
type search struct {
	text  []byte
	pairs []pair
	next  []int // where a word of each pair stands next
}

// mostWords is how many words are looked for: more take longer than reading the events.
func mostWords() int {
	if vector.Wide() {
		return 8
	}
	return 3
}

// words are what a wanted line has one of, none if that cannot be said. A character
// can also be written as an escape, and a slash as two.
func words(q Query) []pair {
	if len(q.Words) == 0 && q.Code == nil || len(q.Words) > mostWords() || q.Strict {
		return nil
	}
	var all []rare
	known := q.Words
	if q.Code != nil {
		all = append(all, newCode(q.Code))
		known = append(known[:len(known):len(known)], "code")
	}
	for _, word := range q.Words {
		for _, c := range []byte(word) {
			if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
				return nil
			}
		}
		all = append(all, newRare(`"`+word+`"`))
	}
	all = append(all, newEscape(known))
	if strings.Contains(strings.Join(known, ""), "/") {
		all = append(all, newRare(`\/`))
	}
	if len(all)%2 == 1 {
		all = append(all, all[len(all)-1])
	}
	var out []pair
	for ; len(all) > 0; all = all[2:] {
		out = append(out, newPair(all[0], all[1]))
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
	vector.Two
	word    []byte
	at      int         // where the first of the two stands in the word
	escaped *[128]bool  // of the escape \u: the characters that it may stand for
	codes   *[1000]bool // of "code": the numbers that are wanted
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
				best, r.at, r.Two = weight, i, vector.Two{First: word[i], Second: word[i+gap], Gap: gap}
			}
		}
	}
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

// newCode is the name of an answer's code, where a code that is wanted may stand behind it.
func newCode(wanted func(int) bool) rare {
	r := newRare(`"code"`)
	r.codes = &[1000]bool{}
	for n := range r.codes {
		r.codes[n] = wanted(n)
	}
	return r
}

// stands says whether the word stands in text so that the first of the two characters is at i,
// which it is like.
func (r *rare) stands(text []byte, i int) bool {
	from := i - r.at
	if from < 0 || from+len(r.word) > len(text) || text[i+r.Gap] != r.Second || !bytes.Equal(text[from:from+len(r.word)], r.word) {
		return false
	}
	switch after := text[from+len(r.word):]; {
	case r.escaped != nil:
		return r.matters(after)
	case r.codes != nil:
		return r.wants(after)
	}
	return true
}

// wants says whether a code that is wanted may stand behind the name: only of three digits that
// follow at once, as kube-apiserver writes them, is it known.
func (r *rare) wants(after []byte) bool {
	if len(after) < 5 || after[0] != ':' || after[4] != ',' && after[4] != '}' {
		return true
	}
	a, b, c := after[1]-'0', after[2]-'0', after[3]-'0'
	return a > 9 || b > 9 || c > 9 || r.codes[int(a)*100+int(b)*10+int(c)]
}

// matters says whether an escape whose digits these are may be one of the characters. What is no
// escape may be.
func (r *rare) matters(digits []byte) bool {
	if len(digits) < 4 {
		return true
	}
	switch binary.LittleEndian.Uint32(digits) { // the three that encoding/json writes: & < >
	case '0' | '0'<<8 | '2'<<16 | '6'<<24:
		return r.escaped['&']
	case '0' | '0'<<8 | '3'<<16 | 'c'<<24:
		return r.escaped['<']
	case '0' | '0'<<8 | '3'<<16 | 'e'<<24:
		return r.escaped['>']
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
type pair struct {
	a, b rare
	both vector.Pair
}

func newPair(a, b rare) pair { return pair{a, b, vector.Pair{A: a.Two, B: b.Two}} }

// find is where one of the words stands first behind from, or the end of the text.
// It is exact only as to the line.
func (p *pair) find(text []byte, from int) int {
	for from < len(text) {
		i, mask := p.both.Next(text, from)
		for ; mask != 0; mask &= mask - 1 {
			at := i + bits.TrailingZeros64(mask)
			if c := text[at]; c == p.a.First && p.a.stands(text, at) || c == p.b.First && p.b.stands(text, at) {
				return at
			}
		}
		from = i + vector.Block
	}
	return len(text)
}
