package load

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"k8s.io/client-go/rest"
)

// Endpoints looks again and again whether the Service kubernetes has endpoints, in both of
// their forms.
type Endpoints struct {
	lane *lane
	stop context.CancelFunc
	done sync.WaitGroup

	mu    sync.Mutex
	empty map[string]time.Duration
}

// endpointForms are where each form is, and its field that lists the endpoints.
var endpointForms = []struct{ name, path, field string }{
	{"Endpoints", "/api/v1/namespaces/default/endpoints/kubernetes", "subsets"},
	{"EndpointSlice", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes", "endpoints"},
}

const (
	endpointsEvery   = 50 * time.Millisecond
	endpointsTimeout = time.Second
)

// WatchEndpoints starts to look. The caller must call Stop.
func WatchEndpoints(config *rest.Config) (*Endpoints, error) {
	lane, err := newLane(config, "http/1.1", len(endpointForms), endpointsTimeout)
	if err != nil {
		return nil, err
	}
	return watchEndpoints(lane), nil
}

func watchEndpoints(l *lane) *Endpoints {
	e := &Endpoints{lane: l, empty: map[string]time.Duration{}}
	var ctx context.Context
	ctx, e.stop = context.WithCancel(context.Background())
	for _, form := range endpointForms {
		e.done.Go(func() { e.look(ctx, form.name, form.path, form.field) })
	}
	return e
}

// Stop returns how long each form was without endpoints.
func (e *Endpoints) Stop() map[string]time.Duration {
	e.stop()
	e.done.Wait()
	e.lane.client.CloseIdleConnections()
	return e.empty
}

// look counts the time from each look that found nothing to the next one that found something.
// Where there is no answer all is taken to be as it was last seen.
func (e *Endpoints) look(ctx context.Context, name, path, field string) {
	tick := time.NewTicker(endpointsEvery)
	defer tick.Stop()
	for since := (time.Time{}); ; {
		now := time.Now()
		if has, known := e.has(ctx, path, field); known {
			if !since.IsZero() {
				e.add(name, now.Sub(since))
			}
			if since = now; has {
				since = time.Time{}
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (e *Endpoints) add(name string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.empty[name] += d
}

func (e *Endpoints) has(ctx context.Context, path, field string) (has, known bool) {
	ctx, cancel := context.WithTimeout(ctx, endpointsTimeout)
	defer cancel()
	code, _, body, err := e.lane.exchange(ctx, call{method: http.MethodGet, path: path})
	var object map[string]json.RawMessage
	if err != nil || code != http.StatusOK || json.Unmarshal(body, &object) != nil {
		return false, false
	}
	var list []json.RawMessage
	_ = json.Unmarshal(object[field], &list) // a missing field is an empty list
	return len(list) > 0, true
}
