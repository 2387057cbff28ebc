package read

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/hint"
)

// tree is a folder with logs of all kinds.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{
		"audit.log", "audit-2026-11-22T11-20-05.000.log", "audit-2026-11-22T11-20-04.000.log.gz", "audit-2026-11-22T11-20-05.000.log.gz", "web-x.log",
		"node/audit.log", "node/audit-2026-11-22T11-20-04.000.log.gz", "gone/audit-2026-11-22T11-20-04.000.log", "json/b.json", "json/a.json", "json/a.json.gz",
		"json/readme.md", ".hidden.log", ".hidden/audit.log", "other-2026-11-22T11-20-04.000.log.gz",
	} {
		put(t, dir, name, []byte(one(name, 0)+"\n"))
	}
	for to, from := range map[string]string{"link.log": "audit.log", "hard.log": "audit.log"} {
		link := os.Symlink
		if to == "hard.log" {
			link = os.Link
		}
		if err := link(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names are the files of logs, below a folder.
func names(dir string, logs []Log) (out []string) {
	for _, l := range logs {
		name := strings.TrimPrefix(l.Name, dir+"/") + ":"
		for _, f := range l.Files {
			name += " " + strings.TrimPrefix(f, dir+"/")
		}
		out = append(out, name)
	}
	return out
}

func TestFind(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	audit := "audit.log: audit-2026-11-22T11-20-04.000.log.gz audit-2026-11-22T11-20-05.000.log audit.log"
	for _, tc := range []struct {
		names, want []string
	}{
		{[]string{"audit.log"}, []string{audit}},
		{[]string{"audit.log", "./audit.log", "link.log", "hard.log", "audit-2026-11-22T11-20-05.000.log"}, []string{audit}},
		{[]string{"link.log", "audit.log"}, []string{"link.log: link.log", strings.TrimSuffix(audit, " audit.log")}},
		{[]string{"audit-2026-11-22T11-20-05.000.log"}, []string{"audit-2026-11-22T11-20-05.000.log: audit-2026-11-22T11-20-05.000.log"}},
		{[]string{"gone/audit.log"}, []string{"gone/audit.log: gone/audit-2026-11-22T11-20-04.000.log"}},
		{[]string{"json"}, []string{"json/a.json: json/a.json", "json/b.json: json/b.json"}},
		{[]string{"."}, []string{
			audit, "gone/audit.log: gone/audit-2026-11-22T11-20-04.000.log", "json/a.json: json/a.json", "json/b.json: json/b.json",
			"node/audit.log: node/audit-2026-11-22T11-20-04.000.log.gz node/audit.log", "other.log: other-2026-11-22T11-20-04.000.log.gz", "web-x.log: web-x.log",
		}},
	} {
		var full []string
		for _, n := range tc.names {
			full = append(full, filepath.Join(dir, n))
		}
		logs, err := Find(full, nil)
		if err != nil {
			t.Errorf("%q: %v", tc.names, err)
		}
		if got := names(dir, logs); !slices.Equal(got, tc.want) {
			t.Errorf("%q: got\n%s\nwant\n%s", tc.names, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
	in := strings.NewReader("")
	logs, err := Find([]string{"-", "-"}, in)
	if err != nil || len(logs) != 1 || logs[0].Stdin != in || logs[0].Name != "standard input" {
		t.Errorf("%+v, %v", logs, err)
	}
}

func TestNoSuchLog(t *testing.T) {
	t.Parallel()
	dir := tree(t)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]string{
		"audti.log":     {"there is no DIR/audti.log", "--log=DIR/audit.log"},
		"json/x":        {"there is no DIR/json/x", "--log=DIR/json/a.json"},
		"no/such/a.log": {"there is no DIR/no/such/a.log, nor a folder DIR/no/such", "ls DIR/no"},
		"empty/a.log":   {"there is no DIR/empty/a.log, nor any other log in its folder", "ls DIR/empty"},
		"empty":         {"there is no log in the folder DIR/empty", "ls DIR/empty"},
	} {
		_, err := Find([]string{filepath.Join(dir, name)}, nil)
		if err == nil || strings.ReplaceAll(err.Error(), dir, "DIR") != want[0] || strings.ReplaceAll(hint.Of(err).String(), dir, "DIR") != want[1] {
			t.Errorf("%s: %v, %v", name, err, hint.Of(err))
		}
	}
}

// TestSpecialFiles reads a named pipe that was named, and leaves it out of a folder.
func TestSpecialFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe.log")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", filepath.Join(dir, "socket.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	put(t, dir, "audit.log", []byte(some("a", "b")))
	logs, err := Find([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := readAll(t, usually, Query{}, logs...)
	const why = "it is no regular file, and is read only if --log names it"
	if want := []Unreadable{{pipe, 0, 0, why}, {filepath.Join(dir, "socket.log"), 0, 0, why}}; !slices.Equal(got.ids, []string{"a", "b"}) || !slices.Equal(got.total.First, want) {
		t.Errorf("%q, %+v", got.ids, got.total)
	}
	if logs, err = Find([]string{pipe, os.DevNull}, nil); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = os.WriteFile(pipe, []byte(some("c", "d")), 0o600)
	}()
	if got = readAll(t, usually, Query{}, logs...); !slices.Equal(got.ids, []string{"c", "d"}) {
		t.Errorf("%q, %+v", got.ids, got.total)
	}
}

// TestRotatedMeanwhile wants a log as it was when it is read, also when files were
// rotated, packed and removed since it was found.
func TestRotatedMeanwhile(t *testing.T) {
	t.Parallel()
	const first, second, third = "audit-2026-11-22T11-20-04.000.log", "audit-2026-11-22T11-20-05.000.log", "audit-2026-11-22T11-20-06.000.log"
	for name, tc := range map[string]struct {
		do   func(dir string) error
		want []string
		gone int64
	}{
		"rotated twice": {func(dir string) error {
			put(t, dir, third, []byte(some("c")))
			put(t, dir, second, []byte(some("b")))
			put(t, dir, "new", []byte(some("d")))
			return os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "audit.log"))
		}, []string{"a", "b", "c", "d"}, 0},
		"between two files": {func(dir string) error {
			return os.Rename(filepath.Join(dir, "audit.log"), filepath.Join(dir, second))
		}, []string{"a", "b"}, 0},
		"packed": {func(dir string) error {
			put(t, dir, first+".gz", zipped(t, []byte(some("a"))))
			return os.Remove(filepath.Join(dir, first))
		}, []string{"a", "b"}, 0},
		"removed": {func(dir string) error { return os.Remove(filepath.Join(dir, first)) }, []string{"b"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			put(t, dir, first, []byte(some("a")))
			put(t, dir, "audit.log", []byte(some("b")))
			logs, err := Find([]string{filepath.Join(dir, first), filepath.Join(dir, "audit.log")}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.do(dir); err != nil {
				t.Fatal(err)
			}
			got := readAll(t, usually, Query{}, logs...)
			if !slices.Equal(got.ids, tc.want) || got.total.Unreadable != tc.gone {
				t.Errorf("got %q, %+v, want %q", got.ids, got.total, tc.want)
			}
		})
	}
}

// TestCorpus counts the events in other people's logs.
func TestCorpus(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../../../shared/corpus/events/*")
	if err != nil || len(files) == 0 {
		t.Skip("no logs of other people here")
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		want := count(text)
		for _, log := range []Log{{Files: []string{name}}, {Stdin: bytes.NewReader(text)}} {
			got := readAll(t, usually, Query{Fields: event.WantAll, Checked: true}, log)
			if got.total.Events != int64(want) {
				t.Errorf("%s: %d events, want %d: %+v", name, got.total.Events, want, got.total)
			}
			t.Logf("%s: %d events, %d unreadable, %d duplicates", filepath.Base(name), got.total.Events, got.total.Unreadable, got.total.Duplicates)
		}
	}
}

// TestReplacedMeanwhile wants what is no regular file any more, when its turn comes, to be told and
// the rest to be read: a pipe there would wait for ever for whoever writes.
func TestReplacedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, replace := range map[string]func(string) error{
		"a pipe":           func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"a device":         func(name string) error { return os.Symlink("/dev/zero", name) },
		"a folder":         func(name string) error { return os.Mkdir(name, 0o700) },
		"a link to itself": func(name string) error { return os.Symlink(filepath.Base(name), name) },
		"a socket": func(name string) error {
			l, err := net.Listen("unix", name)
			if err == nil {
				t.Cleanup(func() { _ = l.Close() })
			}
			return err
		},
	} {
		for _, swapped := range []string{"audit.log", "audit-2026-11-22T11-20-04.000.log", "a.json"} {
			t.Run(name+" for "+swapped, func(t *testing.T) {
				t.Parallel()
				dir, err := os.MkdirTemp("", "read") // the name of a socket is short
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(dir) })
				var want []string
				for i, name := range []string{"audit-2026-11-22T11-20-04.000.log", "audit.log", "a.json", "b.json"} {
					put(t, dir, name, []byte(one(name, i*1000)+"\n"))
					if name != swapped {
						want = append(want, name)
					}
				}
				logs, err := Find([]string{dir}, nil)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(dir, swapped)
				if err := errors.Join(os.Remove(file), replace(file)); err != nil {
					t.Fatal(err)
				}
				got := readAll(t, usually, Query{}, logs...)
				told := []Unreadable{{file, 0, 0, "it is no regular file any more"}}
				if !slices.Equal(got.ids, want) || !slices.Equal(got.total.First, told) {
					t.Errorf("%q, %+v", got.ids, got.total)
				}
			})
		}
	}
}

// TestNotUTF8 reads files whose names are none that os.DirFS takes.
func TestNotUTF8(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "of\xe9")
	put(t, dir, "node\xe9.log", []byte(some("b")))
	put(t, dir, "node\xe9-2026-11-22T11-20-04.000.log.gz", zipped(t, []byte(some("a"))))
	for _, name := range []string{dir, filepath.Join(dir, "node\xe9.log")} {
		logs, err := Find([]string{name}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := readAll(t, usually, Query{}, logs...); !slices.Equal(got.ids, []string{"a", "b"}) || got.total.Unreadable > 0 {
			t.Errorf("%q: %q, %+v", name, got.ids, got.total)
		}
	}
}

// TestClosedFolder wants a folder that was named and cannot be listed to be an error, as a file is;
// one below it is told, and the others are read.
func TestClosedFolder(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		t.Skip("nothing is closed to root")
	}
	dir := t.TempDir()
	put(t, dir, "audit.log", []byte(some("a")))
	put(t, dir, "closed/audit.log", []byte(some("b")))
	closed := filepath.Join(dir, "closed")
	if err := os.Chmod(closed, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(closed, 0o700) })
	if _, err := Find([]string{closed}, nil); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
	logs, err := Find([]string{dir}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, usually, Query{}, logs...); !slices.Equal(got.ids, []string{"a"}) || len(got.total.First) != 1 || got.total.First[0].File != closed {
		t.Errorf("%q, %+v", got.ids, got.total)
	}
}
