package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
)

// configMaps is an API server with one ConfigMap. Before each of the first races
// writes somebody else changes it.
type configMaps struct {
	t       *testing.T
	text    string
	version int
	races   int
	code    int // of every answer, 0 for the right one
	absent  bool
	writes  int
	patch   func(http.ResponseWriter) // of a write, nil for the right answer
	tried   int                       // writes without effect
}

func (c *configMaps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != kubeadmConfigPath {
		c.t.Errorf("%s %s", r.Method, r.URL.Path)
	}
	var m configMap
	switch {
	case c.code != 0:
		w.WriteHeader(c.code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "message": "configmaps is forbidden"})
		return
	case r.Method == http.MethodPatch && r.URL.RawQuery == "dryRun=All":
		c.tried++
		if c.patch != nil {
			c.patch(w)
			return
		}
	case r.Method == http.MethodPatch:
		if got := r.Header.Get("Content-Type"); got != "application/merge-patch+json" {
			c.t.Errorf("content type %q", got)
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			c.t.Error(err)
		}
		if c.races > 0 {
			c.races--
			c.version++
			c.text += "+theirs"
		}
		if m.Metadata.ResourceVersion != strconv.Itoa(c.version) {
			w.WriteHeader(http.StatusConflict)
			return
		}
		c.writes++
		c.version++
		c.text = m.Data[kubeadmConfigKey]
	}
	m.Metadata.ResourceVersion = strconv.Itoa(c.version)
	m.Data = map[string]string{kubeadmConfigKey: c.text}
	if c.absent {
		m.Data = nil
	}
	_ = json.NewEncoder(w).Encode(m)
}

// TestEditKubeadmConfig wants every edit of somebody else to stay, and no write
// where there is nothing to write.
func TestEditKubeadmConfig(t *testing.T) {
	for name, c := range map[string]struct {
		server  configMaps
		edit    string // what is appended
		changed bool
		want    string
		err     string
	}{
		"written":     {configMaps{text: "a"}, "+ours", true, "a+ours", ""},
		"as asked":    {configMaps{text: "a"}, "", false, "a", ""},
		"two races":   {configMaps{text: "a", races: 2}, "+ours", true, "a+theirs+theirs+ours", ""},
		"lost race":   {configMaps{text: "a", races: 9}, "+ours", false, "a+theirs+theirs+theirs+theirs+theirs", "write kube-system/kubeadm-config: somebody else changed it 5 times meanwhile"},
		"forbidden":   {configMaps{text: "a", code: 403}, "+ours", false, "a", "read kube-system/kubeadm-config: the API server says 403: configmaps is forbidden"},
		"not kubeadm": {configMaps{text: "a", code: 404}, "+ours", false, "a", ErrNoKubeadmConfig.Error()},
		"without key": {configMaps{text: "a", absent: true}, "+ours", false, "a", ErrNoKubeadmConfig.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.t = t
			srv := httptest.NewServer(&c.server)
			defer srv.Close()
			s := &Server{client: srv.Client(), Base: srv.URL}
			changed, err := s.EditKubeadmConfig(context.Background(), func(text []byte) ([]byte, error) {
				return append(text, c.edit...), nil
			})
			said := ""
			if err != nil {
				said = err.Error()
			}
			if changed != c.changed || said != c.err || c.server.text != c.want {
				t.Errorf("changed %v, error %q, text %q; want %v, %q, %q", changed, said, c.server.text, c.changed, c.err, c.want)
			}
		})
	}
	refused := errors.New("no")
	c := &configMaps{t: t, text: "a"}
	srv := httptest.NewServer(c)
	defer srv.Close()
	s := &Server{client: srv.Client(), Base: srv.URL}
	if _, err := s.EditKubeadmConfig(context.Background(), func([]byte) ([]byte, error) { return nil, refused }); !errors.Is(err, refused) || c.writes > 0 {
		t.Errorf("an edit that refuses: %v, %d writes", err, c.writes)
	}
}

// TestTryKubeadmConfig wants a refusal before there is anything to undo, and no
// write.
func TestTryKubeadmConfig(t *testing.T) {
	says := func(code int, message string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(code)
			_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "message": message})
		}
	}
	const write = "write kube-system/kubeadm-config: the API server says "
	for name, c := range map[string]struct {
		server    configMaps
		err       string
		forbidden bool
	}{
		"allowed":               {configMaps{}, "", false},
		"forbidden":             {configMaps{patch: says(403, "configmaps is forbidden")}, write + "403: configmaps is forbidden", true},
		"unknown":               {configMaps{patch: says(401, "Unauthorized")}, write + "401: Unauthorized", true},
		"invalid":               {configMaps{patch: says(422, "it is invalid")}, write + "422: it is invalid", false},
		"changed meanwhile":     {configMaps{patch: says(409, "conflict")}, "", false},
		"a webhook has effects": {configMaps{patch: says(400, `admission webhook "x" does not support dry run`)}, "", false},
		"not understood":        {configMaps{patch: says(400, "bad request")}, write + "400: bad request", false},
		"not even to be read":   {configMaps{code: 403}, "read kube-system/kubeadm-config: the API server says 403: configmaps is forbidden", true},
	} {
		c.server.t, c.server.text = t, "a"
		srv := httptest.NewServer(&c.server)
		s := &Server{client: srv.Client(), Base: srv.URL}
		err := s.TryKubeadmConfig(context.Background(), []byte("b"))
		srv.Close()
		said := ""
		if err != nil {
			said = err.Error()
		}
		var forbidden *ForbiddenError
		if said != c.err || errors.As(err, &forbidden) != c.forbidden || c.server.writes > 0 || c.server.text != "a" {
			t.Errorf("%s: got %q, %d writes", name, said, c.server.writes)
		}
		if c.server.tried != 1 && c.server.code == 0 {
			t.Errorf("%s: tried %d times", name, c.server.tried)
		}
	}
}
