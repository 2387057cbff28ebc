package webhookconfig

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"auditpatch/internal/standin/problems"
)

func testPair(t testing.TB) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour)}
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

func TestWebhookKubeconfig(t *testing.T) {
	got, errs, warns := Kubeconfig(Target{URL: "https://10.0.0.7:9765/k8s-audit"})
	want := `# Where kube-apiserver posts audit events. Written by auditpatch.
apiVersion: v1
kind: Config
clusters:
- name: audit-webhook
  cluster:
    server: "https://10.0.0.7:9765/k8s-audit"
users:
- name: kube-apiserver
  user: {}
contexts:
- name: audit-webhook
  context:
    cluster: audit-webhook
    user: kube-apiserver
current-context: audit-webhook
`
	if diff := cmp.Diff(want, string(got)); diff != "" || len(errs)+len(warns) > 0 {
		t.Error(diff, errs, warns)
	}
}

func TestWebhookKubeconfigEmbeds(t *testing.T) {
	cert, key := testPair(t)
	ca := append([]byte("# with a comment\n"), bytes.Repeat(cert, 2)...)
	got, errs, warns := Kubeconfig(Target{"https://falco.example.com", ca, cert, key})
	if len(errs)+len(warns) > 0 {
		t.Fatal(errs, warns)
	}
	var config struct {
		Clusters []struct {
			Cluster struct {
				CA []byte `json:"certificate-authority-data"`
			}
		}
		Users []struct {
			User struct {
				Cert []byte `json:"client-certificate-data"`
				Key  []byte `json:"client-key-data"`
			}
		}
	}
	if err := yaml.Unmarshal(got, &config); err != nil {
		t.Fatal(err)
	}
	user := config.Users[0].User
	if !bytes.Equal(config.Clusters[0].Cluster.CA, ca) || !bytes.Equal(user.Cert, cert) || !bytes.Equal(user.Key, key) {
		t.Errorf("not what was given:\n%s", got)
	}
	cfg, errs, warns := Check("w.yaml", got)
	if diff := cmp.Diff(Config{Server: "https://falco.example.com"}, cfg); diff != "" || len(errs)+len(warns) > 0 {
		t.Error(diff, errs, warns)
	}
}

func TestWebhookURL(t *testing.T) {
	const notURL = "fail webhook-url: --webhook-url: not a URL"
	for url, want := range map[string]string{
		"https://10.0.0.7":                      "",
		"https://[fd00::7]:9765/k8s-audit":      "",
		"https://falco.example.com:9765/":       "",
		"https://my_host":                       "",
		"HTTPS://falco":                         "",
		"https://127.0.0.1:8765/a%20b":          "",
		"":                                      "fail webhook-url: --webhook-url: empty => --webhook-url=https://falco.example.com:9765/k8s-audit",
		"falco:9765":                            "fail webhook-url: --webhook-url: a URL here starts with https:// or http://",
		"10.0.0.7:9765":                         notURL,
		"//falco":                               "fail webhook-url: --webhook-url: a URL here starts with https:// or http://",
		"/k8s-audit":                            "fail webhook-url: --webhook-url: a URL here starts with https:// or http://",
		"ftp://falco":                           "fail webhook-url: --webhook-url: a URL here starts with https:// or http://",
		"https://":                              "fail webhook-url: --webhook-url: no host in the URL",
		"https:///k8s-audit":                    "fail webhook-url: --webhook-url: no host in the URL",
		"https:falco":                           "fail webhook-url: --webhook-url: no host in the URL",
		"https://falco:":                        "fail webhook-url: --webhook-url: the port must be 1 to 65535",
		"https://falco:0":                       "fail webhook-url: --webhook-url: the port must be 1 to 65535",
		"https://falco:65536":                   "fail webhook-url: --webhook-url: the port must be 1 to 65535",
		"https://falco:port":                    notURL,
		"https://fal co":                        notURL,
		"https://falco/a b":                     notURL,
		"https://falco\n":                       notURL,
		"https://falco/\"":                      notURL,
		"https://{{ host }}":                    notURL,
		"https://$FALCO_SERVICE_CLUSTERIP:8765": "fail webhook-url: --webhook-url: not a host name or address: a placeholder that was never filled in?",
		"https://falco/?token=hunter2":          "fail webhook-url: --webhook-url: kube-apiserver leaves out what follows ? or #",
		"https://falco/#":                       "fail webhook-url: --webhook-url: kube-apiserver leaves out what follows ? or #",
		"https://falco?":                        "fail webhook-url: --webhook-url: kube-apiserver leaves out what follows ? or #",
		"https://me:hunter2@falco":              "fail webhook-url: --webhook-url: a user or password in the URL shows up in logs; put it into a kubeconfig as username and password",
		"https://hunter2@falco":                 "fail webhook-url: --webhook-url: a user or password in the URL shows up in logs; put it into a kubeconfig as username and password",
		"https://me:hunter2/@falco":             notURL,
		"http://10.0.0.7:8765":                  "warn webhook-url: --webhook-url: plain http: whoever is on the way can read the events and change them => --webhook-url=https://10.0.0.7:8765",
		"http://10.0.0.7/hook/hunter2":          "warn webhook-url: --webhook-url: plain http: whoever is on the way can read the events and change them => --webhook-url=https://10.0.0.7/...",
		"https://falco.falco-ns.svc": "warn webhook-url: --webhook-url: falco.falco-ns.svc is a name in the cluster's DNS, but kube-apiserver asks the node's; give an address, or a name that the node knows" +
			" => kubectl get service falco --namespace falco-ns --output jsonpath={.spec.clusterIP}",
		"https://falco.falco-ns.svc.corp.example:9765": "warn webhook-url: --webhook-url: falco.falco-ns.svc.corp.example is a name in the cluster's DNS, but kube-apiserver asks the node's; give an address, or a name that the node knows" +
			" => kubectl get service falco --namespace falco-ns --output jsonpath={.spec.clusterIP}",
		"https://10-0-0-7.ns.pod.Cluster.Local": "warn webhook-url: --webhook-url: 10-0-0-7.ns.pod.Cluster.Local is a name in the cluster's DNS, but kube-apiserver asks the node's; give an address, or a name that the node knows",
		"https://svc.example.com":               "",
		"https://a.svc":                         "",
	} {
		data, errs, warns := Kubeconfig(Target{URL: url})
		got := strings.Join(append(problems.Lines("fail", errs), problems.Lines("warn", warns)...), "\n")
		if got = strings.Replace(got, "refuse", "fail", 1); got != want {
			t.Errorf("%q:\n%s\nwant:\n%s", url, got, want)
		}
		if (data == nil) != (len(errs) > 0) {
			t.Errorf("%q: %d bytes with %v", url, len(data), errs)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%q: the password is in %q", url, got)
		}
	}
}

func TestWebhookCertificates(t *testing.T) {
	cert, key := testPair(t)
	_, otherKey := testPair(t)
	block, _ := pem.Decode(key)
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: block.Bytes})
	legacy := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED"}, Bytes: block.Bytes})
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("hunter2")})
	junk := []byte("hunter2")
	const https, http = "https://falco", "http://falco"
	for _, c := range []struct {
		name   string
		target Target
		want   string
	}{
		{"all", Target{https, cert, cert, key}, ""},
		{"ca is junk", Target{https, junk, nil, nil}, "fail webhook-ca: --webhook-ca: no certificate in PEM form"},
		{"ca is broken", Target{https, broken, nil, nil}, "fail webhook-ca: --webhook-ca: holds a certificate that does not parse"},
		{"ca with a broken one", Target{https, append(cert[:len(cert):len(cert)], broken...), nil, nil}, "fail webhook-ca: --webhook-ca: holds a certificate that does not parse"},
		{"ca with its key", Target{https, append(cert[:len(cert):len(cert)], key...), nil, nil}, "fail webhook-ca: --webhook-ca: holds a private key; only certificates belong here"},
		{"ca is a request", Target{https, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST"}), nil, nil}, "fail webhook-ca: --webhook-ca: holds something that is not a certificate"},
		{"certificate alone", Target{https, nil, cert, nil}, "fail webhook-client-cert: --webhook-client-cert: a client certificate needs its key: --webhook-client-key"},
		{"key alone", Target{https, nil, nil, key}, "fail webhook-client-key: --webhook-client-key: a client key needs its certificate: --webhook-client-cert"},
		{"certificate is junk", Target{https, nil, junk, key}, "fail webhook-client-cert: --webhook-client-cert: the client certificate is not in PEM form"},
		{"certificate is broken", Target{https, nil, broken, key}, "fail webhook-client-cert: --webhook-client-cert: the client certificate or its key does not parse"},
		{"key is junk", Target{https, nil, cert, junk}, "fail webhook-client-cert: --webhook-client-cert: the client key is not in PEM form"},
		{"the two swapped", Target{https, nil, key, cert}, "fail webhook-client-cert: --webhook-client-cert: the client certificate or its key does not parse"},
		{"key encrypted", Target{https, nil, cert, encrypted}, "fail webhook-client-cert: --webhook-client-cert: the client key is encrypted; kube-apiserver cannot ask for the passphrase"},
		{"key encrypted the old way", Target{https, nil, cert, legacy}, "fail webhook-client-cert: --webhook-client-cert: the client key is encrypted; kube-apiserver cannot ask for the passphrase"},
		{"key of another", Target{https, nil, cert, otherKey}, "fail webhook-client-cert: --webhook-client-cert: the client key does not belong to the client certificate"},
		{"several faults", Target{"falco://", junk, cert, nil}, "fail webhook-url: --webhook-url: a URL here starts with https:// or http://\n" +
			"fail webhook-ca: --webhook-ca: no certificate in PEM form\n" +
			"fail webhook-client-cert: --webhook-client-cert: a client certificate needs its key: --webhook-client-key"},
		{"plain http with a certificate", Target{http, nil, cert, key}, "warn webhook-url: --webhook-url: plain http: whoever is on the way can read the events and change them => --webhook-url=https://falco\n" +
			"warn webhook-url: --webhook-url: with plain http neither the CA nor the client certificate is used"},
	} {
		data, errs, warns := Kubeconfig(c.target)
		if got := strings.Join(append(problems.Lines("fail", errs), problems.Lines("warn", warns)...), "\n"); got != c.want || (data == nil) != (len(errs) > 0) {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
	}
}
