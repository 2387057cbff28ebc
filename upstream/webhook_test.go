package upstream

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/plugin/pkg/audit/webhook"

	"auditpatch/patch/auditflags"
	"auditpatch/patch/webhookconfig"
)

// pair makes a self-signed certificate that will do as a CA, a server and a client.
func pair(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// load is what kube-apiserver does with --audit-webhook-config-file at its start.
func load(file string) (audit.Backend, error) {
	return webhook.NewBackend(file, auditv1.SchemeGroupVersion, wait.Backoff{Steps: 1}, nil)
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestPost sends an event through kube-apiserver's webhook backend, with the kubeconfig
// that we write, to a receiver that asks for a client certificate.
func TestPost(t *testing.T) {
	cert, key := pair(t)
	identity, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	var path string
	var body []byte
	receiver := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.Path
		body, _ = io.ReadAll(r.Body)
	}))
	clients := x509.NewCertPool()
	clients.AppendCertsFromPEM(cert)
	receiver.TLS = &tls.Config{Certificates: []tls.Certificate{identity}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert}
	receiver.StartTLS()
	defer receiver.Close()

	data, errs, warns := webhookconfig.Kubeconfig(webhookconfig.Target{URL: receiver.URL + "/k8s-audit", CA: cert, ClientCert: cert, ClientKey: key})
	if len(errs)+len(warns) > 0 {
		t.Fatal(errs, warns)
	}
	if _, errs, warns := webhookconfig.Check("webhook.yaml", data); len(errs)+len(warns) > 0 {
		t.Fatal(errs, warns)
	}
	backend, err := load(write(t, "webhook.yaml", data))
	if err != nil {
		t.Fatal(err)
	}
	if !backend.ProcessEvents(&auditinternal.Event{AuditID: "7c1e0f3a", Level: auditinternal.LevelMetadata}) {
		t.Fatal("the event was not delivered")
	}
	if !strings.HasPrefix(path, "/k8s-audit") || !bytes.Contains(body, []byte("7c1e0f3a")) {
		t.Errorf("%s: %s", path, body)
	}
}

const config = `apiVersion: v1
kind: Config
clusters:
- name: c
  cluster:
    server: https://127.0.0.1:9765/k8s-audit
users:
- name: u
  user:
    token: t
contexts:
- name: x
  context:
    cluster: c
    user: u
current-context: x
`

// tokens are values that YAML 1.1, YAML 1.2 and JSON do not agree on.
var tokens = strings.Fields(`y Y n N yes Yes YES yEs no No NO on On ON oN off Off OFF true True tRue false ~ null Null nULL
	0 007 0o7 0b1 0x1f 1_000 1e3 1. .5 12:30 -1 +1 .inf -.Inf .nan 2001-01-01 2001-01-01T00:00:00Z = << "yes" 'on' "" ''`)

// TestKubeconfigs: a problem marked Upstream is found exactly when kube-apiserver cannot
// load the file.
func TestKubeconfigs(t *testing.T) {
	cert, key := pair(t)
	_, otherKey := pair(t)
	certFile, keyFile := write(t, "c.pem", cert), write(t, "k.pem", key)
	data := base64.StdEncoding.EncodeToString
	texts := map[string]string{
		"good":              config,
		"json":              `{"clusters":[{"name":"c","cluster":{"server":"https://127.0.0.1:9765"}}],"contexts":[{"name":"x","context":{"cluster":"c"}}],"current-context":"x"}`,
		"no kind":           strings.TrimPrefix(config, "apiVersion: v1\nkind: Config\n"),
		"other kind":        strings.Replace(config, "kind: Config", "kind: Pod", 1),
		"other version":     strings.Replace(config, "apiVersion: v1", "apiVersion: v2", 1),
		"empty":             "",
		"null":              "null\n",
		"a list":            "- a\n",
		"a word":            "hello\n",
		"syntax":            "a: [\n",
		"no context":        strings.Replace(config, "current-context: x", "", 1),
		"null context":      strings.Replace(config, "current-context: x", "current-context: null", 1),
		"unknown context":   strings.Replace(config, "current-context: x", "current-context: y", 1),
		"context number":    strings.Replace(config, "current-context: x", "current-context: 1", 1),
		"unknown cluster":   strings.Replace(config, "cluster: c", "cluster: d", 1),
		"no cluster":        strings.Replace(config, "cluster: c\n", "\n", 1),
		"unknown user":      strings.Replace(config, "user: u", "user: v", 1),
		"no user":           strings.Replace(config, "    user: u\n", "", 1),
		"empty user":        strings.Replace(config, "user: u", `user: ""`, 1),
		"null user":         strings.Replace(config, "user:\n    token: t", "user:", 1),
		"no server":         strings.Replace(config, "server: https://127.0.0.1:9765/k8s-audit", "tls-server-name: a", 1),
		"empty cluster":     strings.Replace(config, "server: https://127.0.0.1:9765/k8s-audit", "", 1),
		"server number":     strings.Replace(config, "server: https://127.0.0.1:9765/k8s-audit", "server: 127", 1),
		"server host:port":  strings.Replace(config, "https://127.0.0.1:9765/k8s-audit", "127.0.0.1:9765", 1),
		"plain":             strings.Replace(config, "https:", "http:", 1),
		"query":             strings.Replace(config, "k8s-audit", "k8s-audit?a=b", 1),
		"unknown field":     strings.Replace(config, "    server:", "    colour: red\n    server:", 1),
		"name twice":        strings.Replace(config, "users:\n", "users:\n- name: u\n  user: {}\n", 1),
		"key twice":         config + "current-context: x\n",
		"token block":       strings.Replace(config, "token: t", "token: |\n      a", 1),
		"second document":   config + "---\na: b\n",
		"ca":                strings.Replace(config, "    server:", "    certificate-authority-data: "+data(cert)+"\n    server:", 1),
		"ca not base64":     strings.Replace(config, "    server:", "    certificate-authority-data: ??\n    server:", 1),
		"ca not pem":        strings.Replace(config, "    server:", "    certificate-authority-data: aGVsbG8=\n    server:", 1),
		"ca file":           strings.Replace(config, "    server:", "    certificate-authority: "+certFile+"\n    server:", 1),
		"ca twice":          strings.Replace(config, "    server:", "    certificate-authority: "+certFile+"\n    certificate-authority-data: "+data(cert)+"\n    server:", 1),
		"ca and insecure":   strings.Replace(config, "    server:", "    insecure-skip-tls-verify: true\n    certificate-authority-data: "+data(cert)+"\n    server:", 1),
		"insecure":          strings.Replace(config, "    server:", "    insecure-skip-tls-verify: true\n    server:", 1),
		"insecure yes":      strings.Replace(config, "    server:", "    insecure-skip-tls-verify: yes\n    server:", 1),
		"proxy":             strings.Replace(config, "    server:", "    proxy-url: socks5://127.0.0.1:1080\n    server:", 1),
		"proxy ftp":         strings.Replace(config, "    server:", "    proxy-url: ftp://127.0.0.1\n    server:", 1),
		"certificate":       strings.Replace(config, "token: t", "client-certificate-data: "+data(cert)+"\n    client-key-data: "+data(key), 1),
		"certificate files": strings.Replace(config, "token: t", "client-certificate: "+certFile+"\n    client-key: "+keyFile, 1),
		"certificate twice": strings.Replace(config, "token: t", "client-certificate: "+certFile+"\n    client-certificate-data: "+data(cert)+"\n    client-key: "+keyFile, 1),
		"certificate alone": strings.Replace(config, "token: t", "client-certificate-data: "+data(cert), 1),
		"key alone":         strings.Replace(config, "token: t", "client-key-data: "+data(key), 1),
		"other key":         strings.Replace(config, "token: t", "client-certificate-data: "+data(cert)+"\n    client-key-data: "+data(otherKey), 1),
		"token file":        strings.Replace(config, "token: t", "tokenFile: "+keyFile, 1),
		"password":          strings.Replace(config, "token: t", "username: a\n    password: b", 1),
		"plain other key":   strings.Replace(strings.Replace(config, "https:", "http:", 1), "token: t", "client-certificate-data: "+data(cert)+"\n    client-key-data: "+data(otherKey), 1),
		"plain ca":          strings.Replace(strings.Replace(config, "https:", "http:", 1), "    server:", "    certificate-authority-data: aGVsbG8=\n    server:", 1),
		"foreign ca":        strings.Replace(config, "    server:", "    certificate-authority-data: "+data(append(cert, key...))+"\n    server:", 1),
		"merge key":         strings.Replace(config, "    token: t", "    <<: {token: t}", 1),
		"alias":             strings.Replace(strings.Replace(config, "- name: c", "- name: &c c", 1), "cluster: c\n", "cluster: *c\n", 1),
		"byte order mark":   "\ufeff" + config,
		"two ways":          strings.Replace(config, "token: t", "token: t\n    password: b", 1),
		"exec":              strings.Replace(config, "token: t", "exec: {command: aws, apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}", 1),
	}
	for _, token := range append(tokens, "!!str 5", "!!binary aGk=", "!foo bar", "!!int x", "|\n      on") {
		texts["token "+token] = strings.Replace(config, "token: t", "token: "+token, 1)
	}
	for name, text := range texts {
		_, errs, warns := webhookconfig.Check("webhook.yaml", []byte(text))
		upstream := slices.ContainsFunc(errs, func(p auditflags.Problem) bool { return p.Upstream })
		_, theirs := load(write(t, "webhook.yaml", []byte(text)))
		if upstream != (theirs != nil) {
			t.Errorf("%s:\nkube-apiserver: %v\nours: %v\n%v", name, theirs, errs, warns)
		}
	}
}
