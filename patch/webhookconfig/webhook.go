package webhookconfig

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/patch/auditflags"

	"auditpatch/internal/lazyregexp"
)

// Target says where kube-apiserver shall post events. The certificates and the
// key are in PEM form; each may be empty.
type Target struct {
	URL                       string
	CA, ClientCert, ClientKey []byte
}

// Kubeconfig writes the kubeconfig for --audit-webhook-config-file. What is
// given as PEM is embedded, since a file named there would have to be mounted as
// well. The result is nil when there are errs; it may hold a private key. No
// part of a key or of a password comes back in a auditflags.Problem.
func Kubeconfig(w Target) (data []byte, errs, warns []auditflags.Problem) {
	errs, warns = checkServer(w.URL, serverWords{"webhook-url", "--webhook-url", func(url string) hint.Hint { return hint.Flag("webhook-url", url) }})
	refuse := func(flag, format string, a ...any) {
		errs = append(errs, auditflags.Problem{Flags: []string{flag}, Message: "--" + flag + ": " + fmt.Sprintf(format, a...)})
	}
	if err := checkCA(w.CA); len(w.CA) > 0 && err != nil {
		refuse("webhook-ca", "%v", err)
	}
	cert, key := len(w.ClientCert) > 0, len(w.ClientKey) > 0
	switch {
	case cert && !key:
		refuse("webhook-client-cert", "a client certificate needs its key: --webhook-client-key")
	case key && !cert:
		refuse("webhook-client-key", "a client key needs its certificate: --webhook-client-cert")
	case cert:
		if err := checkPair(w.ClientCert, w.ClientKey); err != nil {
			refuse("webhook-client-cert", "%v", err)
		}
	}
	if len(errs) > 0 {
		return nil, errs, warns
	}
	if strings.HasPrefix(strings.ToLower(w.URL), "http:") && (cert || len(w.CA) > 0) {
		warns = append(warns, auditflags.Problem{Flags: []string{"webhook-url"}, Message: "--webhook-url: with plain http neither the CA nor the client certificate is used"})
	}
	return w.kubeconfig(), nil, warns
}

// Head begins each config that auditpatch writes, and tells it from others.
const Head = "# Where kube-apiserver posts audit events. Written by auditpatch.\n"

// kubeconfig writes YAML by hand: the order is that in which people read it, and
// nothing here needs care but the URL, which checkServer let pass.
func (w Target) kubeconfig() []byte {
	var b bytes.Buffer
	embed := func(field string, data []byte) {
		if len(data) > 0 {
			fmt.Fprintf(&b, "    %s: %s\n", field, base64.StdEncoding.EncodeToString(data))
		}
	}
	b.WriteString(Head)
	b.WriteString("apiVersion: v1\nkind: Config\nclusters:\n- name: audit-webhook\n  cluster:\n")
	fmt.Fprintf(&b, "    server: %q\n", w.URL)
	embed("certificate-authority-data", w.CA)
	if len(w.ClientCert) > 0 {
		b.WriteString("users:\n- name: kube-apiserver\n  user:\n")
		embed("client-certificate-data", w.ClientCert)
		embed("client-key-data", w.ClientKey)
	} else {
		b.WriteString("users:\n- name: kube-apiserver\n  user: {}\n")
	}
	b.WriteString("contexts:\n- name: audit-webhook\n  context:\n    cluster: audit-webhook\n    user: kube-apiserver\n")
	b.WriteString("current-context: audit-webhook\n")
	return b.Bytes()
}

// serverWords are how a server's URL is spoken of: the flag it came by, what it is
// called, and what to type for a better one.
type serverWords struct {
	flag, subject string
	hint          func(url string) hint.Hint
}

func (w serverWords) problem(h hint.Hint, format string, a ...any) []auditflags.Problem {
	return []auditflags.Problem{{Flags: []string{w.flag}, Message: w.subject + ": " + fmt.Sprintf(format, a...), Hint: h}}
}

// PublicURL is as much of a URL as holds no credential: scheme, host and port. That
// there is more, such as a path with a token, shows as "/...". It is "" for what is
// no URL.
func PublicURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || checkHost(u) != "" {
		return ""
	}
	public := u.Scheme + "://" + u.Host
	if len(u.Path) > 1 || u.RawQuery != "" || u.Fragment != "" {
		public += "/..."
	}
	return public
}

var hostName = lazyregexp.New(`^[A-Za-z0-9_]([-A-Za-z0-9_.]*[A-Za-z0-9_.])?$`)

// checkServer looks at the URL that events go to. It never repeats more of it than
// the host: user, path and the error of url.Parse may hold a credential.
func checkServer(server string, w serverWords) (errs, warns []auditflags.Problem) {
	u, err := url.Parse(server)
	switch {
	case server == "":
		return w.problem(w.hint("https://falco.example.com:9765/k8s-audit"), "empty"), nil
	case err != nil || strings.ContainsAny(server, " \t\r\n\"\\"):
		return w.problem(nil, "not a URL"), nil
	case u.Scheme != "https" && u.Scheme != "http":
		// client-go takes host:port for plain http, and leaves out all credentials.
		return w.problem(nil, "a URL here starts with https:// or http://"), nil
	case u.User != nil:
		return w.problem(nil, "a user or password in the URL shows up in logs; put it into a kubeconfig as username and password"), nil
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(server, "#"):
		return w.problem(nil, "kube-apiserver leaves out what follows ? or #"), nil
	}
	if fault := checkHost(u); fault != "" {
		return w.problem(nil, "%s", fault), nil
	}
	if u.Scheme == "http" {
		better := "https://" + u.Host
		if len(u.Path) > 1 {
			better += "/..."
		}
		warns = w.problem(w.hint(better), "plain http: whoever is on the way can read the events and change them")
	}
	return nil, append(warns, inCluster(u.Hostname(), w)...)
}

func checkHost(u *url.URL) (fault string) {
	host := u.Hostname()
	switch {
	case host == "":
		return "no host in the URL"
	case net.ParseIP(host) == nil && !hostName().MatchString(host):
		return "not a host name or address: a placeholder that was never filled in?"
	case !validPort(u.Port()) || strings.HasSuffix(u.Host, ":"):
		return "the port must be 1 to 65535"
	}
	return ""
}

func validPort(port string) bool {
	n, err := strconv.Atoi(port)
	return port == "" || err == nil && n >= 1 && n <= 65535
}

// inCluster: the API server's pod has the node's network and the node's DNS.
func inCluster(host string, w serverWords) []auditflags.Problem {
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	svc := len(labels) >= 3 && labels[2] == "svc"
	if !svc && !strings.HasSuffix("."+strings.Join(labels, "."), ".cluster.local") {
		return nil
	}
	var address hint.Hint
	if svc {
		address = hint.Shell("kubectl get service %s --namespace %s --output jsonpath={.spec.clusterIP}", labels[0], labels[1])
	}
	return w.problem(address, "%s is a name in the cluster's DNS, but kube-apiserver asks the node's; give an address, or a name that the node knows", host)
}

// checkCA wants certificates and nothing else: client-go reads what it can and
// leaves the rest, so a broken or foreign block goes unseen.
func checkCA(data []byte) error {
	found := false
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return errors.New("holds a private key; only certificates belong here")
		}
		if block.Type != "CERTIFICATE" {
			return errors.New("holds something that is not a certificate")
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return errors.New("holds a certificate that does not parse")
		}
		found = true
	}
	if !found {
		return errors.New("no certificate in PEM form")
	}
	return nil
}

// checkPair gives its own reasons; those of crypto/tls are not promised to be free
// of what was read.
func checkPair(cert, key []byte) error {
	if block, _ := pem.Decode(cert); block == nil {
		return errors.New("the client certificate is not in PEM form")
	}
	block, _ := pem.Decode(key)
	switch {
	case block == nil:
		return errors.New("the client key is not in PEM form")
	case strings.Contains(block.Type, "ENCRYPTED") || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED"):
		return errors.New("the client key is encrypted; kube-apiserver cannot ask for the passphrase")
	}
	_, err := tls.X509KeyPair(cert, key)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "does not match"):
		return errors.New("the client key does not belong to the client certificate")
	default:
		return errors.New("the client certificate or its key does not parse")
	}
}
