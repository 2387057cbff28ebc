package cluster

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestWatch wants every change of a server's health, in order, with its end.
func TestWatch(t *testing.T) {
	var ready atomic.Bool
	ready.Store(true)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !ready.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	start := time.Now()
	w := NewWatch(strings.TrimPrefix(server.URL, "https://"))
	defer w.Stop()
	await := func(probe, state string) {
		t.Helper()
		if _, err := w.Await(t.Context(), probe, state, start); err != nil {
			t.Fatal(err)
		}
	}

	await(Readyz, "200")
	await(Listener, Open)
	ready.Store(false)
	await(Readyz, "500")
	server.Close()
	await(Readyz, Refused)
	await(Listener, Refused)

	seen := map[string][]string{}
	for _, c := range w.Stop() {
		if c.State == Broken {
			continue // it was asked in the moment in which it closed
		}
		seen[c.Probe] = append(seen[c.Probe], c.State)
	}
	want := map[string][]string{Readyz: {"200", "500", Refused}, Listener: {Open, Refused}}
	if diff := cmp.Diff(want, seen); diff != "" {
		t.Error(diff)
	}
}

func TestOutage(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	changes := []Change{
		{at(0), Readyz, "200"}, {at(10), Readyz, Refused}, {at(10), Listener, Refused}, {at(14), Listener, Open},
		{at(14), Readyz, "403"}, {at(15), Readyz, "200"}, {at(16), Readyz, "500"}, {at(17), Readyz, "200"},
	}
	for _, test := range []struct {
		name    string
		changes []Change
		after   time.Time
		outage  time.Duration
		whole   bool
	}{
		{"until the last return", changes, at(1), 7 * time.Second, true},
		{"from an instant on", changes, at(15), time.Second, true},
		{"none", changes, at(17), 0, true},
		{"no return yet", changes[:5], at(1), 0, false},
		{"gone again", changes[:7], at(1), 5 * time.Second, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			outage, whole := Outage(test.changes, Readyz, "200", test.after)
			if outage != test.outage || whole != test.whole {
				t.Errorf("got %s, %t, want %s, %t", outage, whole, test.outage, test.whole)
			}
		})
	}
}

func TestRestarts(t *testing.T) {
	at := func(seconds int64) time.Time { return time.Unix(seconds, 0) }
	changes := []Change{
		{at(0), Readyz, "200"}, {at(1), Readyz, Timeout}, {at(3), Readyz, "200"}, // it was only slow
		{at(5), Readyz, Timeout}, {at(6), Listener, Refused}, {at(7), Readyz, Refused}, {at(8), Readyz, Timeout}, {at(9), Readyz, "200"},
		{at(10), Readyz, "500"}, {at(11), Readyz, "200"}, // so was etcd
		{at(12), Readyz, "500"}, {at(13), Readyz, Refused}, {at(14), Readyz, "500"}, {at(15), Readyz, "200"},
		{at(16), Readyz, Broken}, {at(17), Readyz, Refused},
	}
	want := []Span{{at(7), at(9)}, {at(12), at(15)}, {at(16), at(20)}}
	if diff := cmp.Diff(want, Restarts(changes, at(20))); diff != "" {
		t.Error(diff)
	}
}
