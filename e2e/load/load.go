// Package load puts an API server under a steady load of small requests, keeps a record of
// each, and tells afterwards what became of everything that the server acknowledged. [Start]
// is the first function to call. The load is an open loop: requests go out at their times
// whether or not earlier ones were answered, so that an outage meets as many of them as it
// would in a busy cluster.
package load

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Options say which load Start is to make. The zero value of a number is its default.
type Options struct {
	Config    *rest.Config // the API server and the credentials
	Namespace string       // made when it is not there; its ConfigMaps with Label are removed
	Rate      int          // requests a second; 500
	Objects   int          // ConfigMaps that are worked on; 400
	Watches   int          // watches that are held open beside the requests; 12
	// Timeout is how long a request may take until it counts as [TimedOut]; 5 s.
	Timeout time.Duration
	// Slow makes one write in 50 take so long: its body comes in two halves with this pause
	// between them. The API server has accepted it and is not done with it for all that time.
	Slow time.Duration
}

// Load is a running load.
type Load struct {
	options  Options
	lanes    []*lane
	watching []*lane // the watches have connections of their own, as other clients do
	ledger   *ledger
	stop     context.CancelFunc
	loops    sync.WaitGroup // the ticker and the watches
	sent     sync.WaitGroup // requests without an answer yet
	pace     *pace
	watched  watched
	began    time.Time
	cpu      time.Duration

	mu       sync.Mutex
	requests []Request
	crowded  int
}

const tickEvery = 4 * time.Millisecond

// Start prepares the namespace and begins. The caller must call Stop.
func Start(ctx context.Context, o Options) (*Load, error) {
	o = o.withDefaults()
	lanes, err := newLanes(o.Config, o.Timeout)
	if err != nil {
		return nil, err
	}
	watching, err := newLanes(o.Config, o.Timeout)
	if err != nil {
		return nil, err
	}
	l := &Load{options: o, lanes: lanes, watching: watching, ledger: newLedger(o.Objects)}
	if err := l.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prepare the load's namespace %s: %w", o.Namespace, err)
	}
	ctx, l.stop = context.WithCancel(ctx)
	l.began, l.cpu = time.Now(), cpuTime()
	l.pace = newPace(o.Rate, l.began)
	l.loops.Go(func() { l.tick(ctx) })
	for i := range o.Watches {
		l.loops.Go(func() { l.watch(ctx, i, watching[i%len(watching)]) })
	}
	return l, nil
}

func (o Options) withDefaults() Options {
	for _, number := range []struct {
		value    *int
		fallback int
	}{{&o.Rate, 500}, {&o.Objects, 400}, {&o.Watches, 12}} {
		if *number.value == 0 {
			*number.value = number.fallback
		}
	}
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	return o
}

// Stop ends the load, waits for the answers that are still owed, and returns what was done.
func (l *Load) Stop() *Run {
	l.stop()
	l.loops.Wait()
	ended := time.Now()
	l.sent.Wait()
	for _, lane := range slices.Concat(l.lanes, l.watching) {
		lane.client.CloseIdleConnections()
	}
	return &Run{
		Requests: l.requests,
		Began:    l.began,
		Ended:    ended,
		Late:     l.pace.late,
		Crowded:  l.crowded,
		CPU:      cpuTime() - l.cpu,
		Watches:  l.watched.counts(),
	}
}

// tick sends what is due. Several requests may be due at once: a ticker of 2 ms would cost
// the machine more than the requests themselves.
func (l *Load) tick(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			for range l.pace.due(now) {
				l.send()
			}
		}
	}
}

// send lets one request go, or notes that too many are under way already.
func (l *Load) send() {
	lane := free(l.lanes)
	if lane == nil {
		l.mu.Lock()
		l.crowded++
		l.mu.Unlock()
		return
	}
	l.sent.Go(func() {
		defer lane.leave()
		l.record(l.one(lane))
	})
}

func (l *Load) record(r Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r)
}
