package manifest

import (
	"strings"
	"testing"
)

// TestBlockEnd finds where the block ends that begins on the first line.
func TestBlockEnd(t *testing.T) {
	for _, c := range []struct {
		name, src string
		col       int
		dashes    bool
		want      int
	}{
		{"one line", "a: b\nc: d", 1, true, 1},
		{"deeper", "a:\n  b: c\n  d: e\nf: g", 1, true, 3},
		{"to the end", "a:\n  b: c\n", 1, true, 2},
		{"dashes at the key", "a:\n- b\n-\n- c\nd: e", 1, true, 4},
		{"dashes end an item", "- a\n  b\n- c", 1, false, 2},
		{"markers end it", "a:\n  b\n---\nc", 1, true, 2},
		{"blank lines between", "a:\n\n  b\n\t\n\nc: d", 1, true, 3},
		{"comment at the key", "a:\n  b\n# c\n  d\ne: f", 1, true, 4},
		{"comment at the end", "a:\n  b\n# c\n\n# d\ne: f", 1, true, 2},
		{"deeper comment at the end", "a:\n  b\n\n # c\n# d\ne: f", 1, true, 4},
		{"a flag is no dash", "  a:\n  --b\n  c: d", 3, true, 1},
		{"CRLF", "a:\r\n  b\r\n\r\nc: d\r\n", 1, true, 2},
	} {
		if got := newText([]byte(c.src)).blockEnd(1, c.col, c.dashes); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestDash finds the dash of the item x.
func TestDash(t *testing.T) {
	for src, want := range map[string][2]int{
		"- x":                      {1, 1},
		"a:\n  -   x":              {2, 3},
		"-\n  x":                   {1, 1},
		"- # - no\n\n  # -\n  x":   {1, 1},
		"- - x":                    {1, 3},
		"a:\r\n-\r\n\r\n  x":       {2, 1},
		"- a\n-   # ž - [\n     x": {2, 1},
	} {
		txt := newText([]byte(src))
		n, col, ok := txt.dash(txt.position(strings.Index(src, "x")))
		if !ok || n != want[0] || col != want[1] {
			t.Errorf("%q: %d:%d %v, want %v", src, n, col, ok, want)
		}
	}
	for _, src := range []string{"x", "a: x", "a:\n  x", "# -\nx"} {
		txt := newText([]byte(src))
		if n, col, ok := txt.dash(txt.position(strings.Index(src, "x"))); ok {
			t.Errorf("%q: %d:%d", src, n, col)
		}
	}
}

// TestNodeEnd finds the last line of the first value.
func TestNodeEnd(t *testing.T) {
	for src, want := range map[string]int{
		"a: b\n":                         1,
		"a: \"b\n\n  c\"\n":              3,
		"a: 'b\n''\nc'\n":                3,
		"a: !!str &x \"b\n c\"\n":        2,
		"a: [\nb\n]\n":                   3,
		"a: &x {b: [c,\n d], # ]\n}\n":   3,
		"a:\n- b\n- \"c\n  d\"\n":        4,
		"a:\n  b: c\n  d: [\n  e]\n":     4,
		"a:\n  b: c\n  d:\n  - e: f\n":   4,
		"a: []\n":                        1,
		"a:\n  b: c\n  d: &y\n    - e\n": 4,
	} {
		docs, err := documents([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		_, v := child(docs[0].Content[0], "a")
		if got := newText([]byte(src)).nodeEnd(v); got != want {
			t.Errorf("%q: %d, want %d", src, got, want)
		}
	}
}

// TestBrokenLine breaks the fixtures, one line after the other, and expects
// the refusal to name that line.
func TestBrokenLine(t *testing.T) {
	for _, name := range []string{"kubeadm-1.36.yaml", "indented.yaml", "crlf.yaml", "four-spaces.yaml", "go-runner.yaml"} {
		lines := strings.SplitAfter(string(fixtures(t)[name]), "\n")
		for i := 4; i < len(lines)-1; i += 3 {
			text := strings.TrimSpace(lines[i])
			key, _, pair := strings.Cut(text, ": ")
			if !pair || strings.ContainsAny(text, "#{>|") {
				continue
			}
			pad := lines[i][:strings.Index(lines[i], text)]
			for _, broken := range []string{pad + key + ": x: y\n", pad + key + ": @x\n", pad + key + ": \"x\n", pad + key + ": 'x\n", "\t" + text + "\n"} {
				src := strings.Join(lines[:i], "") + broken + strings.Join(lines[i+1:], "")
				_, err := Parse("f.yaml", []byte(src))
				if e, ok := err.(*Error); !ok || e.Line != i+1 && !strings.ContainsAny(broken, "\"'") {
					t.Errorf("%s:%d: %q: %v", name, i+1, broken, err)
				}
			}
		}
	}
}
