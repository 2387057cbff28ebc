package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// FuzzApply states what holds for any input: it is refused with a reason, or
// the edits mean what they say, only insert, and can be taken out again.
func FuzzApply(f *testing.F) {
	for _, src := range fixtures(f) {
		if len(src) < 1000 { // long ones leave no time for their mutants
			f.Add(src)
		}
	}
	for i := range 20 {
		f.Add([]byte((&generator{Rand: rand.New(rand.NewSource(int64(i)))}).text()))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		m, err := Parse("f.yaml", src)
		if err != nil {
			checkError(t, err)
			return
		}
		if _, err := decodePod(src); err != nil {
			t.Fatalf("accepted what is no Pod: %v", err)
		}
		if same, err := m.Apply(); err != nil || !bytes.Equal(same, src) {
			t.Fatalf("no edits: %v", err)
		}
		out, err := m.Apply(few()...)
		if err != nil {
			checkError(t, err)
			return
		}
		checkResult(t, src, out, few())
		if bytes.Contains(src, []byte("zz")) {
			return
		}
		if !bytes.Contains(src, []byte("null")) && !bytes.Contains(src, []byte("~")) && !cutsBack(src, out) {
			t.Errorf("more than insertions:\n%s", out)
		}
		back, err := parse(t, out).Apply(inverse(few())...)
		if err != nil || !bytes.Equal(back, src) {
			t.Errorf("the inverse does not lead back: %v\n%q\n%q", err, src, back)
		}
	})
}

func checkError(t *testing.T, err error) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Reason == "" || e.File != "f.yaml" || e.Line < 0 || e.Line > 0 && e.Col < 1 {
		t.Errorf("not a proper refusal: %#v", err)
	}
}

// commandLine is a manifest with that command line, in one of several styles.
func commandLine(v []string, style uint8) []byte {
	var items []string
	for i, s := range v {
		q := doubleQuote(s)
		if style&4 != 0 && i%2 == 0 && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r < ' ' || special(r) }) < 0 {
			q = "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
		items = append(items, q)
	}
	const head = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: x\nspec:\n  containers:\n  - name: x\n    image: x\n"
	switch style & 3 {
	case 0:
		return []byte(head + "    command:\n    - " + strings.Join(items, "\n    - ") + "\n")
	case 1:
		return []byte(head + "    command: [" + strings.Join(items, ", ") + "]\n")
	case 2:
		return []byte(head + "    args:\n      -\n        " + strings.Join(items[1:], "\n      -\n        ") + "\n    command: [" + items[0] + "]\n")
	}
	j, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	return fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"},"spec":{"containers":[{"name":"x","image":"x","command":%s}]}}`, j)
}

// FuzzFlags reads, sets and drops flags of any command line.
func FuzzFlags(f *testing.F) {
	for _, s := range []string{"--a=b", "--a\nb", "--a_b=c\n--a-b\nd", "--a\n--b\n--a=", "-v=3\n--a\n-", "--a\n-1\n--a=x", "--a=--b", "x\n--a", "--a=a: b\n--b='"} {
		for style := range uint8(8) {
			f.Add(s, "v", style)
			f.Add(s, "-x", style)
		}
	}
	f.Fuzz(func(t *testing.T, words, value string, style uint8) {
		v := append([]string{"kube-apiserver"}, strings.Split(words, "\n")...)
		m, err := Parse("f.yaml", commandLine(v, style))
		if err != nil {
			checkError(t, err)
			return
		}
		v = vector(m.Container())
		flags := readVector(v, 1)
		checkFlags(t, m.Flags(), flags)
		name := "zz"
		if len(flags) > 0 {
			name = flags[len(flags)/2].name
		}
		checkSet(t, m, name, value)
		out, err := m.Apply(DropFlag{name})
		if err != nil {
			checkError(t, err)
			return
		}
		if d := wrong(m.Bytes(), out, []Edit{DropFlag{name}}); d != "" {
			t.Errorf("drop --%s of %q:\n%s", name, v, d)
		}
		if _, ok := parse(t, out).Flag(name); ok {
			t.Errorf("drop --%s of %q: still there", name, v)
		}
	})
}

func checkFlags(t *testing.T, got []Flag, want []read) {
	t.Helper()
	var a, b []read
	for _, f := range got {
		a = append(a, read{name: f.Name, value: f.Value, alone: f.Alone})
		if f.Line < 1 || f.Col < 1 {
			t.Errorf("flag %s has no place", f.Name)
		}
	}
	for _, r := range want {
		b = append(b, read{name: r.name, value: r.value, alone: r.alone})
	}
	if d := cmp.Diff(b, a, cmp.AllowUnexported(read{})); d != "" {
		t.Errorf("flags (-want +got):\n%s", d)
	}
}

func checkSet(t *testing.T, m *File, name, value string) {
	t.Helper()
	edit := SetFlag{name, value}
	out, err := m.Apply(edit)
	if err != nil {
		checkError(t, err)
		return
	}
	checkResult(t, m.Bytes(), out, []Edit{edit})
	g := parse(t, out)
	if got, ok := g.Flag(name); !ok || got.Value != value && !(got.Alone && value == "true") {
		t.Errorf("set --%s=%q: %+v %v", name, value, got, ok)
	}
	if _, before := m.Flag(name); before {
		return
	}
	if back, err := g.Apply(DropFlag{name}); err != nil || !bytes.Equal(back, m.Bytes()) {
		t.Errorf("set and drop --%s=%q: %v\n%s\n%s", name, value, err, m.Bytes(), back)
	}
	if !slices.ContainsFunc(g.Flags(), func(f Flag) bool { return f.Name == name }) {
		t.Errorf("--%s is not among the flags", name)
	}
}
