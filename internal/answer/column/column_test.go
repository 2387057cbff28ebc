package column

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"auditpatch/internal/glyph"
	"auditpatch/internal/standin/auditevents"
)

// TestNames are a contract: a database has tables of them.
func TestNames(t *testing.T) {
	want := strings.Fields(`time received duration_ms audit_id stage level user user_groups impersonated_user impersonated_groups verb api_group api_version
		resource subresource namespace name request_uri code response_reason response_message decision decision_reason source_ip source_ips user_agent bytes`)
	var got []string
	for _, c := range All() {
		got = append(got, c.Name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestFlat reads rows back.
func TestFlat(t *testing.T) {
	var b bytes.Buffer
	f := NewFlat(&b)
	all := auditevents.Sample(t)
	for _, e := range all {
		if err := f.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	rows := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(rows) != len(all) {
		t.Fatalf("%d rows of %d events", len(rows), len(all))
	}
	for i, row := range rows {
		var m map[string]any
		if err := json.Unmarshal([]byte(row), &m); err != nil {
			t.Fatalf("row %d: %v", i+1, err)
		}
		if len(m) != len(columns) {
			t.Errorf("row %d has %d columns", i+1, len(m))
		}
	}
	var m map[string]any
	if err := json.Unmarshal([]byte(rows[7]), &m); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]any{
		"time": "2026-11-22T11:15:00.107000Z", "received": "2026-11-22T11:15:00.100000Z", "duration_ms": 7.0, "user": "system:anonymous", "verb": "get", "resource": nil,
		"request_uri": "/api", "code": 403.0, "response_reason": "Forbidden", "decision": "forbid", "source_ip": "10.0.0.1", "source_ips": "198.51.100.23,10.0.0.1",
		"impersonated_user": nil, "user_groups": "system:unauthenticated", "bytes": float64(len(all[7].JSON)),
	} {
		if m[name] != want {
			t.Errorf("%s: %v, want %v", name, m[name], want)
		}
	}
}

// TestCSV reads rows back with another reader.
func TestCSV(t *testing.T) {
	var b bytes.Buffer
	c := NewCSV(&b)
	if err := c.Header(); err != nil {
		t.Fatal(err)
	}
	for _, e := range auditevents.Sample(t) {
		if err := c.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	name := slices.Index(rows[0], "name")
	if got := rows[13][name]; got != `'=cmd|' /C calc'!A0` {
		t.Errorf("a formula is %q", got)
	}
	if got := rows[15][name]; got != `web-1\x1b]0;owned\a` {
		t.Errorf("a sequence for terminals is %q", got)
	}
}

// TestCellsApart wants texts that differ to be cells that do.
func TestCellsApart(t *testing.T) {
	all := []string{""}
	for range 4 {
		for _, s := range slices.Clone(all) {
			for _, part := range []string{`\`, "'", "=", " ", "n", "\n", "u202e", "\u202e", "\u0301", "u0301", "a"} {
				all = append(all, s+part)
			}
		}
		slices.Sort(all)
		all = slices.Compact(all)
	}
	seen := map[string]string{}
	for _, text := range all {
		cell := string(appendCell(nil, []byte(text), false))
		if other, ok := seen[cell]; ok {
			t.Fatalf("%q and %q are both %s", text, other, cell)
		}
		seen[cell] = text
	}
	for text, want := range map[string]string{`CORP\alice`: `CORP\\alice`, "\u0301a\u11a8": `\u0301a\u11a8`, "e\u0301": "e\u0301", "'=1": "''=1", "'a": "'a"} {
		if got := string(appendCell(nil, []byte(text), false)); got != want {
			t.Errorf("%q is %s", text, got)
		}
	}
	if got := string(list(nil, []byte(`["","a",""]`))); got != ",a," {
		t.Errorf("a list with what is empty is %q", got)
	}
}

// FuzzCell puts a text into a row of each kind: it reads back as the same text, can run nowhere,
// and stays in its cell.
func FuzzCell(f *testing.F) {
	for _, s := range []string{"", "a", `"`, "=1+1", " =1", "\t=1", "a\nb", "a,b", "-", "@x", "\x1b[2J", "\u202e", "\xff", "＝1", "😀", "'", "\u009b", "a\u034f\ufe0f\U000e0100\u2800", "e\u0301"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, one, other string) {
		var b bytes.Buffer
		if err := NewCSV(&b).Row(one, other); err != nil {
			t.Fatal(err)
		}
		for _, r := range strings.TrimSuffix(b.String(), "\r\n") {
			if !glyph.Seen(r) {
				t.Errorf("%q: a row has %q", one, r)
			}
		}
		row, err := csv.NewReader(&b).Read()
		if err != nil || len(row) != 2 {
			t.Fatalf("%q, %q: %q, %v", one, other, row, err)
		}
		if cell := strings.TrimLeft(row[0], " "); cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
			t.Errorf("%q can run as %q", one, row[0])
		}

		text := AppendJSON(nil, []byte(one))
		var back string
		if err := json.Unmarshal(text, &back); err != nil || back != strings.ToValidUTF8(mend(one), "\ufffd") {
			t.Errorf("%q is %s, back %q, %v", one, text, back, err)
		}
		for _, r := range string(text) {
			if !glyph.Seen(r) {
				t.Errorf("%q: JSON has %q", one, r)
			}
		}
	})
}

// mend replaces each byte that is no UTF-8, as encoding/json does.
func mend(s string) string { return string([]rune(s)) }

// FuzzShown keeps the meaning of JSON, and its values in one line.
func FuzzShown(f *testing.F) {
	for _, s := range []string{`{"a": 1}`, "{\n \"a\\n\":\t[\"\u009b\",\"\u202e\"]\r\n}", `"😀"`, "\"\ufe0f\u0301\"", "\"\xff\"", `{"\ud800":"\\"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) {
			return
		}
		var want, got any
		if err := json.Unmarshal(text, &want); err != nil {
			return
		}
		for _, shown := range [][]byte{Shown(nil, text), OneLine(nil, text)} {
			if err := json.Unmarshal(shown, &got); err != nil {
				t.Fatalf("%q is %q: %v", text, shown, err)
			}
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(got)
			if !bytes.Equal(a, b) || bytes.ContainsAny(shown, "\n\r") {
				t.Errorf("%q is %q", text, shown)
			}
		}
		for _, r := range string(Shown(nil, text)) {
			if !glyph.Seen(r) {
				t.Errorf("%q: a terminal gets %q", text, r)
			}
		}
	})
}
