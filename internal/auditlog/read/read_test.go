package read

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/standin/auditevents"
)

// small are sizes that make every bound felt.
var small = sizes{workers: 3, chunk: 64, text: 200, batch: 3, longest: 1 << 20}

// put writes a file and returns its name.
func put(t testing.TB, dir, name string, text []byte) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour) // nobody writes it any more
	if err := os.Chtimes(name, old, old); err != nil {
		t.Fatal(err)
	}
	return name
}

func zipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// result is what came of a run: the events' audit IDs, and the total.
type result struct {
	ids   []string
	json  []string
	total Total
}

// readAll reads logs, and fails at errors.
func readAll(t testing.TB, s sizes, q Query, logs ...Log) result {
	t.Helper()
	var out result
	total, err := s.run(t.Context(), logs, q, func(e *event.Event) error {
		out.ids = append(out.ids, string(e.AuditID))
		out.json = append(out.json, string(e.JSON))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out.total = total
	return out
}

// one is an event with that audit ID, some milliseconds after 11:20.
func one(id string, ms int) string {
	at := time.Date(2026, 11, 22, 11, 20, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond).Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"%s","stage":"ResponseComplete","verb":"get","user":{"username":"jane"},"requestReceivedTimestamp":"%s","stageTimestamp":"%s"}`, id, at, at)
}

// some are events one second apart, a line each.
func some(ids ...string) string {
	var b strings.Builder
	for i, id := range ids {
		b.WriteString(one(id, i*1000) + "\n")
	}
	return b.String()
}

// reference reads lines in the plainest way.
func reference(text []byte, strict bool) (ids []string, unreadable []Unreadable) {
	var e event.Event
	for i, line := range bytes.Split(bytes.TrimPrefix(text, bom), []byte("\n")) {
		line = bytes.TrimSuffix(line, []byte("\r"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		err := e.Parse(line, event.WantAll)
		if strict && err == nil {
			err = event.Check(line)
		}
		if at := bytes.LastIndex(line, []byte(`{"kind":"Event"`)); err != nil && at > 0 && e.Parse(line[at:], event.WantAll) == nil && (!strict || event.Check(line[at:]) == nil) {
			unreadable = append(unreadable, Unreadable{"", int64(i + 1), int64(at), event.ErrCut.Error()})
		} else if err != nil {
			unreadable = append(unreadable, Unreadable{"", int64(i + 1), int64(len(line)), err.Error()})
			continue
		}
		ids = append(ids, string(e.AuditID))
	}
	return ids, unreadable
}

// TestChunks reads the same lines in chunks of every size.
func TestChunks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := some("a", "b") + "\n\r\n" + one("c", 3000) + "\r\n" + `{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":` + "\n" + one("d", 4000)[:100] + one("e", 5000) + "\n" +
		strings.Replace(one("f", 6000), `"verb"`, `"x":"`+strings.Repeat("y", 500)+`","verb"`, 1) + "\n   \n" + one("g", 7000)
	for name, text := range map[string]string{"half": text + "\n" + one("h", 8000)[:70], "whole": text + "\n", "endless": text, "bom": "\ufeff" + text} {
		ids, unreadable := reference([]byte(text), false)
		file := put(t, dir, name+".log", []byte(text))
		for i := range unreadable {
			unreadable[i].File = file
		}
		step := 1
		if name != "half" {
			step = 11
		}
		for chunk := 1; chunk < len(text)+2; chunk += step * (1 + chunk/300) {
			s := small
			s.chunk = chunk
			for _, unordered := range []bool{false, true} {
				got := readAll(t, s, Query{Unordered: unordered}, Log{Files: []string{file}})
				if unordered {
					slices.Sort(got.ids)
				}
				if !slices.Equal(got.ids, ids) || !slices.Equal(got.total.First, unreadable) || got.total.Unreadable != int64(len(unreadable)) || got.total.Events != int64(len(ids)) {
					t.Fatalf("%s, chunks of %d: got %q, want %q\n%+v\n%+v", name, chunk, got.ids, ids, got.total, unreadable)
				}
			}
		}
		streams := readAll(t, small, Query{}, Log{Name: file, Stdin: iotest{strings.NewReader(text)}})
		if !slices.Equal(streams.ids, ids) || !slices.Equal(streams.total.First, unreadable) {
			t.Errorf("%s as a stream: got %q, want %q\n%+v\n%+v", name, streams.ids, ids, streams.total, unreadable)
		}
	}
}

// iotest hands out a few bytes at a time.
type iotest struct{ r io.Reader }

func (r iotest) Read(to []byte) (int, error) { return r.r.Read(to[:min(len(to), 7)]) }

// TestForms reads the same events in every form.
func TestForms(t *testing.T) {
	t.Parallel()
	a, b, c := one("a", 0), one("b", 1000), one("c", 2000)
	lines := func(prefix ...string) string {
		return prefix[0] + a + "\n" + prefix[1%len(prefix)] + b + "\n" + prefix[2%len(prefix)] + c + "\n"
	}
	quoted := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`) }
	pretty := func(s string) string {
		var b bytes.Buffer
		if err := json.Indent(&b, []byte(s), "", "  "); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"lines":               lines(""),
		"CRLF":                strings.ReplaceAll(lines(""), "\n", "\r\n"),
		"BOM":                 "\ufeff" + lines(""),
		"no last end":         strings.TrimSuffix(lines(""), "\n"),
		"cloudwatch":          lines("2026-11-24T10:00:00.000Z "),
		"kubectl --prefix":    lines("[pod/kube-apiserver-node/kube-apiserver] "),
		"journald":            lines("Nov 24 10:00:00 node kube-apiserver[123]: "),
		"prefix with braces":  lines("I1122 {x} [y] "),
		"tabs":                lines("a\tb\t"),
		"indented":            lines("  "),
		"CRI":                 lines("2026-11-24T10:00:00.123456789Z stdout F "),
		"CRI pieces":          "2026-11-24T10:00:00.1+01:00 stdout P " + a[:50] + "\n2026-11-24T10:00:00.1+01:00 stdout P " + a[50:60] + "\n2026-11-24T10:00:00.1+01:00 stdout F " + a[60:] + "\n2026-11-24T10:00:00.1+01:00 stderr F " + b + "\n2026-11-24T10:00:00.1+01:00 stdout F " + c + "\n",
		"docker":              `{"log":"` + quoted(a) + `\n","stream":"stdout","time":"x"}` + "\n" + `{"log":"` + quoted(b) + `\n","stream":"stdout","time":"x"}` + "\n" + `{"log":"` + quoted(c) + `\n","stream":"stdout","time":"x"}` + "\n",
		"docker pieces":       `{"log":"` + quoted(a[:40]) + `","stream":"stdout","time":"x"}` + "\n" + `{"log":"` + quoted(a[40:]) + `\n","stream":"stdout","time":"x"}` + "\n" + `{"log":"` + quoted(b) + `\n","stream":"stdout","time":"x"}` + "\n" + `{"log":"` + quoted(c) + `\n","stream":"stdout","time":"x"}` + "\n",
		"list":                `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{"a":[{}]},"items":[` + a + "," + b + "," + c + "]}\n",
		"lists":               `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + a + "," + b + "]}\n" + `{"kind":"EventList","items":[` + c + "]}\n",
		"pretty list":         pretty(`{"apiVersion":"audit.k8s.io/v1","items":[` + a + "," + b + "," + c + `],"kind":"EventList"}`),
		"array":               "[" + a + "," + b + ",\n" + c + "]",
		"array over lines":    "[\n" + a + ",\n" + b + ",\n" + c + "\n]\n",
		"pretty":              pretty(a) + "\n" + pretty(b) + "\n" + pretty(c),
		"pretty array":        pretty("[" + a + "," + b + "," + c + "]"),
		"CRLF pretty":         strings.ReplaceAll(pretty(a)+"\n"+pretty(b)+"\n"+pretty(c), "\n", "\r\n"),
		"no line ends":        a + b + c,
		"commas":              a + "," + b + "," + c,
		"joined later":        a + "\n" + b + c + "\n",
		"message":             `{"message":"` + quoted(a) + `"}` + "\n" + `{"@message":"` + quoted(b) + `","@timestamp":"x"}` + "\n" + `{"MESSAGE":"` + quoted(c) + `","PRIORITY":"6"}` + "\n",
		"elasticsearch":       `{"_index":"x","_source":` + a + "}\n" + `{"_source":` + b + "}\n" + `{"_source":{"message":"` + quoted(c) + `"}}` + "\n",
		"own wrapper":         `{"type":"x","raw_event":` + a + "}\n" + `{"type":{},"event":"` + quoted(b) + `"}` + "\n" + `{"x":` + c + "}\n",
		"elasticsearch reply": `{"took":1,"hits":{"total":3,"hits":[{"_source":` + a + `},{"_source":` + b + `},{"_source":` + c + "}]}}",
		"cloudwatch reply":    pretty(`{"events":[{"timestamp":1,"message":"` + quoted(a) + `"},{"message":"` + quoted(b) + `"},{"message":"` + quoted(c) + `"}],"nextToken":"x"}`),
		"azure":               `{"records":[{"category":"kube-audit","properties":{"log":"` + quoted(a) + `"}},{"properties":{"log":"` + quoted(b) + `"}},{"properties":{"log":"` + quoted(c) + `"}}]}`,
		"without kind":        strings.ReplaceAll(lines(""), `"kind":"Event","apiVersion":"audit.k8s.io/v1",`, ""),
		"lists in lines":      a + "\n" + `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[` + b + "," + c + "]}\n",
		"array in a line":     a + "\n[" + b + "," + c + "]\n",
		"blank lines":         "\n\n" + a + "\n\n\n" + b + "\n \n" + c + "\n\n",
	} {
		file := put(t, t.TempDir(), "audit.log", []byte(text))
		packed := put(t, t.TempDir(), "audit.log.gz", zipped(t, []byte(text)))
		for how, log := range map[string]Log{"file": {Files: []string{file}}, "packed": {Files: []string{packed}}, "stream": {}} {
			for _, s := range []sizes{small, usually} {
				for _, words := range [][]string{nil, {"jane"}} {
					if log.Files == nil {
						log.Stdin = iotest{strings.NewReader(text)}
					}
					got := readAll(t, s, Query{Words: words, Checked: true}, log)
					if !slices.Equal(got.ids, []string{"a", "b", "c"}) || got.total.Unreadable > 0 || got.total.Events != 3 {
						t.Errorf("%s, %s: got %q, %+v", name, how, got.ids, got.total)
					}
					for _, text := range got.json {
						if strings.ContainsAny(text, "\n") || !strings.HasPrefix(text, "{") {
							t.Errorf("%s, %s: the event is %q", name, how, text)
						}
					}
				}
			}
		}
	}
}

// TestLegacy translates lines of the other log format.
func TestLegacy(t *testing.T) {
	t.Parallel()
	text := `2026-11-22T11:20:04.5Z AUDIT: id="a" stage="ResponseComplete" ip="10.0.0.1" method="delete" user="jane" groups="\"x\",\"y\"" as="bob" asgroups="<lookup>" user-agent="k{\"" namespace="web" uri="/api" response="403"` + "\n" +
		`2026-11-22T11:20:05Z AUDIT: id="b" stage="RequestReceived" ip="<unknown>" method="get" user="<none>" groups="<none>" as="<self>" asgroups="<lookup>" user-agent="" namespace="<none>" uri="/healthz" response="<deferred>"` + "\n" + `2026-11-22T11:20:05Z AUDIT: id="c" stage="x" foo` + "\n"
	got := readAll(t, usually, Query{}, Log{Files: []string{put(t, t.TempDir(), "audit.log", []byte(text))}})
	want := []string{
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","requestURI":"/api","verb":"delete","user":{"username":"jane","groups":["x","y"]},"impersonatedUser":{"username":"bob"},"sourceIPs":["10.0.0.1"],"userAgent":"k{\"","objectRef":{"namespace":"web"},"responseStatus":{"code":403},"requestReceivedTimestamp":"2026-11-22T11:20:04.5Z","stageTimestamp":"2026-11-22T11:20:04.5Z"}`,
		`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"b","stage":"RequestReceived","requestURI":"/healthz","verb":"get","requestReceivedTimestamp":"2026-11-22T11:20:05Z","stageTimestamp":"2026-11-22T11:20:05Z"}`,
	}
	if !slices.Equal(got.json, want) || got.total.Unreadable != 1 {
		t.Errorf("got %s\n%+v", strings.Join(got.json, "\n"), got.total)
	}
}

// TestUnreadable says what cannot be read, where, and why.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	a, b := one("a", 0), one("b", 1000)
	utf16 := []byte{0xff, 0xfe}
	for _, c := range a {
		utf16 = append(utf16, byte(c), 0)
	}
	packed := zipped(t, []byte(strings.Repeat(a+"\n", 2000)+b))
	s := usually
	s.longest = 1 << 20
	for name, tc := range map[string]struct {
		text []byte
		ids  []string
		want []Unreadable
	}{
		"nothing":     {nil, nil, nil},
		"spaces":      {[]byte(" \n\n"), nil, nil},
		"torn, whole": {[]byte(a[:60] + b + "\n" + a), []string{"a", "b"}, []Unreadable{{Line: 1, Bytes: 60, Reason: event.ErrCut.Error()}}},
		"torn, with a body": {[]byte(a[:60] + b[:len(b)-1] + `,"requestObject":{"kind":"Event","auditID":"forged"}}`), []string{"b"},
			[]Unreadable{{Line: 1, Bytes: 60, Reason: event.ErrCut.Error()}}},
		"UTF-16":      {utf16, nil, []Unreadable{{"", 1, 0, "it is UTF-16, and has to be UTF-8"}}},
		"UTF-16 bare": {utf16[2:], nil, []Unreadable{{"", 1, 0, "it is UTF-16, and has to be UTF-8"}}},
		"zstd":        {[]byte("\x28\xb5\x2f\xfdxxxx\nyyy"), nil, []Unreadable{{"", 1, 0, "it is compressed with zstd, and has to be unpacked first"}}},
		"NUL":         {[]byte(a + "\n\x00\x00\x00\n" + b + "\n"), []string{"a", "b"}, []Unreadable{{"", 2, 3, "it has no JSON in it"}}},
		"NUL before":  {[]byte(a + "\n\x00\x00" + b + "\n"), []string{"a", "b"}, nil},
		"torn":        {[]byte(a[:50] + "\n" + b + "\n"), []string{"b"}, []Unreadable{{"", 1, 50, "it is cut off"}}},
		"half":        {[]byte(b + "\n" + a[:50]), []string{"b"}, []Unreadable{{"", 2, 50, "it is cut off"}}},
		"tail":        {[]byte(a[50:] + "\n" + b + "\n"), []string{"b"}, []Unreadable{{"", 1, int64(len(a) - 50), "it is no audit event"}}},
		"glued":       {[]byte(a[:70] + b + "\n" + b + "\n"), []string{"b"}, []Unreadable{{"", 1, 70, "it is cut off"}}},
		"text":        {[]byte("hello\n" + b + "\nworld"), []string{"b"}, []Unreadable{{"", 1, 5, "it has no JSON in it"}, {"", 3, 5, "it has no JSON in it"}}},
		"another":     {[]byte(`{"kind":"Pod"}` + "\n" + b + "\n"), []string{"b"}, []Unreadable{{"", 1, 14, "it is no audit event"}}},
		"manifest":    {[]byte("{\n  \"kind\": \"Pod\",\n  \"spec\": {}\n}\n"), nil, []Unreadable{{"", 1, 24, "it is no audit event"}}},
		"in a list":   {[]byte(`{"kind":"EventList","items":[` + a + `,{"x":1},` + b + `]}`), []string{"a", "b"}, []Unreadable{{"", 1, 7, "it is no audit event"}}},
		"mixed list":  {[]byte(a + "\n[1,\"x\"," + b + ",null]\n"), []string{"a", "b"}, []Unreadable{{"", 2, 1, "it has no JSON in it"}, {"", 2, 3, "it has no JSON in it"}, {"", 2, 4, "it has no JSON in it"}}},
		"torn list":   {[]byte("{\"kind\":\"EventList\",\"items\":[\n" + a + ",\n" + b[:40]), []string{"a"}, []Unreadable{{"", 3, 40, "it is cut off"}}},
		"open list":   {[]byte("[\n" + a + ",\n"), []string{"a"}, []Unreadable{{"", 3, 0, "it is cut off"}}},
		"torn pretty": {[]byte("{\n \"a\": 1,\n \"b\": \"x\n}\n" + a + "\n"), []string{"a"}, []Unreadable{{"", 1, 19, "it is cut off"}, {"", 4, 1, "it has no JSON in it"}}},
		"too long":    {[]byte(a + "\n" + strings.Repeat("x", 3<<20) + "\n" + b + "\n"), []string{"a", "b"}, []Unreadable{{"", 2, 3<<20 + 1, "it is longer than 1 MB"}}},
		"endless":     {[]byte(a + "\n" + strings.Repeat("x", 3<<20)), []string{"a"}, []Unreadable{{"", 2, 3 << 20, "it is longer than 1 MB"}}},
		"only long":   {[]byte(strings.Repeat("x", 3<<20) + "\n" + b), []string{"b"}, []Unreadable{{"", 1, 3<<20 + 1, "it is longer than 1 MB"}}},
		"gzip cut":    {packed[:len(packed)-20], nil, []Unreadable{{"", 0, 0, "the compressed file is cut off"}}},
		"gzip broken": {append(slices.Clone(packed[:len(packed)-8]), 1, 2, 3, 4, 5, 6, 7, 8), nil, []Unreadable{{"", 0, 0, "the compressed file is damaged: what it holds does not fit its checksum"}}},
		"gzip head":   {packed[:5], nil, []Unreadable{{"", 1, 0, "the compressed file is cut off"}}},
		"not gzip":    {[]byte("\x1f\x8bxxxxxxxxxxx"), nil, []Unreadable{{"", 1, 0, "the compressed file is damaged: gzip: invalid header"}}},
		"twice":       {zipped(t, packed), nil, []Unreadable{{"", 1, 0, "it is compressed twice"}}},
	} {
		file := put(t, t.TempDir(), "audit.log", tc.text)
		for i := range tc.want {
			tc.want[i].File = file
		}
		got := readAll(t, s, Query{}, Log{Files: []string{file}})
		if strings.HasPrefix(name, "gzip ") && len(got.total.First) > 0 && name != "gzip head" {
			got.total.First = got.total.First[len(got.total.First)-1:]
			got.total.First[0].Line = 0
			if got.total.Events < 1500 {
				t.Errorf("%s: only %d events", name, got.total.Events)
			}
			got.ids = nil
		}
		if !slices.Equal(got.ids, tc.ids) || !slices.Equal(got.total.First, tc.want) {
			t.Errorf("%s: got %q, want %q\n%+v\n%+v", name, got.ids, tc.ids, got.total, tc.want)
		}
	}
	many := readAll(t, small, Query{}, Log{Files: []string{put(t, t.TempDir(), "a.log", []byte(strings.Repeat("hello\n", 1000)))}})
	if n := len(many.total.First); n != mostUnreadable || many.total.Unreadable != 1000 || many.total.First[n-1].Line != mostUnreadable {
		t.Errorf("%+v", many.total)
	}
}

// TestHostile reads lines that are made to cost much time or memory.
func TestHostile(t *testing.T) {
	t.Parallel()
	const n = 1 << 20
	for name, text := range map[string]string{
		"braces":    "x" + strings.Repeat("{", n),
		"objects":   strings.Repeat(`{"a":`, n),
		"prefixed":  "x " + strings.Repeat(`{"a":`, n),
		"lists":     strings.Repeat("[", n) + strings.Repeat("]", n),
		"hits":      strings.Repeat(`{"hits":`, n) + "1" + strings.Repeat("}", n),
		"in a line": "x\n" + strings.Repeat(`{"hits":`, n) + "1" + strings.Repeat("}", n),
		"wrapped":   "x\n" + strings.Repeat(`{"_source":`, n) + "1" + strings.Repeat("}", n),
		"pieces":    strings.Repeat("2026-11-24T10:00:00.1Z stdout P {\n", n/10),
		"docker":    `{"log":"x","stream":"stdout"}` + "\n",
		"joined":    "x\n" + strings.Repeat("{}", n),
		"escapes":   `{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"` + strings.Repeat(`\\`, n) + `","auditID":"a"`,
		"quotes":    `{"kind":"Event","apiVersion":"audit.k8s.io/v1","verb":"` + strings.Repeat(`\"`, n),
		"names":     `{"items":[],"` + strings.Repeat("a", 3*n),
	} {
		start := time.Now()
		got := readAll(t, usually, Query{}, Log{Files: []string{put(t, t.TempDir(), "a.log", []byte(text))}})
		if took := time.Since(start); took > time.Minute || got.total.Unreadable == 0 && name != "hits" || got.total.Events > 0 {
			t.Errorf("%s: %v, %+v", name, took, got.total)
		}
	}
}

// TestUnfinished keeps a line that is being written apart from one that is torn.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := []byte(one("a", 0) + "\n" + one("b", 1)[:60])
	old, live := put(t, dir, "audit-2026-11-22T11-20-04.000.log", text), filepath.Join(dir, "audit.log")
	if err := os.WriteFile(live, bytes.Replace(text, []byte(`"a"`), []byte(`"c"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	got := readAll(t, small, Query{}, Log{Files: []string{old, live}})
	if got.total.Unfinished != 1 || got.total.Unreadable != 1 || got.total.First[0].File != old || got.total.Events != 2 {
		t.Errorf("%+v", got.total)
	}
}

// TestOrder sorts a log that was written a little out of order, and merges several.
func TestOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first, second strings.Builder
	var want []string
	for i := range 400 {
		want = append(want, fmt.Sprint(i))
	}
	for i := 0; i < 400; i += 4 {
		// Neighbours are swapped, and logs take turns.
		first.WriteString(one(fmt.Sprint(i+1), i+1) + "\n" + one(fmt.Sprint(i), i) + "\n")
		second.WriteString(one(fmt.Sprint(i+2), i+2) + "\n" + one(fmt.Sprint(i+3), i+3) + "\n")
	}
	half := first.Len() / 2
	half += strings.IndexByte(first.String()[half:], '\n') + 1
	old := put(t, dir, "a-2026-11-22T11-20-04.000.log.gz", zipped(t, []byte(first.String()[:half])))
	live := put(t, dir, "a.log", []byte(first.String()[half:]))
	other := put(t, dir, "b.log", []byte(second.String()))
	for _, s := range []sizes{small, usually} {
		s.batch, s.text, s.chunk = max(s.batch, 8), max(s.text, 8000), max(s.chunk, 8000)
		got := readAll(t, s, Query{}, Log{Files: []string{old, live}}, Log{Files: []string{other}})
		if !slices.Equal(got.ids, want) {
			t.Errorf("got %q", got.ids)
		}
		got = readAll(t, s, Query{Unordered: true}, Log{Files: []string{old, live}}, Log{Files: []string{other}})
		slices.Sort(got.ids)
		sorted := slices.Sorted(slices.Values(want))
		if !slices.Equal(got.ids, sorted) {
			t.Errorf("unordered: got %q", got.ids)
		}
	}
}

// TestNoTime leaves events without a time where they are.
func TestNoTime(t *testing.T) {
	t.Parallel()
	none := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"none","stage":"x"}`
	text := none + "\n" + one("b", 2000) + "\n" + strings.Replace(none, "none", "later", 1) + "\n" + one("a", 1000) + "\n"
	got := readAll(t, usually, Query{}, Log{Files: []string{put(t, t.TempDir(), "a.log", []byte(text))}})
	if want := []string{"none", "a", "b", "later"}; !slices.Equal(got.ids, want) {
		t.Errorf("got %q, want %q", got.ids, want)
	}
}

// TestDuplicates delivers nothing twice, and takes no two events for one because their
// audit IDs are the same.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := auditevents.New(1).Log(200_000)
	cut := bytes.IndexByte(text[100_000:], '\n') + 100_001
	a, copied := put(t, dir, "a.log", text), put(t, dir, "copy.log", text)
	over := put(t, dir, "over.log", text[cut:])
	packed := put(t, dir, "a.log.gz", zipped(t, text))
	once := readAll(t, usually, Query{}, Log{Files: []string{a}})
	n := once.total.Wanted
	for name, logs := range map[string][]Log{
		"side by side": {{Files: []string{a}}, {Files: []string{copied}}},
		"in one log":   {{Files: []string{a, copied, packed}}},
		"overlap":      {{Files: []string{a}}, {Files: []string{over}}, {Files: []string{packed}}},
	} {
		for _, unordered := range []bool{false, true} {
			got := readAll(t, usually, Query{Unordered: unordered}, logs...)
			if got.total.Wanted != n || got.total.Duplicates != got.total.Events-n {
				t.Errorf("%s: %d wanted, want %d: %+v", name, got.total.Wanted, n, got.total)
			}
			if !unordered && !slices.Equal(got.ids, once.ids) && name != "in one log" {
				t.Errorf("%s: another order", name)
			}
		}
	}
	other := strings.Replace(one("x", 0), `"get"`, `"delete"`, 1)
	got := readAll(t, usually, Query{}, Log{Files: []string{put(t, dir, "x.log", []byte(one("x", 0)+"\n"+other+"\n"+one("x", 1)+"\n"+one("x", 0)+"\n"))}})
	if got.total.Wanted != 3 || got.total.Duplicates != 1 {
		t.Errorf("the same audit ID: %+v", got.total)
	}
}

// TestSeen holds the bounded set against an unbounded one.
func TestSeen(t *testing.T) {
	t.Parallel()
	var s seen
	mix := func(i uint64) uint64 { return i * 0x9e3779b97f4a7c15 }
	for i := range uint64(3 * mostYoung) {
		if s.before(mix(i)) {
			t.Fatalf("%d is new", i)
		}
		if i%1000 == 0 && i > mostYoung {
			for _, back := range []uint64{0, 1, 1000, mostYoung / 2, mostYoung - 1} {
				if !s.before(mix(i - back)) {
					t.Fatalf("%d was seen %d before", i-back, back)
				}
			}
		}
	}
	if n := len(s.young.slots) + len(s.old.slots); n > 2*slots {
		t.Errorf("%d slots", n)
	}
}

// TestFilter takes what Match takes, with words and without, whatever the escapes.
func TestFilter(t *testing.T) {
	t.Parallel()
	text := auditevents.New(2).Log(1 << 20)
	for _, odd := range []string{
		strings.Replace(one("escaped", 5), `"get"`, `"\u0064elete"`, 1), strings.Replace(one("key", 6), `"verb":"get"`, `"\u0076erb":"delete"`, 1),
		strings.Replace(one("twice", 7), `"verb"`, `"verb":"delete","verb"`, 1), strings.Replace(one("spaces", 8), `"verb":"get"`, `"verb" : "delete" `, 1),
	} {
		text = append(append(text, odd...), '\n')
	}
	file := put(t, t.TempDir(), "a.log", text)
	want := 0
	var e event.Event
	for line := range bytes.Lines(text) {
		if e.Parse(line, event.WantVerb) == nil && string(e.Verb) == "delete" {
			want++
		}
	}
	q := Query{MatchFields: event.WantVerb, Match: func(e *event.Event) bool { return string(e.Verb) == "delete" }}
	for _, words := range [][]string{nil, {"delete"}, {"deletecollection", "delete"}, {"delete", "/x"}, {`a"b`, "delete"}, {"é", "delete"}, {"1", "2", "3", "delete"}} {
		for _, s := range []sizes{small, usually} {
			q.Words = words
			got := readAll(t, s, q, Log{Files: []string{file}})
			if len(got.ids) != want || got.total.Unreadable != 0 || got.total.Events != int64(bytes.Count(text, []byte("\n"))) || got.total.Bytes != int64(len(text)) {
				t.Errorf("%q: %d events, want %d: %+v", words, len(got.ids), want, got.total)
			}
		}
	}
	failed := func(n int) bool { return n >= 400 }
	all := readAll(t, usually, Query{MatchFields: event.WantResponse, Match: func(e *event.Event) bool { return failed(e.Response.Code) }}, Log{Files: []string{file}})
	for _, words := range [][]string{nil, {"Panic"}} {
		got := readAll(t, small, Query{Words: words, Code: failed, MatchFields: event.WantResponse, Match: func(e *event.Event) bool { return failed(e.Response.Code) }}, Log{Files: []string{file}})
		if len(all.ids) == 0 || len(got.ids) != len(all.ids) || got.total.Events != all.total.Events || got.total.Bytes != all.total.Bytes {
			t.Errorf("%q and codes: %d events, want %d: %+v", words, len(got.ids), len(all.ids), got.total)
		}
	}
	path := strings.Replace(one("path", 0), `"get"`, `"get","requestURI":"\/api"`, 1) + "\n"
	got := readAll(t, usually, Query{Words: []string{"/api"}, MatchFields: event.WantRequestURI, Match: func(e *event.Event) bool { return string(e.RequestURI) == "/api" }},
		Log{Files: []string{put(t, t.TempDir(), "a.log", []byte(path))}})
	if len(got.ids) != 1 {
		t.Errorf("an escaped slash: %+v", got.total)
	}
}

// TestStrict refuses damage that lies where nobody looks.
func TestStrict(t *testing.T) {
	t.Parallel()
	damaged := strings.Replace(one("a", 0), `"verb"`, `"requestObject":{"x":tru,]},"verb"`, 1)
	damaged = strings.Replace(damaged, ",]}", "}", 1)
	file := put(t, t.TempDir(), "a.log", []byte(damaged+"\n"+one("b", 1)+"\n"))
	none := func(*event.Event) bool { return false }
	for _, tc := range []struct {
		q          Query
		unreadable int64
	}{
		{Query{}, 0}, {Query{Checked: true}, 1}, {Query{Strict: true}, 1}, {Query{Match: none, Checked: true}, 0}, {Query{Match: none, Strict: true, Words: []string{"x"}}, 1},
	} {
		if got := readAll(t, usually, tc.q, Log{Files: []string{file}}); got.total.Unreadable != tc.unreadable {
			t.Errorf("%+v: %+v", tc.q, got.total)
		}
	}
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines stay:\n%s", buf[:runtime.Stack(buf, true)])
		}
	}
}

// TestEndings ends runs early in every way, and sees that nothing stays.
func TestEndings(t *testing.T) {
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	text := auditevents.New(3).Log(2 << 20)
	a, b := put(t, dir, "a.log", text), put(t, dir, "b.log.gz", zipped(t, auditevents.New(4).Log(1<<20)))
	all := readAll(t, usually, Query{}, Log{Files: []string{a}}, Log{Files: []string{b}})
	stop := errors.New("stop")
	for _, unordered := range []bool{false, true} {
		for _, s := range []sizes{small, usually} {
			for _, n := range []int{0, 1, 100, len(all.ids) / 2} {
				logs := []Log{{Files: []string{a}}, {Files: []string{b}}}
				ctx, cancel := context.WithCancel(t.Context())
				var ids []string
				total, err := s.run(ctx, logs, Query{Unordered: unordered}, func(e *event.Event) error {
					if ids = append(ids, string(e.AuditID)); len(ids) > n {
						cancel()
					}
					return nil
				})
				cancel()
				if err != nil || !total.Cut || len(ids) != n+1 || s.batch == usually.batch && !unordered && !slices.Equal(ids, all.ids[:n+1]) {
					t.Errorf("cancelled after %d: %v, %d events, %+v", n, err, len(ids), total)
				}
				calls := 0
				_, err = s.run(t.Context(), logs, Query{Unordered: unordered}, func(*event.Event) error {
					if calls++; calls > n {
						return stop
					}
					return nil
				})
				if !errors.Is(err, stop) || calls != n+1 {
					t.Errorf("stopped after %d: %v, %d calls", n, err, calls)
				}
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if total, err := s.run(ctx, []Log{{Files: []string{a}}}, Query{}, nil); err != nil || !total.Cut || total.Wanted != 0 {
				t.Errorf("cancelled before: %v, %+v", err, total)
			}
		}
	}
	settled(t, before)
	// A reader that never returns does not hold up the end.
	r, w := io.Pipe()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if total, err := Events(ctx, []Log{{Stdin: r}}, Query{}, nil); err != nil || !total.Cut {
		t.Errorf("a silent pipe: %v, %+v", err, total)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	settled(t, before)
}

// TestRemoved is about files that rotation has removed when they are read: the others are.
func TestRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := put(t, dir, "a.log", []byte(some("a")))
	missing := filepath.Join(dir, "b.log")
	for _, unordered := range []bool{false, true} {
		total, err := Events(t.Context(), []Log{{Files: []string{file, missing}}}, Query{Unordered: unordered}, func(*event.Event) error { return nil })
		want := []Unreadable{{File: missing, Reason: "it was removed before it was read"}}
		if err != nil || total.Wanted != 1 || total.Unreadable != 1 || !slices.Equal(total.First, want) {
			t.Errorf("%v, %+v", err, total)
		}
	}
	// What was packed since it was found is read.
	put(t, dir, "b.log.gz", zipped(t, []byte(some("x", "b"))))
	if got := readAll(t, usually, Query{}, Log{Files: []string{missing}}); !slices.Equal(got.ids, []string{"x", "b"}) {
		t.Errorf("got %q", got.ids)
	}
}

// TestProgress comes to the end.
func TestProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := auditevents.New(5).Log(1 << 20)
	packed := zipped(t, text)
	files := []string{put(t, dir, "a.log", text), put(t, dir, "b.log.gz", packed)}
	for _, unordered := range []bool{false, true} {
		var last Progress
		readAll(t, usually, Query{Unordered: unordered, Progress: func(p Progress) {
			if p.Bytes < last.Bytes {
				t.Errorf("%+v after %+v", p, last)
			}
			last = p
		}}, Log{Files: files})
		if size := int64(len(text) + len(packed)); last.Bytes != size || last.Total != size {
			t.Errorf("%+v, want %d", last, size)
		}
	}
}
