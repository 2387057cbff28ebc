package session

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// TestConsoleStalled writes to somebody who takes nothing for a while: nothing may
// wait for it, and all lines have to arrive, in order, once it takes them.
func TestConsoleStalled(t *testing.T) {
	r, w := io.Pipe() // a write waits until it is read
	c := newConsole(w)
	began := time.Now()
	var want strings.Builder
	for i := range 100 {
		_, _ = fmt.Fprintf(c, "line %d\n", i)
		fmt.Fprintf(&want, "line %d\n", i)
	}
	if took := time.Since(began); took < patience || took > 10*patience {
		t.Errorf("100 lines that nobody took: %s, want about %s", took, patience)
	}
	got := make(chan string)
	go func() {
		text, _ := io.ReadAll(r)
		got <- string(text)
	}()
	c.close(t.Context())
	_ = w.Close()
	if text := <-got; text != want.String() {
		t.Errorf("arrived:\n%s", text)
	}
}

// TestConsoleGone ends although nobody ever takes a line: an interruption is enough.
func TestConsoleGone(t *testing.T) {
	_, w := io.Pipe()
	c := newConsole(w)
	for range 2 * unread {
		_, _ = fmt.Fprintln(c, "line")
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	began := time.Now()
	c.close(ctx)
	if took := time.Since(began); took > lastPatience/2 {
		t.Errorf("closed after %s", took)
	}
}

// TestConsoleBroken goes on when writing fails, as on a terminal that is gone.
func TestConsoleBroken(t *testing.T) {
	r, w := io.Pipe()
	_ = r.Close()
	c := newConsole(w)
	if n, err := fmt.Fprintln(c, "line"); n != 5 || err != nil {
		t.Errorf("write: %d, %v", n, err)
	}
	c.close(t.Context())
}

// TestConsoleInOrder wants a line to be there when Write returns, so that results
// on standard output come after it.
func TestConsoleInOrder(t *testing.T) {
	var both bytes.Buffer
	c := newConsole(&both)
	for i := range 100 {
		_, _ = fmt.Fprintf(c, "line %d\n", i)
		fmt.Fprintf(&both, "result %d\n", i)
	}
	c.close(t.Context())
	for i, line := range strings.Split(strings.TrimSpace(both.String()), "\n") {
		if want := fmt.Sprintf("%s %d", []string{"line", "result"}[i%2], i/2); line != want {
			t.Fatalf("line %d: %q, want %q", i, line, want)
		}
	}
}
