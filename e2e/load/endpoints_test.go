package load

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// TestEndpoints empties one form for a while, with no answers in the middle of it.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	var empty, silent atomic.Bool
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case silent.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		case empty.Load() && strings.Contains(r.URL.Path, "slices"):
			fmt.Fprint(w, `{"kind":"EndpointSlice","endpoints":null}`)
		default:
			fmt.Fprint(w, `{"subsets":[{}],"endpoints":[{}]}`)
		}
	}))
	defer s.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	e, err := WatchEndpoints(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}})
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	empty.Store(true)
	time.Sleep(300 * time.Millisecond)
	silent.Store(true)
	empty.Store(false)
	time.Sleep(300 * time.Millisecond)
	silent.Store(false)
	time.Sleep(300 * time.Millisecond)
	got := e.Stop()
	if got["Endpoints"] != 0 || got["EndpointSlice"] < 400*time.Millisecond || got["EndpointSlice"] > 800*time.Millisecond {
		t.Errorf("empty for %v, want the slice to be for 0.6 s", got)
	}
}
