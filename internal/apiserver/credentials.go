package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/patch"
)

// CredentialError says why a kubeconfig of this node does not open its API
// server.
type CredentialError struct {
	File   string
	Reason string
	Hint   hint.Hint
}

func (e *CredentialError) Error() string { return e.File + ": " + e.Reason }

// Remedy is the hint, as an error's method.
func (e *CredentialError) Remedy() hint.Hint { return e.Hint }

// credential is a kubeconfig that can be tried.
type credential struct {
	file     string
	client   *http.Client
	endpoint string // the API as it names it
	user     string
	groups   []string
}

// credentials are those of a node that can be tried, in the order of
// [Credentials], and those that cannot. Copies of a Server share them: what one
// request has learned holds for all that follow.
type credentials struct {
	base string // the API server of this node

	mu      sync.Mutex
	usable  []*credential
	skipped []*CredentialError
}

// newCredentials reads all kubeconfigs. A certificate whose time is over is not
// tried: an API server on the same machine has the same clock.
func newCredentials(n *node.Node, base string) *credentials {
	cs := &credentials{base: base}
	for _, name := range Credentials {
		f, err := n.Read(name)
		if err == nil && !f.Exists {
			continue
		}
		var c *credential
		if err == nil {
			c, err = newCredential(name, f.Data, base, n.Now())
		}
		var own *CredentialError
		switch {
		case err == nil:
			cs.usable = append(cs.usable, c)
		case errors.As(err, &own):
			cs.skipped = append(cs.skipped, own)
		default:
			cs.skipped = append(cs.skipped, &CredentialError{name, bareFault(err), remake(name)})
		}
	}
	return cs
}

// bareFault is an error without the name of the file, which is said already.
func bareFault(err error) string {
	var call syscall.Errno
	if errors.As(err, &call) {
		return call.Error()
	}
	return err.Error()
}

// newCredential takes certificates out of a kubeconfig. The server in it may be a
// load balancer, and 127.0.0.1 is in no certificate that kubeadm makes
// (cmd/kubeadm/app/util/pkiutil, GetAPIServerAltNames), so the name kubernetes
// is expected instead.
func newCredential(file string, kubeconfig []byte, base string, now time.Time) (*credential, error) {
	cfg, err := clientcmd.Load(kubeconfig)
	if err != nil {
		// Not the parser's words: they may quote a token.
		return nil, errors.New("it is not a kubeconfig that can be read")
	}
	for _, auth := range cfg.AuthInfos {
		for _, f := range []*string{&auth.ClientCertificate, &auth.ClientKey} {
			if *f != "" && !filepath.IsAbs(*f) {
				*f = filepath.Join(filepath.Dir(file), *f)
			}
		}
	}
	rc, err := clientcmd.NewDefaultClientConfig(*cfg, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, err
	}
	c := &credential{file: file, endpoint: strings.TrimSuffix(rc.Host, "/")}
	leaf := clientCertificate(rc)
	if leaf != nil {
		if err := c.timely(leaf, now); err != nil {
			return nil, err
		}
		c.user, c.groups = leaf.Subject.CommonName, append(leaf.Subject.Organization, "system:authenticated")
	}
	rc.Host, rc.TLSClientConfig.ServerName, rc.Timeout = base, "kubernetes", 10*time.Second
	rc.Proxy = noProxy
	// A kept connection would go on speaking to an API server that is ending.
	rc.Dial = (&net.Dialer{Timeout: 2 * time.Second}).DialContext
	c.client, err = rest.HTTPClientFor(rc)
	return c, err
}

// noProxy keeps requests to this node and its peers from the proxy of somebody's
// environment, which is for the way out of the cluster.
func noProxy(*http.Request) (*url.URL, error) { return nil, nil }

// clientCertificate is who a kubeconfig speaks for, nil when nothing says so.
func clientCertificate(rc *rest.Config) *x509.Certificate {
	cert, key := rc.CertData, rc.KeyData
	if len(cert) == 0 {
		cert, _ = os.ReadFile(rc.CertFile)
		key, _ = os.ReadFile(rc.KeyFile)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil
	}
	return pair.Leaf
}

// timely refuses a certificate whose time is over or has not come.
func (c *credential) timely(leaf *x509.Certificate, now time.Time) error {
	switch {
	case now.After(leaf.NotAfter):
		return &CredentialError{c.file, "its client certificate expired on " + leaf.NotAfter.UTC().Format(time.DateOnly), renewal(c.file)}
	case now.Before(leaf.NotBefore):
		return &CredentialError{c.file, fmt.Sprintf("its client certificate is valid from %s on, and this machine's clock says %s",
			leaf.NotBefore.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)), hint.Shell("timedatectl")}
	}
	return nil
}

// renewal is what makes a kubeconfig anew.
func renewal(file string) hint.Hint {
	if file == kubeletCredentials {
		return hint.Shell("journalctl -u kubelet") // which renews its own
	}
	return hint.Shell("kubeadm certs renew %s", filepath.Base(file))
}

// remake is what makes one anew that cannot be read.
func remake(file string) hint.Hint {
	if file == kubeletCredentials {
		return hint.Shell("journalctl -u kubelet")
	}
	return hint.Shell("mv %s %s; kubeadm init phase kubeconfig %s", hint.Path(file), hint.Path(file+".old"), strings.TrimSuffix(filepath.Base(file), ".conf"))
}

// toTry are those that can be tried, none for a Server without credentials.
func (cs *credentials) toTry() []*credential {
	if cs == nil {
		return nil
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(cs.usable)
}

// errs are why others are not tried.
func (cs *credentials) errs() []*CredentialError {
	if cs == nil {
		return nil
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	return slices.Clone(cs.skipped)
}

// drop does not try a credential again. The last one stays, so that it says each
// time why nothing opens.
func (cs *credentials) drop(refused *credential, why *CredentialError) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	if i := slices.Index(cs.usable, refused); i >= 0 && len(cs.usable) > 1 {
		cs.usable = slices.Delete(slices.Clone(cs.usable), i, i+1)
		cs.skipped = append(cs.skipped, why)
	}
}

// refusedBy says why an answer or an error is about the credential and nothing
// else: 401, or a certificate that the kubeconfig's CA has not signed, as after
// the cluster was made anew. nil: it is not.
func (c *credential) refusedBy(resp *http.Response, err error) *CredentialError {
	var unknown x509.UnknownAuthorityError
	switch {
	case err == nil && resp.StatusCode == http.StatusUnauthorized:
		return &CredentialError{c.file, "the API server does not know them (401)", renewal(c.file)}
	case errors.As(err, &unknown):
		return &CredentialError{c.file, "its CA has not signed the API server's certificate", hint.Shell("kubeadm certs check-expiration")}
	}
	return nil
}

// do sends a request with the first credentials that open. build makes it anew
// for each. What another API server or a load balancer refuses may still be right
// for this node's.
func (s *Server) do(build func() (*http.Request, error)) (*http.Response, error) {
	send := func(client *http.Client) (*http.Response, error) {
		req, err := build()
		if err != nil {
			return nil, err
		}
		return client.Do(req)
	}
	all := s.creds.toTry()
	if len(all) == 0 {
		return send(s.client)
	}
	for i, c := range all {
		resp, err := send(c.client)
		why := c.refusedBy(resp, err)
		switch {
		case why == nil:
			return resp, err
		case i == len(all)-1 && err != nil:
			return nil, why
		case i == len(all)-1:
			return resp, nil
		case err == nil:
			resp.Body.Close()
		}
		if s.Base == s.creds.base {
			s.creds.drop(c, why)
		}
	}
	return nil, errors.New("unreachable")
}

// Skipped are the kubeconfigs of this node that do not open its API server, as far
// as is known by now.
func (s *Server) Skipped() []*CredentialError { return s.creds.errs() }

// Identity is who requests come from, as the client certificate says; user is ""
// when nothing says so. Where there are several kubeconfigs it asks which of them
// the API server takes.
func (s *Server) Identity(ctx context.Context) (user string, groups []string) {
	if len(s.creds.toTry()) > 1 {
		_, _ = s.Ask(ctx, http.MethodGet, "/readyz")
	}
	if all := s.creds.toTry(); len(all) > 0 {
		return all[0].user, all[0].groups
	}
	return s.User, s.Groups
}

// Kubeconfig is the file whose credentials are in use, "" for none.
func (s *Server) Kubeconfig() string {
	if all := s.creds.toTry(); len(all) > 0 {
		return all[0].file
	}
	return ""
}

// tried are the files of this node whose credentials were tried or would have been.
func (s *Server) tried() string {
	var files []string
	for _, e := range s.Skipped() {
		files = append(files, e.File)
	}
	return strings.Join(append(files, s.Kubeconfig()), ", ")
}

// NoCredentialsError says that nothing on this node opens its API server, and why
// not what is there.
type NoCredentialsError struct{ Skipped []*CredentialError }

func (e *NoCredentialsError) Error() string {
	none := "there are no credentials in " + strings.Join(Credentials, ", ")
	if len(e.Skipped) == 0 {
		return none + " that open the API server"
	}
	var why []string
	for _, s := range e.Skipped {
		why = append(why, s.Error())
	}
	return "no credentials of this node open the API server: " + strings.Join(why, "; ")
}

// Remedy is what to type.
func (e *NoCredentialsError) Remedy() hint.Hint {
	if len(e.Skipped) == 0 {
		return nil
	}
	return e.Skipped[0].Hint
}

// NoCredentials is the error of a Server without any.
func (s *Server) NoCredentials() *NoCredentialsError { return &NoCredentialsError{s.Skipped()} }

// Open is New for whoever cannot do without credentials: the error is a
// *NoCredentialsError.
func Open(n *node.Node, spec patch.Server) (*Server, error) {
	s := New(n, spec)
	if s.User == "" {
		return nil, s.NoCredentials()
	}
	return s, nil
}
