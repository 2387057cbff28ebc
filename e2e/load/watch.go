package load

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Watches counts what the open watches have seen. A watch is never acknowledged: it ends when
// its connection does, and is opened again, as the clients of a cluster do.
type Watches struct{ Opened, Events int }

// watched is the same while it is counted.
type watched struct{ opened, open, events atomic.Int64 }

func (w *watched) counts() Watches {
	return Watches{Opened: int(w.opened.Load()), Events: int(w.events.Load())}
}

// AwaitWatches waits until all watches are open.
func (l *Load) AwaitWatches(ctx context.Context) error {
	for l.watched.open.Load() < int64(l.options.Watches) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d open watches, there are %d: %w", l.options.Watches, l.watched.open.Load(), ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}

// reopenAfter is the shortest pause of client-go's reflectors.
const reopenAfter = 800 * time.Millisecond

// watch keeps the i-th watch open. One of four watches what the load changes; the others are
// quiet, as most watches are, and there to hold the old API server's connections.
func (l *Load) watch(ctx context.Context, i int, lane *lane) {
	resource := "secrets"
	if i%4 == 0 {
		resource = "configmaps"
	}
	for {
		l.watchOnce(ctx, lane, l.path(resource, "")+"?watch=1&timeoutSeconds=3600")
		select {
		case <-ctx.Done():
			return
		case <-time.After(reopenAfter):
		}
	}
}

func (l *Load) watchOnce(ctx context.Context, lane *lane, path string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, lane.base+path, nil)
	if err != nil {
		return
	}
	answer, err := lane.client.Do(request)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return
	}
	l.watched.opened.Add(1)
	l.watched.open.Add(1)
	defer l.watched.open.Add(-1)
	buffer := make([]byte, 32<<10)
	for {
		n, err := answer.Body.Read(buffer)
		// Each event is a line.
		l.watched.events.Add(int64(bytes.Count(buffer[:n], []byte("\n"))))
		if err != nil {
			return
		}
	}
}
