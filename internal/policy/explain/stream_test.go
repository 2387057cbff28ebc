package explain

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/policy"
)

// mixed is a log with lines that are no events, and with empty ones.
func mixed(n int) string {
	var b strings.Builder
	b.WriteString(byteOrderMark)
	for i, e := range clusterEvents(n) {
		switch i % 97 {
		case 3:
			b.WriteString("\n \t\n")
		case 5:
			b.WriteString("{\"kind\":\"Event\"\n")
		case 7:
			b.WriteString(strings.Repeat("x", i%3*chunkSize) + "\n")
		}
		b.WriteString(e + "\n")
	}
	return b.String() + "last"
}

// alone reads a log on one goroutine, as one part.
func alone(p *policy.Policy, text string) (out []answered, total Total) {
	whole := &part{block: block{text: text}, first: true, ready: make(chan struct{}, 1)}
	newReader(p).answer(whole)
	s := &stream{each: func(e Event, a Answer) error { out = append(out, answered{e, a}); return nil }}
	_ = s.hand(whole)
	return out, s.total
}

// TestEventsInOrder wants of several goroutines what one says, however the stream comes.
func TestEventsInOrder(t *testing.T) {
	t.Parallel()
	p, text := mustLoad(t, rulesForEvents), mixed(2000)
	want, wantTotal := alone(p, text)
	file := filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for name, r := range map[string]io.Reader{"a file": f, "memory": strings.NewReader(text), "half": iotest.HalfReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)), "a pipe": io.MultiReader(strings.NewReader(text))} {
		i := 0
		total, err := Events(t.Context(), p, r, func(e Event, a Answer) error {
			if i >= len(want) || !cmp.Equal(want[i], answered{e, a}, cmp.AllowUnexported(answered{})) {
				return fmt.Errorf("event %d is %+v", i, e)
			}
			i++
			return nil
		})
		if err != nil || i != len(want) {
			t.Errorf("%s: %d events of %d, %v", name, i, len(want), err)
		}
		if diff := cmp.Diff(wantTotal, total); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if !ReadsAhead(f) || ReadsAhead(io.MultiReader()) {
		t.Error("only a file is read ahead")
	}
}

// goroutines is how many there are, once there are no more than those before, or after a while.
// One that a WaitGroup no longer waits for is counted until it has returned.
func goroutines(before int) int {
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return runtime.NumGoroutine()
}

// TestEventsEnd leaves no goroutine, and counts no further than it has called each.
func TestEventsEnd(t *testing.T) {
	p, text := mustLoad(t, rulesForEvents), mixed(2000)
	all, _ := alone(p, text)
	stop := errors.New("stop")
	before := runtime.NumGoroutine()
	for _, at := range []int{1, 2, 700, 1999} {
		for name, r := range map[string]io.Reader{"each": strings.NewReader(text), "each, of a pipe": io.MultiReader(strings.NewReader(text)), "the reader": io.MultiReader(strings.NewReader(text[:at*900]), iotest.ErrReader(stop))} {
			n := 0
			total, err := Events(t.Context(), p, r, func(Event, Answer) error {
				if n++; n == at && name != "the reader" {
					return stop
				}
				return nil
			})
			if !errors.Is(err, stop) || total.Events != n {
				t.Errorf("%s at %d: %d events, %+v, %v", name, at, n, total, err)
			}
			if name == "each" {
				upTo, _ := alone(p, text[:strings.Index(text, all[at-1].event.AuditID)])
				if len(upTo) != at-1 {
					t.Errorf("%s at %d: %d events before", name, at, len(upTo))
				}
			}
			if now := goroutines(before); now > before {
				t.Errorf("%s at %d: %d goroutines, %d before", name, at, now, before)
			}
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = Events(t.Context(), p, strings.NewReader(text), func(Event, Answer) error { panic("each") })
	}()
	if now := goroutines(before); now > before {
		t.Errorf("after a panic: %d goroutines, %d before", now, before)
	}
}

// asked is a reader that says what it is asked for.
type asked struct {
	chunks []string
	ask    func()
}

func (a *asked) Read(to []byte) (int, error) {
	a.ask()
	if len(a.chunks) == 0 {
		return 0, io.EOF
	}
	n := copy(to, a.chunks[0])
	if a.chunks[0] = a.chunks[0][n:]; a.chunks[0] == "" {
		a.chunks = a.chunks[1:]
	}
	return n, nil
}

// TestEventsLive answers for all that was read before it waits for more.
func TestEventsLive(t *testing.T) {
	t.Parallel()
	events := clusterEvents(300)
	var chunks []string
	for i := 0; i < len(events); i += 60 {
		chunks = append(chunks, strings.Join(events[i:i+59], "\n")+"\n", events[i+59]+"\n")
	}
	sent, got := 0, 0
	r := &asked{chunks: chunks}
	whole := strings.Join(chunks, "")
	r.ask = func() {
		left := len(strings.Join(r.chunks, ""))
		if sent = strings.Count(whole[:len(whole)-left], "\n"); sent != got {
			t.Errorf("%d events are answered of the %d that were read", got, sent)
		}
	}
	if _, err := Events(t.Context(), mustLoad(t, rulesForEvents), r, func(Event, Answer) error { got++; return nil }); err != nil || got != 300 {
		t.Errorf("%d events, %v", got, err)
	}
}

// TestPeople tells users apart whose texts begin alike, or that have more than one.
func TestPeople(t *testing.T) {
	t.Parallel()
	r := newRebuilder()
	read := func(user string) string {
		var e Event
		if reason := r.read(`{"verb":"get","requestURI":"/","user":`+user+`}`, &e); reason != "" {
			t.Fatal(user, reason)
		}
		return fmt.Sprintf("%q %q", e.Request.User, e.Request.Groups)
	}
	for range 3 { // unknown, then known
		for user, want := range map[string]string{
			`{"username":"a","groups":["b","c"]}`:                       `"a" ["b" "c"]`,
			`{"username":"a","groups":["b","c"],"uid":"1"}`:             `"a" ["b" "c"]`,
			`{"username":"a","groups":["b"]}`:                           `"a" ["b"]`,
			`{"username":"a","groups":["b\u0000c"]}`:                    `"a" ["b\x00c"]`,
			`{"username":"a\u0000b","groups":["c"]}`:                    `"a\x00b" ["c"]`,
			`{"username":"a\"","groups":["x"]}`:                         `"a\"" ["x"]`,
			`{"username":"a","username":"z","groups":["b"]}`:            `"z" ["b"]`,
			`{"username":"a"}`:                                          `"a" []`,
			`{"username":"a","groups":["b"]},"user":{"username":"y"}`:   `"y" ["b"]`,
			`{"username":"a","groups":["b"]},"user":{"groups":["d"]}`:   `"a" ["d"]`,
			`{"username":"a","groups":["b"]},"user":{"groups":null}`:    `"a" []`,
			`{"uid":"1","username":"a","groups":["b"],"extra":{"x":1}}`: `"a" ["b"]`,
		} {
			if got := read(user); got != want {
				t.Errorf("%s: got %s, want %s", user, got, want)
			}
		}
	}
}

// FuzzUsual compares the short way to read a path with the API server's.
func FuzzUsual(f *testing.F) {
	for _, s := range [][6]string{
		{"/api/v1/namespaces/a/pods", "", "pods", "a", "", "b"}, {"/api/v1/namespaces/a/pods/b/binding", "", "pods", "a", "binding", "b"},
		{"/apis/apps/v1/namespaces/a/deployments/b", "apps", "deployments", "a", "", "b"}, {"/api/v1/namespaces/a/status", "", "status", "a", "", "a"},
		{"/api/v1/namespaces", "", "namespaces", "", "", "a"}, {"/apis/apps/v1/watch", "apps", "watch", "", "", ""}, {"/api/v1/namespaces/a/pods/b/c", "", "pods", "a", "", "b"},
		{"/api/v1/namespaces/a/pods//b", "", "pods", "a", "b", ""}, {"/api/v1/tokenreviews", "", "tokenreviews", "", "", "x"}, {"/api/v1/namespaces/a/pods/", "", "pods", "a", "", ""},
		{"/api/v1/namespaces/a/pods/namespaces", "", "pods", "a", "", ""}, {"/api/v1/namespaces/a/pods/b/c/d", "", "pods", "a", "c/d", "b"},
	} {
		f.Add(s[0], s[1], s[2], s[3], s[4], s[5])
	}
	f.Fuzz(func(t *testing.T, path, group, resource, namespace, subresource, name string) {
		q := policy.Request{Group: group, Version: "v1", Resource: resource, Namespace: namespace, Subresource: subresource, Name: name}
		got, ok := usual(path, &q)
		if !ok {
			return
		}
		for _, method := range []string{http.MethodPost, http.MethodPut} {
			r := newRebuilder()
			r.http.Method, r.http.URL.Path = method, path
			info, err := requestInfos.NewRequestInfo(&r.http)
			if err != nil || !info.IsResourceRequest || info.Namespace != namespace || info.Name != got {
				t.Errorf("%q is %q in %q, kube-apiserver says %+v, %v", path, got, namespace, info, err)
			}
		}
	})
}
