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

// errUnread ends one whose change is over, and whose result nobody takes.
var errUnread = errors.New("interrupted while nobody read it")

// gate decides between an interruption and a change, whichever comes first. What
// only reads and computes is ended at once, however long it would take; a change
// ends as its rollout sees fit.
type gate struct {
	mu          sync.Mutex
	changing    bool
	over        bool // a change is, whatever has come of it: its result has to be printed
	endsItself  bool // soon after an interruption
	spoken      bool // it has begun to print its result
	interrupted bool
	asked       time.Time // when it was interrupted first
	taking      taking
}

// writeWithin is how long nothing of a result may be taken, while it is being written, before an
// interruption ends the command all the same: nobody reads it. It is more than a second, since
// that is how often some look who read slowly.
const writeWithin = 1300 * time.Millisecond

// writeToTerminalWithin is the same for a terminal. A pseudoterminal does not tell what it holds,
// and lets another write in when some 4,000 bytes are taken.
const writeToTerminalWithin = 10 * time.Second

// taking is how somebody takes a result. It is not safe for concurrent use.
type taking struct {
	within  time.Duration // in which something has to be taken
	since   time.Time     // of a write; zero when none is under way
	pending func() int    // bytes that were written and that nobody has taken yet; nil when that is not known
	left    int           // what pending was
	last    time.Time     // when something was taken last
}

func newTaking(out io.Writer) taking {
	t := taking{within: writeWithin, pending: func() int { return pending(out) }}
	if terminalWidth(out) > 0 {
		t.within = writeToTerminalWithin
	}
	return t
}

func (t *taking) begin() { t.since = time.Now(); t.last = t.since }

func (t *taking) end() { t.since = time.Time{} }

// stuck says that a write is under way, and nothing was taken for some time. Who reads
// slowly takes a part of what a pipe holds long before another write fits in.
func (t *taking) stuck() bool {
	if t.since.IsZero() {
		return false
	}
	if t.pending != nil {
		if left := t.pending(); left != t.left {
			t.left, t.last = left, time.Now()
		}
	}
	return time.Since(t.last) >= t.within
}

// speak tells whether a command may still say something, its result for instance.
func (g *gate) speak(result bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if result && !g.interrupted {
		g.taking.begin()
	}
	return !g.interrupted
}

// spoke says that a part of the result was written.
func (g *gate) spoke() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taking.end()
	g.spoken = true
}

func (g *gate) isWriting() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return !g.taking.since.IsZero()
}

// goOn says that the command ends itself after an interruption, with what it has until then.
func (g *gate) goOn() error { return g.unlessInterrupted(func() { g.endsItself = true }) }

// enter begins a change.
func (g *gate) enter() error { return g.unlessInterrupted(func() { g.changing = true }) }

// unlessInterrupted sets what the command is from here on.
func (g *gate) unlessInterrupted(set func()) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.interrupted {
		return ErrInterrupted
	}
	set()
	return nil
}

// leave says that after all nothing has been changed.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changing = false
}

// end says that a change is over, if one has begun, or was made without that.
func (g *gate) end(made bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.changing, g.over = false, g.over || g.changing || made
}

func (g *gate) isOver() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.over
}

// interrupt keeps any change from beginning, and ends the command if that is ok. It is not while
// something changes. Whoever has a change to tell of, ends by itself or prints its result is left
// to do so, as long as somebody reads what it prints. One that goes on although it has
// begun to print has no more than the time in which a result may be taken.
func (g *gate) interrupt() (ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asked.IsZero() {
		g.asked = time.Now()
	}
	switch {
	case g.changing:
		return false
	case g.taking.stuck():
		g.interrupted = true
	case g.over || g.endsItself || !g.taking.since.IsZero():
		return false
	case g.spoken && time.Since(g.asked) < writeWithin:
		return false
	default:
		g.interrupted = true
	}
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
	again := time.NewTicker(lookEvery) // a change ends, and a reader goes away
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

// lookEvery is how often an interrupted command is looked at.
const lookEvery = 50 * time.Millisecond
