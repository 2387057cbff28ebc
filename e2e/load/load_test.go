package load

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"
)

// server is as much of an API server as the load needs: ConfigMaps of one namespace.
type server struct {
	*httptest.Server
	forgetful bool // acknowledges updates and does not keep them

	mu       sync.Mutex
	objects  map[string]item
	recorded map[string]bool // audit IDs
}

// item is an object as it is sent and received.
type item struct {
	Metadata struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Data map[string]string `json:"data"`
}

const configMaps = "/api/v1/namespaces/test/configmaps"

func serve(t *testing.T) *server {
	s := &server{objects: map[string]item{}, recorded: map[string]bool{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // connections that the tests cut
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) config() *rest.Config {
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return &rest.Config{Host: s.URL, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("watch") {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	}
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	id := fmt.Sprint(len(s.recorded))
	s.recorded[id] = true
	w.Header().Set("Audit-Id", id)
	code, answer := s.answer(r, body)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(answer) // the load may have gone away, on purpose
}

func (s *server) answer(r *http.Request, body []byte) (int, any) {
	name, one := strings.CutPrefix(r.URL.Path, configMaps+"/")
	switch {
	case !strings.HasPrefix(r.URL.Path, configMaps), r.Method == http.MethodDelete && !one:
		return http.StatusOK, nil
	case r.Method == http.MethodGet && !one:
		list := struct{ Items []item }{}
		for _, o := range s.objects {
			list.Items = append(list.Items, o)
		}
		return http.StatusOK, list
	}
	var sent item
	_ = json.Unmarshal(body, &sent)
	if r.Method == http.MethodPost {
		name = sent.Metadata.Name
	}
	stored, exists := s.objects[name]
	switch r.Method {
	case http.MethodPost:
		if exists {
			return http.StatusConflict, nil
		}
		s.objects[name] = sent
		return http.StatusCreated, sent
	case http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete:
		if !exists {
			return http.StatusNotFound, nil
		}
	}
	switch r.Method {
	case http.MethodDelete:
		delete(s.objects, name)
	case http.MethodPut, http.MethodPatch:
		if !s.forgetful {
			stored.Data = sent.Data
			s.objects[name] = stored
		}
		return http.StatusOK, sent
	}
	return http.StatusOK, stored
}

// missing are the requests that were acknowledged and not recorded. Requests whose
// connection was cut may still be on their way through the server.
func (s *server) missing(run *Run) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return run.Missing(s.recorded)
}

// start puts the server under a load, with a time limit that no machine is too busy for, and
// returns when many requests were answered and all watches are open.
func (s *server) start(t *testing.T, slow time.Duration) *Load {
	t.Helper()
	l, err := Start(t.Context(), Options{Config: s.config(), Namespace: "test", Rate: 1000, Objects: 20, Slow: slow, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		l.mu.Lock()
		done := len(l.requests)
		l.mu.Unlock()
		if done >= 300 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := l.AwaitWatches(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

// TestLoadOfGoodServer wants every request to be acknowledged, nothing lost, and both
// protocols and all verbs used.
func TestLoadOfGoodServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := s.start(t, 0)
	run := l.Stop()
	lost, err := l.Lost(t.Context())
	if err != nil || len(lost) > 0 {
		t.Errorf("lost: %q, %v", lost, err)
	}
	if missing := s.missing(run); len(missing) > 0 {
		t.Errorf("not recorded: %+v", missing)
	}
	if n := run.Counts()[Acknowledged]; n == 0 || n != len(run.Requests) {
		t.Errorf("counts: %v", run.Counts())
	}
	seen := map[string]bool{}
	for _, r := range run.Requests {
		seen[r.Verb], seen[r.Protocol] = true, true
	}
	for _, want := range []string{"get", "list", "create", "update", "patch", "delete", "h2", "http/1.1"} {
		if !seen[want] {
			t.Errorf("no %s among %d requests", want, len(run.Requests))
		}
	}
	if run.Watches.Opened != 12 {
		t.Errorf("%d watches were opened, want 12", run.Watches.Opened)
	}
}

// TestLoadOfForgetfulServer wants writes that were acknowledged and not kept to be found.
func TestLoadOfForgetfulServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	s.forgetful = true
	l := s.start(t, 0)
	l.Stop()
	if lost, err := l.Lost(t.Context()); err != nil || len(lost) == 0 {
		t.Errorf("lost: %q, %v", lost, err)
	}
}

// TestLoadOfEndingServer wants the requests under way to be cut, the later ones refused, and
// those not to be taken for acknowledged.
func TestLoadOfEndingServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	l := s.start(t, time.Second)
	s.Listener.Close()
	s.CloseClientConnections()
	time.Sleep(100 * time.Millisecond)
	run := l.Stop()
	if c := run.Counts(); c[Acknowledged] == 0 || c[Cut] == 0 || c[Refused] == 0 || c[Acknowledged]+c[Cut]+c[Refused]+c[Unsent] != len(run.Requests) {
		t.Errorf("counts: %v", c)
	}
	if missing := s.missing(run); len(missing) > 0 {
		t.Errorf("not recorded: %+v", missing)
	}
}

func TestStartSaysWhatFails(t *testing.T) {
	s := serve(t)
	config := s.config()
	s.Close()
	_, err := Start(context.Background(), Options{Config: config, Namespace: "test"})
	if want := "prepare the load's namespace test: "; !errors.Is(err, syscall.ECONNREFUSED) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s and a refused connection", err, want)
	}
}

// TestDribble wants all of a body, with one pause after its first half.
func TestDribble(t *testing.T) {
	start := time.Now()
	text, err := io.ReadAll(&dribble{t.Context(), []byte("abcde"), 2, 30 * time.Millisecond})
	if took := time.Since(start); err != nil || string(text) != "abcde" || took < 30*time.Millisecond || took > time.Minute {
		t.Errorf("%q, %v, %s", text, err, took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := io.ReadAll(&dribble{ctx, []byte("abcde"), 2, time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
