package manifest

import (
	"slices"
	"testing"
)

// TestLines counts lines as the YAML parser does.
func TestLines(t *testing.T) {
	for _, c := range []struct {
		name, src string
		want      []string
		eol       string
	}{
		{"empty", "", []string{""}, "\n"},
		{"LF", "a\nb\n", []string{"a", "b", ""}, "\n"},
		{"no final newline", "a\nb", []string{"a", "b"}, "\n"},
		{"CRLF", "a\r\nb\r\n", []string{"a", "b", ""}, "\r\n"},
		{"CR", "a\rb\r", []string{"a", "b", ""}, "\n"},
		{"CR, then CRLF", "a\r\r\nb", []string{"a", "", "b"}, "\r\n"},
		{"first end counts", "a\nb\r\nc", []string{"a", "b", "c"}, "\n"},
		{"NEL", "a\u0085b\n", []string{"a", "b", ""}, "\n"},
		{"LS and PS", "a\u2028b\u2029\nc", []string{"a", "b", "", "c"}, "\n"},
		{"blanks stay", " a \t\n", []string{" a \t", ""}, "\n"},
	} {
		txt := newText([]byte(c.src))
		var got []string
		for n := range txt.lines {
			got = append(got, txt.line(n+1))
		}
		if !slices.Equal(got, c.want) || txt.eol != c.eol {
			t.Errorf("%s: %q with ends %q, want %q with %q", c.name, got, txt.eol, c.want, c.eol)
		}
		if txt.line(0) != "" || txt.line(len(txt.lines)+1) != "" {
			t.Errorf("%s: there are lines outside of the text", c.name)
		}
		if len(txt.flat) != len(txt.src) {
			t.Errorf("%s: the flat text has %d bytes, the text %d", c.name, len(txt.flat), len(txt.src))
		}
	}
}

// TestPositions turns places into offsets and back.
func TestPositions(t *testing.T) {
	txt := newText([]byte("ab\nžluť: x\r\n\n🦊 y\u2028z"))
	for _, c := range []struct{ line, col, off int }{
		{1, 1, 0}, {1, 3, 2}, {2, 1, 3}, {2, 2, 5}, {2, 5, 9}, {2, 7, 11}, {3, 1, 14}, {4, 1, 15}, {4, 3, 20}, {5, 1, 24},
	} {
		if off := txt.offset(c.line, c.col); off != c.off {
			t.Errorf("offset(%d, %d) = %d, want %d", c.line, c.col, off, c.off)
		}
		if line, col := txt.position(c.off); line != c.line || col != c.col {
			t.Errorf("position(%d) = %d:%d, want %d:%d", c.off, line, col, c.line, c.col)
		}
	}
	if off := txt.offset(6, 1); off != len(txt.src) {
		t.Errorf("behind the text: %d", off)
	}
}

// TestSplices applies splices that are in order and refuses others.
func TestSplices(t *testing.T) {
	txt := newText([]byte("abcdef"))
	for _, c := range []struct {
		splices []splice
		want    string
		ok      bool
	}{
		{nil, "abcdef", true},
		{[]splice{{off: 0, ins: "x"}, {off: 6, ins: "y"}}, "xabcdefy", true},
		{[]splice{{off: 1, del: 2, ins: "x"}, {off: 3, del: 1}}, "axef", true},
		{[]splice{{off: 2, ins: "x"}, {off: 2, ins: "y"}}, "abxycdef", true},
		{[]splice{{off: 1, del: 3}, {off: 3, del: 1}}, "", false},
		{[]splice{{off: 3}, {off: 1}}, "", false},
		{[]splice{{off: 5, del: 2}}, "", false},
		{[]splice{{off: 5, del: -1}}, "", false},
	} {
		if got, ok := txt.with(c.splices...); string(got) != c.want || ok != c.ok {
			t.Errorf("%v: %q %v, want %q %v", c.splices, got, ok, c.want, c.ok)
		}
	}
}

// TestWholeLines inserts lines and cuts the same ones out.
func TestWholeLines(t *testing.T) {
	for _, c := range []struct {
		src   string
		after int
		want  string
	}{
		{"a\nb\n", 1, "a\nx\ny\nb\n"},
		{"a\nb\n", 2, "a\nb\nx\ny\n"},
		{"a\nb", 2, "a\nb\nx\ny"},
		{"a\r\nb\r\n", 1, "a\r\nx\r\ny\r\nb\r\n"},
		{"a\nb\r\n", 2, "a\nb\nx\ny\r\n"},
		{"a\rb", 1, "a\nx\ny\rb"},
		{"a\u2028b\n", 1, "a\nx\ny\u2028b\n"},
		{"a # c\u2028 # d\u2028 \nb\n", 1, "a # c\u2028 # d\u2028 \nx\ny\nb\n"},
	} {
		txt := newText([]byte(c.src))
		s := txt.linesAfter(c.after, []string{"x", "y"})
		out, ok := txt.with(s)
		if !ok || string(out) != c.want {
			t.Errorf("%q: %q, want %q", c.src, out, c.want)
			continue
		}
		first := newText(out).lineOf(s.off + len(txt.eol))
		back, ok := newText(out).with(newText(out).cutLines(first, first+1))
		if !ok || string(back) != c.src {
			t.Errorf("%q: cut back to %q", c.src, back)
		}
	}
}
