package handover

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/node"
)

const logPath = "/var/log/audit/audit.log"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// logNode is a node with a state directory and a log that has a text.
func logNode(t *testing.T, log string) *node.Node {
	t.Helper()
	n := node.New(t.TempDir(), "/var/lib/state")
	n.Now = func() time.Time { return time.Date(2026, 11, 27, 19, 15, 35, 123e6, time.FixedZone("", 3600)) }
	must(t, os.MkdirAll(filepath.Join(n.Root, n.StateDir), 0o700))
	must(t, os.Mkdir(filepath.Join(n.Root, "proc"), 0o700))
	must(t, os.MkdirAll(filepath.Join(n.Root, filepath.Dir(logPath)), 0o700))
	if log != "" {
		must(t, os.WriteFile(filepath.Join(n.Root, logPath), []byte(log), 0o640))
	}
	return n
}

// spooled makes a spool with a text.
func spooled(t *testing.T, n *node.Node, text string) {
	t.Helper()
	name, err := makeSpool(n, logPath, os.Getuid())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(n.Root, name), []byte(text), 0o600))
}

// files are those of the log's directory, and of the state directory, by name.
func files(t *testing.T, n *node.Node) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range []string{filepath.Dir(logPath), n.StateDir} {
		entries, err := os.ReadDir(filepath.Join(n.Root, dir))
		must(t, err)
		for _, e := range entries {
			data, err := os.ReadFile(filepath.Join(n.Root, dir, e.Name()))
			must(t, err)
			out[e.Name()] = string(data)
		}
	}
	return out
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, log, spool, into string
		want                   map[string]string
	}{
		{"appended", "1\n2\n", "3\n4\n", logPath, map[string]string{"audit.log": "1\n2\n3\n4\n"}},
		{"the same once more is an event of its own", "1\n", "1\n", logPath, map[string]string{"audit.log": "1\n1\n"}},
		{"a line of the log that has no end", "1", "2\n", logPath, map[string]string{"audit.log": "1\n2\n"}},
		{"a torn line", "1\n", "2\n3", logPath, map[string]string{"audit.log": "1\n2\n"}},
		{"nothing but a torn line", "1\n", "2", logPath, map[string]string{"audit.log": "1\n"}},
		{"empty", "1\n", "", logPath, map[string]string{"audit.log": "1\n"}},
		{"no log", "", "1\n", logPath, map[string]string{"audit.log": "1\n"}},
		{"no audit logging", "1\n", "2\n", "", map[string]string{"audit.log": "1\n"}},
		{"no directory", "1\n", "2\n", "/nowhere/audit.log", map[string]string{"audit.log": "1\n"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := logNode(t, test.log)
			spooled(t, n, test.spool)
			must(t, deliver(n, test.into))
			if diff := cmp.Diff(test.want, files(t, n)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestDeliverLong wants more than is written at once to arrive whole.
func TestDeliverLong(t *testing.T) {
	t.Parallel()
	n := logNode(t, "0\n")
	var text strings.Builder
	for i := range 40000 {
		fmt.Fprintf(&text, `{"auditID":"%d","padding":"%s"}`+"\n", i, strings.Repeat("x", i%120))
	}
	text.WriteString(strings.Repeat("y", 3*mostAtOnce) + "\n")
	spooled(t, n, text.String())
	must(t, deliver(n, logPath))
	if got := files(t, n)["audit.log"]; got != "0\n"+text.String() {
		t.Errorf("%d bytes came of %d", len(got), text.Len()+2)
	}
}

// TestSettle ends what a run that died had begun: it may have moved some of the events.
func TestSettle(t *testing.T) {
	t.Parallel()
	n := logNode(t, "1\n2\nnew\n3\n")
	spooled(t, n, "2\n3\n4\n5")
	if !Left(n) {
		t.Error("nothing is left")
	}
	must(t, Settle(n))
	if diff := cmp.Diff(map[string]string{"audit.log": "1\n2\nnew\n3\n4\n"}, files(t, n)); diff != "" {
		t.Error(diff)
	}
	if Left(n) {
		t.Error("something is left")
	}
	must(t, Settle(n)) // nothing to do
}

// TestSettleElsewhere ends what a run had done that died before it dropped the spool: its
// events are in a file beside the log, which has been packed since, and in one that was
// rotated. Older files are not looked at.
func TestSettleElsewhere(t *testing.T) {
	t.Parallel()
	n := logNode(t, "1\n")
	spooled(t, n, "2\n3\n4\n5\n")
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("2\n"))
	must(t, errors.Join(err, z.Close()))
	folder := filepath.Join(n.Root, filepath.Dir(logPath))
	must(t, os.WriteFile(filepath.Join(folder, "audit-2026-11-27T18-15-35.123.log.gz"), packed.Bytes(), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "audit-2026-11-27T18-15-36.123.log"), []byte("0\n3\n"), 0o600))
	old := filepath.Join(folder, "audit-2026-11-26T18-15-36.123.log")
	must(t, os.WriteFile(old, []byte("4\n"), 0o600))
	must(t, os.Chtimes(old, time.Now(), time.Now().Add(-time.Hour)))
	must(t, Settle(n))
	if got, want := files(t, n)["audit.log"], "1\n4\n5\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSettleHalf ends a run that died before there were events.
func TestSettleHalf(t *testing.T) {
	t.Parallel()
	n := logNode(t, "1\n")
	must(t, os.WriteFile(filepath.Join(n.Root, n.StateDir, spoolIntoName), []byte(logPath+"\n"), 0o600))
	must(t, Settle(n))
	if diff := cmp.Diff(map[string]string{"audit.log": "1\n"}, files(t, n)); diff != "" {
		t.Error(diff)
	}
}

// TestDeliverNotElsewhere wants no file to be written that only the log's name leads to.
func TestDeliverNotElsewhere(t *testing.T) {
	t.Parallel()
	inside := func(old, name string) error {
		if err := os.Rename(old, filepath.Join(filepath.Dir(name), "other")); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join(filepath.Dir(name), "other"), old); err != nil {
			return err
		}
		return os.Symlink("other", name)
	}
	for name, make := range map[string]func(old, new string) error{"symlink": os.Symlink, "hard link": os.Link, "symlink to the same directory": inside} {
		t.Run(name, func(t *testing.T) {
			n := logNode(t, "")
			other := filepath.Join(n.Root, "other")
			must(t, os.WriteFile(other, []byte("theirs\n"), 0o600))
			must(t, make(other, filepath.Join(n.Root, logPath)))
			spooled(t, n, "1\n")
			if err := deliver(n, logPath); err == nil || !strings.Contains(err.Error(), "/var/lib/state/spool to "+logPath) {
				t.Errorf("got %v", err)
			}
			if data, err := os.ReadFile(other); err != nil || string(data) != "theirs\n" {
				t.Errorf("it is %q now, %v", data, err)
			}
			if !Left(n) {
				t.Error("the events are lost")
			}
		})
	}
}

// TestAddBeside wants a rotated file where the log must not be appended to, with the name
// that lumberjack gives.
func TestAddBeside(t *testing.T) {
	t.Parallel()
	n := logNode(t, "1\n")
	spooled(t, n, "2\n")
	dir, err := logDir(n, logPath)
	must(t, err)
	defer dir.Close()
	f, err := openLog(dir, "audit.log")
	must(t, err)
	defer f.Close()
	s, err := openSpool(n)
	must(t, err)
	defer s.Close()
	must(t, addBeside(dir, f, rotated(logPath, n.Now()), func(w io.Writer) error { return copyLines(w, s, nil) }))
	must(t, dropSpool(n))
	want := map[string]string{"audit.log": "1\n", "audit-2026-11-27T18-15-35.123.log": "2\n"}
	if diff := cmp.Diff(want, files(t, n)); diff != "" {
		t.Error(diff)
	}
	info, err := os.Stat(filepath.Join(n.Root, filepath.Dir(logPath), "audit-2026-11-27T18-15-35.123.log"))
	must(t, err)
	if info.Mode().Perm() != 0o640 {
		t.Errorf("its mode is %v, and the log's 0640", info.Mode())
	}
}
