package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"auditpatch/internal/exit"
)

// TestFault gives a panic an exit status that does not claim that nothing changed.
func TestFault(t *testing.T) {
	t.Parallel()
	g := &gate{}
	status, err := g.supervise(context.Background(), func() int { panic("no such thing") })
	var f *Fault
	if status != exit.NotRestored || !errors.As(err, &f) || err.Error() != "a fault of this program: no such thing" {
		t.Fatalf("exit status %d, %v", status, err)
	}
}

// TestInterrupted ends what computes at once, and leaves a change to itself.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	never := make(chan int)
	g := &gate{}
	status, err := g.supervise(ctx, func() int { cancel(); return <-never })
	if status != exit.Refused || err != ErrInterrupted || err.Error() != "interrupted; nothing was changed" {
		t.Errorf("exit status %d, %v", status, err)
	}
	if err := g.enter(); err != ErrInterrupted {
		t.Errorf("a change begins after the interruption: %v", err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	g = &gate{}
	status, err = g.supervise(ctx, func() int {
		if err := g.enter(); err != nil {
			t.Error(err)
		}
		cancel()
		<-ctx.Done()
		return exit.RolledBack
	})
	if status != exit.RolledBack || err != nil {
		t.Errorf("a change: exit status %d, %v", status, err)
	}

	ctx, cancel = context.WithCancel(context.Background())
	g = &gate{}
	status, err = g.supervise(ctx, func() int {
		if err := g.enter(); err != nil {
			t.Error(err)
		}
		cancel()
		g.leave()
		return <-never
	})
	if status != exit.Refused || err != ErrInterrupted {
		t.Errorf("after a change that was none: exit status %d, %v", status, err)
	}
}

// TestSilenced wants one result of a command: its own, or that it was interrupted.
func TestSilenced(t *testing.T) {
	t.Parallel()
	cutShort := func(s *Session, err error, status int) int {
		fmt.Fprintln(s.Out, err)
		return status
	}
	ctx, cancel := context.WithCancel(context.Background())
	var out, said bytes.Buffer
	over := make(chan bool)
	status := Run(ctx, Streams{Out: &out, Err: &said}, func(s *Session) int {
		cancel()
		for s.Begin() == nil {
			s.Spared()
		}
		fmt.Fprintln(s.Out, "its own result")
		fmt.Fprintln(s.Err, "its own words")
		close(over)
		return exit.Refused
	}, cutShort)
	<-over
	if status != exit.Refused || out.String() != "interrupted; nothing was changed\n" || said.Len() > 0 {
		t.Errorf("exit status %d, %q, %q", status, out.String(), said.String())
	}

	ctx, cancel = context.WithCancel(context.Background())
	out.Reset()
	status = Run(ctx, Streams{Out: &out, Err: &said}, func(s *Session) int {
		fmt.Fprintln(s.Out, "its own result")
		cancel()
		time.Sleep(200 * time.Millisecond)
		return 0
	}, cutShort)
	if status != 0 || out.String() != "its own result\n" {
		t.Errorf("interrupted after its result: exit status %d, %q", status, out.String())
	}
}

// TestUnreadResult wants an interruption to end a command whose result nobody takes.
func TestUnreadResult(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(100*time.Millisecond, cancel)
	status := Run(ctx, Streams{Out: untaken(t), Err: io.Discard}, func(s *Session) int {
		fmt.Fprintln(s.Out, "its own result")
		return 0
	}, unsaid)
	if status != exit.Refused {
		t.Errorf("exit status %d", status)
	}
}

// TestUnreadRest wants the same of one that goes on writing. Where somebody reads, it ends by itself.
func TestUnreadRest(t *testing.T) {
	t.Parallel()
	for read, want := range map[bool]int{false: exit.Refused, true: exit.Differs} {
		ctx, cancel := context.WithCancel(context.Background())
		in, out := io.Pipe()
		go func() {
			_, _ = in.Read(make([]byte, 100))
			cancel()
			if read {
				_, _ = io.Copy(io.Discard, in)
			}
		}()
		report := func(s *Session, err error, status int) int {
			fmt.Fprintln(s.Out, err) // which nobody reads either
			return status
		}
		status := Run(ctx, Streams{Out: out, Err: io.Discard}, func(s *Session) int {
			for range 3 {
				fmt.Fprintln(s.Out, "a part")
			}
			<-ctx.Done()
			time.Sleep(100 * time.Millisecond)
			return exit.Differs
		}, report)
		if status != want {
			t.Errorf("read %v: exit status %d, want %d", read, status, want)
		}
		_ = in.Close()
	}
}

// TestUnreadAnswer wants an interruption to end a command that ends itself, as the readers of logs
// do, only where nobody reads: one who takes a little now and then gets all of it. One who takes a
// page, which is refilled at once, leaves as much in the pipe as before.
func TestUnreadAnswer(t *testing.T) {
	t.Parallel()
	for page, want := range map[int]int{0: exit.Refused, 200: exit.Differs, 4096: exit.Differs} {
		ctx, cancel := context.WithCancel(context.Background())
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if page > 0 {
			go func() { // what lets another write fit in takes longer than an unread result may
				for range 16 {
					time.Sleep(150 * time.Millisecond)
					_, _ = in.Read(make([]byte, page))
				}
				_, _ = io.Copy(io.Discard, in)
			}()
		}
		time.AfterFunc(100*time.Millisecond, cancel)
		status := Run(ctx, Streams{Out: out, Err: io.Discard}, func(s *Session) int {
			if err := s.EndsItself(); err != nil {
				t.Error(err)
			}
			for range 4 {
				_, _ = s.Out.Write(make([]byte, 1<<18))
			}
			return exit.Differs
		}, unsaid)
		if status != want {
			t.Errorf("%d bytes at a time: exit status %d, want %d", page, status, want)
		}
		_, _ = in.Close(), out.Close()
		cancel()
	}
}

// unsaid is a report of what was cut short that says nothing.
func unsaid(_ *Session, _ error, status int) int { return status }

// untaken is an output of which nobody takes anything.
func untaken(t *testing.T) io.Writer {
	in, out := io.Pipe()
	t.Cleanup(func() { _ = in.Close() })
	return out
}

// TestUnreadChange wants an interruption to end a command whose change is over, or was none after
// all, where nobody reads its result; and not before.
func TestUnreadChange(t *testing.T) {
	t.Parallel()
	const over = "auditpatch: error: the change is over, and its result could not be printed: interrupted while nobody read it\nauditpatch: hint: auditpatch status\n"
	for name, tt := range map[string]struct {
		end    func(*Session)
		status int
		said   string
	}{
		"changed": {(*Session).SetChanged, exit.NotRestored, over},
		"ended":   {(*Session).Ended, exit.NotRestored, over},
		"spared":  {(*Session).Spared, exit.Refused, "interrupted; nothing was changed\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			var said bytes.Buffer
			done := false
			status := Run(ctx, Streams{Out: untaken(t), Err: &said}, func(s *Session) int {
				if err := s.Begin(); err != nil {
					t.Error(err)
				}
				cancel()
				time.Sleep(writeWithin + 5*lookEvery)
				done = true
				tt.end(s)
				fmt.Fprintln(s.Out, "its own result")
				return 0
			}, func(s *Session, err error, status int) int { fmt.Fprintln(s.Err, err); return status })
			if status != tt.status || !done || said.String() != tt.said {
				t.Errorf("done %v: exit status %d, said %q", done, status, said.String())
			}
		})
	}
}

// TestRolledBack interrupts a change, which is put back and then told of in the command's own words,
// however long that takes.
func TestRolledBack(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	status := Run(ctx, Streams{Out: io.Discard, Err: &said}, func(s *Session) int {
		if err := s.Begin(); err != nil {
			t.Error(err)
		}
		cancel()
		<-ctx.Done()
		s.Ended()
		time.Sleep(writeWithin + 5*lookEvery)
		fmt.Fprintln(s.Err, "rolled back")
		fmt.Fprintln(s.Out, "as JSON")
		return exit.RolledBack
	}, unsaid)
	if status != exit.RolledBack || said.String() != "rolled back\n" {
		t.Errorf("exit status %d, said %q", status, said.String())
	}
}

// TestUnreadReport wants the report of an interruption to wait for nobody.
func TestUnreadReport(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var said bytes.Buffer
	status := Run(ctx, Streams{Out: untaken(t), Err: &said}, func(*Session) int { cancel(); select {} }, func(s *Session, err error, status int) int {
		fmt.Fprintln(s.Err, err)
		fmt.Fprintln(s.Out, err)
		return status
	})
	if status != exit.Refused || said.String() != "interrupted; nothing was changed\n" {
		t.Errorf("exit status %d, said %q", status, said.String())
	}
}

// TestEndless wants an interruption to end a command that has printed a part of its result, which
// somebody has read, and goes on for ever.
func TestEndless(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var out bytes.Buffer
	status := Run(ctx, Streams{Out: &out, Err: io.Discard}, func(s *Session) int {
		fmt.Fprintln(s.Out, "a part")
		cancel()
		select {}
	}, unsaid)
	if status != exit.Refused || out.String() != "a part\n" {
		t.Errorf("exit status %d, %q", status, out.String())
	}
}

// TestLost wants a command to learn that its result is lost in a way that it can tell from others.
func TestLost(t *testing.T) {
	t.Parallel()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Close()
	status := Run(t.Context(), Streams{Out: out, Err: io.Discard}, func(s *Session) int {
		_, err := fmt.Fprintln(s.Out, "a part")
		if lost := (*Lost)(nil); !errors.As(err, &lost) {
			t.Errorf("got %v", err)
		}
		return 0
	}, unsaid)
	if status != exit.Refused {
		t.Errorf("exit status %d", status)
	}
}

// TestReadLate wants what is said of a change to reach one who reads later, although an interruption
// came before.
func TestReadLate(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	in, said := io.Pipe()
	read := make(chan []byte)
	go func() {
		time.Sleep(2 * patience)
		text, _ := io.ReadAll(in)
		read <- text
	}()
	status := Run(ctx, Streams{Out: io.Discard, Err: said}, func(s *Session) int {
		if err := s.Begin(); err != nil {
			t.Error(err)
		}
		cancel()
		s.SetChanged()
		fmt.Fprintln(s.Err, "done")
		return 0
	}, unsaid)
	_ = said.Close()
	if text := <-read; status != 0 || string(text) != "done\n" {
		t.Errorf("exit status %d, said %q", status, text)
	}
}
