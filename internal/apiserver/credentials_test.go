package apiserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/node"
	"auditpatch/internal/standin"
	"auditpatch/patch"
)

// authority is a cluster's CA.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	a.cert, a.key = a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "kubernetes"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
	return a
}

// sign makes a certificate that is valid for a while, or was until then.
func (a *authority) sign(template *x509.Certificate, until time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, _ = rand.Int(rand.Reader, big.NewInt(1<<60))
	if template.NotAfter = time.Now().Add(until); template.NotBefore.IsZero() {
		template.NotBefore = template.NotAfter.Add(-48 * time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

// kubeconfig is one of kubeadm's, for a user.
func (a *authority) kubeconfig(user string, until time.Duration, change ...func(*x509.Certificate)) string {
	a.t.Helper()
	template := &x509.Certificate{Subject: pkix.Name{CommonName: user, Organization: []string{"test"}}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	for _, f := range change {
		f(template)
	}
	cert, key := a.sign(template, until)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	b64 := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return fmt.Sprintf("apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: k\n  cluster: {server: 'https://balancer:6443', proxy-url: 'http://192.0.2.1:3128', certificate-authority-data: %s}\n"+
		"contexts:\n- name: c\n  context: {cluster: k, user: u}\nusers:\n- name: u\n  user: {client-certificate-data: %s, client-key-data: %s}\n",
		b64("CERTIFICATE", a.cert.Raw), b64("CERTIFICATE", cert.Raw), b64("PRIVATE KEY", der))
}

// doorkeeper is an API server that lets some users in, and notes who came.
type doorkeeper struct {
	spec  patch.Server
	users map[string]bool
	mu    sync.Mutex
	came  []string
}

func newDoorkeeper(t *testing.T, ca *authority, users ...string) *doorkeeper {
	d := &doorkeeper{users: map[string]bool{}}
	for _, u := range users {
		d.users[u] = true
	}
	cert, key := ca.sign(&x509.Certificate{DNSNames: []string{"kubernetes"}}, time.Hour)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := "-"
		if len(r.TLS.PeerCertificates) > 0 {
			who = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.came = append(d.came, who)
		if body, _ := io.ReadAll(r.Body); r.Method == http.MethodPatch && string(body) != "body" {
			t.Errorf("%s sent %q", who, body)
		}
		if !d.users[who] {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	host, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	n, _ := strconv.Atoi(port)
	d.spec = patch.Server{Address: host, Port: n}
	return d
}

// TestCredentials tries one kubeconfig after the other, and remembers which opened.
func TestCredentials(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	expired := time.Now().Add(-time.Hour).UTC().Format(time.DateOnly)
	later := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	notYet := func(c *x509.Certificate) { c.NotBefore = later }
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		admin, super, kubelet string // their contents, "" for none
		users                 []string
		came                  string // who asked, in two requests
		code                  int
		skipped               []string // why, and the hint
		err                   string
	}{
		"the first opens": {admin: ca.kubeconfig("admin", day), super: ca.kubeconfig("super", day), users: []string{"admin"}, came: "admin admin", code: 200},
		"none":            {came: "- -", code: 401},
		"expired": {admin: ca.kubeconfig("admin", -time.Hour), super: ca.kubeconfig("super", day), users: []string{"super"}, came: "super super", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: its client certificate expired on " + expired, "kubeadm certs renew admin.conf"}},
		"not valid yet": {admin: ca.kubeconfig("admin", day, notYet), kubelet: ca.kubeconfig("node", day), users: []string{"node"}, came: "node node", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: its client certificate is valid from " + later.Format(time.RFC3339) + " on, and this machine's clock says NOW", "timedatectl"}},
		"refused": {admin: ca.kubeconfig("admin", day), super: ca.kubeconfig("super", day), kubelet: ca.kubeconfig("node", day), users: []string{"node"},
			came: "admin super node node", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: the API server does not know them (401)", "kubeadm certs renew admin.conf",
				"/etc/kubernetes/super-admin.conf: the API server does not know them (401)", "kubeadm certs renew super-admin.conf"}},
		"of a cluster before": {admin: other.kubeconfig("admin", day), super: ca.kubeconfig("super", day), users: []string{"super", "admin"}, came: "super super", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: its CA has not signed the API server's certificate", "kubeadm certs check-expiration"}},
		"not a kubeconfig": {admin: "kind: Config\ncurrent-context: gone\n", super: ca.kubeconfig("super", day), users: []string{"super"}, came: "super super", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: invalid configuration: [context was not found for specified context: gone, cluster has no server defined]",
				"mv /etc/kubernetes/admin.conf /etc/kubernetes/admin.conf.old; kubeadm init phase kubeconfig admin"}},
		"unreadable": {admin: "DIRECTORY", super: ca.kubeconfig("super", day), users: []string{"super"}, came: "super super", code: 200,
			skipped: []string{"/etc/kubernetes/admin.conf: is a directory", "mv /etc/kubernetes/admin.conf /etc/kubernetes/admin.conf.old; kubeadm init phase kubeconfig admin"}},
		"refused, all": {admin: ca.kubeconfig("admin", day), kubelet: ca.kubeconfig("node", day), came: "admin node node", code: 401,
			skipped: []string{"/etc/kubernetes/admin.conf: the API server does not know them (401)", "kubeadm certs renew admin.conf"}},
		"expired, all": {admin: ca.kubeconfig("admin", -time.Hour), came: "- -", code: 401,
			skipped: []string{"/etc/kubernetes/admin.conf: its client certificate expired on " + expired, "kubeadm certs renew admin.conf"},
			err:     "no credentials of this node open the API server: /etc/kubernetes/admin.conf: its client certificate expired on " + expired},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDoorkeeper(t, ca, c.users...)
			n := node.New(t.TempDir(), "")
			for file, text := range map[string]string{Credentials[0]: c.admin, Credentials[1]: c.super, Credentials[2]: c.kubelet} {
				m := standin.Tree{T: t, Root: n.Root}
				if text == "DIRECTORY" {
					m.Mkdir(file)
				} else if text != "" {
					m.Write(file, text)
				}
			}
			s := New(n, d.spec)
			if none := s.NoCredentials(); s.User == "" && len(s.Skipped()) > 0 && none.Error() != c.err || s.User != "" && c.err != "" {
				t.Errorf("user %q, error %v, want %q", s.User, none, c.err)
			}
			for range 2 {
				code, _, err := s.Call(context.Background(), http.MethodPatch, "/x", "text/plain", []byte("body"))
				if err != nil || code != c.code {
					t.Errorf("%d, %v; want %d", code, err, c.code)
				}
			}
			if got := strings.Join(d.came, " "); got != c.came {
				t.Errorf("asked: %s; want %s", got, c.came)
			}
			var skipped []string
			for _, e := range s.Skipped() {
				reason, _, found := strings.Cut(e.Error(), "clock says ")
				if found {
					reason += "clock says NOW"
				}
				skipped = append(skipped, reason, e.Hint.String())
			}
			if diff := cmp.Diff(c.skipped, skipped); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCredentialsElsewhere keeps credentials that only another API server refuses.
func TestCredentialsElsewhere(t *testing.T) {
	ca := newAuthority(t)
	own, peer := newDoorkeeper(t, ca, "admin", "super"), newDoorkeeper(t, newAuthority(t), "super")
	n := node.New(t.TempDir(), "")
	m := standin.Tree{T: t, Root: n.Root}
	m.Write(Credentials[0], ca.kubeconfig("admin", time.Hour))
	m.Write(Credentials[1], ca.kubeconfig("super", time.Hour))
	s := New(n, own.spec)
	ready, why := s.At("https://" + net.JoinHostPort(peer.spec.Address, strconv.Itoa(peer.spec.Port))).Ready(context.Background())
	if want := "/etc/kubernetes/super-admin.conf: its CA has not signed the API server's certificate"; ready || why != want {
		t.Errorf("got %v, %s; want %s", ready, why, want)
	}
	if user, groups := s.Identity(context.Background()); user != "admin" || len(groups) != 2 || s.Skipped() != nil {
		t.Errorf("%s %v, skipped %v", user, groups, s.Skipped())
	}
}

// TestNoProxy wants no request to this node to go through the proxy of the
// environment, which is read once a process, or of a kubeconfig.
func TestNoProxy(t *testing.T) {
	for i, transport := range proxied(t) {
		if reflect.ValueOf(transport.Proxy).Pointer() != reflect.ValueOf(noProxy).Pointer() {
			t.Errorf("client %d goes by another proxy", i)
		}
	}
}

// proxied are the transports of Servers with and without credentials.
func proxied(t *testing.T) []*http.Transport {
	ca := newAuthority(t)
	n := node.New(t.TempDir(), "")
	(standin.Tree{T: t, Root: n.Root}).Write(Credentials[0], ca.kubeconfig("admin", time.Hour))
	with := New(n, patch.Server{Address: "192.0.2.7", Port: 6443})
	without := New(node.New(t.TempDir(), ""), patch.Server{Address: "192.0.2.7", Port: 6443})
	var out []*http.Transport
	for _, client := range []*http.Client{with.creds.toTry()[0].client, with.client, without.client} {
		transport, ok := client.Transport.(*http.Transport)
		if !ok {
			t.Fatalf("a transport of type %T", client.Transport)
		}
		out = append(out, transport)
	}
	return out
}

// TestUnreadableKubeconfig wants no word of a kubeconfig that cannot be read: the
// parser's own may quote a token.
func TestUnreadableKubeconfig(t *testing.T) {
	for _, token := range []string{"*CANARY", "!!int CANARY"} {
		m := standin.NewTree(t)
		m.Write(Credentials[0], "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: "+token+"\n")
		s := New(node.New(m.Root, ""), patch.Server{})
		if len(s.Skipped()) != 1 || strings.Contains(s.Skipped()[0].Error(), "CANARY") {
			t.Errorf("%s: %v", token, s.Skipped())
		}
	}
}
