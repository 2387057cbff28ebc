package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

const auditLog = top + "/testdata/audit.log"

// terminal is a terminal of a width: what a program writes to the file comes out of the
// function, which ends once no program has the file any more.
func terminal(t *testing.T, width uint16) (file *os.File, shown func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		file, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(file.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: width})
	}
	if err != nil {
		t.Fatal(err)
	}
	all := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(master) // ends with EIO
		_ = master.Close()
		all <- strings.ReplaceAll(string(text), "\r\n", "\n")
	}()
	return file, func() string {
		_ = file.Close()
		return <-all
	}
}

// onTerminal runs auditpatch with its output on a terminal.
func onTerminal(t *testing.T, width uint16, env []string, args ...string) string {
	t.Helper()
	file, shown := terminal(t, width)
	cmd := program(t, args...)
	cmd.Stdout, cmd.Stderr = file, file
	cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR="), env...)
	if err := cmd.Run(); err != nil {
		t.Errorf("%q: %v", args, err)
	}
	return shown()
}

var colors = regexp.MustCompile("\x1b\\[[0-9]*m")

// TestEventsTerminal wants a table that fits a terminal, in colours that can be had without,
// and nothing of an event that a terminal would obey.
func TestEventsTerminal(t *testing.T) {
	for _, width := range []uint16{80, 120, 200} {
		text := onTerminal(t, width, nil, "events", "--log", auditLog, "--quiet")
		if !strings.HasPrefix(text, "\x1b[1mWHEN (UTC)") || !regexp.MustCompile("\x1b\\[33m(2026-)?11-22 11:09:40").MatchString(text) {
			t.Errorf("no colours in %q", text)
		}
		for line := range strings.Lines(colors.ReplaceAllString(text, "")) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > int(width) || strings.Contains(line, "\x1b") {
				t.Errorf("%d of %d: %q", n, width, line)
			}
		}
	}
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb"} {
		if text := onTerminal(t, 120, []string{env}, "events", "--log", auditLog); strings.Contains(text, "\x1b") {
			t.Errorf("%s: %q", env, text)
		}
	}
	hostile := filepath.Join(t.TempDir(), "audit.log")
	event := `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"x","stage":"ResponseComplete","verb":"get","user":{"username":"` + "\u009b2J\u202e" + `"},"requestObject":"` + "\u009b" + `"}`
	if err := os.WriteFile(hostile, []byte(event+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, output := range []string{"text", "wide", "json", "jsonl", "csv", "flat"} {
		text := onTerminal(t, 120, []string{"NO_COLOR=1"}, "events", "--log", hostile, "-o", output)
		if strings.ContainsAny(text, "\u009b\u202e\x1b") {
			t.Errorf("-o %s: a terminal gets %q", output, text)
		}
	}
}

// fed starts a command that reads its log from in, and says on a terminal how far it is.
func fed(t *testing.T, terminal *os.File, args ...string) (cmd *exec.Cmd, in io.WriteCloser, out *bytes.Buffer) {
	t.Helper()
	cmd, out = program(t, args...), &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, terminal
	cmd.Env = append(os.Environ(), "TERM=xterm")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, in, out
}

// TestEventsProgress reads a log that takes long: the terminal says how far it is, and keeps
// nothing of that.
func TestEventsProgress(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads for seconds")
	}
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	file, shown := terminal(t, 100)
	cmd, in, out := fed(t, file, "events", "--log", "-", "--top", "verb")
	all := many(data, 3000)
	for part := range 30 {
		if _, err := in.Write(all[part*len(all)/30 : (part+1)*len(all)/30]); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	_ = in.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	text := shown()
	if !regexp.MustCompile(`\r\x1b\[K[0-9.]+ [KM]B, [0-9.]+ [KM]B/s`).MatchString(text) {
		t.Errorf("no progress in %q", text)
	}
	last := text[strings.LastIndex(text, "\r\x1b[K")+len("\r\x1b[K"):]
	if !strings.Contains(last, " events in standard input") || !strings.Contains(out.String(), "VERB") {
		t.Errorf("at last %q, and the result %q", last, out.String())
	}
}

// TestEventsInterrupted sends an interruption while standard input gives nothing more: what is
// known is printed, as whole JSON, and said not to be all.
func TestEventsInterrupted(t *testing.T) {
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		cmd, out, said := captured(t, "events", "--log", "-", "-o", "json")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(data); err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(time.Minute); !handles(t, cmd.Process.Pid, sig); time.Sleep(time.Millisecond) {
			if time.Now().After(limit) {
				t.Fatal("it never begins")
			}
		}
		time.Sleep(300 * time.Millisecond)
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != exitRefused {
			t.Errorf("%s: exit status %d", sig, status)
		}
		var doc struct {
			Events []json.RawMessage
			Total  struct {
				Matched     int
				Interrupted bool
			}
		}
		if err := json.Unmarshal(out.Bytes(), &doc); err != nil {
			t.Errorf("%s: %v in %s", sig, err, out)
		}
		if !doc.Total.Interrupted || len(doc.Events) != doc.Total.Matched || doc.Total.Matched < 10 || !strings.Contains(said.String(), "auditpatch: error: interrupted: this is not all\n") {
			t.Errorf("%s: %+v, and it said %s", sig, doc.Total, said)
		}
	}
}

// TestPoliciesInterrupted interrupts the commands of policy that read a log: they print what is
// known, and say that it is not all.
func TestPoliciesInterrupted(t *testing.T) {
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	data = many(data, 30) // more than what waits to be put in order
	for _, args := range [][]string{{"simulate", "--preset", "metadata"}, {"simulate", "--preset", "metadata", "-o", "jsonl"}, {"retention"}, {"trim", "--preset", "metadata"}} {
		file, shown := terminal(t, 100)
		cmd, in, out := fed(t, file, append(append([]string{"policy"}, args...), "--log", "-")...)
		_ = file.Close()
		for range 15 { // longer than nothing is said
			if _, err := in.Write(data); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		_ = in.Close()
		text := shown()
		if status := cmd.ProcessState.ExitCode(); status != exitRefused || out.Len() == 0 || !strings.Contains(text, "auditpatch: error: interrupted: this is not all") {
			t.Errorf("%s: exit status %d, %d bytes, and it said %q", args, status, out.Len(), text)
		}
		if !regexp.MustCompile(`\r\x1b\[K[0-9.]+ [KM]?B, [0-9.]+ [KM]?B/s`).MatchString(text) {
			t.Errorf("%s: no progress in %q", args, text)
		}
	}
}

// TestEventsHead has somebody go who has read enough.
func TestEventsHead(t *testing.T) {
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	lines := [][]string{{"policy", "simulate", "--preset", "metadata", "--log", "-", "-o", "jsonl"}, {"policy", "explain", "--preset", "metadata", "--events", "-", "-o", "jsonl"}}
	for _, output := range []string{"text", "json", "jsonl", "csv", "flat"} {
		lines = append(lines, []string{"events", "--log", "-", "--all-stages", "-o", output})
	}
	for _, args := range lines {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		cmd := program(t, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(many(data, 300)), w, &said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		_, _ = r.Read(make([]byte, 10))
		_ = r.Close()
		_ = cmd.Wait()
		if status := cmd.ProcessState.ExitCode(); status != exitRefused || said.Len() > 0 {
			t.Errorf("%s: exit status %d, and it said %s", args, status, &said)
		}
	}
}

// TestExplainInterrupted interrupts the explanation of a stream of events that goes on: there are
// whole lines, or counts of what has come, and it says that they are not all.
func TestExplainInterrupted(t *testing.T) {
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT} {
		for _, output := range []string{"jsonl", "json", "text"} {
			var said, out bytes.Buffer
			cmd := program(t, "policy", "explain", "--preset", "metadata", "--events", "-", "-o", output)
			cmd.Stderr, cmd.Stdout = &said, &out
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			_, err = in.Write(data)
			for limit := time.Now().Add(time.Minute); !handles(t, cmd.Process.Pid, sig); time.Sleep(time.Millisecond) {
				if time.Now().After(limit) {
					t.Fatal("it never begins")
				}
			}
			time.Sleep(300 * time.Millisecond)
			if err := errors.Join(err, cmd.Process.Signal(sig)); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			whole := bytes.HasSuffix(out.Bytes(), []byte("}\n")) || output == "text" && bytes.Contains(out.Bytes(), []byte("\nall "))
			if status := cmd.ProcessState.ExitCode(); status != exitRefused || !whole || said.String() != "auditpatch: error: interrupted: this is not all\n" {
				t.Errorf("%s -o %s: exit status %d, %q, and it said %q", sig, output, status, &out, &said)
			}
		}
	}
}

// TestReportInterrupted interrupts a report in the place of an earlier one, which has more.
func TestReportInterrupted(t *testing.T) {
	data, err := os.ReadFile(auditLog)
	if err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(t.TempDir(), "report.html")
	for _, known := range []bool{false, true} {
		cmd, _, said := captured(t, "events", "--log", "-", "--html", report)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(report)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(data); err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			if begun, _ := filepath.Glob(filepath.Join(filepath.Dir(report), ".report.html-*")); len(begun) > 0 {
				break
			}
			if time.Now().After(limit) {
				t.Fatal("it never begins")
			}
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		after, err := os.ReadFile(report)
		if status := cmd.ProcessState.ExitCode(); err != nil || status != exitRefused || known && !bytes.Equal(before, after) {
			t.Errorf("known %v: %v, exit status %d, %d bytes and then %d, said %s", known, err, status, len(before), len(after), said)
		}
		if kept := strings.Contains(said.String(), "auditpatch: warning: "+report+": it is left as it was\n"); kept != known || !strings.Contains(said.String(), "interrupted: this is not all") {
			t.Errorf("known %v: said %s", known, said)
		}
	}
}

// many are the events of a log again and again, each time with other IDs.
func many(data []byte, times int) (all []byte) {
	for i := range times {
		all = append(all, bytes.ReplaceAll(data, []byte(`"auditID":"`), fmt.Appendf(nil, `"auditID":"%d-`, i))...)
	}
	return all
}
