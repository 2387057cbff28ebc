package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/patch"
)

// receiver answers posts with a status, after a while, and notes what came.
func receiver(t *testing.T, code int, after time.Duration) (url string, posted *[]auditv1.EventList) {
	t.Helper()
	posted = new([]auditv1.EventList)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var list auditv1.EventList
		if err := json.Unmarshal(body, &list); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s: %v of %s", r.Method, r.URL, err, body)
		}
		*posted = append(*posted, list)
		time.Sleep(after)
		w.WriteHeader(code)
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/k8s-audit", posted
}

// silent is a URL where somebody listens and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return "http://" + l.Addr().String()
}

// TestTestWebhook wants a change not to begin when every request would wait for a
// receiver that does not answer.
func TestTestWebhook(t *testing.T) {
	t.Parallel()
	taking, _ := receiver(t, 200, 0)
	slow, _ := receiver(t, 200, slowAnswer+500*time.Millisecond)
	refusing, _ := receiver(t, 500, 0)
	const wait = "; with --audit-webhook-mode=blocking every request waits for it"
	for name, c := range map[string]struct {
		url, mode  string
		force, old bool
		err, warn  string
	}{
		"taken":                         {url: taking, mode: "blocking"},
		"nobody":                        {url: nobody(t), mode: "blocking", err: "the webhook HOST does not take events: connection refused" + wait},
		"silent":                        {url: silent(t), mode: "blocking", err: "the webhook HOST does not take events: no answer within 5 s" + wait},
		"refused":                       {url: refusing, mode: "blocking-strict", err: "the webhook HOST does not take events: it answers 500 Internal Server Error; with --audit-webhook-mode=blocking-strict every request waits for it"},
		"slow":                          {url: slow, mode: "blocking", err: "the webhook HOST does not take events: it took N s for one event" + wait},
		"forced":                        {url: refusing, mode: "blocking", force: true, warn: "the webhook HOST does not take events: it answers 500 Internal Server Error"},
		"batch, new":                    {url: refusing, warn: "the webhook HOST does not take events: it answers 500 Internal Server Error"},
		"batch, slow":                   {url: slow, mode: "batch"},
		"batch, there already":          {url: nobody(t), mode: "batch", old: true},
		"blocking, and there already":   {url: refusing, mode: "blocking", old: true, err: "the webhook HOST does not take events: it answers 500 Internal Server Error" + wait},
		"batch, and nobody, and forced": {url: nobody(t), mode: "batch", force: true, warn: "the webhook HOST does not take events: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := webhook(t, patch.WebhookTarget{URL: c.url})
			to.mode = c.mode
			var warned []string
			l := &Live{Webhook: to, Force: c.force, Warn: func(err error) { warned = append(warned, err.Error()) }}
			if c.old {
				l.Old.Webhook = &patch.Location{}
			}
			err := l.testWebhook(context.Background())
			said := ""
			if err != nil {
				said = err.Error()
				if before, after, found := strings.Cut(said, "it took "); found {
					said = before + "it took N" + after[strings.Index(after, " s for"):]
				}
			}
			here := strings.NewReplacer("HOST", to.Host)
			if said != here.Replace(c.err) || strings.Join(warned, "\n") != here.Replace(c.warn) {
				t.Errorf("got  %s, warned %q\nwant %s, %q", said, warned, c.err, c.warn)
			}
			if c.warn != "" { // the proof finds the same again
				l.Warn(fmt.Errorf("%s", here.Replace(c.warn)))
				if len(warned) != 1 {
					t.Errorf("warned %q", warned)
				}
			}
		})
	}
	t.Run("the event", func(t *testing.T) {
		url, posted := receiver(t, 206, 0)
		if got := webhook(t, patch.WebhookTarget{URL: url}).refuses(context.Background()); got != "" || len(*posted) != 1 {
			t.Fatalf("%q, posted %v", got, *posted)
		}
		list := (*posted)[0]
		if list.Kind != "EventList" || list.APIVersion != "audit.k8s.io/v1" || len(list.Items) != 1 {
			t.Fatalf("posted %+v", list)
		}
		e := list.Items[0]
		if !strings.HasPrefix(string(e.AuditID), "auditpatch-") || e.User.Username != "auditpatch" || e.Verb != "get" || e.RequestURI != "/auditpatch-proof" || e.StageTimestamp.IsZero() {
			t.Errorf("posted %+v", e)
		}
	})
}

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
	t.Setenv("HTTP_PROXY", silent(t))
	for name, c := range map[string]struct {
		proxy patch.Proxy
		want  string
	}{
		"its own":           {patch.Proxy{HTTP: proxy.URL}, ""},
		"none":              {patch.Proxy{}, "falco.example.com: "},
		"but not for it":    {patch.Proxy{HTTP: proxy.URL, Except: "example.com"}, "falco.example.com: "},
		"one that is gone":  {patch.Proxy{HTTP: nobody(t)}, "connection refused, by way of a proxy"},
		"one nobody knows":  {patch.Proxy{Unknown: "HTTP_PROXY"}, ""},
		"for https, not it": {patch.Proxy{HTTPS: proxy.URL}, "falco.example.com: "},
	} {
		data, _, _ := patch.WebhookKubeconfig(patch.WebhookTarget{URL: "http://falco.example.com:9765/k8s-audit"})
		w, err := ReadWebhook(data, patch.Settings{Proxy: c.proxy})
		if err != nil {
			t.Fatal(err)
		}
		got := w.refuses(context.Background())
		if strings.HasPrefix(c.want, "falco") && got != "" && !strings.Contains(got, "proxy") {
			continue // without a resolver the reason is another
		}
		if (got == "") != (c.want == "") || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
