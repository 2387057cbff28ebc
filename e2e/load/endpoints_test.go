package load

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/rest"
)

// TestEndpoints empties one form for a while, with no answers in the middle of it.
func TestEndpoints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		e := watchEndpoints(&lane{client: &http.Client{Transport: answers(func(path string) (int, string) {
			switch at := time.Since(began); {
			case at >= 600*time.Millisecond && at < 900*time.Millisecond:
				return http.StatusServiceUnavailable, ""
			case at >= 300*time.Millisecond && at < 600*time.Millisecond && strings.Contains(path, "slices"):
				return http.StatusOK, `{"kind":"EndpointSlice","endpoints":null}`
			}
			return http.StatusOK, `{"subsets":[{}],"endpoints":[{}]}`
		})}, base: "http://test"})
		time.Sleep(1200 * time.Millisecond)
		got := e.Stop()
		if got["Endpoints"] != 0 || got["EndpointSlice"] != 600*time.Millisecond {
			t.Errorf("empty for %v, want the slice to be for 0.6 s", got)
		}
	})
}

// answers is a transport that gives the status and the body of a path at once.
type answers func(path string) (int, string)

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	code, body := a(r.URL.Path)
	return &http.Response{StatusCode: code, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// TestEndpointsOfServer asks a server that has no endpoints in one form, over TLS.
func TestEndpointsOfServer(t *testing.T) {
	t.Parallel()
	asked := make(chan string, 100)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "slices") {
			_, _ = io.WriteString(w, `{"kind":"EndpointSlice","endpoints":[{}]}`)
		} else {
			_, _ = io.WriteString(w, `{"kind":"Endpoints"}`)
		}
		select {
		case asked <- r.URL.Path:
		default:
		}
	}))
	defer s.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	e, err := WatchEndpoints(&rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}})
	if err != nil {
		t.Fatal(err)
	}
	// The third answer to a path comes after the second one was counted.
	for seen := map[string]int{}; seen[endpointForms[0].path] < 3 || seen[endpointForms[1].path] < 3; {
		seen[<-asked]++
	}
	if got := e.Stop(); got["Endpoints"] == 0 || got["EndpointSlice"] != 0 {
		t.Errorf("empty for %v, want the Endpoints to be", got)
	}
}
