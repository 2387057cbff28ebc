package auditlog

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/plugin/pkg/audit/log"
)

var began = time.Date(2026, 11, 22, 11, 20, 4, 123456000, time.UTC)

// line is an event as kube-apiserver's own backend writes it.
func line(format, id string, at time.Time, change ...func(*auditinternal.Event)) string {
	e := &auditinternal.Event{
		Level: auditinternal.LevelRequest, AuditID: types.UID(id), Stage: auditinternal.StageResponseComplete,
		RequestURI: "/api/v1/namespaces/default/configmaps/auditpatch-proof", Verb: "get", UserAgent: "auditpatch",
		RequestReceivedTimestamp: metav1.NewMicroTime(at), StageTimestamp: metav1.NewMicroTime(at.Add(time.Millisecond)),
	}
	for _, f := range change {
		f(e)
	}
	var b bytes.Buffer
	log.NewBackend(&b, format, auditv1.SchemeGroupVersion).ProcessEvents(e)
	return b.String()
}

const id = "7c1e0f3a-5d0b-4b0e-9d5c-0a4a1c9b8a11"

// TestParseLine holds the parser against what kube-apiserver's own backend writes.
func TestParseLine(t *testing.T) {
	t.Parallel()
	quoting := func(text string) func(*auditinternal.Event) {
		return func(e *auditinternal.Event) {
			e.UserAgent, e.RequestURI = text, "/"+text
			e.RequestObject = &runtime.Unknown{Raw: []byte(fmt.Sprintf(`{"auditID":%q,"text":%q}`, id, text)), ContentType: "application/json"}
		}
	}
	inside := `"auditID":"` + id + `"` + "\n" + began.Format(time.RFC3339Nano) + ` AUDIT: id="` + id + `" stage="x"`
	for _, format := range log.AllowedFormats {
		for name, tc := range map[string]struct {
			line string
			want string
		}{
			"the event":               {line(format, id, began), id},
			"of another":              {line(format, "other", began, quoting(inside)), "other"},
			"of one with the same in": {line(format, id+"0", began, quoting(inside)), id + "0"},
			"odd":                     {line(format, `a"b\c é`, began), `a"b\c é`},
			"none":                    {line(format, "", began), ""},
		} {
			e, ok := parseLine([]byte(tc.line))
			if ok != (tc.want != "") || e.auditID != tc.want {
				t.Errorf("%s, %s: got %q, %v of %s", format, name, e.auditID, ok, tc.line)
			}
			if ok && e.at.Sub(began).Abs() > time.Millisecond {
				t.Errorf("%s, %s: time %s", format, name, e.at)
			}
			if strings.Count(tc.line, "\n") != 1 {
				t.Errorf("%s, %s: not one line: %s", format, name, tc.line)
			}
		}
	}
	whole := line("json", id, began)
	for _, text := range []string{
		"", "\n", "{", whole[1:], whole[:len(whole)/2], `{"AuditID":"` + id + `","kind":"Event"}`, `{"kind":"Event","metadata":{"auditID":"` + id + `"}}`,
		`["auditID","` + id + `"]`, ` AUDIT: id="` + id + `" stage="x"`, `2026-11-22T11:20:04Z AUDIT: id="` + id,
		`x 2026-11-22T11:20:04Z AUDIT: id="` + id + `" stage="x"`, `2026-11-22T11:20:04Z AUDIT: id="` + id + `"`,
	} {
		if e, ok := parseLine([]byte(text)); ok {
			t.Errorf("%q is taken for the event %q", text, e.auditID)
		}
	}
}

// folder is a log's folder.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) put(name, text string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f folder) add(name, text string) {
	f.t.Helper()
	w, err := os.OpenFile(filepath.Join(f.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = w.WriteString(text)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.t.Fatal(err)
	}
}

// rotate does what lumberjack does.
func (f folder) rotate(to string) {
	f.t.Helper()
	if err := os.Rename(filepath.Join(f.dir, "audit.log"), filepath.Join(f.dir, to)); err != nil {
		f.t.Fatal(err)
	}
	f.put("audit.log", "")
}

// pack does what lumberjack does with --audit-log-compress.
func (f folder) pack(name string) {
	f.t.Helper()
	data, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	f.put(name+".gz", zipped(string(data)))
	f.remove(name)
}

func (f folder) remove(name string) {
	f.t.Helper()
	if err := os.Remove(filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(text)); err != nil {
		panic(err) // a buffer takes everything
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.String()
}

const (
	first  = "audit-2026-11-22T11-20-04.000.log"
	second = "audit-2026-11-22T11-20-05.000.log"
)

// TestSearch writes the event while the log is rotated, packed, cut off and
// removed around it.
func TestSearch(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxLine)
	for name, tc := range map[string]struct {
		found bool
		do    func(f folder, look func(), event, other string)
	}{
		"written":      {true, func(f folder, _ func(), event, other string) { f.add("audit.log", other+event+other) }},
		"not written":  {false, func(f folder, _ func(), event, other string) { f.add("audit.log", other) }},
		"half written": {false, func(f folder, _ func(), event, other string) { f.add("audit.log", event[:len(event)-1]) }},
		"in two pieces": {true, func(f folder, look func(), event, _ string) {
			f.add("audit.log", event[:9])
			look()
			f.add("audit.log", event[9:])
		}},
		"behind a long line": {true, func(f folder, _ func(), event, _ string) { f.add("audit.log", long+long+"\n"+event) }},
		"inside a long line": {false, func(f folder, _ func(), event, _ string) { f.add("audit.log", long+event) }},
		"rotated away": {true, func(f folder, _ func(), event, other string) {
			f.add("audit.log", event)
			f.rotate(first)
			f.add("audit.log", other)
		}},
		"rotated and packed": {true, func(f folder, _ func(), event, _ string) { f.add("audit.log", event); f.rotate(first); f.pack(first) }},
		"rotated first": {true, func(f folder, _ func(), event, other string) {
			f.add("audit.log", other)
			f.rotate(first)
			f.add("audit.log", event)
		}},
		"rotated twice": {true, func(f folder, _ func(), event, other string) {
			f.rotate(first)
			f.add("audit.log", event)
			f.rotate(second)
			f.add("audit.log", other)
		}},
		"rotated twice and packed": {true, func(f folder, _ func(), event, other string) {
			f.rotate(first)
			f.add("audit.log", event)
			f.rotate(second)
			f.pack(first)
			f.pack(second)
		}},
		"half packed": {true, func(f folder, look func(), event, _ string) {
			f.rotate(first)
			whole := zipped(event)
			f.put(second+".gz", whole[:len(whole)/2])
			look()
			f.put(second+".gz", whole)
		}},
		"rotated and removed": {true, func(f folder, _ func(), event, _ string) {
			f.add("audit.log", event)
			f.rotate(first)
			f.remove(first)
		}},
		"cut off": {true, func(f folder, _ func(), event, _ string) { f.put("audit.log", event) }},
		"made anew": {true, func(f folder, _ func(), event, _ string) {
			f.remove("audit.log")
			f.put("audit.log", event)
		}},
		"in an old file, now packed": {false, func(f folder, _ func(), event, _ string) {
			f.put("audit-2026-11-21T00-00-00.000.log.gz", zipped(event))
		}},
		"in another log": {false, func(f folder, _ func(), event, _ string) { f.put("audit-2.log", event) }},
	} {
		for _, format := range log.AllowedFormats {
			t.Run(name+" "+format, func(t *testing.T) {
				t.Parallel()
				f := folder{t, t.TempDir()}
				earlier := line(format, "earlier", began)
				f.put("audit.log", earlier+earlier)
				f.put("audit-2026-11-21T00-00-00.000.log", earlier)
				s := Begin(os.DirFS(f.dir), "/audit.log")
				defer s.Close()
				look := func() {
					if found, err := s.Find("none", id); found != "" || err != nil {
						t.Errorf("too early: %q, %v", found, err)
					}
				}
				look()
				tc.do(f, look, line(format, id, began), line(format, "other", began))
				found, err := s.Find("none", id)
				if err != nil || found != map[bool]string{true: id}[tc.found] {
					t.Errorf("got %q, %v", found, err)
				}
			})
		}
	}
}

// TestSearchNew looks for a log that does not exist yet.
func TestSearchNew(t *testing.T) {
	t.Parallel()
	f := folder{t, t.TempDir()}
	s := Begin(os.DirFS(f.dir), "/a/audit.log")
	defer s.Close()
	if _, err := s.Find(id); fmt.Sprint(err) != "/a/audit.log: file does not exist" {
		t.Errorf("got %v", err)
	}
	if err := os.Mkdir(filepath.Join(f.dir, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.put("a/audit.log", line("json", id, began))
	if found, err := s.Find(id); found != id || err != nil {
		t.Errorf("got %q, %v", found, err)
	}
}

// TestMeasure wants the time of the first event, whatever the files' own times are.
func TestMeasure(t *testing.T) {
	t.Parallel()
	event := line("json", id, began)
	old := began.Add(-time.Hour)
	for name, tc := range map[string]struct {
		files map[string]string
		want  time.Time // zero: now, as the files are new
		count int
	}{
		"one file":            {map[string]string{"audit.log": event + line("json", id, began.Add(time.Minute))}, began, 1},
		"legacy":              {map[string]string{"audit.log": line("legacy", id, began)}, began, 1},
		"rotated":             {map[string]string{"audit.log": event, second: event, first: line("json", id, old)}, old, 3},
		"packed":              {map[string]string{"audit.log": event, second: event, first + ".gz": zipped(line("json", id, old))}, old, 3},
		"a torn line":         {map[string]string{"audit.log": event[9:] + event}, began, 1},
		"a long line":         {map[string]string{"audit.log": strings.Repeat("x", 2*maxLine) + "\n" + event}, began, 1},
		"nothing but one":     {map[string]string{"audit.log": strings.Repeat("x", 2*maxLine)}, time.Time{}, 1},
		"the oldest is torn":  {map[string]string{"audit.log": event, first: event[9:]}, began, 2},
		"damaged packing":     {map[string]string{"audit.log": event, first + ".gz": zipped(event)[:9]}, began, 2},
		"empty":               {map[string]string{"audit.log": "", first: event}, began, 2},
		"logs of others":      {map[string]string{"audit.log": event, "audit-2.log": line("json", id, old), "audit-policy.yaml": "x", "audit.log.1": "x"}, began, 1},
		"only a rotated file": {map[string]string{first: event}, began, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := folder{t, t.TempDir()}
			var bytes int64
			for name, text := range tc.files {
				f.put(name, text)
				if name == "audit.log" || name == first || name == second || name == first+".gz" {
					bytes += int64(len(text))
				}
			}
			u, err := Measure(os.DirFS(f.dir), "/audit.log")
			if err != nil || len(u.Files) != tc.count || u.Bytes != bytes {
				t.Fatalf("%+v, %v; want %d files of %d bytes", u, err, tc.count, bytes)
			}
			if tc.want.IsZero() {
				tc.want = time.Now()
			}
			if u.Oldest.Sub(tc.want).Abs() > time.Minute {
				t.Errorf("it reaches back to %s, want %s", u.Oldest, tc.want)
			}
		})
	}
	if u, err := Measure(os.DirFS(t.TempDir()), "/var/log/audit.log"); err != nil || u.Files != nil || !u.Oldest.IsZero() {
		t.Errorf("no folder: %+v, %v", u, err)
	}
}
