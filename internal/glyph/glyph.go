// Package glyph knows what of a text is seen on a screen, and how much room it takes. Names in
// a log and on a disk are chosen by others, who may want two of them to look like one, or to
// move what stands beside them.
//
// [Sight] is the name to know: it tells which characters are shown as they are. [Cells] is how
// wide a text is then.
package glyph

import (
	"strconv"
	"unicode"
)

// blank are characters of which nothing is seen, although Unicode counts them among letters,
// marks and signs that have a shape.
var blank = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x1160, Stride: 1}, {Lo: 0x2800, Hi: 0x2800, Stride: 1}},
	R32: []unicode.Range32{{Lo: 0x13441, Hi: 0x13442, Stride: 1}, {Lo: 0x16fe4, Hi: 0x16fe4, Stride: 1}, {Lo: 0x1d159, Hi: 0x1d159, Stride: 1}},
}

// Seen tells whether a character has a shape of its own. What Unicode lets a screen leave out has
// none, such as the variation selectors, which are marks and count as printable in Go.
func Seen(r rune) bool {
	return strconv.IsPrint(r) && (r < latinEnd || !unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, blank))
}

const (
	// mostMarks is how many marks stand above and below one letter. The scripts of this world
	// need no more; a heap of them is drawn over the lines around it.
	mostMarks = 4
	// latinEnd is behind the last letter of those that have no marks but the general ones.
	latinEnd = 0x300
)

// Sight tells of the characters of a text, one after the other, which are to be shown as they
// are. The zero value is in front of a text.
type Sight struct {
	letter rune // that marks would stand on
	room   int  // for so many of them
}

// Shows tells it of the next character. Of a mark the letter before it decides: a mark without
// one would stand on what is no part of the text.
func (s *Sight) Shows(r rune) bool {
	switch {
	case !Seen(r):
		s.room = 0
		return false
	case isMark(r):
		if s.room > 0 && !belongs(r, s.letter) {
			s.room = 0
		}
		s.room--
		return s.room >= 0
	case unicode.Is(unicode.Mc, r): // it has room of its own, and marks behind it belong to the letter
		return true
	}
	s.letter, s.room = r, 0
	if unicode.IsLetter(r) || unicode.IsNumber(r) {
		s.room = mostMarks
	}
	return true
}

// joining are the vowels and last consonants of Hangul that are drawn into the syllable before
// them.
var joining = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x1160, Hi: 0x11ff, Stride: 1}, {Lo: 0xd7b0, Hi: 0xd7ff, Stride: 1}}}

// isMark tells whether a character takes no room of its own.
func isMark(r rune) bool {
	return r >= latinEnd && unicode.In(r, unicode.Mn, unicode.Me, joining)
}

// belongs tells whether a mark is one that a letter can have: many that other scripts have are
// not seen behind a Latin letter.
func belongs(mark, letter rune) bool {
	if unicode.Is(joining, mark) {
		return unicode.Is(unicode.Hangul, letter)
	}
	return letter >= latinEnd || unicode.Is(unicode.Inherited, mark)
}
