package follow

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

// eventLine is one event, with its line end.
func eventLine(id string, n int) string {
	at := time.UnixMicro(1_800_000_000_000_000 + int64(n)).UTC().Format("2006-01-02T15:04:05.000000Z")
	return fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":%q,"stage":"ResponseComplete","stageTimestamp":%q}`+"\n", id, at)
}

// run is a Follow in the background.
type run struct {
	t       *testing.T
	cancel  context.CancelFunc
	mu      sync.Mutex
	seen    []string
	notices []string
	slow    func(n int)
	ended   chan error
	total   read.Total
}

func begun(t *testing.T, o Options, slow func(n int), names ...string) *run {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r := &run{t: t, cancel: cancel, slow: slow, ended: make(chan error, 1)}
	o.Fields |= event.WantAuditID
	if o.Every == 0 {
		o.Every = 20 * time.Millisecond
	}
	o.Notice = func(n Notice) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.notices = append(r.notices, n.String())
	}
	go func() {
		var err error
		r.total, err = Follow(ctx, names, o, r.each)
		r.ended <- err
	}()
	t.Cleanup(cancel)
	// It has begun by then, and what the test does falls between two looks.
	time.Sleep(3*o.Every + o.Every/2)
	return r
}

func (r *run) each(e *event.Event) error {
	r.mu.Lock()
	r.seen = append(r.seen, string(e.AuditID))
	n := len(r.seen)
	r.mu.Unlock()
	if r.slow != nil {
		r.slow(n)
	}
	return nil
}

func (r *run) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.seen)
}

// end waits for n events, and then for whether there are more.
func (r *run) end(n int) (seen, notices []string) {
	r.t.Helper()
	// As long as some come, on a machine that has much else to do, too.
	for had, grew := r.count(), time.Now(); had < n && time.Since(grew) < 20*time.Second; {
		time.Sleep(5 * time.Millisecond)
		if now := r.count(); now > had {
			had, grew = now, time.Now()
		}
	}
	time.Sleep(3 * looks)
	r.cancel()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	return r.seen, r.notices
}

func ids(from, to int) (out []string) {
	for n := from; n < to; n++ {
		out = append(out, fmt.Sprint("e", n))
	}
	return out
}

// TestRotation follows what the library writes that kube-apiserver writes with, while
// it rotates under load.
func TestRotation(t *testing.T) {
	t.Parallel()
	for _, packs := range []bool{false, true} {
		for name, slow := range map[string]func(int){
			"fast": nil,
			"slow": func(n int) {
				if n%4000 == 0 {
					time.Sleep(300 * time.Millisecond) // several rotations meanwhile
				}
			},
		} {
			for _, history := range []bool{false, true} {
				t.Run(fmt.Sprintf("packed %v, %s, history %v", packs, name, history), func(t *testing.T) {
					t.Parallel()
					rotation(t, packs, history, slow)
				})
			}
		}
	}
}

func rotation(t *testing.T, packs, history bool, slow func(int)) {
	const rotations, each = 22, 1000
	w := &lumberjack.Logger{Filename: filepath.Join(t.TempDir(), "audit.log"), MaxBackups: 100, Compress: packs}
	n := 0
	write := func(many int) {
		for range many {
			if _, err := w.Write([]byte(eventLine(fmt.Sprint("e", n), n))); err != nil {
				t.Error(err)
			}
			n++
		}
	}
	rotate := func() {
		if err := w.Rotate(); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Millisecond) // rotated files of one millisecond replace each other
	}
	var r *run
	o := Options{}
	if history {
		o.Since = time.Now().Add(-time.Hour)
	}
	first := 0
	for i := range rotations {
		if i == 2 {
			if !history {
				first = n
			}
			r = begun(t, o, slow, w.Filename)
		}
		write(each)
		rotate()
		if i%3 == 0 {
			time.Sleep(30 * time.Millisecond)
		}
	}
	write(each)
	seen, notices := r.end(n - first)
	if want := ids(first, n); !slices.Equal(seen, want) {
		t.Errorf("%d events, want %d; the first that differs: %s", len(seen), len(want), differs(seen, want))
	}
	if len(notices) > 0 {
		t.Errorf("notices: %q", notices)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func differs(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("%d: %s, want %s", i, got[i], want[i])
		}
	}
	return "length"
}

// TestChanges puts single events of a log's life in front of a follower. As in other tests here the
// clock stands still while anything runs: what is done between two waits is done between two looks.
func TestChanges(t *testing.T) {
	t.Parallel()
	long := fmt.Sprintf(`{"kind":"Event","auditID":"e1","stage":"Panic","userAgent":%q}`+"\n", strings.Repeat("x", 5<<20))
	tests := map[string]struct {
		do     func(l logFile)
		want   []string
		notice string
	}{
		"written":      {func(l logFile) { l.add(eventLine("e1", 1) + eventLine("e2", 2)) }, ids(1, 3), ""},
		"in pieces":    {func(l logFile) { l.add(eventLine("e1", 1)[:20]); l.wait(); l.add(eventLine("e1", 1)[20:]) }, ids(1, 2), ""},
		"not complete": {func(l logFile) { l.add(eventLine("e1", 1) + eventLine("e2", 2)[:20]) }, ids(1, 2), ""},
		"a long line":  {func(l logFile) { l.add(long + eventLine("e2", 2)) }, ids(1, 3), ""},
		"too long": {func(l logFile) { l.add(strings.Repeat("x", maxLine+chunk) + "\n" + eventLine("e1", 1)) }, ids(1, 2),
			"LOG: 16842753 bytes are no event: a line of more than 16 MB"},
		"cut off": {func(l logFile) { l.add(eventLine("e1", 1)); l.wait(); l.put(eventLine("e2", 2)) }, ids(1, 3), "LOG: cut off while"},
		"cut off and longer": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.put(eventLine("e2", 2) + eventLine("e3", 3) + eventLine("e4", 4) + eventLine("e5", 5))
		}, ids(1, 6), "LOG: cut off while"},
		"cut off below a writer": {func(l logFile) { l.add(eventLine("e1", 1)); l.wait(); l.hole(1<<20, eventLine("e2", 2)) }, ids(1, 3), "LOG: cut off while"},
		"cut off in a line": {func(l logFile) { l.add(eventLine("e1", 1)[:20]); l.wait(); l.put(eventLine("e2", 2)) }, ids(2, 3),
			"may be missing here, and 20 bytes of it are"},
		"cut off in its midst": {func(l logFile) {
			l.add(eventLine("e1", 1) + eventLine("e2", 2) + eventLine("e3", 3))
			l.wait()
			l.check(os.Truncate(l.name, int64(len(eventLine("earlier", 0)+eventLine("e1", 1)))))
			l.wait()
			l.add(eventLine("e4", 4))
		}, []string{"e1", "e2", "e3", "earlier", "e4"}, "LOG: cut off while"},
		"removed and made anew": {func(l logFile) { l.remove(); l.wait(); l.put(eventLine("e1", 1)) }, ids(1, 2), "LOG: not there, waiting for it"},
		"removed, and written on": {func(l logFile) { w := l.open(); l.remove(); l.wait(); l.to(w, eventLine("e1", 1)) }, ids(1, 2),
			"LOG: not there, waiting for it"},
		"a writer that died in a line": {func(l logFile) { l.add(eventLine("e0", 0)[:50] + eventLine("e1", 1)) }, ids(1, 2), "LOG: 50 bytes are no event"},
		"a prefix":                     {func(l logFile) { l.add("2026-11-22T11:20:04.1Z stdout F " + eventLine("e1", 1)) }, ids(1, 2), ""},
		"no event":                     {func(l logFile) { l.add("what is this\n" + eventLine("e1", 1)) }, ids(1, 2), "LOG: 12 bytes are no event"},
		"CRLF and empty lines":         {func(l logFile) { l.add("\r\n\n" + strings.Replace(eventLine("e1", 1), "\n", "\r\n", 1)) }, ids(1, 2), ""},
		"removed before it was read": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.rotate("2026-11-22T11-20-04.000")
			l.remove("-2026-11-22T11-20-04.000")
			l.add(eventLine("e2", 2))
			l.rotate("2026-11-22T11-20-05.000")
		}, ids(1, 3), "LOG: the file that was read last was removed; files that were rotated after"},
		"a second writer goes on with the rotated file": {func(l logFile) {
			w := l.open()
			l.rotate("2026-11-22T11-20-04.000")
			l.add(eventLine("e1", 1))
			l.wait()
			l.to(w, eventLine("e2", 2))
		}, ids(1, 3), ""},
		"copied and cut off, empty before": {func(l logFile) {
			l.rotate("2026-11-22T11-20-04.000")
			l.wait()
			l.add(eventLine("e1", 1) + eventLine("e2", 2))
			l.copy("2026-11-22T11-20-05.000")
			l.put(eventLine("e3", 3))
		}, ids(1, 4), "LOG: cut off while"},
		"copied, and cut off later": {func(l logFile) {
			l.rotate("2026-11-22T11-20-04.000")
			l.wait()
			l.add(eventLine("e1", 1) + eventLine("e2", 2))
			l.copy("2026-11-22T11-20-05.000")
			l.wait()
			l.put(eventLine("e3", 3))
		}, ids(1, 4), "LOG: cut off while"},
		"read, copied and cut off": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.copy("2026-11-22T11-20-05.000")
			l.put("")
			l.wait()
			l.add(eventLine("e2", 2))
		}, ids(1, 3), "LOG: cut off while"},
		"an old file put beside it": {func(l logFile) {
			l.rotate("2026-11-22T11-20-04.000")
			l.wait()
			l.copy("2026-11-22T11-20-03.000")
			l.check(os.Chtimes(l.rotated("2026-11-22T11-20-03.000"), time.Time{}, time.Now().Add(-time.Hour)))
			l.wait()
			l.add(eventLine("e1", 1))
		}, ids(1, 2), ""},
		"rotated after the clock was set back": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.rotate("2026-11-22T10-20-04.000")
			l.add(eventLine("e2", 2))
			l.rotate("2026-11-22T10-20-05.000")
			l.add(eventLine("e3", 3))
			for _, name := range []string{l.rotated("2026-11-22T10-20-04.000"), l.rotated("2026-11-22T10-20-05.000"), l.name} {
				l.check(os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)))
			}
		}, ids(1, 4), ""},
		"replaced by a longer copy": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.replace(eventLine("earlier", 0) + eventLine("e1", 1) + eventLine("e2", 2))
		}, ids(1, 3), ""},
		"replaced by a longer copy in a line": {func(l logFile) {
			l.add(eventLine("e1", 1) + eventLine("e2", 2)[:30])
			l.wait()
			l.replace(eventLine("earlier", 0) + eventLine("e1", 1) + eventLine("e2", 2))
		}, ids(1, 3), ""},
		"replaced by one that only begins alike": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.replace(eventLine("earlier", 0) + eventLine("e2", 2) + eventLine("e3", 3))
		}, []string{"e1", "earlier", "e2", "e3"}, ""},
		"renamed as logrotate does": {func(l logFile) {
			l.check(os.Rename(l.name, l.name+".1"))
			l.put(eventLine("e1", 1))
		}, ids(1, 2), "LOG: the file was renamed to a name that kube-apiserver gives no rotated file"},
		"rotated in a line": {func(l logFile) {
			l.add(eventLine("e0", 0)[:50])
			l.rotate("2026-11-22T11-20-04.000")
			l.add(eventLine("e1", 1))
		}, ids(1, 2), "LOG-2026-11-22T11-20-04.000.log: 50 bytes are no event: the line is cut off"},
		"rotated and packed, and a link is left": {func(l logFile) {
			l.add(eventLine("e1", 1))
			l.wait()
			l.check(os.Link(l.name, l.name+".link"))
			l.copy("2026-11-22T11-20-04.000")
			l.pack("2026-11-22T11-20-04.000")
			l.check(os.Remove(l.name))
			l.put(eventLine("e2", 2))
		}, ids(1, 3), ""},
		"rotated without the last line end": {func(l logFile) {
			l.add(strings.TrimSpace(eventLine("e1", 1)))
			l.rotate("2026-11-22T11-20-04.000")
			l.wait()
			l.add(eventLine("e2", 2))
			time.Sleep(tornAfter)
		}, []string{"e2", "e1"}, ""},
		"a damaged packed file": {func(l logFile) {
			l.rotate("2026-11-22T11-20-04.000")
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, err := w.Write([]byte(eventLine("e1", 1) + eventLine("e2", 2)))
			l.check(errors.Join(err, w.Close()))
			l.check(os.WriteFile(strings.TrimSuffix(l.name, ".log")+"-2026-11-22T11-20-05.000.log.gz", b.Bytes()[:b.Len()-9], 0o600))
			l.add(eventLine("e3", 3))
		}, ids(1, 4), "-2026-11-22T11-20-05.000.log: unexpected EOF; events at its end may be missing here"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
				l.put(eventLine("earlier", 0))
				r := begun(t, Options{Every: looks}, nil, l.name)
				tc.do(l)
				seen, notices := r.end(len(tc.want))
				all := strings.ReplaceAll(strings.Join(notices, "\n"), l.name, "LOG")
				all = strings.ReplaceAll(all, strings.TrimSuffix(l.name, ".log")+"-", "LOG-")
				if !slices.Equal(seen, tc.want) || (tc.notice == "") != (all == "") || !strings.Contains(all, tc.notice) || strings.Count(all, "\n") != 0 {
					t.Errorf("got %v, want %v; notices %q, want %q", seen, tc.want, all, tc.notice)
				}
			})
		})
	}
}

// logFile is a log that a test writes.
type logFile struct {
	t    *testing.T
	name string
}

func (l logFile) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// looks is how often logs are looked at where the steps of a test must fall between two looks.
const looks = 100 * time.Millisecond

func (l logFile) wait() { time.Sleep(4 * looks) }

func (l logFile) put(text string) { l.t.Helper(); l.check(os.WriteFile(l.name, []byte(text), 0o600)) }

func (l logFile) open() *os.File {
	l.t.Helper()
	w, err := os.OpenFile(l.name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	l.check(err)
	return w
}

func (l logFile) to(w *os.File, text string) {
	l.t.Helper()
	_, err := w.WriteString(text)
	l.check(errors.Join(err, w.Close()))
}

func (l logFile) add(text string) { l.t.Helper(); l.to(l.open(), text) }

func (l logFile) rotate(at string) {
	l.t.Helper()
	l.check(os.Rename(l.name, strings.TrimSuffix(l.name, ".log")+"-"+at+".log"))
	l.put("")
}

func (l logFile) rotated(at string) string {
	return strings.TrimSuffix(l.name, ".log") + "-" + at + ".log"
}

// copy has a rotated file's name.
func (l logFile) copy(at string) {
	l.t.Helper()
	text, err := os.ReadFile(l.name)
	l.check(errors.Join(err, os.WriteFile(l.rotated(at), text, 0o600)))
}

func (l logFile) pack(at string) {
	l.t.Helper()
	text, err := os.ReadFile(l.rotated(at))
	l.check(err)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err = w.Write(text)
	l.check(errors.Join(err, w.Close(), os.WriteFile(l.rotated(at)+".gz", b.Bytes(), 0o600), os.Remove(l.rotated(at))))
}

// replace puts another file in its place, as rsync does.
func (l logFile) replace(text string) {
	l.t.Helper()
	l.check(errors.Join(os.WriteFile(l.name+".new", []byte(text), 0o600), os.Rename(l.name+".new", l.name)))
}

func (l logFile) remove(stamp ...string) {
	l.t.Helper()
	l.check(os.Remove(strings.TrimSuffix(l.name, ".log") + strings.Join(stamp, "") + ".log"))
}

// hole cuts the file off under a writer that does not append.
func (l logFile) hole(at int64, text string) {
	l.t.Helper()
	w, err := os.OpenFile(l.name, os.O_WRONLY|os.O_TRUNC, 0o600)
	l.check(err)
	_, err = w.WriteAt([]byte(text), at)
	l.check(errors.Join(err, w.Close()))
}

// TestLater waits for a log and for a folder that are not there.
func TestLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a, b := logFile{t, filepath.Join(dir, "a", "audit.log")}, logFile{t, filepath.Join(dir, "b", "any.log")}
		r := begun(t, Options{}, nil, a.name, filepath.Join(dir, "b"))
		for i, l := range []logFile{a, b} {
			l.check(os.MkdirAll(filepath.Dir(l.name), 0o700))
			l.wait()
			l.put(eventLine(fmt.Sprint("e", i), i))
			l.wait()
		}
		logFile{t, filepath.Join(dir, "b", "audit.log.1")}.put(eventLine("e9", 9)) // logrotate has it, not a log of its own
		logFile{t, filepath.Join(dir, "b", "audit.json")}.put(eventLine("e2", 2))
		seen, notices := r.end(3)
		if !slices.Equal(seen, ids(0, 3)) {
			t.Errorf("got %v", seen)
		}
		want := []string{a.name + ": not there, waiting for it", filepath.Join(dir, "b") + ": not there, waiting for it"}
		if !slices.Equal(notices, want) {
			t.Errorf("notices %q", notices)
		}
	})
}

// TestFolderAway moves the folder of a log with many rotated files away and back, which makes
// none of them new.
func TestFolderAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 1100
		dir := filepath.Join(t.TempDir(), "logs")
		l := logFile{t, filepath.Join(dir, "audit.log")}
		l.check(os.Mkdir(dir, 0o700))
		for n := range many {
			l.check(os.WriteFile(l.rotated(time.Unix(int64(n), 0).UTC().Format("2006-01-02T15-04-05.000")), []byte(eventLine(fmt.Sprint("e", n), n)), 0o600))
		}
		l.put(eventLine(fmt.Sprint("e", many), many))
		r := begun(t, Options{Since: time.Now().Add(-time.Hour)}, nil, l.name)
		for began := time.Now(); r.count() <= many && time.Since(began) < 20*time.Second; {
			l.wait()
		}
		l.check(os.Rename(dir, dir+".away"))
		l.wait()
		l.check(os.Rename(dir+".away", dir))
		l.add(eventLine(fmt.Sprint("e", many+1), many+1))
		seen, notices := r.end(many + 2)
		if want := ids(0, many+2); !slices.Equal(seen, want) {
			t.Errorf("%d events, want %d; the first that differs: %s; %q", len(seen), len(want), differs(seen, want), notices)
		}
	})
}

// TestUnreadAway has the folder away when its rotated files are to be opened, which are read
// when it is back.
func TestUnreadAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		l := logFile{t, filepath.Join(dir, "audit.log")}
		l.check(os.Mkdir(dir, 0o700))
		for n := range 3 {
			l.put(eventLine(fmt.Sprint("e", n), n))
			l.rotate(fmt.Sprintf("2026-11-22T11-20-0%d.000", n))
		}
		l.put(eventLine("e3", 3))
		r := begun(t, Options{Since: time.Now().Add(-time.Hour)}, func(n int) {
			if n == 1 {
				l.check(os.Rename(dir, dir+".away"))
				time.AfterFunc(3*looks+looks/10, func() { l.check(os.Rename(dir+".away", dir)) })
			}
		}, l.name)
		seen, notices := r.end(4)
		slices.Sort(seen) // the live file was open
		if !slices.Equal(seen, ids(0, 4)) || slices.ContainsFunc(notices, func(n string) bool { return !strings.Contains(n, "waiting for it") }) {
			t.Errorf("%v, %q", seen, notices)
		}
	})
}

// TestUnreachable has an error at the name of one log for a while, which is told and does not
// end the other one.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "logs")
		l, other := logFile{t, filepath.Join(dir, "audit.log")}, logFile{t, filepath.Join(t.TempDir(), "other.log")}
		l.check(os.Mkdir(dir, 0o700))
		l.put(eventLine("earlier", 0))
		r := begun(t, Options{}, nil, l.name, other.name)
		l.check(os.Rename(dir, dir+".away"))
		logFile{t, dir}.put("no folder")
		l.wait()
		other.put(eventLine("e0", 0))
		l.wait()
		l.check(errors.Join(os.Remove(dir), os.Rename(dir+".away", dir)))
		l.add(eventLine("e1", 1))
		seen, notices := r.end(2)
		told := strings.Join(notices, "\n")
		if !slices.Equal(seen, ids(0, 2)) || len(notices) != 2 || !strings.Contains(told, "audit.log: not a directory; ") {
			t.Errorf("%v, %q", seen, notices)
		}
	})
}

// TestNames has one log by several names, of which one comes to be only when the log is renamed
// in its folder, and wants no event twice.
func TestNames(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l, next := logFile{t, filepath.Join(dir, "audit.log")}, logFile{t, filepath.Join(dir, "next")}
		link, hard, folder := filepath.Join(dir, "link"), filepath.Join(dir, "hard"), filepath.Join(t.TempDir(), "folder")
		l.put(eventLine("e0", 0))
		l.check(errors.Join(os.Symlink("audit.log", link), os.Link(l.name, hard), os.Symlink(dir, folder)))
		r := begun(t, Options{Since: time.Now().Add(-time.Hour)}, nil, link, l.name, hard, filepath.Join(folder, "audit.log"), dir)
		l.wait()
		l.add(eventLine("e1", 1))
		l.check(os.Rename(l.name, filepath.Join(dir, "audit-old.log")))
		l.put(eventLine("e2", 2))
		l.wait()
		copied := logFile{t, filepath.Join(dir, "copy.log")}
		text, err := os.ReadFile(l.name)
		l.check(err)
		copied.put(string(text) + eventLine("e3", 3))
		l.wait()
		next.put(eventLine("e4", 4))
		l.check(errors.Join(os.Remove(link), os.Symlink("next", link)))
		if seen, _ := r.end(5); !slices.Equal(seen, ids(0, 5)) {
			t.Errorf("got %v", seen)
		}
	})
}

// TestOlder renames and copies a log in its folder: what it had when the following began does not
// come for that.
func TestOlder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		l := logFile{t, filepath.Join(dir, "audit.log")}
		l.put(eventLine("earlier", 0) + eventLine("earlier", 1))
		r := begun(t, Options{}, nil, dir)
		text, err := os.ReadFile(l.name)
		l.check(err)
		logFile{t, filepath.Join(dir, "copy.log")}.put(string(text) + eventLine("e0", 2))
		l.check(os.Rename(l.name, filepath.Join(dir, "audit-old.log")))
		l.put(eventLine("e1", 3))
		l.wait()
		logFile{t, filepath.Join(dir, "audit-old.log")}.add(eventLine("e2", 4))
		seen, _ := r.end(3)
		slices.Sort(seen)
		if !slices.Equal(seen, ids(0, 3)) {
			t.Errorf("got %v", seen)
		}
	})
}

// TestManyRotated reads many rotated files between two looks, of which only some are open.
func TestManyRotated(t *testing.T) {
	t.Parallel()
	const many = 100
	l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
	for n := range many {
		l.put(eventLine(fmt.Sprint("e", n), n))
		l.rotate(fmt.Sprintf("2026-11-22T11-20-00.%03d", n))
	}
	f := newFollower([]string{l.name}, Options{Every: time.Hour})
	defer f.close()
	l.check(f.find(t.Context(), time.Time{}, false))
	for n := range many {
		first, _ := f.oldest(t.Context())
		if first == nil {
			t.Fatalf("%d events, want %d", n, many)
		}
		first.pending = false
		open := 0
		for _, o := range first.files {
			if o.src != nil && !o.done {
				open++
			}
		}
		if open > 2*mostHeld+3 {
			t.Fatalf("%d files are open", open)
		}
	}
}

// TestSeveral wants the history of several logs merged by time.
func TestSeveral(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		var text [3]string
		for n := range 300 {
			text[n%3] += eventLine(fmt.Sprint("e", n), n)
		}
		var names []string
		for i, one := range text {
			l := logFile{t, filepath.Join(dir, fmt.Sprint("node", i, ".log"))}
			l.put(one)
			names = append(names, l.name)
		}
		r := begun(t, Options{Since: time.Now().Add(-time.Hour)}, nil, append(names, dir)...)
		seen, _ := r.end(300)
		if !slices.Equal(seen, ids(0, 300)) {
			t.Errorf("got %v", seen)
		}
	})
}

// TestMany begins with a folder of many logs, which takes time by their number and not by the
// square of it, and whose names need not be UTF-8.
func TestMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const many = 3000
		dir := t.TempDir()
		for n := range many {
			logFile{t, filepath.Join(dir, fmt.Sprint("node\xe9", n, ".log"))}.put(eventLine(fmt.Sprint("e", n), n))
		}
		r := begun(t, Options{Since: time.Now().Add(-time.Hour)}, nil, dir)
		seen, notices := r.end(many)
		if !slices.Equal(seen, ids(0, many)) || len(notices) > 0 {
			t.Errorf("%d events; the first that differs: %s; %q", len(seen), differs(seen, ids(0, many)), notices)
		}
	})
}

// TestHole begins behind a hole that takes hours to read, and ends within one.
func TestHole(t *testing.T) {
	t.Parallel()
	l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
	l.put(eventLine("e0", 0))
	if err := os.Truncate(l.name, 1<<42); err != nil {
		t.Skip(err) // the file system has no files of that size
	}
	r := begun(t, Options{}, nil, l.name)
	l.wait()
	l.add(eventLine("e1", 1))
	for began := time.Now(); r.count() == 0 && time.Since(began) < 20*time.Second; {
		l.wait()
	}
	l.check(os.Truncate(l.name, 1<<43))
	l.wait()
	r.cancel()
	select {
	case err := <-r.ended:
		if err != nil || !slices.Equal(r.seen, ids(1, 2)) || len(r.notices) > 0 {
			t.Errorf("%v, %v, %q", err, r.seen, r.notices)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
}

// TestRefused wants what cannot be followed to be an error.
func TestRefused(t *testing.T) {
	t.Parallel()
	_, err := Follow(t.Context(), []string{os.DevNull}, Options{}, func(*event.Event) error { return nil })
	if fmt.Sprint(err) != "follow /dev/null: it is no regular file" {
		t.Errorf("got %v", err)
	}
	l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
	l.put(eventLine("e1", 1))
	full := errors.New("full")
	total, err := Follow(t.Context(), []string{l.name}, Options{Since: time.Now().Add(-time.Hour)}, func(*event.Event) error { return full })
	if !errors.Is(err, full) || total.Wanted != 1 {
		t.Errorf("got %v, %+v", err, total)
	}
}

// TestSpace wants a log that rests to hold none of the space that its lines took.
func TestSpace(t *testing.T) {
	t.Parallel()
	l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
	l.put(fmt.Sprintf(`{"kind":"Event","auditID":"e1","stage":"Panic","userAgent":%q}`+"\n", strings.Repeat("x", 1<<20)))
	f := newFollower([]string{l.name}, Options{Every: time.Nanosecond, Fields: event.WantAuditID})
	defer f.close()
	l.check(f.find(t.Context(), time.Time{}, false))
	for _, text := range []string{"", eventLine("e2", 2)} {
		l.add(text)
		f.lookAt = time.Time{} // due
		first, _ := f.oldest(t.Context())
		if first == nil {
			t.Fatal("no event")
		}
		first.pending = false
		if again, _ := f.oldest(t.Context()); again != nil || first.live.space != nil {
			t.Errorf("%v, %d bytes", again, cap(first.live.space))
		}
	}
}

// TestWanted passes over events that are not wanted, also when there are many of them.
func TestWanted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := logFile{t, filepath.Join(t.TempDir(), "audit.log")}
		var b strings.Builder
		for n := range 20_000 {
			b.WriteString(eventLine(fmt.Sprint("e", n), n))
		}
		l.put(b.String())
		o := Options{Since: time.Now().Add(-time.Hour), MatchFields: event.WantAuditID, Match: func(e *event.Event) bool { return string(e.AuditID) == "e19999" }}
		r := begun(t, o, nil, l.name)
		seen, _ := r.end(1)
		if !slices.Equal(seen, []string{"e19999"}) || r.total.Events != 20_000 || r.total.Wanted != 1 || r.total.Cut {
			t.Errorf("got %v, %+v", seen, r.total)
		}
	})
}

// TestPackedMeanwhile wants a rotated file that is packed between listing the folder and
// looking at the file to be found at once: found later, its events would come after
// those of younger files.
func TestPackedMeanwhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := logFile{t, filepath.Join(dir, "audit-2026-11-22T11-20-04.000.log.gz")}
	l.put("")
	other := logFile{t, filepath.Join(dir, "audit-2026-11-22T11-20-05.000.log")}
	other.put("")
	listed := []string{"audit-2026-11-22T11-20-03.000.log", "audit-2026-11-22T11-20-04.000.log", "audit-2026-11-22T11-20-05.000.log", "audit.log"}
	var names []string
	for _, s := range siblings(filepath.Join(dir, "audit.log"), listed) {
		names = append(names, s.name)
	}
	if want := []string{strings.TrimSuffix(l.name, packed), other.name}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}
