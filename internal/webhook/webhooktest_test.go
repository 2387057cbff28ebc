package webhook

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"auditpatch/internal/standin"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// TestWebhookProxy wants the proxy of kube-apiserver's container, and never that of
// this program's own environment.
func TestWebhookProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Host != "falco.example.com:9765" {
			t.Errorf("asked for %s", r.URL)
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", standin.Silent(t))
	for name, c := range map[string]struct {
		proxy patch.Proxy
		want  string
	}{
		"its own":           {patch.Proxy{HTTP: proxy.URL}, ""},
		"none":              {patch.Proxy{}, "falco.example.com: "},
		"but not for it":    {patch.Proxy{HTTP: proxy.URL, NoProxy: "example.com"}, "falco.example.com: "},
		"one that is gone":  {patch.Proxy{HTTP: standin.Nobody(t)}, "connection refused, by way of a proxy"},
		"one nobody knows":  {patch.Proxy{Unknown: "HTTP_PROXY"}, ""},
		"for https, not it": {patch.Proxy{HTTPS: proxy.URL}, "falco.example.com: "},
	} {
		data, _, _ := webhookconfig.Kubeconfig(webhookconfig.Target{URL: "http://falco.example.com:9765/k8s-audit"})
		w, err := Read(data, patch.Settings{Proxy: c.proxy})
		if err != nil {
			t.Fatal(err)
		}
		got := w.Refuses(context.Background())
		if strings.HasPrefix(c.want, "falco") && got != "" && !strings.Contains(got, "proxy") {
			continue // without a resolver the reason is another
		}
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestTestRequest(t *testing.T) {
	t.Parallel()
	url, posted := standin.Receiver(t, 206, 0)
	if got := hookTo(t, webhookconfig.Target{URL: url}).Refuses(context.Background()); got != "" || len(posted()) != 1 {
		t.Fatalf("%q, posted %v", got, posted())
	}
	list := posted()[0]
	if list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" || len(list.Items) != 1 {
		t.Fatalf("posted %+v", list)
	}
	e := list.Items[0]
	if !strings.HasPrefix(string(e.AuditID), "auditpatch-") || e.User.Username != "auditpatch" || e.Verb != "get" || e.RequestURI != "/auditpatch-proof" || e.StageTimestamp.IsZero() {
		t.Errorf("posted %+v", e)
	}
}
