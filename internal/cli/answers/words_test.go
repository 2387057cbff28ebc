package answers

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/hint"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := number(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
	if got := plural(1, "event") + ", " + plural(2, "event"); got != "1 event, 2 events" {
		t.Error(got)
	}
}

func TestProgressWords(t *testing.T) {
	for _, c := range []struct {
		at    read.Progress
		since time.Duration
		want  string
	}{
		{read.Progress{Bytes: 512 << 20, Total: 1 << 30}, 2 * time.Second, "512.0 MB of 1.0 GB, 256.0 MB/s, 2s left"},
		{read.Progress{Bytes: 1 << 20}, time.Second, "1.0 MB, 1.0 MB/s"},
		{read.Progress{Bytes: 1 << 20, Total: 1 << 20}, time.Second, "1.0 MB of 1.0 MB, 1.0 MB/s"},
		{read.Progress{Total: 1 << 20}, time.Second, "0 B of 1.0 MB, 0 B/s"},
	} {
		if got := progressWords(c.at, c.since); got != c.want {
			t.Errorf("%+v: %s, want %s", c.at, got, c.want)
		}
	}
}

func TestWhere(t *testing.T) {
	logs := []read.Log{{Name: "/a/b.log"}, {Name: "c.log"}}
	for files, want := range map[int]string{2: "b.log, c.log", 7: "7 files of b.log, c.log"} {
		if got := where(logs, files); got != want {
			t.Errorf("%d files: %s, want %s", files, got, want)
		}
	}
	if got := where(append(logs, logs...), 4); got != "b.log, c.log, b.log, ..." {
		t.Error(got)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{time.Second: "1 s", 5 * time.Minute: "5 min", 3 * time.Hour: "3 h", 24 * time.Hour: "1 day", 48 * time.Hour: "2 days"} {
		if got := span(d); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

// TestReadError has each error that can end reading say what to type.
func TestReadError(t *testing.T) {
	denied := &fs.PathError{Op: "open", Path: "/l", Err: fs.ErrPermission}
	if got := hint.Of(readError("events", denied)).String(); os.Geteuid() != 0 && got != "sudo auditpatch events ..." || got == "" {
		t.Errorf("denied: %s", got)
	}
	gone := &fs.PathError{Op: "open", Path: "/l", Err: fs.ErrNotExist}
	if err := readError("events", gone); err.Error() != "/l: there is no such log" || !strings.HasPrefix(hint.Of(err).String(), "auditpatch events --log FILE") {
		t.Errorf("gone: %v, %s", err, hint.Of(err))
	}
	own := hint.New(hint.Switch("x"), "own")
	if err := readError("events", own); !errors.Is(err, own) {
		t.Errorf("own: %v", err)
	}
	if err := readError("events", errors.New("EIO")); err.Error() != "read the log: EIO" {
		t.Errorf("other: %v", err)
	}
}

// TestTold has values of a log that pass for something else in quotes.
func TestTold(t *testing.T) {
	for value, want := range map[string]string{
		"alice": "alice", "": "", "a b": "a b", "(none)": `"(none)"`, `"a"`: `"\"a\""`, `\x1b`: `"\\x1b"`, "\x1b": "\x1b", "bob ": `"bob "`, "漢": "漢",
	} {
		if got := told(value); got != want {
			t.Errorf("%q is told as %s, want %s", value, got, want)
		}
	}
}
