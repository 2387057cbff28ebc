package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"time"

	"auditpatch/internal/exit"
)

// ErrInterrupted ends a command before it changes anything.
var ErrInterrupted = errors.New("interrupted; nothing was changed")

// gate decides between an interruption and a change, whichever comes first. What
// only reads and computes is ended at once, however long it would take; a change
// ends as its rollout sees fit.
type gate struct {
	mu          sync.Mutex
	changing    bool
	endsItself  bool // soon after an interruption, as one does that has begun to write its result
	interrupted bool
	writing     time.Time  // since when the result is being written; zero when it is not
	pending     func() int // bytes of it that nobody has taken yet; nil when that is not known
	left        int        // what pending was
	taken       time.Time  // when it was another number
}

// writeWithin is how long nothing of a result may be taken, while it is being written, before an
// interruption ends the command all the same: nobody reads it. It is more than a second, since
// that is how often some look who read slowly.
const writeWithin = 1300 * time.Millisecond

// speaker writes what a command says, and nothing any more once the command is
// interrupted: what is said then is said by whoever reports that.
type speaker struct {
	gate *gate
	to   io.Writer
	// final says that what is written is the command's result, after which it is not
	// interrupted any more.
	final bool
}

func (s *speaker) Write(text []byte) (int, error) {
	if !s.gate.speak(s.final) {
		return len(text), nil
	}
	n, err := s.to.Write(text)
	if s.final {
		s.gate.spoken()
	}
	return n, err
}

// speak tells whether a command may still say something, its result for instance.
func (g *gate) speak(result bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if result && !g.interrupted {
		g.writing = time.Now()
		g.taken = g.writing
	}
	return !g.interrupted
}

// spoken says that a result is written: from here on the command ends by itself, as long as
// somebody reads what else it writes.
func (g *gate) spoken() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.writing, g.endsItself = time.Time{}, true
}

func (g *gate) isWriting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.writing.IsZero()
}

// stuck says that the result is being written, and nothing of it was taken for some time. Who reads
// slowly takes a part of what a pipe holds long before another write fits in.
func (g *gate) stuck() bool {
	if g.writing.IsZero() {
		return false
	}
	if g.pending != nil {
		if left := g.pending(); left != g.left {
			g.left, g.taken = left, time.Now()
		}
	}
	return time.Since(g.taken) >= writeWithin
}

// goOn says that the command ends itself after an interruption, with what it has until then.
func (g *gate) goOn() error { return g.unlessInterrupted(&g.endsItself) }

// enter begins a change.
func (g *gate) enter() error { return g.unlessInterrupted(&g.changing) }

// unlessInterrupted sets what the command is from here on.
func (g *gate) unlessInterrupted(is *bool) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.interrupted {
		return ErrInterrupted
	}
	*is = true
	return nil
}

// leave says that after all nothing has been changed.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changing = false
}

// interrupt keeps any change from beginning. It is ok only when none has begun, and the command
// does not end itself; or when nobody reads its result.
func (g *gate) interrupt() (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	quiet := g.writing.IsZero() && !g.endsItself
	g.interrupted = !g.changing && (quiet || g.stuck())
	return g.interrupted
}

// Fault is a panic: a mistake of this program.
type Fault struct {
	value any
	Stack []byte
}

func (f *Fault) Error() string { return fmt.Sprintf("a fault of this program: %v", f.value) }

// supervise runs a command. The error is ErrInterrupted or a *Fault; then the
// command has no exit status. A panic of another goroutine and what the runtime
// itself gives up on, such as a lack of memory, end the process all the same.
func (g *gate) supervise(ctx context.Context, command func() int) (status int, err error) {
	type end struct {
		status int
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		defer func() {
			if v := recover(); v != nil {
				ended <- end{exit.NotRestored, &Fault{v, debug.Stack()}}
			}
		}()
		ended <- end{command(), nil}
	}()
	interrupted := ctx.Done()
	again := time.NewTicker(50 * time.Millisecond) // a change that was none leaves the gate
	defer again.Stop()
	for {
		select {
		case e := <-ended:
			return e.status, e.err
		case <-interrupted:
			interrupted = nil
		case <-again.C:
			if ctx.Err() == nil {
				continue
			}
		}
		if g.interrupt() {
			return exit.Refused, ErrInterrupted
		}
	}
}
