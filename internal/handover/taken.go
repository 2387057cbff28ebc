package handover

import (
	"context"
	"os"
	"sync"
)

// taken are the connections that a standby takes, and what goes on for as long as it does.
type taken struct {
	redirect *redirect

	mu       sync.Mutex
	local    *local // nil for none
	released bool

	stop  context.CancelFunc
	ctx   context.Context
	tasks sync.WaitGroup
}

// take gives new connections for a port to a listener, but for those to loopback addresses.
func take(port int, listener *os.File) (*taken, error) {
	r, err := newRedirect(port)
	if err != nil {
		return nil, err
	}
	if err := r.attach(listener); err != nil {
		r.close()
		return nil, err
	}
	t := &taken{redirect: r}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t, nil
}

// takeLocal takes those to loopback addresses too, as far as they come from this machine.
func (t *taken) takeLocal(port, to int) error {
	own, err := ownName()
	if err != nil {
		return err
	}
	l, err := takeLocal(port, to, "kube-apiserver", own)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.local = l
	return nil
}

// background does something until the connections are given back.
func (t *taken) background(do func(context.Context)) { t.tasks.Go(func() { do(t.ctx) }) }

// release gives connections back; once more does no harm.
func (t *taken) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.released {
		return
	}
	t.released = true
	if t.local != nil {
		t.local.close()
	}
	t.redirect.close()
}

// abandon is close for what goes on itself.
func (t *taken) abandon() {
	t.release()
	t.stop()
}

// close gives connections back and waits for the end of all that goes on.
func (t *taken) close() {
	t.stop()
	t.release()
	t.tasks.Wait()
}
