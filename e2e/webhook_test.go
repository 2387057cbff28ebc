//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// webhookAddress is where the receiver listens. kube-apiserver has the node's network.
const webhookAddress = "127.0.0.1:9765"

// soon spares a test kube-apiserver's own 30 s.
const soon = "--audit-webhook-batch-max-wait=2s"

// TestWebhook wants events to arrive over TLS with a client certificate: the same as in the
// log, and then, without a log, alone.
func TestWebhook(t *testing.T) {
	l := begin(t)
	r := l.receiver("-cert", "server.crt", "-key", "server.key", "-client-ca", "ca.crt")
	enable := []string{"enable", "--webhook-url", "https://" + webhookAddress + "/k8s-audit",
		"--webhook-ca", r.file("ca.crt"), "--webhook-client-cert", r.file("client.crt"), "--webhook-client-key", r.file("client.key"), soon}

	said := l.replaces(enable...)
	l.wantSaid(said, "found in the log", "webhook "+webhookAddress+" takes events", "audit logging is on")
	l.kubectl("-n", "default", "create", "configmap", "posted")
	defer l.node.Kubectl(context.Background(), "-n", "default", "delete", "configmap", "posted")
	created := event{user: "kubernetes-admin", verb: "create", resource: "configmaps", namespace: "default", name: "posted", code: 201}
	logged := l.wantEvent(created)
	posted := r.want(created)
	if posted.AuditID != string(logged.AuditID) || posted.Client != "audit-client" {
		l.Fatalf("posted %+v by %q, logged %s", posted.AuditID, posted.Client, logged.AuditID)
	}
	l.stays(func() { l.auditpatch(0, enable...) })

	said = l.replaces(append(enable, "--audit-log-path=")...)
	l.wantSaid(said, "webhook "+webhookAddress+" takes events", "audit logging is on")
	l.wantNotSaid(said, "not proven", "found in the log")
	l.kubectl("-n", "default", "delete", "configmap", "posted")
	r.want(event{user: "kubernetes-admin", verb: "delete", resource: "configmaps", namespace: "default", name: "posted", code: 200})
	l.logIsQuiet()
}

// TestWebhookFalco posts as Falco's documentation has it: plain HTTP.
func TestWebhookFalco(t *testing.T) {
	l := begin(t)
	r := l.receiver()
	said := l.replaces("enable", "--webhook-url", "http://"+webhookAddress+"/k8s-audit", "--audit-webhook-mode", "blocking")
	l.wantSaid(said, "plain http", "found in the log", "webhook "+webhookAddress+" takes events")
	l.kubectl("-n", "kube-system", "exec", "etcd-"+l.node.Name(), "--", "etcd", "--version")
	r.want(event{user: "kubernetes-admin", resource: "pods", namespace: "kube-system", name: "etcd-" + l.node.Name(), code: 101})
}

// TestWebhookUnreachable wants a webhook where nobody listens to be no reason to undo anything.
func TestWebhookUnreachable(t *testing.T) {
	l := begin(t)
	said := l.replaces("enable", "--webhook-url", "https://"+webhookAddress+"/k8s-audit", soon)
	l.wantSaid(said, "found in the log", "audit logging is on",
		"auditpatch: warning: the webhook "+webhookAddress+" does not take events: connection refused")
	l.wantNotSaid(said, "takes events\n")
	l.kubectl("-n", "default", "get", "secrets")
	l.wantEvent(event{user: "kubernetes-admin", verb: "list", resource: "secrets", code: 200})
}

// TestWebhookRefuses wants the reason why a receiver that is there takes nothing. An API
// server that cannot hand its events over ends after the kubelet's 30 s only, so there are
// no more cases here than two; the unit tests have the others.
func TestWebhookRefuses(t *testing.T) {
	l := begin(t)
	const server = "-cert server.crt -key server.key"
	for _, tc := range []struct{ receiver, ca, want string }{
		{server + " -status 500", "ca.crt", "it answers 500 Internal Server Error"},
		{server + " -client-ca ca.crt", "ca.crt", "tls: certificate required"},
	} {
		r := l.receiver(strings.Fields(tc.receiver)...)
		said := l.replaces("enable", "--webhook-url", "https://"+webhookAddress+"/k8s-audit", "--webhook-ca", r.file(tc.ca), soon)
		l.wantSaid(said, "found in the log", "auditpatch: warning: the webhook "+webhookAddress+" does not take events: "+tc.want)
		r.stop()
	}
}

// replaces wants auditpatch to replace the API server's process once, and returns what it
// said. How often it writes the manifest for that depends on the old settings, and is for
// other tests.
func (l *lab) replaces(args ...string) string {
	l.Helper()
	old, from := l.server(), time.Now()
	said := l.auditpatch(0, args...)
	seen, err := l.node.Updates(l.ctx, from, time.Now())
	if err != nil {
		l.Fatal(err)
	}
	l.node.Intend(seen.Remove)
	if now := l.server(); now.PID == old.PID {
		l.Fatalf("kube-apiserver is still pid %d", now.PID)
	}
	return said
}

func (l *lab) wantSaid(said string, want ...string) {
	l.Helper()
	for _, text := range want {
		if !strings.Contains(said, text) {
			l.Fatalf("auditpatch does not say %q:\n%s", text, said)
		}
	}
}

func (l *lab) wantNotSaid(said string, unwanted ...string) {
	l.Helper()
	for _, text := range unwanted {
		if strings.Contains(said, text) {
			l.Fatalf("auditpatch says %q:\n%s", text, said)
		}
	}
}

// receiver is the program in the folder receiver, running in the node.
type receiver struct {
	l   *lab
	pid string // "" when it is stopped
}

// receiverDir has its files in the node.
const receiverDir = "/root/e2e-receiver"

func (r *receiver) file(name string) string { return path.Join(receiverDir, name) }

// receiver starts one with these flags; files are named without their folder. It and its
// files are gone after the test.
func (l *lab) receiver(flags ...string) *receiver {
	l.Helper()
	r := &receiver{l: l}
	program := filepath.Join(l.TempDir(), "receiver")
	build := exec.CommandContext(l.ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./receiver")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.Fatalf("build the receiver: %v\n%s", err, out)
	}
	l.exec("rm", "-rf", receiverDir)
	l.exec("mkdir", "-m", "0700", receiverDir)
	if err := l.node.CopyIn(l.ctx, program, r.file("receiver")); err != nil {
		l.Fatal(err)
	}
	for name, data := range l.certificates() {
		if err := l.node.WriteFileAtomically(l.ctx, r.file(name), data); err != nil {
			l.Fatal(err)
		}
	}
	l.Cleanup(r.stop)
	r.start(flags)
	return r
}

// start returns when it listens, and nobody else does.
func (r *receiver) start(flags []string) {
	r.l.Helper()
	const script = `cd "$0" && { setsid ./receiver -listen "$@" >receiver.log 2>&1 </dev/null & } && echo $! &&
		for i in $(seq 50); do
			sleep .1; kill -0 $! || break; (: </dev/tcp/${1/://}) 2>/dev/null && exit
		done; cat receiver.log >&2; exit 1`
	stdout, stderr, exit := r.l.node.Exec(r.l.ctx, append([]string{"bash", "-c", script, receiverDir, webhookAddress}, flags...)...)
	if r.pid = strings.TrimSpace(stdout); exit != 0 {
		r.l.Fatalf("the receiver does not start: %s", stderr)
	}
}

// stop ends it, and shows what it said when the test has failed. The test's own context is
// over by then.
func (r *receiver) stop() {
	if r.pid == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if r.l.Failed() {
		said, _, _ := r.l.node.Exec(ctx, "sh", "-c", `cd "$0" && cat receiver.log && tail -n 20 events.jsonl`, receiverDir)
		r.l.Logf("the receiver:\n%s", said)
	}
	r.l.node.Exec(ctx, "kill", r.pid)
	r.l.node.Exec(ctx, "rm", "-rf", receiverDir)
	r.pid = ""
}

// posted is what the receiver noted of an event.
type posted struct {
	AuditID, Verb, User, Namespace, Resource, Name, Client string
	Code                                                   int32
}

// want waits for an event; kube-apiserver may hold it back for 30 s.
func (r *receiver) want(want event) posted {
	r.l.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		all := r.l.read(r.file("events.jsonl"))
		for line := range strings.Lines(all) {
			var p posted
			if err := json.Unmarshal([]byte(line), &p); err != nil {
				r.l.Fatalf("%v in %q", err, line)
			}
			if want.fits(p.event()) {
				return p
			}
		}
		if time.Now().After(deadline) {
			r.l.Fatalf("none of the %d events that were posted is %+v", strings.Count(all, "\n"), want)
		}
	}
}

// event is the same as an audit event.
func (p posted) event() *auditv1.Event {
	e := &auditv1.Event{Verb: p.Verb, ObjectRef: &auditv1.ObjectReference{Namespace: p.Namespace, Resource: p.Resource, Name: p.Name}}
	e.User.Username = p.User
	e.ResponseStatus = &metav1.Status{Code: p.Code}
	return e
}

// certificates are a CA, and what it signed for the receiver and for kube-apiserver.
func (l *lab) certificates() map[string][]byte {
	l.Helper()
	files := map[string][]byte{}
	sign := func(name string, template, issuer *x509.Certificate, issuerKey *ecdsa.PrivateKey) *ecdsa.PrivateKey {
		l.Helper()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			l.Fatal(err)
		}
		if issuerKey == nil {
			issuerKey = key
		}
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
		cert, err := x509.CreateCertificate(rand.Reader, template, issuer, &key.PublicKey, issuerKey)
		if err != nil {
			l.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			l.Fatal(err)
		}
		files[name+".crt"] = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
		files[name+".key"] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		return key
	}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e CA"},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	caKey := sign("ca", ca, ca, nil)
	sign("server", &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "receiver"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, ca, caKey)
	sign("client", &x509.Certificate{SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "audit-client"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, ca, caKey)
	return files
}
