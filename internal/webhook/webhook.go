package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpproxy"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
	"auditpatch/patch"

	"auditpatch/internal/lazyregexp"
)

// kube-apiserver posts audit events with client-go, which counts every answer
// and every failure by host; its log says nothing before it gives a batch up,
// after 80 s and more. The counters begin at 0 with the process: one answer from
// 200 to 206 shows that this process reached the receiver, past TLS and
// credentials, and that a batch was taken. Which events were in it nobody counts.

var (
	// webhookPoll is slower than other polls: /metrics has megabytes.
	webhookPoll = wait.Scaled(time.Second)
	// webhookMargin on top of a batch's wait is enough for a first failure and,
	// with kube-apiserver's own initial backoff of 10 s, for one more try.
	webhookMargin = wait.Scaled(15 * time.Second)
	// defaultBatchWait is kube-apiserver's for the webhook, in all versions.
	defaultBatchWait = wait.Scaled(30 * time.Second)
	// longestBatchWait is how much of a batch's wait is waited for.
	longestBatchWait = time.Minute
)

// Receiver is where kube-apiserver posts audit events.
type Receiver struct {
	// Host is the HOST or HOST:PORT of the URL as the kubeconfig spells it:
	// under that name deliveries are counted.
	Host string

	within time.Duration // a first delivery has to be counted
	Mode   string        // --audit-webhook-mode
	server *url.URL
	config *clientcmdapi.Config
	proxy  patch.Proxy // that kube-apiserver has
}

// Read takes a webhook out of its kubeconfig and the settings that name it.
func Read(kubeconfig []byte, of patch.Settings) (*Receiver, error) {
	cfg, err := clientcmd.Load(kubeconfig)
	if err != nil {
		return nil, err
	}
	context, ok := cfg.Contexts[cfg.CurrentContext]
	if !ok || cfg.Clusters[context.Cluster] == nil {
		return nil, errors.New("current-context leads to no cluster")
	}
	server := cfg.Clusters[context.Cluster].Server
	if !strings.Contains(server, "://") {
		server = "http://" + server // as client-go does (rest.DefaultServerURL)
	}
	u, err := url.Parse(server)
	if err != nil || u.Host == "" {
		return nil, errors.New("the server is not a URL") // it may hold a password
	}
	within := min(batchWait(of.Flags), longestBatchWait) + webhookMargin
	return &Receiver{Host: u.Host, within: within, Mode: of.Flags["audit-webhook-mode"], server: u, config: cfg, proxy: of.Proxy}, nil
}

// batchWait is how long kube-apiserver may hold an event back for others to come.
func batchWait(flags map[string]string) time.Duration {
	mode, size := flags["audit-webhook-mode"], flags["audit-webhook-batch-max-size"]
	if mode != "" && mode != "batch" || size == "1" {
		return 0
	}
	if wait, err := time.ParseDuration(flags["audit-webhook-batch-max-wait"]); err == nil {
		return max(wait, 0)
	}
	return defaultBatchWait
}

// Undelivered says that a webhook does not take events. It is no reason to put
// anything back: kube-apiserver runs without its webhook, and tries again.
type Undelivered struct{ Host, Cause string }

func (e *Undelivered) Error() string {
	return fmt.Sprintf("the webhook %s does not take events: %s", e.Host, e.Cause)
}

// Unproven says why it cannot be told whether a webhook takes events.
type Unproven struct{ Host, Reason string }

func (e *Unproven) Error() string {
	return fmt.Sprintf("whether the webhook %s takes events is not proven: %s", e.Host, e.Reason)
}

// Delivered returns nil when the webhook has taken events of this process. The
// probe makes sure that there is an event to post; without one (nil) ordinary
// traffic has to do. Else the error is an *Undelivered, an *Unproven or
// ErrInterrupted.
func (w *Receiver) Delivered(ctx context.Context, s *apiserver.Server, probe *apiserver.Probe) error {
	if who := alsoPosts(ctx, s, w.Host); who != "" {
		return w.verdict(ctx, &Unproven{w.Host, who + " posts there too, and nobody counts the two apart"})
	}
	deadline := time.Now().Add(w.within)
	for {
		began := time.Now()
		seen, err := s.Deliveries(ctx, w.Host)
		switch {
		case ctx.Err() != nil:
			return wait.ErrInterrupted
		case errors.Is(err, apiserver.ErrNoRight):
			return w.verdict(ctx, &Unproven{w.Host, err.Error()})
		case seen.Taken > 0:
			return nil
		}
		if cause := w.refusal(ctx, s, seen); cause != "" && ctx.Err() == nil {
			return &Undelivered{w.Host, cause}
		}
		if time.Now().After(deadline) {
			return w.verdict(ctx, w.undecided(seen, err))
		}
		if probe != nil {
			if _, err := s.Ask(ctx, probe.Method, probe.Path); err == nil {
				probe = nil // one event is enough
			}
		}
		select {
		case <-ctx.Done():
			return wait.ErrInterrupted
		case <-time.After(max(webhookPoll, 4*time.Since(began))): // large clusters count much
		}
	}
}

// verdict is how a wait ends that the counters did not decide: a receiver that
// cannot be reached from here takes no events from kube-apiserver either.
func (w *Receiver) verdict(ctx context.Context, undecided error) error {
	cause := w.unreachable(ctx)
	switch {
	case ctx.Err() != nil:
		return wait.ErrInterrupted
	case cause != "":
		return &Undelivered{w.Host, cause}
	}
	return undecided
}

// undecided says what was seen until the end of a wait.
func (w *Receiver) undecided(seen apiserver.Deliveries, err error) error {
	switch {
	case err != nil:
		return &Unproven{w.Host, "/metrics could not be read: " + err.Error()}
	case seen.Failed > 0:
		return &Undelivered{w.Host, fmt.Sprintf("the API server could not post to it within %s, though this node reaches it", w.within)}
	}
	return &Unproven{w.Host, fmt.Sprintf("the API server posted nothing within %s", w.within)}
}

// refusal is why the receiver refuses what was posted so far, "" if it does not.
// A failed connection has no reason in the counters, so it is tried from here:
// kube-apiserver has the node's network. When that succeeds, the receiver has
// come up meanwhile, and kube-apiserver's next try decides.
func (w *Receiver) refusal(ctx context.Context, s *apiserver.Server, seen apiserver.Deliveries) string {
	switch {
	case seen.Answered != "":
		return "it answers " + seen.Answered
	case seen.Failed > 0:
		if words := lastPost(s); words != "" {
			return words
		}
		return w.unreachable(ctx)
	}
	return ""
}

// webhookError is how kube-apiserver begins what it says of a batch that it
// gave up (k8s.io/apiserver/pkg/audit, HandlePluginError); the URL and the
// reason follow.
const webhookError = "Error in audit plugin 'webhook' affecting "

// lastPost is the reason that the API server itself gave for a failed
// delivery, "" when that was not the last error in its log.
func lastPost(s *apiserver.Server) string {
	_, words, _ := strings.Cut(s.LastWords(), webhookError)
	_, cause, _ := strings.Cut(words, ": ")
	if _, rest, ok := strings.Cut(cause, `": `); ok && strings.HasPrefix(cause, "Post ") {
		cause = rest
	}
	return cause
}

// unreachable asks the webhook itself, with the credentials that kube-apiserver
// has, and returns why nobody answers. HEAD changes nothing; whatever the
// answer is, the receiver can be reached.
func (w *Receiver) unreachable(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, cause := w.send((&http.Request{Method: http.MethodHead, URL: w.server, Close: true}).WithContext(ctx))
	return cause
}

// send sends a request with the credentials that kube-apiserver has. cause is why
// nobody answers; code is 0 also when only a connection could be tried from here.
func (w *Receiver) send(req *http.Request) (code int, cause string) {
	ctx := req.Context()
	rc, err := w.credentials()
	if err != nil {
		return 0, w.closed(ctx)
	}
	client, err := rest.HTTPClientFor(rc)
	if err != nil {
		return 0, w.closed(ctx)
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return 0, cmp.Or(w.alert(ctx, rc), w.netCause(err))
	}
	resp.Body.Close()
	return resp.StatusCode, ""
}

// netCause says also that it was a proxy's answer, or may have been.
func (w *Receiver) netCause(err error) string {
	if w.detour() {
		return apiserver.NetCause(err) + ", by way of a proxy"
	}
	return apiserver.NetCause(err)
}

// alert is what a receiver says that ends a connection after the handshake, ""
// when it does not. With TLS 1.3 that is how it refuses a certificate, and a
// client that is writing already may learn no more than that the pipe is broken.
func (w *Receiver) alert(ctx context.Context, rc *rest.Config) string {
	config, err := rest.TLSConfigFor(rc)
	if err != nil || config == nil || w.server.Scheme != "https" || w.detour() {
		return ""
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", w.address())
	if err != nil {
		return apiserver.NetCause(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(time.Second)) // else it waits for the request
	var timeout net.Error
	_, err = conn.Read(make([]byte, 1))
	if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		return ""
	}
	return apiserver.NetCause(err)
}

// address is HOST:PORT.
func (w *Receiver) address() string {
	port := w.server.Port()
	if port == "" {
		port = w.server.Scheme // its name is its default port's
	}
	return net.JoinHostPort(w.server.Hostname(), port)
}

// credentials are how the webhook is reached; an error when the kubeconfig names files,
// which lie in the container, or a program to run, or when nobody here knows the
// proxy that kube-apiserver takes.
func (w *Receiver) credentials() (*rest.Config, error) {
	for _, user := range w.config.AuthInfos {
		if user.Exec != nil || user.AuthProvider != nil {
			return nil, errors.New("a program has the credentials")
		}
	}
	rc, err := clientcmd.NewDefaultClientConfig(*w.config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, err
	}
	if w.proxy.Unknown != "" && rc.Proxy == nil {
		return nil, fmt.Errorf("%s is not in the manifest", w.proxy.Unknown)
	}
	if rc.Proxy == nil { // else the kubeconfig names one
		rc.Proxy = func(r *http.Request) (*url.URL, error) { return w.serverProxy(r.URL) }
	}
	return rc, nil
}

// serverProxy is the proxy that kube-apiserver takes by its environment, which is
// not that of this program.
func (w *Receiver) serverProxy(to *url.URL) (*url.URL, error) {
	env := httpproxy.Config{HTTPProxy: w.proxy.HTTP, HTTPSProxy: w.proxy.HTTPS, NoProxy: w.proxy.NoProxy}
	return env.ProxyFunc()(to)
}

// detour tells whether the webhook is reached through a proxy, or may be.
func (w *Receiver) detour() bool {
	proxy, err := w.serverProxy(w.server)
	cluster := w.config.Clusters[w.config.Contexts[w.config.CurrentContext].Cluster]
	return proxy != nil || err != nil || w.proxy.Unknown != "" || cluster.ProxyURL != ""
}

// closed is why the port cannot be reached, "" also when only a proxy could tell.
func (w *Receiver) closed(ctx context.Context) string {
	if w.detour() {
		return ""
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", w.address())
	if err != nil {
		return apiserver.NetCause(err)
	}
	conn.Close()
	return ""
}

// alsoPosts tells what else kube-apiserver posts to a host, "" for nothing: all
// its webhooks are counted by host and nothing else. Files are looked for where
// the container has them. Without the right to list admission webhooks none is
// found.
func alsoPosts(ctx context.Context, s *apiserver.Server, host string) string {
	for _, kind := range []string{"validatingwebhookconfigurations", "mutatingwebhookconfigurations"} {
		var text []byte
		err := s.Get(ctx, "/apis/admissionregistration.k8s.io/v1/"+kind, func(body io.Reader) (err error) {
			text, err = io.ReadAll(io.LimitReader(body, 64<<20))
			return err
		})
		if err == nil && mentions(string(text), host) {
			return "one of the " + kind
		}
	}
	for _, arg := range s.Spec.Command {
		name, file, _ := strings.Cut(arg, "=") // as kubeadm writes flags
		if slices.Contains(webhookFlags, name) && names(s, file, host) {
			return name
		}
	}
	return ""
}

// webhookFlags are those whose files lead to other webhooks.
var webhookFlags = []string{
	"--authentication-token-webhook-config-file", "--authorization-webhook-config-file", "--authorization-config", "--admission-control-config-file",
}

var kubeconfigField = lazyregexp.New(`kubeConfigFile["']?:\s*["']?([^"'\s,}]+)`)

// names tells whether a file has a URL on a host, or names a kubeconfig that has.
func names(s *apiserver.Server, file, host string) bool {
	f, err := s.Node.Read(file)
	if err != nil || mentions(string(f.Data), host) {
		return err == nil
	}
	return slices.ContainsFunc(kubeconfigField().FindAllSubmatch(f.Data, -1), func(m [][]byte) bool {
		f, err := s.Node.Read(string(m[1]))
		return err == nil && mentions(string(f.Data), host)
	})
}

// mentions tells whether a text has a URL on exactly this host and port.
func mentions(text, host string) bool {
	for {
		_, rest, found := strings.Cut(text, "//"+host)
		if !found || rest == "" || strings.IndexByte("/?#\"' \t\r\n", rest[0]) >= 0 {
			return found
		}
		text = rest
	}
}
