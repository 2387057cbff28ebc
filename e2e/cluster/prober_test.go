package cluster

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestProber wants the time to be seen in which a server is not ready, and none where only one
// answer takes long.
func TestProber(t *testing.T) {
	var ready, slow atomic.Bool
	ready.Store(true)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if slow.CompareAndSwap(true, false) {
			time.Sleep(3 * time.Second)
		}
		if !ready.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer s.Close()
	from := time.Now()
	p := NewProber(strings.TrimPrefix(s.URL, "https://"), 5*time.Millisecond)
	time.Sleep(100 * time.Millisecond)
	slow.Store(true)
	time.Sleep(100 * time.Millisecond)
	ready.Store(false)
	time.Sleep(400 * time.Millisecond)
	ready.Store(true)
	time.Sleep(100 * time.Millisecond)
	good := p.Stop()
	if got := Silence(good, from, good[len(good)-1]); got < 300*time.Millisecond || got > 2500*time.Millisecond {
		t.Errorf("not ready for %s, want 0.4 s", got)
	}
}

func TestSilence(t *testing.T) {
	at := func(seconds ...int) (out []time.Time) {
		for _, s := range seconds {
			out = append(out, time.Unix(int64(s), 0))
		}
		return out
	}
	span := at(10, 20)
	for _, test := range []struct {
		name string
		good []time.Time
		want time.Duration
	}{
		{"never", nil, 10 * time.Second},
		{"at the begin only", at(10), 10 * time.Second},
		{"in the middle", at(10, 12, 17, 20), 5 * time.Second},
		{"at the end", at(9, 10, 11, 12), 8 * time.Second},
		{"outside", at(1, 9, 11, 14, 18, 19, 30), 4 * time.Second},
	} {
		if got := Silence(test.good, span[0], span[1]); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
	}
}
