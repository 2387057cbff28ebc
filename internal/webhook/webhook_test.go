package webhook

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/standin"
	"auditpatch/internal/standin/controlplane"
	"auditpatch/internal/wait"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// counters is the part of a kube-apiserver v1.36's /metrics that matters, and
// what stands around it.
const counters = `# HELP apiserver_audit_error_total [ALPHA] Counter of audit events that failed to be audited properly. Plugin identifies the plugin affected by the error.
# TYPE apiserver_audit_error_total counter
apiserver_audit_error_total{plugin="log"} 7
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 349
# HELP rest_client_requests_total [ALPHA] Number of HTTP requests, partitioned by status code, method, and host.
# TYPE rest_client_requests_total counter
rest_client_requests_total{code="200",host="[::1]:6443",method="GET"} 156
rest_client_requests_total{code="201",host="[::1]:6443",method="POST"} 187
rest_client_requests_total{code="404",host="[::1]:6443",method="POST"} 2
rest_client_requests_total{code="200",host="HOST",method="GET"} 1
rest_client_requests_total{code="200",host="HOST0",method="POST"} 1
`

// listener takes whatever comes, so that the webhook can be reached.
func listener(t testing.TB) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodHead {
			t.Errorf("the webhook was asked %s", r.Method)
		}
		w.WriteHeader(http.StatusMethodNotAllowed)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// webhook is the one that enable writes.
func hookTo(t *testing.T, target webhookconfig.Target) *Receiver {
	t.Helper()
	data := standin.Kubeconfig(t, target)
	w, err := Read(data, patch.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

var probe = &apiserver.Probe{Method: http.MethodGet, Path: "/api/v1/namespaces/default/configmaps/auditpatch-proof"}

func TestDelivered(t *testing.T) {
	const count = `rest_client_requests_total{code="%s",host="HOST",method="POST"} 1` + "\n"
	var (
		taken   = fmt.Sprintf(count, "200")
		failed  = fmt.Sprintf(count, "<error>")
		refused = fmt.Sprintf(count, "500")
	)
	for name, tc := range map[string]struct {
		url     func(testing.TB) string
		prepare func(a *controlplane.Node, metrics string)
		metrics string // besides those that are always there
		later   string // the same, after the probe
		probes  int
		want    string // the error; HOST stands for the webhook's
	}{
		"events were taken before anybody asked": {url: standin.Nobody, metrics: taken},
		"an answer after the probe":              {url: listener, later: taken, probes: 1},
		"a failure before it":                    {url: listener, metrics: failed, later: failed + taken, probes: 1},
		"refused":                                {url: listener, later: refused, probes: 1, want: "the webhook HOST does not take events: it answers 500 Internal Server Error"},
		"nobody listens": {url: standin.Nobody, later: failed, probes: 1,
			want: "the webhook HOST does not take events: connection refused"},
		"the API server fails where we do not": {url: listener, metrics: failed, later: failed, probes: 1,
			want: "the webhook HOST does not take events: the API server could not post to it within 3s, though this node reaches it"},
		"the batch was given up": {url: listener, later: `apiserver_audit_error_total{plugin="webhook"} 347` + "\n", probes: 1,
			prepare: func(a *controlplane.Node, _ string) {
				a.Write("var/log/pods/kube-system_kube-apiserver-cp_77/kube-apiserver/1.log",
					`2026-11-22T21:21:31.099260329Z stderr F E1122 21:21:31.098836       1 metrics.go:110] Error in audit plugin 'webhook' affecting 347 audit events: `+
						`Post "http://HOST/k8s-audit?timeout=30s": http: server gave HTTP response to HTTPS client`+"\n"+
						"2026-11-22T21:21:31.099260330Z stderr F Impacted events:\n")
			}, want: "the webhook HOST does not take events: http: server gave HTTP response to HTTPS client"},
		"nothing is posted": {url: listener, probes: 1,
			want: "whether the webhook HOST takes events is not proven: the API server posted nothing within 3s"},
		"nothing is posted, and nobody listens": {url: standin.Nobody, probes: 1, want: "the webhook HOST does not take events: connection refused"},
		"no right": {url: listener, prepare: func(a *controlplane.Node, _ string) { a.Refuses("/metrics", 403) },
			want: "whether the webhook HOST takes events is not proven: may not read /metrics (403)"},
		"metrics break": {url: listener, probes: 1, prepare: func(a *controlplane.Node, _ string) { a.Refuses("/metrics", 503) },
			want: "whether the webhook HOST takes events is not proven: /metrics could not be read: /metrics says 503"},
		"an admission webhook too": {url: listener, metrics: taken, prepare: func(a *controlplane.Node, host string) {
			a.Says("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
				`{"items":[{"webhooks":[{"clientConfig":{"url":"https://`+host+`/mutate"}}]}]}`)
		}, want: "whether the webhook HOST takes events is not proven: one of the mutatingwebhookconfigurations posts there too, and nobody counts the two apart"},
		"an authorizer too": {url: listener, metrics: taken, prepare: func(a *controlplane.Node, host string) {
			a.Server.Spec.Command = []string{"kube-apiserver", "--authorization-config=/etc/kubernetes/authz.yaml", "--v=2"}
			a.Write("etc/kubernetes/authz.yaml", "authorizers:\n- type: Webhook\n  webhook:\n    connectionInfo:\n      kubeConfigFile: /etc/kubernetes/authz.conf\n")
			a.Write("etc/kubernetes/authz.conf", "clusters:\n- cluster:\n    server: https://"+host+"/authorize\n")
		}, want: "whether the webhook HOST takes events is not proven: --authorization-config posts there too, and nobody counts the two apart"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := controlplane.New(t)
			to := hookTo(t, webhookconfig.Target{URL: tc.url(t) + "/k8s-audit"})
			to.within = 3 * time.Second
			here := strings.NewReplacer("HOST", to.Host)
			a.Says("/metrics", here.Replace(counters+tc.metrics))
			a.Answer(probe.Path, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNotFound)
				if tc.later != "" {
					a.Says("/metrics", here.Replace(counters+tc.later))
				}
			})
			if tc.prepare != nil {
				tc.prepare(a, to.Host)
			}
			err := to.Delivered(context.Background(), a.Server, probe)
			if got := fmt.Sprint(err); got != here.Replace(tc.want) && (err != nil || tc.want != "") {
				t.Errorf("got  %s\nwant %s", got, here.Replace(tc.want))
			}
			if n := a.Times(probe.Path); n != tc.probes {
				t.Errorf("the probe was sent %d times, want %d", n, tc.probes)
			}
		})
	}
}

func TestDeliveredInterrupted(t *testing.T) {
	t.Parallel()
	a := controlplane.New(t)
	a.Says("/metrics", counters)
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	to := hookTo(t, webhookconfig.Target{URL: standin.Nobody(t)})
	if err := to.Delivered(ctx, a.Server, nil); !errors.Is(err, wait.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// TestUnreachable compares the reasons that people get to read.
func TestUnreachable(t *testing.T) {
	t.Parallel()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	other := controlplane.New(t)
	address := strings.TrimPrefix(secure.URL, "https://")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	_, port, _ := net.SplitHostPort(address)

	for name, tc := range map[string]struct {
		target webhookconfig.Target
		change func(*Receiver)
		want   string
	}{
		"it can be reached":        {webhookconfig.Target{URL: listener(t)}, nil, ""},
		"nobody listens":           {webhookconfig.Target{URL: standin.Nobody(t)}, nil, "connection refused"},
		"no such name":             {webhookconfig.Target{URL: "http://falco.invalid:9765"}, nil, "falco.invalid: no such host"},
		"not its CA":               {webhookconfig.Target{URL: secure.URL}, nil, "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		"not its name":             {webhookconfig.Target{URL: "https://localhost:" + port, CA: ca}, nil, "tls: failed to verify certificate: x509: certificate is valid for example.com, *.example.com, not localhost"},
		"no client certificate":    {webhookconfig.Target{URL: secure.URL, CA: ca}, nil, "tls: certificate required"},
		"TLS to plain HTTP":        {webhookconfig.Target{URL: strings.Replace(listener(t), "http:", "https:", 1)}, nil, "http: server gave HTTP response to HTTPS client"},
		"files in the container":   {webhookconfig.Target{URL: secure.URL}, withFile, ""},
		"and nobody listens":       {webhookconfig.Target{URL: standin.Nobody(t)}, withFile, "connection refused"},
		"it answers, but with 404": {webhookconfig.Target{URL: other.Server.Base, CA: certificate(other)}, nil, ""},
	} {
		w := hookTo(t, tc.target)
		if tc.change != nil {
			tc.change(w)
		}
		got := w.unreachable(context.Background())
		if strings.HasPrefix(tc.want, "falco.invalid") && strings.HasPrefix(got, "falco.invalid: ") {
			continue // without a resolver the reason is another
		}
		if got != tc.want {
			t.Errorf("%s: got %q, want %q", name, got, tc.want)
		}
	}
}

func withFile(w *Receiver) {
	for _, c := range w.config.Clusters {
		c.CertificateAuthority = "/in/the/container/ca.crt"
	}
}

func certificate(a *controlplane.Node) []byte {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(a.Server.Base, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer conn.Close()
	cert := conn.ConnectionState().PeerCertificates[0]
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
}

// TestSilent waits for an answer that does not come.
func TestSilent(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := hookTo(t, webhookconfig.Target{URL: "http://" + l.Addr().String()})
	if got := w.unreachable(context.Background()); got != "no answer within 5 s" {
		t.Errorf("got %q", got)
	}
}

func TestReadWebhook(t *testing.T) {
	t.Parallel()
	const config = "apiVersion: v1\nkind: Config\nclusters:\n- name: a\n  cluster:\n    server: SERVER\n- name: b\n  cluster:\n    server: https://other\n" +
		"contexts:\n- name: x\n  context:\n    cluster: a\n    user: u\ncurrent-context: CONTEXT\n"
	for server, host := range map[string]string{
		"https://192.0.2.7":                      "192.0.2.7", // without the port, as client-go counts it
		"https://192.0.2.7:443/k8s-audit":        "192.0.2.7:443",
		"http://Falco.example.com:9765/?x=1":     "Falco.example.com:9765",
		"https://[2001:db8::1]:9765/":            "[2001:db8::1]:9765",
		"https://user:secret@192.0.2.7:8443/k8s": "192.0.2.7:8443",
		"192.0.2.7:8443":                         "192.0.2.7:8443",
		"falco:8443":                             "falco:8443",
	} {
		w, err := Read([]byte(strings.NewReplacer("SERVER", server, "CONTEXT", "x").Replace(config)), patch.Settings{})
		if err != nil || w.Host != host {
			t.Errorf("%s: got %v, %v", server, w, err)
		}
	}
	for text, want := range map[string]string{
		strings.NewReplacer("SERVER", "https://h", "CONTEXT", "gone").Replace(config):          "current-context leads to no cluster",
		strings.NewReplacer("SERVER", "https://u:secret@h:x/", "CONTEXT", "x").Replace(config): "the server is not a URL",
		strings.NewReplacer("SERVER", `""`, "CONTEXT", "x").Replace(config):                    "the server is not a URL",
	} {
		if _, err := Read([]byte(text), patch.Settings{}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := Read([]byte("kind: Config\nclusters: 7\n"), patch.Settings{}); err == nil {
		t.Error("a kubeconfig that cannot be read was read")
	}
}

func TestBatchWait(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		flags map[string]string
		want  time.Duration
	}{
		{nil, 30 * time.Second},
		{map[string]string{"mode": "batch", "batch-max-wait": "5s"}, 5 * time.Second},
		{map[string]string{"batch-max-wait": "-1s"}, 0},
		{map[string]string{"batch-max-size": "1", "batch-max-wait": "5s"}, 0},
		{map[string]string{"mode": "blocking", "batch-max-wait": "5s"}, 0},
		{map[string]string{"mode": "blocking-strict"}, 0},
	} {
		flags := maps.Collect(func(yield func(string, string) bool) {
			for k, v := range tc.flags {
				yield("audit-webhook-"+k, v)
			}
		})
		if got := batchWait(flags); got != tc.want {
			t.Errorf("%v: %s, want %s", flags, got, tc.want)
		}
	}
}

func TestMentions(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`"url":"https://192.0.2.7:8443/x"`:                  true,
		`"url":"https://192.0.2.7:8443"`:                    true,
		"server: https://192.0.2.7:8443\n":                  true,
		"https://192.0.2.7:8443":                            true,
		"https://192.0.2.7:84430/":                          false,
		"https://192.0.2.7:84430/, https://192.0.2.7:8443/": true,
		"https://x.192.0.2.7:8443/":                         false,
		"":                                                  false,
	} {
		if got := mentions(text, "192.0.2.7:8443"); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
	if mentions("https://falco:8443/", "falco") || mentions("https://falco.example.com/", "falco") {
		t.Error("another port or a longer name is taken for the same host")
	}
}
