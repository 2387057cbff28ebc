package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// The probes of a [Watch], and states that they take. Readyz has status codes ("200") too.
const (
	Readyz   = "readyz"
	Listener = "listener"

	Open    = "open"
	Refused = "refused"
	Timeout = "timeout"
	Broken  = "broken" // connected, then cut off
)

const (
	probeEvery   = 100 * time.Millisecond
	probeTimeout = 2 * time.Second
)

// Change is a probe's new state.
type Change struct {
	At           time.Time
	Probe, State string
}

// Watch asks an API server every 100 ms for its health, with a new connection each time, and
// records every change of the answer.
type Watch struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	changes []Change
}

// Watch starts to watch the node's own API server; the caller must call Stop.
func (n *Node) Watch() *Watch { return NewWatch(n.endpoint) }

// NewWatch starts to watch the API server at HOST:PORT; the caller must call Stop.
func NewWatch(endpoint string) *Watch { return newWatch(endpoint, probeEvery) }

// WatchEvery is Watch with another time between two questions.
func (n *Node) WatchEvery(every time.Duration) *Watch { return newWatch(n.endpoint, every) }

func newWatch(endpoint string, every time.Duration) *Watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &Watch{stop: stop}
	w.done.Go(func() { w.poll(ctx, every, Readyz, func() string { return readyz(endpoint) }) })
	w.done.Go(func() { w.poll(ctx, every, Listener, func() string { return listener(endpoint) }) })
	return w
}

// Stop ends the watch and returns all changes. It may be called again.
func (w *Watch) Stop() []Change {
	w.stop()
	w.done.Wait()
	return w.Changes()
}

// Changes are those until now, oldest first.
func (w *Watch) Changes() []Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.changes)
}

// Await waits until the probe has taken the state at or after the instant.
func (w *Watch) Await(ctx context.Context, probe, state string, after time.Time) (Change, error) {
	for {
		changes := w.Changes()
		for _, c := range changes {
			if c.Probe == probe && c.State == state && !c.At.Before(after) {
				return c, nil
			}
		}
		select {
		case <-ctx.Done():
			return Change{}, fmt.Errorf("wait until %s is %s: %w; changes: %v", probe, state, ctx.Err(), changes)
		case <-time.After(probeEvery / 2):
		}
	}
}

// Outage is the time from the probe's first other state than good, after the instant, to its
// last return to good; whole is false while it has not returned.
func Outage(changes []Change, probe, good string, after time.Time) (outage time.Duration, whole bool) {
	var from time.Time
	whole = true
	for _, c := range changes {
		switch {
		case c.Probe != probe || c.At.Before(after):
		case c.State != good && from.IsZero():
			from, whole = c.At, false
		case c.State != good:
			whole = false
		case !from.IsZero():
			outage, whole = c.At.Sub(from), true
		}
	}
	return outage, whole
}

func (c Change) String() string {
	return fmt.Sprintf("%s %s %s", c.At.Format("15:04:05.000"), c.Probe, c.State)
}

func (w *Watch) poll(ctx context.Context, every time.Duration, name string, probe func() string) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for last := ""; ; {
		at := time.Now()
		if state := probe(); state != last {
			w.mu.Lock()
			w.changes = append(w.changes, Change{At: at, Probe: name, State: state})
			w.mu.Unlock()
			last = state
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// readyz asks once. Whose certificate it is does not matter: nothing secret is sent.
func readyz(endpoint string) string {
	client := http.Client{Timeout: probeTimeout, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
	}}
	answer, err := client.Get("https://" + endpoint + "/readyz")
	if err != nil {
		return failure(err)
	}
	answer.Body.Close()
	return strconv.Itoa(answer.StatusCode)
}

func listener(endpoint string) string {
	conn, err := net.DialTimeout("tcp", endpoint, probeTimeout)
	if err != nil {
		return failure(err)
	}
	conn.Close()
	return Open
}

func failure(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return Timeout
	}
	return Broken
}

// Span is a time in which an API server was away.
type Span struct{ From, To time.Time }

// Overlaps tells whether there is an instant in both.
func (s Span) Overlaps(o Span) bool { return s.From.Before(o.To) && o.From.Before(s.To) }

// Restarts are the times in which an API server was away to start again: from a state that is not
// 200 until 200, with connections refused meanwhile, the last of them until end if it did not come
// back. A busy API server that only answers late, or says 500 because etcd was late, has not restarted.
func Restarts(changes []Change, end time.Time) []Span {
	var out []Span
	var from time.Time
	gone := false
	for _, c := range changes {
		switch {
		case c.Probe != Readyz:
		case c.State == "200":
			if gone {
				out = append(out, Span{from, c.At})
			}
			from, gone = time.Time{}, false
		default:
			if from.IsZero() && c.State != Timeout {
				from = c.At
			}
			gone = gone || c.State == Refused
		}
	}
	if gone {
		out = append(out, Span{from, end})
	}
	return out
}
