package filter

import (
	"bytes"
	"strings"
)

// pattern is a text in which * stands for any text.
type pattern struct {
	text  string
	parts []string // what stands between the stars; one part is the whole text
}

func newPattern(text string) pattern { return pattern{text, strings.Split(text, "*")} }

// literal tells whether the pattern is one text only.
func (p pattern) literal() bool { return len(p.parts) == 1 }

// any tells whether each text is like it but the empty one.
func (p pattern) any() bool { return p.text != "" && strings.Trim(p.text, "*") == "" }

// match tells whether a text is like the pattern.
func (p pattern) match(b []byte) bool {
	switch {
	case p.literal():
		return string(b) == p.text
	case p.any():
		return len(b) > 0
	}
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if len(b) < len(first)+len(last) || string(b[:len(first)]) != first || string(b[len(b)-len(last):]) != last {
		return false
	}
	b = b[len(first) : len(b)-len(last)]
	for _, part := range p.parts[1 : len(p.parts)-1] {
		at := bytes.Index(b, []byte(part))
		if at < 0 {
			return false
		}
		b = b[at+len(part):]
	}
	return true
}

// covers tells that each text that is like another pattern is like this one.
func (p pattern) covers(other string) bool { return p.match([]byte(other)) }

// word tells whether a text stands between quotation marks in JSON as it is, unless somebody
// has written it with escapes.
func word(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte("\"\\/<>&", c) >= 0 {
			return false
		}
	}
	return s != ""
}
