package standin

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/patch/webhookconfig"
)

// Receiver answers a webhook's posts with a status, after a while. posted is what
// came so far.
func Receiver(t testing.TB, code int, after time.Duration) (url string, posted func() []auditv1.EventList) {
	t.Helper()
	var mu sync.Mutex
	var lists []auditv1.EventList
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var list auditv1.EventList
		if err := json.Unmarshal(body, &list); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v of %s", r.Method, r.URL, err, body)
		}
		mu.Lock()
		lists = append(lists, list)
		mu.Unlock()
		time.Sleep(after)
		w.WriteHeader(code)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/k8s-audit", func() []auditv1.EventList {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(lists)
	}
}

// Silent is a URL where somebody listens and never answers.
func Silent(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// Nobody is a URL where nobody listens.
func Nobody(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// Kubeconfig is the webhook's config that enable writes.
func Kubeconfig(t testing.TB, target webhookconfig.Target) []byte {
	t.Helper()
	data, errs, _ := webhookconfig.Kubeconfig(target)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	return data
}
