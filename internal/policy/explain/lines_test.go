package explain

import (
	"bufio"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// TestLines reads the same lines however the stream is cut.
func TestLines(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(5, 5))
	for range 200 {
		var want []string
		for range random.IntN(6) {
			want = append(want, strings.Repeat("x", random.IntN(3)*random.IntN(chunkSize)))
		}
		text := strings.Join(want, "\n")
		if len(want) > 0 && want[len(want)-1] == "" {
			want = want[:len(want)-1] // nothing stands behind the last line end
		}
		for name, r := range map[string]io.Reader{
			"whole": strings.NewReader(text), "half": iotest.HalfReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text)),
			"small": bufio.NewReaderSize(strings.NewReader(text), 16),
		} {
			in := newBlocks(r)
			var got []string
			for {
				b, err := in.next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || b.long > 0 || b.text == "" {
					t.Fatal(b, err)
				}
				if len(got) > 0 && !strings.HasSuffix(got[len(got)-1], "\n") {
					t.Fatal("a block ends within a line")
				}
				got = append(got, strings.SplitAfter(strings.TrimSuffix(b.text, "\n"), "\n")...)
				if strings.HasSuffix(b.text, "\n") {
					got[len(got)-1] += "\n"
				}
			}
			if strings.Join(got, "") != text || len(got) != len(want) {
				t.Fatalf("%s: %d lines of %d", name, len(got), len(want))
			}
		}
	}
}

// TestLinesBroken hands on an error of the stream.
func TestLinesBroken(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	_, err := Events(t.Context(), mustLoad(t, rulesForEvents), io.MultiReader(strings.NewReader(`{"verb":"get","requestURI":"/"}`+"\n{"), iotest.ErrReader(broken)), func(Event, Answer) error { return nil })
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}

// endless is a log of some size that is never in memory.
type endless struct {
	line string
	rest string
	left int // bytes
}

func (e *endless) Read(to []byte) (int, error) {
	if e.left <= 0 {
		return 0, io.EOF
	}
	if e.rest == "" {
		e.rest = e.line
	}
	n := copy(to, e.rest)
	e.rest = e.rest[n:]
	e.left -= n
	return n, nil
}

// TestEventsMemory reads a large log, and a line that is larger than any event, in
// little memory.
func TestEventsMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads 300 MB")
	}
	p := mustLoad(t, rulesForEvents)
	event := clusterEvents(1)[0]
	for name, c := range map[string]struct {
		in     io.Reader
		events int
		most   uint64 // MiB
	}{
		"a large log": {&endless{line: event + "\n", left: len(event+"\n") * 200_000}, 200_000, 16},
		"a long line": {io.MultiReader(&endless{line: strings.Repeat("x", 1<<20), left: 100 << 20}, strings.NewReader("\n"+event)), 1, 200},
	} {
		var most uint64
		n := 0
		total, err := Events(t.Context(), p, c.in, func(Event, Answer) error {
			if n++; n%10_000 == 0 {
				var m runtime.MemStats
				runtime.GC() // what is kept is in question, not how late a busy machine collects the rest
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse>>20)
			}
			return nil
		})
		if err != nil || total.Events != c.events || most > c.most {
			t.Errorf("%s: %+v, %v, %d MiB", name, total, err, most)
		}
	}
}

// TestEventsCorpus reads logs that other people published: no line may end it, and
// what is not read has a reason.
func TestEventsCorpus(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("AUDITPATCH_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	files, err := filepath.Glob(filepath.Join(dir, "events", "*"))
	if err != nil || len(files) == 0 {
		t.Skipf("no events in %s: set AUDITPATCH_CORPUS to a folder with events/", dir)
	}
	p := mustLoad(t, rulesForEvents)
	events, unreadable := 0, 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		total, err := Events(t.Context(), p, strings.NewReader(string(text)), func(e Event, a Answer) error {
			if d := p.Evaluate(e.Request.Attributes()); d.Rule != a.Rule {
				t.Errorf("%s:%d: rule %d, the evaluator says %d", name, e.Line, a.Rule, d.Rule)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		events, unreadable = events+total.Events, unreadable+total.Unreadable
		for _, u := range total.First {
			if u.Line < 1 || u.Reason == "" {
				t.Errorf("%s: %+v", name, u)
			}
		}
	}
	t.Logf("%d files, %d events, %d lines that are none", len(files), events, unreadable)
	if events == 0 {
		t.Error("no event was read")
	}
}
