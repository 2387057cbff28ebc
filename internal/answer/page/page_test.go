package page

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/glyph"
)

// decoded is a page as a browser reads it.
type decoded struct {
	about  end
	blocks []block
	raw    [][]byte // the events of each block, one behind the other
}

var element = regexp.MustCompile(`(?s)<script type="application/gzip" (class="rows"|class="raw"|id="about")>([^<]*)</script>`)

// decode takes a page apart, and checks that nothing stands between what belongs to it.
func decode(t *testing.T, text string) decoded {
	t.Helper()
	var d decoded
	for _, m := range element.FindAllStringSubmatch(text, -1) {
		data := unpack(t, m[2])
		switch m[1] {
		case `class="rows"`:
			var b block
			if err := json.Unmarshal(data, &b); err != nil {
				t.Fatal(err)
			}
			d.blocks = append(d.blocks, b)
		case `class="raw"`:
			d.raw = append(d.raw, data)
		default:
			if err := json.Unmarshal(data, &d.about); err != nil {
				t.Fatal(err)
			}
		}
	}
	rest := element.ReplaceAllString(text, "")
	head, tail, _ := strings.Cut(shell, "{{data}}")
	for _, c := range []struct{ text, want string }{{rest[:len(signature())], string(signature())}, {head[strings.Index(head, "<body>"):], rest[strings.Index(rest, "<body>"):][:len(head)-strings.Index(head, "<body>")]}} {
		if c.text != c.want {
			t.Errorf("the page has %q where %q belongs", c.text, c.want)
		}
	}
	if want := strings.TrimLeft(strings.Replace(tail, "{{js}}", script, 1), "\n"); !strings.HasSuffix(rest, want) {
		t.Error("the page does not end with its script")
	}
	if n := len(rest) - len(strings.TrimRight(head, "\n")) - len(script) - len(style); n > 2000 {
		t.Errorf("%d bytes in the page belong to nothing", n)
	}
	return d
}

func unpack(t *testing.T, text string) []byte {
	t.Helper()
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// row is what the page shows of an event.
func (d decoded) row(at int) (values map[string]string, when event.Time, raw []byte) {
	for i, b := range d.blocks {
		if at >= len(b.Time) {
			at -= len(b.Time)
			continue
		}
		from := 0
		for _, n := range b.Size[:at] {
			from += n
		}
		values = map[string]string{}
		for name, c := range b.Columns {
			values[name] = c.Words[c.IDs[at]]
		}
		return values, b.Base + b.Time[at], d.raw[i][from : from+b.Size[at]]
	}
	return nil, 0, nil
}

func write(t *testing.T, about About, total Total, lines ...[]byte) (string, []event.Event) {
	t.Helper()
	var out bytes.Buffer
	p, err := New(&out, about)
	if err != nil {
		t.Fatal(err)
	}
	var all []event.Event
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte("{")) {
			line = bytes.Replace(append([]byte("{"+head+","), line[1:]...), []byte(",}"), []byte("}"), 1)
		}
		var e event.Event
		if e.Parse(line, event.WantAll) != nil {
			continue
		}
		if err := p.Add(&e); err != nil {
			t.Fatal(err)
		}
		var again event.Event // Add may keep nothing of the first
		if err := again.Parse(bytes.Clone(line), event.WantAll); err != nil {
			t.Fatal(err)
		}
		all = append(all, again)
	}
	w, err := p.Close(total)
	if err != nil || w.Shown != len(all) || w.Left != 0 || w.Bytes != int64(out.Len()) {
		t.Fatalf("%+v, %v; %d events, %d bytes", w, err, len(all), out.Len())
	}
	return out.String(), all
}

// TestRow says what the table has of an event.
func TestRow(t *testing.T) {
	t.Parallel()
	text, _ := write(t, About{}, Total{},
		[]byte(`{"level":"Request","stage":"ResponseComplete","verb":"create","user":{"username":"alice"},"impersonatedUser":{"username":"bob"},"sourceIPs":["1.2.3.4","10.0.0.7"],"userAgent":"kubectl","objectRef":{"resource":"deployments","apiGroup":"apps","subresource":"scale","namespace":"prod","name":"web"},"responseStatus":{"code":201},"requestReceivedTimestamp":"2026-11-22T11:20:04.000001Z","stageTimestamp":"2026-11-22T11:20:04.000003Z"}`),
		[]byte(`{"stage":"RequestReceived","requestURI":"/healthz?verbose","verb":"get","user":{"username":"system:anonymous"},"requestReceivedTimestamp":"2026-11-22T11:20:05Z"}`),
		[]byte(`{}`))
	d := decode(t, text)
	for i, want := range []string{
		"create alice bob deployments.apps/scale prod web 201 ok 10.0.0.7 kubectl ResponseComplete Request 2026-11-22T11:20:04.000003Z",
		"get system:anonymous - /healthz - - - open - - RequestReceived - 2026-11-22T11:20:05Z",
		"- - - - - - - open - - - - 1970-01-01T00:00:00Z",
	} {
		v, when, _ := d.row(i)
		var got []string
		for _, name := range []string{"verb", "user", "as", "resource", "namespace", "name", "code", "outcome", "ip", "agent", "stage", "level"} {
			if v[name] == "" {
				v[name] = "-"
			}
			got = append(got, v[name])
		}
		got = append(got, when.Go().Format(time.RFC3339Nano))
		if strings.Join(got, " ") != want {
			t.Errorf("got  %s\nwant %s", strings.Join(got, " "), want)
		}
	}
}

// head is what makes an event of an object.
const head = `"kind":"Event","apiVersion":"audit.k8s.io/v1"`

func TestOutcome(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`{}`:                              "open",
		`{"stage":"Panic"}`:               "failed",
		`{"responseStatus":{"code":200}}`: "ok",
		`{"responseStatus":{"code":304}}`: "ok",
		`{"responseStatus":{"code":401}}`: "denied",
		`{"responseStatus":{"code":403}}`: "denied",
		`{"responseStatus":{"code":404}}`: "failed",
		`{"responseStatus":{"code":500}}`: "failed",
		`{"responseStatus":{"code":200},"annotations":{"authorization.k8s.io/decision":"forbid"}}`: "denied",
		`{"annotations":{"authorization.k8s.io/decision":"allow"}}`:                                "open",
	} {
		var e event.Event
		line = strings.Replace(`{`+head+`,`+line[1:], ",}", "}", 1)
		if err := e.Parse([]byte(line), Wants); err != nil {
			t.Fatal(err)
		}
		if got := Outcome(&e); got != want {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestBlocks has more events than a block takes, and an event larger than a block.
func TestBlocks(t *testing.T) {
	t.Parallel()
	var lines [][]byte
	for i := range 2*blockEvents + 10 {
		lines = append(lines, fmt.Appendf(nil, `{"auditID":"%d","objectRef":{"resource":"pods","name":"pod-%d"},"stageTimestamp":"2026-11-22T11:20:%02dZ"}`, i, i, i%60))
	}
	lines[7] = fmt.Appendf(nil, `{"requestObject":%q}`, strings.Repeat("x", 3*blockBytes))
	text, all := write(t, About{}, Total{}, lines...)
	d := decode(t, text)
	if len(d.blocks) != 4 {
		t.Errorf("%d blocks", len(d.blocks))
	}
	for i := range all {
		same(t, d, i, &all[i])
	}
}

// same compares a row with its event.
func same(t *testing.T, d decoded, at int, e *event.Event) {
	t.Helper()
	v, when, raw := d.row(at)
	if !bytes.Equal(raw, e.JSON) {
		t.Errorf("event %d: the page has %.200q", at, raw)
	}
	want := e.Stamp
	if want == 0 {
		want = e.Received
	}
	if when != want {
		t.Errorf("event %d is of %d, the page says %d", at, want, when)
	}
	for name, value := range map[string][]byte{
		"user": e.User.Name, "as": e.Impersonated.Name, "verb": e.Verb, "namespace": e.Object.Namespace, "name": e.Object.Name, "agent": e.UserAgent, "stage": e.Stage, "level": e.Level,
	} {
		if len(value) <= longest && v[name] != strings.ToValidUTF8(string(value), "\ufffd") {
			t.Errorf("event %d: %s is %q, the page has %q", at, name, value, v[name])
		}
		if len(value) > longest && (len(v[name]) > longest+4 || !strings.HasSuffix(v[name], "…")) {
			t.Errorf("event %d: %s has %d bytes, the page %d", at, name, len(value), len(v[name]))
		}
	}
}

// TestFull has more events than a page takes.
func TestFull(t *testing.T) {
	t.Parallel()
	p, err := New(io.Discard, About{})
	if err != nil {
		t.Fatal(err)
	}
	p.shown = MaxEvents - 1
	var e event.Event
	for range 3 {
		if err := errors.Join(e.Parse([]byte(`{`+head+`}`), Wants), p.Add(&e)); err != nil {
			t.Fatal(err)
		}
	}
	if w, err := p.Close(Total{}); err != nil || w.Shown != MaxEvents || w.Left != 2 {
		t.Errorf("%+v, %v", w, err)
	}
}

// TestShell keeps the page's own parts as its policy and its frame need them.
func TestShell(t *testing.T) {
	t.Parallel()
	text, _ := write(t, About{Made: time.Unix(0, 0)}, Total{})
	for _, want := range []string{"default-src 'none'; style-src '" + hash(style) + "'; script-src '" + hash(script) + "';", "<title>Audit events, 1970-01-01T00:00:00Z</title>"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for name, part := range map[string]string{"page.js": script, "page.css": style} {
		for _, bad := range []string{"</", "<!--", "<script", "\r", "{{", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "@import", "url("} {
			if strings.Contains(strings.ReplaceAll(part, "http://www.w3.org/2000/svg", ""), bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
	}
	if n := len(script) + len(style); n > 60_000 {
		t.Errorf("style and script have %d bytes", n)
	}
	if strings.Contains(text, "{{") {
		t.Error("a part is missing")
	}
	if !Is([]byte(text)) || Is([]byte("<!doctype html>\n<html>")) || Is(nil) {
		t.Error("Is does not know a page")
	}
	for _, name := range names {
		if !strings.Contains(script, name+": '") {
			t.Errorf("page.js has no column %s", name)
		}
	}
}

// TestAbout says what was read, in texts that would be HTML.
func TestAbout(t *testing.T) {
	t.Parallel()
	about := About{Command: "auditpatch events --user '</script><script>alert(1)</script>'", Version: "<v>", Host: "h", Logs: []string{"<!--", "b"}, Made: time.UnixMilli(1_700_000_000_123)}
	total := Total{read.Total{Files: 2, Bytes: 3, Events: 4, Duplicates: 5, Unreadable: 6, First: []read.Unreadable{{File: "</script>", Line: 7, Bytes: 8, Reason: "\u2028<img>"}}, Cut: true}, 9}
	text, _ := write(t, about, total)
	got := decode(t, text).about
	want := `{"command":"auditpatch events --user '</script><script>alert(1)</script>'","version":"<v>","host":"h","logs":["<!--","b"],"made":1700000000123,"shown":0,"left":0,"events":4,"bytes":3,"files":2,"received":9,"duplicates":5,"unreadable":6,"unfinished":0,"first":[{"file":"</script>","line":7,"bytes":8,"reason":"\u2028<img>"}],"cut":true}`
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(got); err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(out.String()) != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
}

// failing takes some bytes and then no more.
type failing struct{ room int }

func (f *failing) Write(p []byte) (int, error) {
	if f.room -= len(p); f.room < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

// TestWriteError has each byte's writing fail once.
func TestWriteError(t *testing.T) {
	t.Parallel()
	for room := 0; ; room += 997 {
		p, err := New(&failing{room}, About{})
		var e event.Event
		if err == nil {
			err = errors.Join(e.Parse([]byte(`{`+head+`,"verb":"get"}`), Wants), p.Add(&e))
		}
		if err == nil {
			_, err = p.Close(Total{})
		}
		if err == nil && room > len(script) {
			return
		}
		if err == nil || err.Error() != "write the page: no space left" {
			t.Fatalf("with room for %d bytes: %v", room, err)
		}
	}
}

// FuzzPage writes a page of any text: what can be read of it stands in the page as it is,
// and nothing of it as HTML.
func FuzzPage(f *testing.F) {
	for _, text := range []string{
		`{"verb":"</script><script>alert(1)</script>"}`, `{"user":{"username":"<!--\u2028\ud800\u0000\u202e"}}`, "{\"userAgent\":\"\xff\xfe\"}",
		`{"stageTimestamp":"0001-01-01T00:00:01Z"}` + "\n" + `{"stageTimestamp":"9999-12-31T23:59:59.999999Z"}`, `{"sourceIPs":["a",3]}`, `{"sourceIPs":["<a>","<b>"]}`,
		`{"objectRef":{"resource":"` + strings.Repeat("ö", 2000) + `"},"requestURI":"/?a<b"}`, "{\n\"a\": 1\n}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := append(bytes.Split(text, []byte("\n")), text)
		page, all := write(t, About{Command: string(text), Logs: []string{string(text)}}, Total{}, lines...)
		if !utf8.ValidString(page) {
			t.Error("the page is no UTF-8")
		}
		d := decode(t, page)
		if d.about.Command != strings.ToValidUTF8(string(text), "\ufffd") && utf8.Valid(text) {
			t.Errorf("the command line is %q", d.about.Command)
		}
		for i := range all {
			same(t, d, i, &all[i])
		}
	})
}

// TestOdd wants the page to write out what package glyph says that nobody sees. Its script is
// newer than the tables of Go, and may know more letters.
func TestOdd(t *testing.T) {
	t.Parallel()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node to run the script")
	}
	_, rule, _ := strings.Cut(script, "const ODD")
	rule, _, _ = strings.Cut(rule, "// show appends")
	visible := func(texts []string) (out []string) {
		in, err := json.Marshal(texts)
		check(t, err)
		cmd := exec.CommandContext(t.Context(), node, "-e", "const ODD"+rule+`console.log(JSON.stringify(JSON.parse(require("fs").readFileSync(0)).map(visible)))`)
		cmd.Stdin = bytes.NewReader(in)
		text, err := cmd.Output()
		check(t, errors.Join(err, json.Unmarshal(text, &out)))
		return out
	}
	for text, want := range map[string]string{
		"alice": "alice", " a  b ": `\u0020a \u0020b\u0020`, "e\u0301": "e\u0301", "e\u0301\u0301\u0301\u0301\u0301": "e\u0301\u0301\u0301\u0301\\u0301",
		"a\ufe0f": `a\ufe0f`, "\u0301a": `\u0301a`, "a\u05b0": `a\u05b0`, "a\u11a8": `a\u11a8`, "\u1112\u1161\u11ab": "\u1112\u1161\u11ab", "a\U000e0100": `a\u{e0100}`, "1\ufe0f\u20e3": `1\ufe0f\u20e3`,
	} {
		if got := visible([]string{text}); got[0] != want {
			t.Errorf("%q is %q, want %q", text, got[0], want)
		}
	}
	var all []string
	for r := rune(0x21); r <= unicode.MaxRune; r++ {
		if unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Cc, unicode.Cf, unicode.Co) && !glyph.Seen(r) {
			all = append(all, "a"+string(r)+"b")
		}
	}
	for i, got := range visible(all) {
		if got == all[i] {
			t.Errorf("%q is shown as it is", got)
		}
	}
}
