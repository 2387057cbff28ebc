package standin

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	"auditpatch/patch"
)

// APIServer is a made-up API server that answers as it is told, and notes what it
// is asked for.
type APIServer struct {
	Spec patch.Server // where it listens, in the Pod kube-system/kube-apiserver

	mu      sync.Mutex
	asked   []string
	answers map[string]http.HandlerFunc
}

// NewAPIServer is one that finds nothing yet.
func NewAPIServer(t testing.TB) *APIServer {
	t.Helper()
	a := &APIServer{answers: map[string]http.HandlerFunc{}}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		a.asked = append(a.asked, r.URL.Path)
		answer := a.answers[r.URL.Path]
		a.mu.Unlock()
		if answer == nil {
			answer = http.NotFound
		}
		answer(w, r)
	}))
	t.Cleanup(srv.Close)
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	number, _ := strconv.Atoi(port)
	a.Spec = patch.Server{Namespace: "kube-system", Pod: "kube-apiserver", Container: "kube-apiserver", Address: host, Port: number}
	return a
}

// Answer says how a path is answered from now on.
func (a *APIServer) Answer(path string, how http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = how
}

// Says answers a path with a text.
func (a *APIServer) Says(path, text string) {
	a.Answer(path, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) })
}

// Refuses answers a path with a status.
func (a *APIServer) Refuses(path string, code int) {
	a.Answer(path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) })
}

// Times is how often it was asked for a path.
func (a *APIServer) Times(path string) (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.asked {
		if p == path {
			n++
		}
	}
	return n
}
