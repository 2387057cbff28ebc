package session

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// output is standard output, which remembers that a result was lost: on a full
// disk a command that says nothing of it would seem to have printed it.
type output struct {
	to  io.Writer
	mu  sync.Mutex
	err error // the first
}

func (o *output) Write(data []byte) (int, error) {
	n, err := o.to.Write(data)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && o.err == nil {
		o.err = err
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
