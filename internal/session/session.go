// Package session is one run of the program: streams that never hold it up, and a
// gate that lets an interruption end it at once unless a change has begun.
//
// Call [Run].
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
)

// Streams are where a command reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// Detached says that whoever started the program has it go on without a terminal, as nohup
	// does.
	Detached bool
}

// Session is what a command has of its run.
type Session struct {
	Streams
	// OutWidth and ErrWidth are how many characters stand in a line of the terminal that the
	// stream is, 0 for a stream that is none.
	OutWidth, ErrWidth int

	gate    gate
	changed atomic.Bool
	node    atomic.Pointer[hint.Node]
	step    atomic.Pointer[hint.Hint]
}

// New is a session on streams, without the care of [Run].
func New(s Streams) *Session { return &Session{Streams: s} }

// Begin says that a change begins, which from here on is not interrupted; the error
// is [ErrInterrupted].
func (s *Session) Begin() error { return s.gate.enter() }

// EndsItself says that the command ends by itself soon after an interruption, with what it has until
// then, and is not ended in its middle unless nobody reads its result; the error is
// [ErrInterrupted].
func (s *Session) EndsItself() error { return s.gate.goOn() }

// Spared says that after all nothing has been changed.
func (s *Session) Spared() { s.gate.leave() }

// Ended says that a change is over, if one has begun, whatever has come of it. What is left is to
// print the result, or another change.
func (s *Session) Ended() { s.gate.end(false) }

// SetChanged says that a change is over that has changed something, on the node or by an export.
// Nothing claims any more that an interruption came before that.
func (s *Session) SetChanged() {
	s.changed.Store(true)
	s.gate.end(true)
}

// Changed tells whether something was.
func (s *Session) Changed() bool { return s.changed.Load() }

// SetNode says how the command line names the node, for hints.
func (s *Session) SetNode(n hint.Node) { s.node.Store(&n) }

// SetNext says what to type when the result of the change is lost, where that is not
// the status of a node.
func (s *Session) SetNext(h hint.Hint) { s.step.Store(&h) }

// next is what to type when the result of a change is lost.
func (s *Session) next() hint.Hint {
	if h := s.step.Load(); h != nil {
		return *h
	}
	next := hint.Command("status")
	if n := s.node.Load(); n != nil {
		return next.In(*n)
	}
	return next
}

// Run runs a command and returns its exit status. One that does not come to its end
// is reported by cutShort: the error is [ErrInterrupted] or a [*Fault].
func Run(ctx context.Context, to Streams, command func(*Session) int, cutShort func(*Session, error, int) int) int {
	said, out := newConsole(to.Err), newOutput(to.Out)
	taken := newTaking(to.Out)
	s := &Session{gate: gate{taking: taken}, OutWidth: terminalWidth(to.Out), ErrWidth: terminalWidth(to.Err)}
	defer func() {
		if s.gate.isOver() {
			ctx = context.Background() // what it says of a change is worth a wait
		}
		said.close(ctx)
	}()
	s.Streams = Streams{In: to.In, Out: &speaker{gate: &s.gate, result: out}, Err: &speaker{gate: &s.gate, to: said}, Detached: to.Detached}
	status, err := s.gate.supervise(ctx, func() int { return command(s) })
	switch {
	case errors.Is(err, ErrInterrupted) && s.gate.isOver():
		return s.printed(said, status, errUnread)
	case err != nil:
		// The command's own goroutine may still be at work with s. Where it waits for somebody
		// to read its result, nobody would read what is said of that there either.
		report := Streams{Out: &lastWords{out, taken}, Err: said}
		if s.gate.isWriting() {
			report.Out = io.Discard
		}
		status = cutShort(New(report), err, status)
	}
	return s.printed(s.Err, status, out.lost())
}

// printed is the exit status of a command, of whose result something may be lost, which it says.
func (s *Session) printed(to io.Writer, status int, lost error) int {
	switch {
	case lost == nil:
		return status
	case lost == errUnread: // and nobody knows how the command would have ended
		fmt.Fprintf(to, "auditpatch: error: the change is over, and its result could not be printed: %v\nauditpatch: hint: %s\n", lost, s.next())
	case s.Changed():
		fmt.Fprintf(to, "auditpatch: error: the change was made, and its result could not be printed: %v\nauditpatch: hint: %s\n", lost, s.next())
	case !closedByReader(lost):
		fmt.Fprintf(to, "auditpatch: error: the result could not be printed: %v\n", lost)
	}
	switch {
	case status > exit.Differs && lost != errUnread:
		return status
	case s.Changed() || lost == errUnread:
		return exit.NotRestored
	}
	return exit.Refused
}
