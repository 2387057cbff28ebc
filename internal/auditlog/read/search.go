package read

import (
	"bytes"
	"strings"
)

// search finds lines that may hold a word. A search that is behind the last place of
// a word in the text is over.
type search struct {
	text  []byte
	words [][]byte
	next  []int // where each word stands next
}

// mostWords is how many words are looked for: more take longer than reading the events.
const mostWords = 3

// words are what a wanted line has one of, none if that cannot be said.
func words(q Query) [][]byte {
	if len(q.Words) == 0 || len(q.Words) > mostWords || q.Strict {
		return nil
	}
	out := [][]byte{[]byte(`\u`)}
	for _, word := range q.Words {
		for _, c := range []byte(word) {
			if c < ' ' || c >= 0x80 || c == '"' || c == '\\' {
				return nil
			}
		}
		out = append(out, []byte(`"`+word+`"`))
	}
	if strings.Contains(strings.Join(q.Words, ""), "/") {
		out = append(out, []byte(`\/`))
	}
	return out
}

func (s *search) begin(text []byte, words [][]byte) {
	s.text, s.words = text, words
	s.next = s.next[:0]
	for range words {
		s.next = append(s.next, -1)
	}
}

// passed says that the line from..end holds no word.
func (s *search) passed(from, end int) bool {
	if len(s.words) == 0 {
		return false
	}
	passed := true
	for i, at := range s.next {
		if at < from {
			at = bytes.Index(s.text[from:], s.words[i])
			if at < 0 {
				at = len(s.text)
			} else {
				at += from
			}
			s.next[i] = at
		}
		passed = passed && at >= end
	}
	return passed
}
