package read

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/standin/auditevents"
)

// count is how many events encoding/json finds in a text of JSON values.
func count(text []byte) (n int) {
	text = bytes.TrimPrefix(text, bom)
	for len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		for {
			var v any
			if err := d.Decode(&v); err != nil {
				if errors.Is(err, io.EOF) {
					return n
				}
				break
			}
			n += within(v)
		}
		// What cannot be read is passed over up to the next line.
		text = text[d.InputOffset():]
		i := bytes.IndexByte(text, '\n')
		if i < 0 {
			break
		}
		text = text[i+1:]
	}
	return n
}

// within is how many events a value is or has.
func within(v any) (n int) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			n += within(e)
		}
	case map[string]any:
		text, err := json.Marshal(v)
		var e event.Event
		if err == nil && e.Parse(text, 0) == nil {
			return 1
		}
		for _, inner := range v {
			n += within(inner)
		}
	}
	return n
}

// FuzzEvents reads any bytes: in lines, it finds what the plainest reader finds, in
// chunks of any size, as a file and as a stream.
func FuzzEvents(f *testing.F) {
	text := some("a", "b") + "\r\n" + one("c", 3)[:80]
	f.Add([]byte(text), 100)
	f.Add([]byte("["+one("a", 0)+",\n"+one("b", 1)+"]"), 7)
	f.Add([]byte(`{"kind":"EventList","items":[`+one("a", 0)+"]}"), 50)
	f.Add([]byte("2026-11-24T10:00:00Z stdout P "+text), 50)
	f.Add([]byte(`{"log":"{}\n","stream":"x"}`+"\n{\n\"a\":[\n{}]}"), 3)
	f.Add(zipped(f, []byte(text)), 9)
	f.Add([]byte(`2026-11-22T11:20:05Z AUDIT: id="b" stage="x" response="<deferred>"`), 5)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte, chunk int) {
		s := small
		s.workers = 1 // the fuzzer wants the same way through the code each time
		s.chunk = 1 + (chunk&0x7fffffff)%1000
		file := put(t, dir, "a.log", text)
		got := readAll(t, s, Query{Checked: true}, Log{Files: []string{file}})
		stream := readAll(t, s, Query{Checked: true}, Log{Name: file, Stdin: bytes.NewReader(text)})
		if !slices.Equal(got.json, stream.json) || !slices.Equal(got.total.First, stream.total.First) || got.total.Events != stream.total.Events {
			t.Errorf("as a file %q\n%+v\nas a stream %q\n%+v", got.json, got.total, stream.json, stream.total)
		}
		for _, e := range got.json {
			if !json.Valid([]byte(e)) {
				t.Errorf("%q is no JSON", e)
			}
		}
		words := readAll(t, s, Query{Checked: true, Words: []string{"b"}, MatchFields: event.WantAuditID, Match: func(e *event.Event) bool { return string(e.AuditID) == "b" }}, Log{Files: []string{file}})
		if want := slices.DeleteFunc(slices.Clone(got.ids), func(id string) bool { return id != "b" }); !slices.Equal(words.ids, want) {
			t.Errorf("got %q, want %q", words.ids, want)
		}
		head := text[:min(len(text), mostHead)]
		if formOf(head) != jsonLines {
			return
		}
		ids, _ := reference(text, true)
		for _, id := range ids {
			if !slices.Contains(got.ids, id) {
				t.Errorf("%q is missing in %q", id, got.ids)
			}
		}
		if n := len(got.ids) + int(got.total.Duplicates); n < len(ids) || int64(n) != got.total.Events {
			t.Errorf("%d events of %d: %+v", n, len(ids), got.total)
		}
	})
}

// endless is a log of some size that is made while it is read.
type endless struct {
	g    *auditevents.Generator
	left int
	have bytes.Buffer
}

func (e *endless) Read(to []byte) (int, error) {
	for e.have.Len() == 0 {
		if e.left <= 0 {
			return 0, io.EOF
		}
		e.have.Reset()
		e.have.Write(e.g.Log(20_000))
		e.left -= e.have.Len()
	}
	return e.have.Read(to)
}

// TestMemory reads 200 MB for a slow consumer, and 100 MB in one line, and looks at the
// memory meanwhile.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 200 MB")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(30)) // as events has it
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	var most atomic.Uint64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for most.Load() != ^uint64(0) {
			metrics.Read(sample)
			if n := sample[0].Value.Uint64() + sample[1].Value.Uint64(); n > most.Load() && most.Load() != ^uint64(0) {
				most.Store(n)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	const mb = 1 << 20
	for name, log := range map[string]Log{
		"a stream": {Stdin: &endless{g: auditevents.New(6), left: 150 * mb}},
		"a file":   {Files: []string{put(t, t.TempDir(), "a.log", auditevents.New(7).Log(50*mb))}},
	} {
		runtime.GC()
		most.Store(0)
		n := 0
		total, err := Events(t.Context(), []Log{log}, Query{Fields: event.WantAll}, func(*event.Event) error {
			if n++; n%500 == 0 {
				time.Sleep(time.Millisecond)
			}
			return nil
		})
		if err != nil || total.Unreadable > 0 || total.Events != total.Wanted {
			t.Errorf("%s: %v, %+v", name, err, total)
		}
		t.Logf("%s: at most %d MB for %d MB", name, most.Load()/mb, total.Bytes/mb)
		if peak := most.Load(); peak > 24*mb {
			t.Errorf("%s: %d MB", name, peak/mb)
		}
	}
	most.Store(^uint64(0))
	<-done
}

func BenchmarkEvents(b *testing.B) {
	text := auditevents.New(1).Log(64 << 20)
	dir := b.TempDir()
	log := []Log{{Files: []string{put(b, dir, "a.log", text)}}}
	var parts []string
	for i := range 8 {
		from, to := i*len(text)/8, (i+1)*len(text)/8
		from += bytes.IndexByte(text[from:], '\n')
		if to < len(text) {
			to += bytes.IndexByte(text[to:], '\n')
		}
		parts = append(parts, put(b, dir, filepath.Join("gz", string(rune('a'+i))+".log.gz"), zipped(b, text[from:to])))
	}
	isDelete := func(e *event.Event) bool { return string(e.Verb) == "delete" }
	failed := func(e *event.Event) bool { return e.Response.Code >= 400 && !bytes.Equal(e.Verb, []byte("get")) }
	for name, tc := range map[string]struct {
		logs []Log
		q    Query
	}{
		"filter":         {log, Query{Words: []string{"delete"}, MatchFields: event.WantVerb, Match: isDelete, Checked: true}},
		"filter no word": {log, Query{MatchFields: event.WantVerb, Match: isDelete, Checked: true}},
		"users":          {log, Query{Fields: event.WantUser, Unordered: true}},
		"users in order": {log, Query{Fields: event.WantUser}},
		"failed":         {log, Query{MatchFields: event.WantVerb | event.WantResponse, Match: failed, Unordered: true}},
		"strict":         {log, Query{Fields: event.WantUser, Unordered: true, Strict: true}},
		"all fields":     {log, Query{Fields: event.WantAll}},
		"gz":             {[]Log{{Files: parts}}, Query{MatchFields: event.WantVerb | event.WantResponse, Match: failed, Unordered: true}},
		"gz in order":    {[]Log{{Files: parts}}, Query{MatchFields: event.WantVerb | event.WantResponse, Match: failed}},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				total, err := Events(b.Context(), tc.logs, tc.q, func(*event.Event) error { return nil })
				if err != nil || total.Unreadable > 0 {
					b.Fatal(err, total)
				}
			}
		})
	}
}
