package session

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
)

// Lost is an error of writing to standard output. The session says so itself, or nothing where
// whoever has read has gone: a command that gets one has only to end.
type Lost struct{ err error }

func (l *Lost) Error() string { return l.err.Error() }
func (l *Lost) Unwrap() error { return l.err }

// output is standard output, which remembers that a result was lost: on a full
// disk a command that says nothing of it would seem to have printed it.
type output struct {
	to   io.Writer
	most int // bytes of a write, so that it shows whether somebody reads
	mu   sync.Mutex
	err  error // the first
}

func newOutput(to io.Writer) *output { return &output{to: to, most: mostOf(to)} }

// mostOf is how much is written at once. A write into a pipe returns when all of it fits in, and
// until then nothing tells of one who takes a page now and then; nor of one who takes less than
// what was written to a socket at once.
func mostOf(to io.Writer) int {
	const everything = 1 << 30
	f, is := to.(interface{ Stat() (os.FileInfo, error) })
	if !is {
		return everything
	}
	about, err := f.Stat()
	switch {
	case err != nil:
		return everything
	case about.Mode()&os.ModeSocket != 0:
		return 1024
	case about.Mode()&os.ModeNamedPipe != 0 || terminalWidth(to) > 0:
		return 4096
	}
	return everything
}

func (o *output) Write(data []byte) (n int, err error) {
	n, err = o.to.Write(data)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		if o.err == nil {
			o.err = err
		}
		err = &Lost{err}
	}
	return n, err
}

// lost is what kept a result from being printed, nil when all of it was.
func (o *output) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// closedByReader tells whether whoever read the result has gone, as head does
// after a few lines.
func closedByReader(err error) bool { return errors.Is(err, syscall.EPIPE) }

// speaker writes what a command says, and nothing any more once the command is
// interrupted: what is said then is said by whoever reports that.
type speaker struct {
	gate *gate
	to   io.Writer
	// result is where the command's result goes, nil for what is said beside it.
	result *output
}

func (s *speaker) Write(text []byte) (int, error) {
	if s.result == nil {
		if !s.gate.speak(false) {
			return len(text), nil
		}
		return s.to.Write(text)
	}
	n := 0
	for {
		if !s.gate.speak(true) {
			return len(text), nil
		}
		part, err := s.result.Write(text[n:min(len(text), n+s.result.most)])
		s.gate.spoke()
		if n += part; err != nil || n == len(text) {
			return n, err
		}
	}
}

// lastWords is an output that waits for nobody: what is said of an interruption to one who does
// not read must not keep it from its end.
type lastWords struct {
	to     io.Writer
	taking taking
}

func (l *lastWords) Write(text []byte) (int, error) {
	written := make(chan error, 1)
	l.taking.begin()
	go func() {
		_, err := l.to.Write(text)
		written <- err
	}()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		select {
		case err := <-written:
			l.taking.end()
			return len(text), err
		case <-again.C:
			if l.taking.stuck() {
				return len(text), nil
			}
		}
	}
}
