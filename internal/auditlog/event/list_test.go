package event

import (
	"encoding/json"
	"slices"
	"testing"
)

func FuzzStrings(f *testing.F) {
	for _, list := range []string{`["a","b"]`, `[]`, ``, `null`, `[ "a\"\\" , "\u00e4\ud83d\ude00" ]`, `["a`, `[1,"x"]`, `"a"`, `["\ud800"]`} {
		f.Add([]byte(list))
	}
	f.Fuzz(func(t *testing.T, list []byte) {
		var got []string
		Strings(list, func(s []byte) bool { got = append(got, string(s)); return true })
		var want []string
		if json.Unmarshal(list, &want) != nil || !isList(list) || slices.ContainsFunc(got, func(s string) bool { return !plain(s) }) {
			return
		}
		// null in the list is an empty string to encoding/json.
		want = slices.DeleteFunc(want, func(s string) bool { return s == "" })
		got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", list, got, want)
		}
	})
}

func isList(list []byte) bool {
	for _, c := range list {
		if c == '[' {
			return true
		}
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			return false
		}
	}
	return false
}

// plain is a string that encoding/json does not mend.
func plain(s string) bool { return string([]rune(s)) == s }

func TestStringsEnds(t *testing.T) {
	n := 0
	Strings([]byte(`["a","b","c"]`), func([]byte) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("%d calls", n)
	}
}
