package manifest

import (
	"slices"
	"testing"
)

// TestScanFlow finds the entries of the first collection in a text.
func TestScanFlow(t *testing.T) {
	for _, c := range []struct {
		src    string
		want   []string
		commas int
	}{
		{"[]", nil, 0},
		{"{ }", nil, 0},
		{"[ # none, [really]\n]", nil, 0},
		{"[a]", []string{"a"}, 0},
		{"[a, b ,c]", []string{"a", "b", "c"}, 2},
		{"[a,]", []string{"a"}, 1},
		{"[ two words , x ]", []string{"two words", "x"}, 1},
		{"{a: 1, b: {c: [d, e]}, f: g}", []string{"a: 1", "b: {c: [d, e]}", "f: g"}, 2},
		{`["a,b", 'c]', "\"]", '''']`, []string{`"a,b"`, "'c]'", `"\"]"`, "''''"}, 3},
		{`{"a":"b","c":'d,'}`, []string{`"a":"b"`, `"c":'d,'`}, 1},
		{`{? "a,b" : "c,d", ? 'e' : f}`, []string{`? "a,b" : "c,d"`, "? 'e' : f"}, 1},
		{"[it's, x'y, a:'b]", []string{"it's", "x'y", "a:'b"}, 2},
		{`[a "b, c 'd]`, []string{`a "b`, "c 'd"}, 1},
		{`[&x "a,b", !!str 'c,d', ! "e,f"]`, []string{`&x "a,b"`, "!!str 'c,d'", `! "e,f"`}, 2},
		{"[a#b, c #,d\n, e]", []string{"a#b", "c", "e"}, 2},
		{"[\"a\"#,\n,'b' #]\n]", []string{`"a"`, "'b'"}, 1},
		{"[a,#x]\nb]", []string{"a", "b"}, 1},
		{"[{a: b}#,\n,[c]#]\n]", []string{"{a: b}", "[c]"}, 1},
		{"[\r\n\ta,\r\n\tb\r\n]", []string{"a", "b"}, 1},
		{"[a\u2028, b]", []string{"a", "b"}, 1},
		{"[a # ž\u2028, b]", []string{"a", "b"}, 1},
		{"[http://a:1, b]", []string{"http://a:1", "b"}, 1},
		{"[*a , *b]", []string{"*a", "*b"}, 1},
	} {
		txt := newText([]byte(c.src + " # tail ]}"))
		f, ok := txt.scanFlow(0)
		var got []string
		for _, e := range f.entries {
			got = append(got, string(txt.src[e.start:e.end]))
		}
		if !ok || f.close != len(c.src)-1 || !slices.Equal(got, c.want) || len(f.commas) != c.commas {
			t.Errorf("%s: %q, %d commas, end %d, %v", c.src, got, len(f.commas), f.close, ok)
		}
		for i, off := range f.commas {
			if txt.src[off] != ',' || f.endOf(i) != off+1 {
				t.Errorf("%s: no comma at %d", c.src, off)
			}
		}
	}
	for _, src := range []string{"[", "[a", "{a: [b}", "['a]", `["a\"]`, "[,a]", "[a # ]"} {
		if f, ok := newText([]byte(src)).scanFlow(0); ok {
			t.Errorf("%s: %+v", src, f)
		}
	}
}

// TestFlowStyle appends an entry and cuts every entry out.
func TestFlowStyle(t *testing.T) {
	for _, c := range []struct {
		src, appended string
		cut           []string
	}{
		{"[a]", "[a, x]", []string{"[]"}},
		{"[ a,b ]", "[ a,b,x ]", []string{"[ b ]", "[ a ]"}},
		{"[a, b, ]", "[a, b, x, ]", []string{"[b, ]", "[a, ]"}},
		{"[\n  a,\n  b\n]", "[\n  a,\n  b,\n  x\n]", []string{"[\n  b\n]", "[\n  a\n]"}},
		{"[\n  a, # a\n  b  # b\n]", "[\n  a, # a\n  b,  # b\n  x\n]", []string{"[\n  b  # b\n]", "[\n  a # a\n]"}},
		{"[\n\ta,\n\tb,\n]", "[\n\ta,\n\tb,\n\tx,\n]", []string{"[\n\tb,\n]", "[\n\ta,\n]"}},
		{"[a,\n b]", "[a,\n b,\n x]", []string{"[b]", "[a]"}},
		{"[a # a\n, b\n]", "[a # a\n, b, x\n]", []string{"[b\n]", "[a # a\n, \n]"}},
		{"[\n  a, b,\n  c, d\n]", "[\n  a, b,\n  c, d, x\n]", []string{"[\n  b,\n  c, d\n]", "[\n  a,\n  c, d\n]", "[\n  a, b, d\n]", "[\n  a, b,\n  c\n]"}},
		{"{a: 1,\r\n b: 2\r\n}", "{a: 1,\r\n b: 2,\r\n x\r\n}", []string{"{b: 2\r\n}", "{a: 1\r\n}"}},
	} {
		txt := newText([]byte(c.src))
		f, _ := txt.scanFlow(0)
		out, ok := txt.with(txt.appendFlow(f, "x")...)
		if !ok || string(out) != c.appended {
			t.Errorf("%q: appended %q, want %q", c.src, out, c.appended)
			continue
		}
		for i, want := range c.cut {
			if got, ok := txt.with(txt.cutFlow(f, i)...); !ok || string(got) != want {
				t.Errorf("%q: without entry %d %q, want %q", c.src, i, got, want)
			}
		}
		longer := newText(out)
		g, _ := longer.scanFlow(0)
		if back, ok := longer.with(longer.cutFlow(g, len(g.entries)-1)...); !ok || string(back) != c.src {
			t.Errorf("%q: cut back to %q", c.src, back)
		}
	}
}
