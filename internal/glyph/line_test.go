package glyph

import "testing"

func TestLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                         "",
		"größer als 'x' \\n":       "größer als 'x' \\n",
		"a\nauditpatch: hint: b\r": `a\nauditpatch: hint: b\r`,
		"\x1b[2J\x9b\u009b\t\x00":  `\x1b[2J\x9b\u009b\t\x00`,
		"\u3164\u2800a":            `\u3164\u2800a`,
		"a\u202eb\u2028":           `a\u202eb\u2028`,
	} {
		if got := Line(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
