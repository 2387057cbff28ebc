package handover

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/patch"
)

// registry holds the endpoints of the Service kubernetes in both forms, as an API server does.
type registry struct {
	mu      sync.Mutex
	objects map[string]object // by the last part of the collection
	version int
	changed chan struct{} // closed at the next change
}

func newRegistry() *registry {
	return &registry{changed: make(chan struct{}), objects: map[string]object{
		"endpoints":      {"metadata": map[string]any{"resourceVersion": "0"}, "subsets": []any{map[string]any{"addresses": []any{map[string]any{"ip": "192.0.2.1"}}}}},
		"endpointslices": {"metadata": map[string]any{"resourceVersion": "0"}, "endpoints": []any{map[string]any{"addresses": []any{"192.0.2.1"}}}, "ports": []any{map[string]any{"port": 6443}}},
	}}
}

// write is a write, with the version that the writer has seen; "" for any.
func (r *registry) write(kind string, o object, seen string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if seen != "" && seen != r.objects[kind].version() {
		return false
	}
	r.version++
	o["metadata"] = map[string]any{"resourceVersion": strconv.Itoa(r.version)}
	r.objects[kind] = o
	close(r.changed)
	r.changed = make(chan struct{})
	return true
}

func (r *registry) read(kind string) (o object, changed chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.objects[kind], r.changed
}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	parts := strings.Split(strings.TrimSuffix(req.URL.Path, "/"+serviceName), "/")
	kind := parts[len(parts)-1]
	switch now, changed := r.read(kind); {
	case req.Method == http.MethodPut:
		var o object
		if err := json.NewDecoder(req.Body).Decode(&o); err != nil || !r.write(kind, o, o.version()) {
			w.WriteHeader(http.StatusConflict)
		}
	case req.URL.Query().Has("watch"):
		for now.version() == req.URL.Query().Get("resourceVersion") {
			select {
			case <-req.Context().Done():
				return
			case <-changed:
				now, changed = r.read(kind)
			}
		}
		text, _ := json.Marshal(now)
		fmt.Fprintf(w, `{"type":"MODIFIED","object":%s}`+"\n", text)
	default:
		_ = json.NewEncoder(w).Encode(now)
	}
}

// TestKeepEndpoints empties the endpoints several times, as API servers do that end.
func TestKeepEndpoints(t *testing.T) {
	t.Parallel()
	r := newRegistry()
	server := httptest.NewTLSServer(r)
	defer server.Close()
	address := server.Listener.Addr().(*net.TCPAddr)
	second := apiserver.New(node.New(t.TempDir(), ""), patch.Server{Address: address.IP.String(), Port: address.Port})
	were, err := readEndpoints(t.Context(), second)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		keepEndpoints(ctx, second, were)
	}()
	for range 3 {
		r.write("endpoints", object{}, "")
		r.write("endpointslices", object{"endpoints": nil}, "")
		for _, form := range endpointForms {
			parts := strings.Split(form.collection, "/")
			awaitFull(t, r, form, parts[len(parts)-1])
		}
	}
	cancel()
	<-done
	r.write("endpoints", object{}, "")
	time.Sleep(100 * time.Millisecond)
	if now, _ := r.read("endpoints"); !endpointForms[0].empty(now) {
		t.Error("they are filled after the end")
	}
}

// awaitFull waits until endpoints are there again, with all their fields.
func awaitFull(t *testing.T, r *registry, form endpointForm, kind string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		now, _ := r.read(kind)
		full := true
		for _, field := range form.fields {
			list, _ := now[field].([]any)
			full = full && len(list) > 0
		}
		if full {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s stay %v", kind, now)
		}
	}
}
