package webhookconfig

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/standin/problems"
)

const goodKubeconfig = `apiVersion: v1
kind: Config
clusters:
- name: falco
  cluster:
    server: https://10.0.0.7:9765/k8s-audit
users:
- name: apiserver
  user:
    token: hunter2
contexts:
- name: audit
  context:
    cluster: falco
    user: apiserver
current-context: audit
`

const flattenHint = " => kubectl config view --raw --flatten --kubeconfig w.yaml"

// Each case changes one thing of the good kubeconfig, or, when old is empty,
// replaces all of it.
var kubeconfigCases = []struct{ name, old, new, want string }{
	{"good", "good", "good", ""},
	{"windows line ends", "\n", "\r\n", ""},
	{"no apiVersion and kind", "apiVersion: v1\nkind: Config\n", "", ""},
	{"null apiVersion", "apiVersion: v1", "apiVersion:", ""},
	{"empty file", "", "", "refuse w.yaml: empty"},
	{"only a comment", "", "# later\n", "refuse w.yaml: empty"},
	{"null", "", "null\n", "refuse w.yaml:1:1: current-context is not set: kube-apiserver would find no server"},
	{"list", "", "- a\n", "refuse w.yaml:1:1: kubeconfig: not a mapping"},
	{"word", "", "hello\n", "refuse w.yaml:1:1: kubeconfig: not a mapping"},
	{"syntax", "  cluster:\n", "  cluster: {\n", "refuse w.yaml:5: did not find expected ',' or '}'"},
	{"tab", "    server:", "\tserver:", "refuse w.yaml:6: found character that cannot start any token"},
	{"password taken for an alias", "hunter2", "*hunter2", "refuse w.yaml: an alias (*) without its anchor (&); quote a value that starts with *"},
	{"second document", "current-context: audit\n", "current-context: audit\n---\na: b\n", "fail w.yaml:17:1: a second YAML document; kube-apiserver reads only the first"},
	{"broken second document", "current-context: audit\n", "current-context: audit\n---\n{\n", "refuse w.yaml:19: did not find expected node content"},
	{"pod", "kind: Config", "kind: Pod", "refuse w.yaml:2:7: not a kubeconfig: kind must be Config => kind: Config"},
	{"other version", "apiVersion: v1", "apiVersion: v2", "refuse w.yaml:1:13: not a kubeconfig: apiVersion must be v1 => apiVersion: v1"},
	{"unknown field", "    server:", "    colour: red\n    server:", `warn w.yaml:6:5: cluster: unknown field "colour"; kube-apiserver ignores it`},
	{"field in other letters", "    token:", "    Token:", `warn w.yaml:10:5: user: unknown field "Token"; kube-apiserver ignores it`},
	{"key twice", "kind: Config", "kind: Config\nkind: Config", "fail w.yaml:3:1: kubeconfig: kind is given twice"},
	{"merge key", "    token: hunter2", "    <<: {token: hunter2}", "fail w.yaml:10:5: user: write the fields out, without << or a complex key"},
	{"aliases", "- name: falco\n", "- name: &f falco\n", ""},

	{"no context", "current-context: audit\n", "", `refuse w.yaml:1:1: current-context is not set: kube-apiserver would find no server => current-context: "audit"`},
	{"unknown context", "current-context: audit", "current-context: other", `refuse w.yaml:16:18: current-context "other": there is no context of that name`},
	{"context is a number", "current-context: audit", "current-context: 1", "refuse w.yaml:16:18: current-context: not a string; quote it"},
	{"contexts are no list", "contexts:\n- name: audit\n  context:\n    cluster: falco\n    user: apiserver\n", "contexts: {}\n",
		"refuse w.yaml:11:11: contexts: not a list\nrefuse w.yaml:12:18: current-context \"audit\": there is no context of that name"},
	{"context is null", "  context:\n    cluster: falco\n    user: apiserver\n", "  context:\n", `refuse w.yaml:13:11: the context names a cluster that is not there: ""`},
	{"context is missing", "  context:\n    cluster: falco\n    user: apiserver\n", "", `refuse w.yaml:12:3: the context names a cluster that is not there: ""`},
	{"context is a list", "  context:\n    cluster: falco\n    user: apiserver\n", "  context: []\n", "refuse w.yaml:13:12: context: not a mapping"},
	{"unknown cluster", "cluster: falco", "cluster: other", `refuse w.yaml:14:5: the context names a cluster that is not there: "other"`},
	{"unknown user", "user: apiserver", "user: other", `fail w.yaml:15:11: the context names a user that is not there: "other"; events would be posted without credentials`},
	{"no user", "    user: apiserver\n", "", ""},
	{"name twice", "users:\n", "users:\n- name: apiserver\n", `refuse w.yaml:9:9: users: the name "apiserver" is given twice`},
	{"entry is a word", "users:\n", "users:\n- apiserver\n", "refuse w.yaml:8:3: users: not a mapping"},
	{"further user", "users:\n", "users:\n- name: admin\n  user: {token: hunter2}\n",
		"warn w.yaml:1:1: holds clusters or users that current-context does not need; their credentials would lie on the node too => kubectl config view --raw --flatten --minify --kubeconfig w.yaml"},

	{"no server", "    server: https://10.0.0.7:9765/k8s-audit\n", "", "refuse w.yaml:5:11: server: empty => server: https://falco.example.com:9765/k8s-audit"},
	{"server is a number", "https://10.0.0.7:9765/k8s-audit", "10", "refuse w.yaml:6:13: server: not a string; quote it"},
	{"server without scheme", "https://10.0.0.7:9765/k8s-audit", "falco:9765", "fail w.yaml:6:13: server: a URL here starts with https:// or http://"},
	{"plain http", "https:", "http:", "warn w.yaml:6:13: server: plain http: whoever is on the way can read the events and change them => server: https://10.0.0.7:9765/...\n" +
		"warn w.yaml:10:5: with plain http kube-apiserver posts without these credentials"},
	{"name of the cluster's DNS", "10.0.0.7", "falco.falco.svc", "warn w.yaml:6:13: server: falco.falco.svc is a name in the cluster's DNS, but kube-apiserver asks the node's; " +
		"give an address, or a name that the node knows => kubectl get service falco --namespace falco --output jsonpath={.spec.clusterIP}"},
	{"password in the server", "10.0.0.7", "me:hunter2@10.0.0.7", "fail w.yaml:6:13: server: a user or password in the URL shows up in logs; put it into a kubeconfig as username and password"},
	{"proxy", "    server:", "    proxy-url: socks5://10.0.0.8:1080\n    server:", ""},
	{"proxy by ftp", "    server:", "    proxy-url: ftp://me:hunter2@10.0.0.8\n    server:", "refuse w.yaml:6:16: proxy-url: not a URL that starts with http://, https:// or socks5://"},
	{"insecure", "    server:", "    insecure-skip-tls-verify: true\n    server:", "warn w.yaml:6:31: insecure-skip-tls-verify: anyone on the way can pose as the receiver; give certificate-authority-data instead"},
	{"not insecure", "    server:", "    insecure-skip-tls-verify: false\n    server:", ""},
	{"insecure with ca", "    server:", "    insecure-skip-tls-verify: true\n    certificate-authority-data: CERT\n    server:",
		"refuse w.yaml:6:31: insecure-skip-tls-verify and certificate-authority exclude each other\n" +
			"warn w.yaml:6:31: insecure-skip-tls-verify: anyone on the way can pose as the receiver; give certificate-authority-data instead"},
	{"ca", "    server:", "    certificate-authority-data: CERT\n    server:", ""},
	{"ca is not base64", "    server:", "    certificate-authority-data: hunter2?\n    server:", "refuse w.yaml:6:33: certificate-authority-data: not base64" + flattenHint},
	{"ca is not PEM", "    server:", "    certificate-authority-data: aHVudGVyMg==\n    server:", "refuse w.yaml:6:33: certificate-authority-data: no certificate in PEM form"},
	{"ca file", "    server:", "    certificate-authority: /etc/falco/ca.crt\n    server:",
		"warn w.yaml:6:28: certificate-authority: kube-apiserver must find /etc/falco/ca.crt inside its container; embedding it is safer" + flattenHint},
	{"ca twice", "    server:", "    certificate-authority: /etc/falco/ca.crt\n    certificate-authority-data: CERT\n    server:",
		"refuse w.yaml:6:5: certificate-authority and certificate-authority-data exclude each other\n" +
			"warn w.yaml:6:28: certificate-authority: kube-apiserver must find /etc/falco/ca.crt inside its container; embedding it is safer" + flattenHint},
	{"relative ca", "    server:", "    certificate-authority: ca.crt\n    server:",
		"fail w.yaml:6:28: certificate-authority: a relative path; it would be looked up beside the installed copy, inside the container" + flattenHint},

	{"certificate", "token: hunter2", "client-certificate-data: CERT\n    client-key-data: KEY", ""},
	{"certificate files", "token: hunter2", "client-certificate: /c\n    client-key: /k",
		"warn w.yaml:10:25: client-certificate: kube-apiserver must find /c inside its container; embedding it is safer" + flattenHint + "\n" +
			"warn w.yaml:11:17: client-key: kube-apiserver must find /k inside its container; embedding it is safer" + flattenHint},
	{"certificate without key", "token: hunter2", "client-certificate-data: CERT", "refuse w.yaml:10:5: the client certificate has no client-key or client-key-data"},
	{"key without certificate", "token: hunter2", "client-key-data: KEY", "fail w.yaml:10:5: the client key has no client-certificate or client-certificate-data"},
	{"key of another", "token: hunter2", "client-certificate-data: CERT\n    client-key-data: OTHER", "refuse w.yaml:10:30: the client key does not belong to the client certificate"},
	{"token file", "token: hunter2", "tokenFile: /t", "warn w.yaml:10:16: tokenFile: kube-apiserver must find /t inside its container; embedding it is safer" + flattenHint},
	{"token is a number", "token: hunter2", "token: 123456", "refuse w.yaml:10:12: token: not a string; quote it"},
	{"token is an old bool", "token: hunter2", "token: Yes", "refuse w.yaml:10:12: token: not a string; quote it"},
	{"token is quoted", "token: hunter2", "token: 'Yes'", ""},
	{"token has a tag", "token: hunter2", "token: !secret hunter2", "fail w.yaml:10:12: token: write the value without the tag !secret"},
	{"token is a mapping", "token: hunter2", "token: {a: hunter2}", "refuse w.yaml:10:12: token: not a string; quote it"},
	{"password", "token: hunter2", "username: me\n    password: hunter2", ""},
	{"token and password", "token: hunter2", "token: hunter2\n    password: hunter2", "refuse w.yaml:10:5: both a token and a password: only one is allowed"},
	{"exec", "token: hunter2", "exec: {command: aws}", "fail w.yaml:10:5: exec: the kube-apiserver container has no program to run for credentials; use a client certificate or a token"},
	{"auth provider", "token: hunter2", "auth-provider: {name: gcp}", "fail w.yaml:10:5: auth-provider: the kube-apiserver container has no program to run for credentials; use a client certificate or a token"},
	{"no exec", "token: hunter2", "exec: null", ""},
	{"user is null", "  user:\n    token: hunter2\n", "  user:\n", ""},
}

func kubeconfigFindings(text string) string {
	_, errs, warns := Check("w.yaml", []byte(text))
	lines := append(problems.Lines("fail", errs), problems.Lines("warn", warns)...)
	return strings.ReplaceAll(strings.Join(lines, "\n"), " webhook-config: ", " ")
}

func TestCheckWebhookKubeconfig(t *testing.T) {
	cert, key := testPair(t)
	_, other := testPair(t)
	data := base64.StdEncoding.EncodeToString
	secrets := regexp.MustCompile(`hunter2|` + regexp.QuoteMeta(data(key)[:20]))
	for _, c := range kubeconfigCases {
		text := c.new
		if c.old != "" {
			text = strings.ReplaceAll(goodKubeconfig, c.old, c.new)
		}
		text = strings.NewReplacer("CERT", data(cert), "KEY", data(key), "OTHER", data(other)).Replace(text)
		got := kubeconfigFindings(text)
		if got != c.want {
			t.Errorf("%s:\n%s\nwant:\n%s", c.name, got, c.want)
		}
		if secrets.MatchString(got) {
			t.Errorf("%s: a secret is in %s", c.name, got)
		}
	}
}

func TestWebhookConfigIsReturned(t *testing.T) {
	text := strings.Replace(goodKubeconfig, "    server:", "    certificate-authority: /etc/falco/ca.crt\n    server:", 1)
	text = strings.Replace(text, "token: hunter2", "client-certificate: /c\n    client-key: /k\n    tokenFile: /t", 1)
	got, _, _ := Check("w.yaml", []byte(text))
	want := Config{Server: "https://10.0.0.7:9765/...", Files: []string{"/etc/falco/ca.crt", "/c", "/k", "/t"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzCheckWebhookKubeconfig: whatever is read, there is no panic, what passes names a
// server that would pass as --webhook-url, and every finding has the file's name.
func FuzzCheckWebhookKubeconfig(f *testing.F) {
	f.Add([]byte(goodKubeconfig))
	for _, c := range kubeconfigCases {
		if c.old == "" {
			f.Add([]byte(c.new))
			continue
		}
		f.Add([]byte(strings.ReplaceAll(goodKubeconfig, c.old, c.new)))
	}
	f.Add([]byte("a: &a [*a]\n"))
	f.Add([]byte("clusters: &c\n- *c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, errs, warns := Check("w.yaml", data)
		for _, p := range append(errs, warns...) {
			if !strings.HasPrefix(p.Message, "w.yaml:") {
				t.Errorf("%q", p.Message)
			}
		}
		if len(errs) > 0 {
			return
		}
		if _, errs, _ := Kubeconfig(Target{URL: cfg.Server}); len(errs) > 0 {
			t.Errorf("%q passed in a kubeconfig, but alone: %v", cfg.Server, errs)
		}
		for _, file := range cfg.Files {
			if file[0] != '/' {
				t.Errorf("%q is not absolute", file)
			}
		}
	})
}

func ExampleCheck() {
	text := strings.Replace(goodKubeconfig, "current-context: audit", "current-context: prod", 1)
	_, errs, _ := Check("webhook.yaml", []byte(text))
	fmt.Println(errs[0].Message)
	// Output: webhook.yaml:16:18: current-context "prod": there is no context of that name
}
