package table

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/glyph"
	"auditpatch/internal/standin/auditevents"
)

func printed(t *testing.T, style Style, all []*event.Event) []string {
	t.Helper()
	var b bytes.Buffer
	style.Line = glyph.Line
	if style.Zone == nil {
		style.Zone = time.UTC
	}
	table := New(&b, style)
	for _, e := range all {
		if err := table.Add(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := table.Flush(); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

// parsed is an event with some fields beside the usual ones.
func parsed(t *testing.T, fields string) *event.Event {
	t.Helper()
	e := &event.Event{}
	text := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","verb":"get",` +
		`"objectRef":{"resource":"pods","name":"x"},"responseStatus":{"code":200},` + fields + `}`
	if err := e.Parse([]byte(text), event.WantAll); err != nil {
		t.Fatal(err)
	}
	return e
}

// TestWidths wants each line to fit the terminal, and rows to stay readable.
func TestWidths(t *testing.T) {
	all := auditevents.Sample(t)
	for _, width := range []int{80, 100, 120, 200} {
		for _, line := range printed(t, Style{Width: width}, all) {
			if n := glyph.Cells(line); n > width {
				t.Errorf("%d of %d: %s", n, width, line)
			}
		}
	}
	at80 := printed(t, Style{Width: 80}, all)[9]
	for _, word := range []string{"11-22 11:20:04", "alice", "delete", "web-1", "prod", "200"} {
		if !strings.Contains(at80, word) {
			t.Errorf("no %s in %s", word, at80)
		}
	}
	// On a terminal that is too narrow for anything nothing breaks.
	for _, width := range []int{1, 10, 40} {
		printed(t, Style{Width: width}, all)
	}
}

// TestCells has names whose characters take two cells of a terminal or none: rows fit, and their
// last column is below its title.
func TestCells(t *testing.T) {
	var all []*event.Event
	for _, name := range []string{"alice", strings.Repeat("漢", 30), "a" + strings.Repeat("\u0301", 40), strings.Repeat("e\u0301", 30), "😀", strings.Repeat("漢a", 20)} {
		all = append(all, parsed(t, `"user":{"username":"`+name+`"}`))
	}
	for range mostKept { // those behind the first rows are printed at once
		all = append(all, all[1])
	}
	for _, width := range []int{80, 81, 120} {
		rows := printed(t, Style{Width: width}, all)
		at := strings.Index(rows[0], "RESULT")
		for _, row := range rows[1:] {
			before, _, found := strings.Cut(row, "200")
			if n := glyph.Cells(row); n > width || !found || glyph.Cells(before) != at {
				t.Errorf("%d of %d, RESULT at %d: %s", n, width, at, row)
			}
		}
	}
	for _, style := range []Style{{}, {Wide: true}} { // a column in a pipe may be too narrow for a name
		rows := printed(t, style, []*event.Event{all[0], all[1], all[3], all[4]})
		for _, row := range rows[1:] {
			if before, _, found := strings.Cut(row, "get pods"); !found || glyph.Cells(before) != strings.Index(rows[0], "WHAT") {
				t.Errorf("%+v: %s", style, row)
			}
		}
	}
}

// TestRows says what becomes of each part of an event.
func TestRows(t *testing.T) {
	rows := printed(t, Style{}, auditevents.Sample(t))
	for i, want := range map[int]string{
		0:  "WHEN (UTC) WHO WHAT WHERE FROM RESULT",
		3:  "2026-11-22 11:05:00 system:kube-scheduler watch pods - 10.0.0.1 kube-scheduler 200 begun",
		6:  "2026-11-22 11:09:40 sa:prod:web list secrets - 10.244.1.17 curl 403 Forbidden",
		7:  "2026-11-22 11:13:45 bob create pods/web-1/exec prod 10.0.0.9 kubectl 101 after 5m0s",
		8:  "2026-11-22 11:15:00 system:anonymous get /api - 10.0.0.1 (for 198.51.100.23) Mozilla 403 Forbidden",
		11: "2026-11-22 11:21:07 carol as bob delete configmaps/settings prod 10.0.0.8 kubectl 403 Forbidden",
		12: "2026-11-22 11:22:30 alice patch deployments.apps/web/scale prod 10.0.0.7 kubectl 200",
		16: "2026-11-22 11:33:00 system:node:n1 update nodes/n1/status - 10.0.0.3 kubelet RequestReceived",
	} {
		if got := strings.Join(strings.Fields(rows[i]), " "); got != want {
			t.Errorf("row %d: %s\nwant   %s", i, got, want)
		}
	}
	local := printed(t, Style{Zone: time.FixedZone("X", 3600)}, auditevents.Sample(t))
	if !strings.HasPrefix(local[0], "WHEN (local)") || !strings.HasPrefix(local[1], "2026-11-22 12:02:10") {
		t.Errorf("%s\n%s", local[0], local[1])
	}
}

// TestForged is texts that whoever sends a request has chosen so that they pass for something else.
func TestForged(t *testing.T) {
	for text, want := range map[string]string{
		`"user":{"username":"carol as bob"}`:                                       ` "carol as bob" get`,
		`"user":{"username":"carol"},"impersonatedUser":{"username":"bob"}`:        ` carol as bob get`,
		`"user":{"username":"sa:prod:web"}`:                                        ` "sa:prod:web" get`,
		`"user":{"username":"system:serviceaccount:prod:web"}`:                     ` sa:prod:web get`,
		`"user":{"username":"\\x1b"}`:                                              ` "\\x1b" get`,
		`"user":{"username":"\u001b"}`:                                             ` \x1b get`,
		`"user":{"username":"\\x1b a"}`:                                            ` "\\x1b a" get`,
		`"user":{"username":"\u001b a"}`:                                           ` "\x1b a" get`,
		`"user":{"username":"al…ce"}`:                                              ` "al\u2026ce" get`,
		`"user":{"username":"sa:a\" as b"}`:                                        ` "sa:a\" as b" get`,
		`"user":{"username":"-"}`:                                                  ` "-" get`,
		`"user":{"username":"alice    delete pods/y"}`:                             ` "alice delete pods/y" get`,
		`"user":{"username":"a\"  b"}`:                                             ` "a\" b" get`,
		`"sourceIPs":["9.9.9.9) kubectl  200","10.0.0.7"],"userAgent":"curl/8"`:    ` 10.0.0.7 (for "9.9.9.9) kubectl 200") curl 200`,
		`"sourceIPs":["10.0.0.7"],"userAgent":"  kubectl 200"`:                     ` 10.0.0.7 " kubectl 200" 200`,
		`"verb":"delete pods/y","user":{"username":"eve"}`:                         ` eve "delete pods/y" pods/x`,
		`"objectRef":{"resource":"pods","name":"x  prod","namespace":"-"}`:         ` get pods/"x prod" "-" `,
		`"responseStatus":{"code":403,"reason":"OK  x"},"user":{"username":"eve"}`: ` 403 "OK x"`,
		`"objectRef":{"resource":"deployments.apps","name":"web"}`:                 ` get "deployments.apps"/web `,
		`"objectRef":{"resource":"pods/x","name":"a/exec"}`:                        ` get "pods/x"/"a/exec" `,
		`"objectRef":{"resource":"a","apiGroup":"b.c/d","subresource":"e/f"}`:      ` get a."b.c/d"/"e/f" `,
		`"objectRef":{},"requestURI":"pods/web?x"`:                                 ` get "pods/web" `,

		`"requestReceivedTimestamp":"2026-11-22T11:00:00Z","stageTimestamp":"9999-12-31T23:00:00Z"`: ` 200 after 69890820h `,
	} {
		got := strings.Join(strings.Fields(printed(t, Style{}, []*event.Event{parsed(t, text)})[1]), " ")
		if !strings.Contains(got+" ", want) {
			t.Errorf("%s\nis   %s\nwant %s", text, got, want)
		}
	}
}

// TestNothing is no event: no head either.
func TestNothing(t *testing.T) {
	if rows := printed(t, Style{}, nil); len(rows) != 1 || rows[0] != "" {
		t.Errorf("%q", rows)
	}
	var e event.Event
	if err := e.Parse([]byte(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x","stage":"Panic","verb":"get"}`), event.WantAll); err != nil {
		t.Fatal(err)
	}
	rows := printed(t, Style{Wide: true}, []*event.Event{&e})
	if got := strings.Join(strings.Fields(rows[1]), " "); got != "- - get - - panic - Panic - - x - -" {
		t.Error(got)
	}
}

// TestColors are around the whole row, and nowhere without them.
func TestColors(t *testing.T) {
	rows := printed(t, Style{Width: 120, Color: true}, auditevents.Sample(t))
	if !strings.HasPrefix(rows[0], bold) || !strings.HasPrefix(rows[6], yellow) || !strings.HasSuffix(rows[6], reset) || strings.Contains(rows[1], "\x1b") {
		t.Errorf("%q", rows)
	}
	if plain := printed(t, Style{Width: 120}, auditevents.Sample(t)); strings.Contains(strings.Join(plain, ""), "\x1b") {
		t.Errorf("%q", plain)
	}
}

// TestStream prints many rows in bounded memory; those after the first keep their columns.
func TestStream(t *testing.T) {
	e := auditevents.Sample(t)[0]
	w := &counter{}
	table := New(w, Style{Width: 100, Zone: time.UTC, Line: func(s string) string { return s }})
	for i := range 1000 {
		if err := table.Add(e); err != nil {
			t.Fatal(err)
		}
		if want := i >= mostKept-1; (w.writes > 0) != want {
			t.Fatalf("row %d: %d writes", i, w.writes)
		}
		if len(table.kept) >= mostKept {
			t.Fatalf("%d rows are kept", len(table.kept))
		}
	}
	if want := 1001; strings.Count(w.String(), "\n") != want {
		t.Errorf("%d lines, want %d", strings.Count(w.String(), "\n"), want)
	}
}

type counter struct {
	bytes.Buffer
	writes int
}

func (c *counter) Write(text []byte) (int, error) {
	c.writes++
	return c.Buffer.Write(text)
}

func TestShortened(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{{"abc", 3, "abc"}, {"abcdef", 5, "ab…ef"}, {"abcdef", 4, "a…ef"}, {"äöüß", 4, "äöüß"}, {"äöüßx", 4, "ä…ßx"}, {"abc", 2, "ab"}, {"abc", 0, ""},
		{"漢字漢字漢", 8, "漢…字漢"}, {"漢字", 3, "…字"}, {"a\u0301b\u0301c\u0301d\u0301", 3, "a\u0301…d\u0301"}, {"漢", 1, ""}} {
		if got := string((cell{}).shortened([]byte(c.text), c.width)); got != c.want {
			t.Errorf("%s in %d: %s, want %s", c.text, c.width, got, c.want)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	all := auditevents.Sample(b)
	table := New(&bytes.Buffer{}, Style{Zone: time.UTC, Line: func(s string) string { return s }})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := table.Add(all[i%len(all)]); err != nil {
			b.Fatal(fmt.Errorf("row %d: %w", i, err))
		}
	}
}
