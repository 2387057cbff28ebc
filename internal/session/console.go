package session

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"
)

const (
	// patience is how long a command waits for a line to be taken, once. Whoever
	// reads at all takes it at once, and lines stay in order with results on standard
	// output.
	patience = time.Second
	// lastPatience is how long a command that is done waits for its lines to be taken.
	lastPatience = 10 * time.Second
	// unread is how many lines are kept for somebody who does not take them.
	unread = 4096
)

// console writes lines for people and never waits long for them to be taken. Behind
// standard error there may be a terminal that was stopped with Ctrl-S, or a pipe
// that nobody empties, and a change that waited for them would leave the node
// without its API server, half way. A reader who takes lines again gets all of them.
type console struct {
	mu      sync.Mutex
	lines   chan []byte
	written chan struct{} // one for each line
	owed    int           // lines that may not be written yet
	closed  bool
}

// newConsole returns a console on to. close has to follow.
func newConsole(to io.Writer) *console {
	c := &console{lines: make(chan []byte, unread), written: make(chan struct{}, unread)}
	go func() {
		for line := range c.lines {
			_, _ = to.Write(line) // a reader who is gone is no reason to end a change
			c.written <- struct{}{}
		}
	}()
	return c
}

// Write hands a line over and waits for a little until it is written; not at all
// while earlier ones are not taken. It never fails.
func (c *console) Write(line []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return len(line), nil // of a command that was interrupted
	}
	stalled := c.settle()
	if c.owed < unread {
		c.owed++
		c.lines <- bytes.Clone(line)
	}
	if !stalled {
		c.await(context.Background(), patience)
	}
	return len(line), nil
}

// settle counts what was written meanwhile and tells whether something was not.
func (c *console) settle() (stalled bool) {
	for c.owed > 0 {
		select {
		case <-c.written:
			c.owed--
		default:
			return true
		}
	}
	return false
}

// await waits until all lines are written.
func (c *console) await(ctx context.Context, most time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	for c.owed > 0 {
		select {
		case <-c.written:
			c.owed--
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// close gives the lines that were not taken yet their last time, which an
// interruption ends.
func (c *console) close(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.settle() {
		c.await(ctx, lastPatience)
	}
	c.closed = true
	close(c.lines)
}
