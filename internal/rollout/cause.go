package rollout

import (
	"context"
	"net"
	"net/url"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/proc"
	"auditpatch/internal/webhook"
)

// notSettings is why an API server dies that has nothing to say against its
// settings.
func (w *watch) notSettings() string {
	if hopeless(w.words) && !strings.Contains(w.words, pluginError) {
		return ""
	}
	return w.elsewhere(w.log)
}

// pluginError is what an API server says of events that are lost, which is no
// word against a setting.
const pluginError = "Error in audit plugin"

// elsewhere is what, other than its settings, keeps a new API server from getting
// ready, "" when nothing speaks for it: an etcd that does not answer, or a webhook
// that every request waits for. said is what /readyz and the API server's log say.
func (w *watch) elsewhere(said string) string {
	ctx, cancel := context.WithTimeout(context.Background(), webhook.AnswerWithin+etcdWithin)
	defer cancel()
	if cause := etcdFault(ctx, w.server.Spec.Command, said); cause != "" {
		return cause
	}
	if w.hook == nil {
		return ""
	}
	if cause := w.hook.Refuses(ctx); cause != "" {
		return (&webhook.Blocked{Undelivered: webhook.Undelivered{Host: w.hook.Host, Cause: cause}, Mode: w.hook.Mode}).Error()
	}
	return ""
}

// or puts a cause behind a sentence.
func or(sentence, cause string) string {
	if cause == "" {
		return sentence
	}
	return sentence + "; " + cause
}

// etcdWithin is how long etcd may take to accept a connection.
const etcdWithin = 2 * time.Second

// etcdFault says that etcd does not answer, as far as a connection, a check of
// /readyz or the API server's log tell; "" when none of them does.
func etcdFault(ctx context.Context, command []string, said string) string {
	servers := proc.Flag(command, "etcd-servers")
	if servers == "" {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, etcdWithin)
	defer cancel()
	var refused error
	for _, server := range strings.Split(servers, ",") {
		u, err := url.Parse(server)
		if err != nil || u.Port() == "" {
			return "" // a socket, or nothing that is known here
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
		if err == nil {
			conn.Close()
			refused = nil
			break
		}
		refused = err
	}
	switch {
	case refused != nil:
		return "etcd (" + servers + ") does not answer: " + apiserver.NetCause(refused)
	case namesEtcd(said, servers):
		return "etcd (" + servers + ") does not answer in time"
	}
	return ""
}

// namesEtcd tells whether the API server complains of its etcd: by a check of
// /readyz (storage/etcd3's, in the apiserver library), or in its log, where gRPC names
// the address that it cannot reach.
func namesEtcd(said, servers string) bool {
	for line := range strings.Lines(said) {
		switch {
		case strings.HasPrefix(line, "/readyz says") && strings.Contains(line, "etcd"),
			strings.Contains(line, "etcdserver:"),
			strings.Contains(line, "Unable to create storage backend"):
			return true
		case !strings.Contains(line, "createTransport failed") || strings.Contains(line, "canceled"):
			continue
		}
		for _, server := range strings.Split(servers, ",") {
			if _, address, _ := strings.Cut(server, "://"); strings.Contains(line, `"`+strings.TrimSuffix(address, "/")+`"`) {
				return true
			}
		}
	}
	return false
}

// lastly puts last words behind a sentence.
func lastly(words string) string {
	if words == "" {
		return ""
	}
	return "; its log ends: " + words
}
