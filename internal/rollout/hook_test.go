package rollout

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/standin"
	"auditpatch/internal/standin/controlplane"
	"auditpatch/internal/webhook"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// TestTestWebhook wants a change not to begin when every request would wait for a
// receiver that does not answer.
func TestTestWebhook(t *testing.T) {
	t.Parallel()
	taking, _ := standin.Receiver(t, 200, 0)
	slow, _ := standin.Receiver(t, 200, 1500*time.Millisecond)
	refusing, _ := standin.Receiver(t, 500, 0)
	const wait = "; with --audit-webhook-mode=blocking every request waits for it"
	for name, c := range map[string]struct {
		url, mode  string
		force, old bool
		err, warn  string
	}{
		"taken":                         {url: taking, mode: "blocking"},
		"nobody":                        {url: standin.Nobody(t), mode: "blocking", err: "the webhook HOST does not take events: connection refused" + wait},
		"silent":                        {url: standin.Silent(t), mode: "blocking", err: "the webhook HOST does not take events: no answer within 5 s" + wait},
		"refused":                       {url: refusing, mode: "blocking-strict", err: "the webhook HOST does not take events: it answers 500 Internal Server Error; with --audit-webhook-mode=blocking-strict every request waits for it"},
		"slow":                          {url: slow, mode: "blocking", err: "the webhook HOST does not take events: it took N s for one event" + wait},
		"forced":                        {url: refusing, mode: "blocking", force: true, warn: "the webhook HOST does not take events: it answers 500 Internal Server Error"},
		"batch, new":                    {url: refusing, warn: "the webhook HOST does not take events: it answers 500 Internal Server Error"},
		"batch, slow":                   {url: slow, mode: "batch"},
		"batch, there already":          {url: standin.Nobody(t), mode: "batch", old: true},
		"blocking, and there already":   {url: refusing, mode: "blocking", old: true, err: "the webhook HOST does not take events: it answers 500 Internal Server Error" + wait},
		"batch, and nobody, and forced": {url: standin.Nobody(t), mode: "batch", force: true, warn: "the webhook HOST does not take events: connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			to := receives(t, c.url, c.mode)
			var warned []string
			l := &Live{Proof: Proof{Webhook: to}, Terms: Terms{Force: c.force}, Listener: Listener{Warn: func(err error) { warned = append(warned, err.Error()) }}}
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
}

func TestProveWebhook(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`rest_client_requests_total{code="200",host="HOST",method="POST"} 3`:       "proof webhook HOST takes events",
		`rest_client_requests_total{code="<error>",host="HOST",method="POST"} 3`:   "warning: the webhook HOST does not take events: connection refused",
		`rest_client_requests_total{code="413",host="HOST",method="POST"} 1.5e+06`: "warning: the webhook HOST does not take events: it answers 413 Request Entity Too Large",
	} {
		a := controlplane.New(t)
		to := receives(t, standin.Nobody(t), "")
		here := strings.NewReplacer("HOST", to.Host)
		a.Says("/metrics", here.Replace(text))
		var said string
		w := &watch{server: a.Server, narrator: newNarrator(time.Now(), func(p Progress) { said = p.Step + " " + p.Text })}
		warning, err := w.proveWebhook(context.Background(), nil, to)
		if warning != nil {
			said += "warning: " + warning.Error()
		}
		if err != nil || said != here.Replace(want) {
			t.Errorf("got %q, %v, want %q", said, err, here.Replace(want))
		}
	}
}

// receives is the one that enable writes, with more settings.
func receives(t *testing.T, url, mode string) *webhook.Receiver {
	t.Helper()
	data := standin.Kubeconfig(t, webhookconfig.Target{URL: url})
	flags := map[string]string{}
	if mode != "" {
		flags["audit-webhook-mode"] = mode
	}
	w, err := webhook.Read(data, patch.Settings{Flags: flags})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var probeOnce = &apiserver.Probe{Method: http.MethodGet, Path: "/api/v1/namespaces/default/configmaps/auditpatch-proof"}
