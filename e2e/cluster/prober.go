package cluster

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Prober asks an API server for its health again and again, with a new connection each time,
// and notes when it was told 200. Unlike [Watch] it does not wait for an answer before it asks
// again, so that one connection that hangs does not pass for an outage.
type Prober struct {
	endpoint string
	stop     context.CancelFunc
	loop     sync.WaitGroup
	asked    sync.WaitGroup

	mu   sync.Mutex
	good []time.Time
}

// NewProber starts to ask HOST:PORT; the caller must call Stop.
func NewProber(endpoint string, every time.Duration) *Prober {
	ctx, stop := context.WithCancel(context.Background())
	p := &Prober{endpoint: endpoint, stop: stop}
	p.loop.Go(func() { p.ask(ctx, every) })
	return p
}

// Prober starts to ask the node's own API server.
func (n *Node) Prober(every time.Duration) *Prober { return NewProber(n.endpoint, every) }

func (p *Prober) ask(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		p.asked.Go(p.once)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (p *Prober) once() {
	if readyz(p.endpoint) != "200" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.good = append(p.good, time.Now())
}

// Stop ends the questions and returns when there was a good answer, oldest first. It may be
// called again.
func (p *Prober) Stop() []time.Time {
	p.stop()
	p.loop.Wait()
	p.asked.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.good)
}

// Silence is the longest time between two instants in which there was no good answer.
func Silence(good []time.Time, from, to time.Time) (longest time.Duration) {
	last := from
	for _, at := range append(slices.Clone(good), to) {
		if at.Before(from) || at.After(to) {
			continue
		}
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest
}
