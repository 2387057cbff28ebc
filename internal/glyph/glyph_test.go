package glyph

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

// TestSeen asks for characters without a shape that Go calls printable, and for some that have one.
func TestSeen(t *testing.T) {
	for _, r := range "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe00\ufe0f\uffa0\U000e0100\U000e01ef\U0001d159" +
		"\x1b\u007f\u0085\u00a0\u00ad\u200b\u202e\u3000\ufeff\U000e0041" {
		if Seen(r) {
			t.Errorf("%U is seen", r)
		}
	}
	for _, r := range "a \u0301ßЖ漢한😀µ\u20e3\u1100\u1161" {
		if !Seen(r) {
			t.Errorf("%U is not seen", r)
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if Seen(r) && unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector, unicode.C, unicode.Zl, unicode.Zp) {
			t.Errorf("%U is seen", r)
		}
	}
}

// TestMarks are shown on a letter that can have them, and not in a heap.
func TestMarks(t *testing.T) {
	for text, want := range map[string]string{
		"e\u0301":                         "e\u0301",
		"a" + strings.Repeat("\u0301", 6): "a" + strings.Repeat("\u0301", 4) + `\u0301\u0301`,
		"\u0301a":                         `\u0301a`,
		"a \u0301":                        `a \u0301`,
		"/\u0338":                         `/\u0338`,
		"a\u202e\u0301":                   `a\u202e\u0301`,
		"กำ\u0e49":                        "กำ\u0e49",
		"हिन्दी":                          "हिन्दी",
		"шалом שָׁלוֹם":                   "шалом שָׁלוֹם",
		"a\u17d2b\u2d7f":                  `a\u17d2b\u2d7f`,
		"\u1112\u1161\u11ab":              "\u1112\u1161\u11ab",
		"a\u1161\u1161":                   `a\u1161\u1161`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestCells(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "äöü": 3, "e\u0301": 1, "漢字": 4, "한": 2, "\u1112\u1161\u11ab": 2, "ﾊﾝ": 2, "Ａ": 2, "😀b": 3, "❤": 1, "…": 1, "กำ": 2, "\U00020000": 2} {
		if got := Cells(text); got != want {
			t.Errorf("%s: %d, want %d", text, got, want)
		}
		if got := Cells([]byte(text)); got != want {
			t.Errorf("%s as bytes: %d, want %d", text, got, want)
		}
	}
}

// TestCut wants no letter without its marks, no mark without its letter, and no half of a sign.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		text       string
		cells      int
		head, tail string
	}{
		{"abc", 2, "ab", "bc"},
		{"abc", 5, "abc", "abc"},
		{"abc", 0, "", ""},
		{"abc", -1, "", ""},
		{"漢字漢", 3, "漢", "漢"},
		{"e\u0301e\u0301", 1, "e\u0301", "e\u0301"},
		{"ab\u0301\u0302c", 2, "ab\u0301\u0302", "b\u0301\u0302c"},
		{"ab\u0301", 0, "", ""},
		{`\u202ea\x1b`, 5, "", `a\x1b`},
		{`a\U000e0100\n`, 11, `a\U000e0100`, `\n`},
		{`\`, 1, `\`, `\`},
		{`\u漢漢`, 4, `\u漢`, `漢漢`},
		{`\x漢`, 3, `\x`, `x漢`},
	} {
		if got := Head(c.text, c.cells); got != c.head {
			t.Errorf("the head of %q in %d is %q, want %q", c.text, c.cells, got, c.head)
		}
		if got := Tail(c.text, c.cells); got != c.tail {
			t.Errorf("the tail of %q in %d is %q, want %q", c.text, c.cells, got, c.tail)
		}
	}
}

func TestColumns(t *testing.T) {
	got := Columns([][]string{{"USER", "N"}, {"漢字漢字", "1"}, {"e\u0301", "2"}, {"", ""}})
	if want := "USER      N\n漢字漢字  1\ne\u0301         2\n          \n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := Columns(nil); got != "" {
		t.Errorf("%q", got)
	}
}

// TestEncoder prints values with their meaning, and nothing in them that a terminal would obey.
func TestEncoder(t *testing.T) {
	value := map[string]string{"é<漢\ufe0f": "\u0085\u202e\u007f\x1b\n\U000e0100 \u0301"}
	var b bytes.Buffer
	enc := NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(value); err != nil {
		t.Fatal(err)
	}
	if want := "{\n  \"é<漢\\ufe0f\": \"\\u0085\\u202e\\u007f\\u001b\\n\\udb40\\udd00 \\u0301\"\n}\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["é<漢\ufe0f"] != value["é<漢\ufe0f"] {
		t.Errorf("back %q, %v", back, err)
	}
}

// FuzzLine wants one line that shows each character, in which what is cut stays whole.
func FuzzLine(f *testing.F) {
	for _, s := range []string{"alice", "a\u034f", "e\u0301\u0301\u0301\u0301\u0301\u0301", "漢字😀", "\xff\u0301", "\u1112\u1161", "\u202e\n"} {
		f.Add(s, 3)
	}
	f.Fuzz(func(t *testing.T, text string, cells int) {
		line := Line(text)
		marks := 0
		for _, r := range line {
			if !Seen(r) {
				t.Errorf("%q: %q has %U", text, line, r)
			}
			if marks++; !isMark(r) {
				marks = 0
			}
			if marks > mostMarks {
				t.Errorf("%q: %q has a heap of marks", text, line)
			}
		}
		head, tail := Head(line, cells), Tail(line, cells)
		if cells >= 0 && (Cells(head) > cells || Cells(tail) > cells) || !strings.HasPrefix(line, head) || !strings.HasSuffix(line, tail) {
			t.Errorf("%q in %d: %q and %q", line, cells, head, tail)
		}
		if Line(head) != head || Line(tail) != tail {
			t.Errorf("%q in %d: %q and %q have lost a letter", line, cells, head, tail)
		}
	})
}
