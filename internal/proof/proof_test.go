package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
	"auditpatch/patch"
)

// TestFind compares the reasons.
func TestFind(t *testing.T) {
	root := t.TempDir()
	fsys, err := node.New(root, "").FS()
	if err != nil {
		t.Fatal(err)
	}
	defer fsys.Close()
	search := auditlog.Begin(fsys, "/audit.log")
	defer search.Close()
	if _, err := find(context.Background(), search, []string{"a"}, 0); fmt.Sprint(err) != "/audit.log: file does not exist" {
		t.Errorf("no log: %v", err)
	}
	(standin.Tree{T: t, Root: root}).Write("audit.log", "")
	if _, err := find(context.Background(), search, []string{"a", "never"}, 0); fmt.Sprint(err) != "event never is not in it" {
		t.Errorf("empty: %v", err)
	}
}

// TestEventLate has an API server whose first answer is late: that says nothing of its log.
func TestEventLate(t *testing.T) {
	for _, tt := range []struct {
		silence time.Duration
		found   bool
	}{{time.Minute, true}, {0, false}} {
		dir := t.TempDir()
		var asked atomic.Int32
		srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n := asked.Add(1)
			log, err := os.OpenFile(filepath.Join(dir, "audit.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = log.Close() }()
			if _, err := io.WriteString(log, fmt.Sprintf(`{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"id-%d","stage":"ResponseComplete"}`+"\n", n)); err != nil {
				t.Error(err)
			}
			w.Header().Set("Audit-Id", fmt.Sprintf("id-%d", n))
			if n == 1 {
				<-r.Context().Done()
			}
		}))
		defer srv.Close()
		_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		defer func(w, s time.Duration) { within, silence = w, s }(within, silence)
		within, silence = time.Second, tt.silence
		s := apiserver.New(node.New(t.TempDir(), ""), patch.Server{Address: "127.0.0.1", Port: number})
		id, err := Event(t.Context(), s, apiserver.Probe{Method: http.MethodGet, Path: "/version"}, os.DirFS(dir), "/audit.log", 0)
		var missing *NotFound
		if found := id == "id-2" && err == nil; found != tt.found || !found && !errors.As(err, &missing) {
			t.Errorf("with %s for late answers: event %q, %v", tt.silence, id, err)
		}
	}
}
