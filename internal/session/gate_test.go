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
	g := &gate{}
	status, err := g.supervise(context.Background(), func() int { panic("no such thing") })
	var f *Fault
	if status != exit.NotRestored || !errors.As(err, &f) || err.Error() != "a fault of this program: no such thing" {
		t.Fatalf("exit status %d, %v", status, err)
	}
}

// TestInterrupted ends what computes at once, and leaves a change to itself.
func TestInterrupted(t *testing.T) {
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
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	defer func() { _ = in.Close() }()
	time.AfterFunc(100*time.Millisecond, cancel)
	status := Run(ctx, Streams{Out: out, Err: io.Discard}, func(s *Session) int {
		fmt.Fprintln(s.Out, "its own result")
		return 0
	}, func(_ *Session, _ error, status int) int { return status })
	if status != exit.Refused {
		t.Errorf("exit status %d", status)
	}
}

// TestUnreadRest wants the same of one that goes on writing. Where somebody reads, it ends by itself.
func TestUnreadRest(t *testing.T) {
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
// do, only where nobody reads: one who takes a little now and then gets all of it.
func TestUnreadAnswer(t *testing.T) {
	for slow, want := range map[bool]int{false: exit.Refused, true: exit.Differs} {
		ctx, cancel := context.WithCancel(context.Background())
		in, out, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if slow {
			go func() { // a page, after which another write fits in, takes longer than an unread result may
				for range 16 {
					time.Sleep(150 * time.Millisecond)
					_, _ = in.Read(make([]byte, 200))
				}
				_, _ = io.Copy(io.Discard, in)
			}()
		}
		time.AfterFunc(100*time.Millisecond, cancel)
		status := Run(ctx, Streams{Out: out, Err: io.Discard}, func(s *Session) int {
			if err := s.EndsItself(); err != nil {
				t.Error(err)
			}
			_, _ = s.Out.Write(make([]byte, 1<<20))
			return exit.Differs
		}, func(_ *Session, _ error, status int) int { return status })
		if status != want {
			t.Errorf("slow %v: exit status %d, want %d", slow, status, want)
		}
		_, _ = in.Close(), out.Close()
		cancel()
	}
}
