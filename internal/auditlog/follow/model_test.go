package follow

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/event"
)

// model is a log that is written, rotated, packed, cut off and removed, and what a
// follower of it must have seen. It has so many fields because a log's folder has as
// many things that change.
type model struct {
	t       testing.TB
	dir     string
	n       int
	clock   time.Time
	w       *os.File
	half    string // the rest of a line of which a part is written
	halfID  string
	rotated []string // plain names, the oldest first
	packed  map[string]bool

	written []string        // in the order of writing
	unread  map[string]bool // written since the last look
	risky   map[string]bool // may be missing
	started bool
	blind   bool // something was lost of which nobody can know
	begun   bool // something of the live file was read
	seen    []string
	notices []Notice
	f       *follower
}

func newModel(t testing.TB) *model {
	m := &model{t: t, dir: t.TempDir(), clock: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC), packed: map[string]bool{},
		unread: map[string]bool{}, risky: map[string]bool{}}
	m.f = newFollower([]string{m.live()}, Options{Fields: event.WantAuditID, Every: time.Nanosecond, Notice: func(n Notice) { m.notices = append(m.notices, n) }})
	t.Cleanup(func() { m.f.close(); m.shut() })
	return m
}

func (m *model) live() string { return filepath.Join(m.dir, "audit.log") }

func (m *model) check(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

// start begins to follow, at the end or with what is there.
func (m *model) start(history bool) {
	m.started = true
	if !history {
		m.written, m.risky = nil, map[string]bool{}
	}
	clear(m.unread)
	m.check(m.f.find(m.t.Context(), time.Time{}, !history))
	if m.halfID != "" {
		m.unread[m.halfID] = true
		if !history {
			m.written = []string{m.halfID} // it is new when it is complete
		}
	}
	info, err := os.Stat(m.live())
	m.begun = err == nil && info.Size() > 0 && !history
}

// look reads all that is there.
func (m *model) look() {
	if !m.started {
		return
	}
	m.check(m.f.find(m.t.Context(), time.Time{}, false))
	for {
		m.f.lookAt = time.Time{} // due, however long the last one took
		l, busy := m.f.oldest(m.t.Context())
		if busy {
			continue
		}
		if l == nil {
			break
		}
		l.pending = false
		m.seen = append(m.seen, string(l.e.AuditID))
	}
	clear(m.unread)
	if m.halfID != "" {
		m.unread[m.halfID] = true
	}
	info, err := os.Stat(m.live())
	m.begun = err == nil && info.Size() > 0
}

func (m *model) line() (id, text string) {
	m.n++
	id = fmt.Sprintf("id-%05d", m.n)
	at := time.UnixMicro(1_800_000_000_000_000 + int64(m.n)).UTC().Format("2006-01-02T15:04:05.000000Z")
	return id, fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":%q,"stage":"ResponseComplete","stageTimestamp":%q,"x":%q}`+"\n",
		id, at, strings.Repeat("x", m.n*7%300))
}

func (m *model) put(text string) {
	if m.w == nil {
		var err error
		m.w, err = os.OpenFile(m.live(), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		m.check(err)
	}
	_, err := m.w.WriteString(text)
	m.check(err)
}

func (m *model) shut() {
	if m.w != nil {
		m.check(m.w.Close())
		m.w = nil
	}
}

func (m *model) wrote(id string) {
	m.written = append(m.written, id)
	m.unread[id] = true
}

func (m *model) write() {
	m.finish()
	id, text := m.line()
	m.put(text)
	m.wrote(id)
}

// writeHalf writes a part of a line, which the next write completes.
func (m *model) writeHalf() {
	m.finish()
	id, text := m.line()
	m.put(text[:len(text)/2])
	m.half, m.halfID = text[len(text)/2:], id
	m.wrote(id)
}

func (m *model) finish() {
	if m.halfID != "" {
		m.put(m.half)
		m.half, m.halfID = "", ""
	}
}

// rotate does what lumberjack does.
func (m *model) rotate() {
	m.finish()
	m.put("")
	m.shut()
	m.clock = m.clock.Add(time.Second)
	to := strings.TrimSuffix(m.live(), ".log") + m.clock.Format("-2006-01-02T15-04-05.000") + ".log"
	m.check(os.Rename(m.live(), to))
	m.rotated, m.begun = append(m.rotated, to), false
	m.put("")
}

// pack packs the rotated files, as lumberjack does with --audit-log-compress.
func (m *model) pack() {
	for _, name := range m.rotated {
		if m.packed[name] {
			continue
		}
		text, err := os.ReadFile(name)
		m.check(err)
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, err = w.Write(text)
		m.check(errors.Join(err, w.Close(), os.WriteFile(name+".gz", b.Bytes(), 0o600), os.Remove(name)))
		m.packed[name] = true
	}
}

// keep removes all rotated files but some, as --audit-log-maxbackup does.
func (m *model) keep(n int) {
	for len(m.rotated) > n {
		name := m.rotated[0]
		if err := os.Remove(name); err != nil {
			m.check(os.Remove(name + ".gz"))
		}
		m.rotated = m.rotated[1:]
		m.lose()
	}
}

// lose takes all that was not read yet for something that may be missing.
func (m *model) lose() {
	for id := range m.unread {
		m.risky[id] = true
	}
}

func (m *model) truncate() {
	m.put("")
	m.blind = m.blind || !m.begun
	m.check(os.Truncate(m.live(), 0))
	m.lose()
	if m.halfID != "" {
		m.risky[m.halfID] = true
		m.half, m.halfID = "\n", "none" // its rest is no event
		m.finish()
	}
}

func (m *model) remove() {
	m.finish()
	m.shut()
	m.blind, m.begun = true, false
	if err := os.Remove(m.live()); !errors.Is(err, fs.ErrNotExist) {
		m.check(err)
	}
	// What the follower had not opened yet is lost without a trace.
	m.lose()
}

func (m *model) random(r *rand.Rand) string {
	ops := []struct {
		name   string
		weight int
		do     func()
	}{
		{"write", 30, m.write}, {"half", 6, m.writeHalf}, {"look", 25, m.look}, {"rotate", 12, m.rotate}, {"pack", 8, m.pack},
		{"keep3", 2, func() { m.keep(3) }}, {"truncate", 2, m.truncate}, {"remove", 1, m.remove},
		{"restart", 2, func() { m.finish(); m.shut() }},
	}
	sum := 0
	for _, o := range ops {
		sum += o.weight
	}
	k := r.IntN(sum)
	for _, o := range ops {
		if k -= o.weight; k < 0 {
			o.do()
			return o.name
		}
	}
	return ""
}

// verify wants every event once, in order, unless it may be missing and that was told.
func (m *model) verify(ops []string) {
	m.t.Helper()
	m.finish()
	m.look()
	at, missing := 0, []string{}
	for _, id := range m.written {
		switch {
		case at < len(m.seen) && m.seen[at] == id:
			at++
		case m.risky[id]:
			missing = append(missing, id)
		default:
			m.t.Fatalf("%s is missing, out of order or twice: %v; written %v; %v", id, m.seen, m.written, ops)
		}
	}
	if at < len(m.seen) {
		m.t.Fatalf("%v was not written, or came twice: %v", m.seen[at:], ops)
	}
	told := slices.ContainsFunc(m.notices, Notice.Lost)
	if len(missing) > 0 && !told && !m.blind {
		m.t.Fatalf("%v are missing and nothing was told: %v", missing, ops)
	}
	if told && !slices.ContainsFunc(ops, func(o string) bool { return o == "truncate" || o == "remove" || o == "keep3" }) {
		m.t.Fatalf("nothing can be missing, yet: %v: %v", m.notices, ops)
	}
}

// TestModel puts random operations on a log against what must be seen of it.
func TestModel(t *testing.T) {
	t.Parallel()
	rounds := 1500
	if testing.Short() {
		rounds = 200
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		m := newModel(t)
		var ops []string
		do := func(n int) {
			for range n {
				ops = append(ops, m.random(r))
			}
		}
		do(r.IntN(12))
		ops = []string{fmt.Sprint("seed ", seed)}
		history := r.IntN(2) == 0
		if history {
			// What was removed before the start is not there to be read.
			m.keep(0)
			m.check(os.RemoveAll(m.live()))
			m.shut()
			m.written, m.risky, m.half, m.halfID = nil, map[string]bool{}, "", ""
			for range r.IntN(9) {
				m.write()
				if r.IntN(3) == 0 {
					m.rotate()
				}
			}
		}
		m.start(history)
		if history {
			for _, id := range m.written {
				m.unread[id] = true
			}
		}
		do(1 + r.IntN(60))
		m.verify(ops)
		m.f.close()
		m.shut()
		m.check(os.RemoveAll(m.dir))
	}
}
