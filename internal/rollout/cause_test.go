package rollout

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/standin"
	"auditpatch/internal/webhook"
	"auditpatch/patch"
)

func TestEtcdFault(t *testing.T) {
	up, down := standin.Silent(t), standin.Nobody(t)
	refused := func(server string) string {
		return `2026-11-22T11:20:04.1Z stderr F W1122 11:20:04.1 1 logging.go:55] [core] [Channel #1 SubChannel #2]grpc: addrConn.createTransport failed to connect to {Addr: "` +
			strings.TrimPrefix(server, "http://") + `", ServerName: "x", }. Err: connection error: desc = "transport: Error while dialing: dial tcp: connect: connection refused"` + "\n"
	}
	for name, c := range map[string]struct{ servers, said, want string }{
		"no etcd known":         {"", refused(up), ""},
		"all is well":           {up, "E1122 something else", ""},
		"nobody listens":        {down, "", "etcd (" + down + ") does not answer: connection refused"},
		"one of two listens":    {down + "," + up, "", ""},
		"a check fails":         {up, "/readyz says 500: etcd, etcd-readiness\n", "etcd (" + up + ") does not answer in time"},
		"another check fails":   {up, "/readyz says 500: poststarthook/rbac\nE1122 etcd is a word", ""},
		"its log names it":      {up, "x\n" + refused(up), "etcd (" + up + ") does not answer in time"},
		"it names another":      {up, refused("http://127.0.0.1:1"), ""},
		"connections cancelled": {up, strings.Replace(refused(up), "connection refused", "operation was canceled", 1), ""},
		"a request to it":       {up, `E1122 "etcdserver: request timed out"`, "etcd (" + up + ") does not answer in time"},
		"a socket":              {"unix:///run/etcd", refused(up), ""},
	} {
		command := []string{"kube-apiserver", "--etcd-servers=" + c.servers}
		if got := etcdFault(context.Background(), command, c.said); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// TestNotTheSettings wants what ends a wait to be named, and not the settings.
func TestNotTheSettings(t *testing.T) {
	down := standin.Nobody(t)
	etcd := "etcd (" + down + ") does not answer: connection refused"
	refusing, _ := standin.Receiver(t, 503, 0)
	to := receives(t, refusing, "blocking")
	hook := "the webhook " + to.Host + " does not take events: it answers 503 Service Unavailable; with --audit-webhook-mode=blocking every request waits for it"
	for name, c := range map[string]struct {
		words, etcd string
		hook        *webhook.Receiver
		want        string
	}{
		"the settings":          {"unknown flag: --x", down, nil, "kube-apiserver does not start with these settings: unknown flag: --x"},
		"etcd":                  {"context deadline exceeded", down, to, "kube-apiserver does not start: " + etcd + "; its log ends: context deadline exceeded"},
		"etcd, without a word":  {"", down, nil, "kube-apiserver does not start: " + etcd},
		"the webhook":           {"Error in audit plugin 'webhook' affecting 1 audit events: x", "", to, "kube-apiserver does not start: " + hook + "; its log ends: Error in audit plugin 'webhook' affecting 1 audit events: x"},
		"nothing else is known": {"exit", "", nil, "kube-apiserver does not start with these settings: exit"},
	} {
		w := &watch{deathCount: deathCount{words: c.words}, wanted: wanted{hook: c.hook}, server: &apiserver.Server{Spec: patch.Server{Command: []string{"kube-apiserver", "--etcd-servers=" + c.etcd}}}}
		if got := w.died().Error(); got != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.want)
		}
	}

	m := newMachine(t)
	w := m.watch()
	w.hook, w.timeout, w.drain = to, time.Second, nil
	m.Start(20, "kube-apiserver", "--new")
	m.answer(http.StatusInternalServerError)
	want := "kube-apiserver runs but was not ready within 1s: /readyz says 500; " + hook
	if err := w.run(context.Background()); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
