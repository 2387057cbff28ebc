package apiserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/patch"
)

// Credentials are where a control-plane node keeps what opens its API server,
// in the order in which they are tried: kubeadm's administrator, then the
// kubelet's own.
var Credentials = []string{"/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf", kubeletCredentials}

const kubeletCredentials = "/etc/kubernetes/kubelet.conf"

// Server watches and asks the API server of this machine.
type Server struct {
	Node   *node.Node
	Host   proc.Host
	Spec   patch.Server
	Pod    *StaticPod // of the manifest
	creds  *credentials
	client *http.Client // for whoever has no credentials
	Base   string
	// endpoint is the API as the credentials name it, which may be a load balancer
	// before several API servers; "" without credentials.
	Endpoint string
	// User and Groups are who the first credentials to try speak for, as the client
	// certificate says; User is "" when nothing says so. Identity knows which of
	// them the API server took.
	User   string
	Groups []string
}

// New prepares for the API server that a manifest describes. Without
// credentials (User is ""; see [Server.NoCredentials]) it still can tell that
// something answers.
func New(n *node.Node, spec patch.Server) *Server {
	s := &Server{Node: n, Host: proc.Host{Root: n.Root}, Spec: spec, Pod: NewStaticPod(n, spec), Base: "https://" + net.JoinHostPort(spec.Address, strconv.Itoa(spec.Port))}
	// Only whether it answers is asked, and nothing is sent: a wrong certificate
	// does no harm.
	s.client = &http.Client{Transport: &http.Transport{
		Proxy: noProxy, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
	s.creds = newCredentials(n, s.Base)
	if all := s.creds.toTry(); len(all) > 0 {
		s.Endpoint, s.User, s.Groups = all[0].endpoint, all[0].user, all[0].groups
	}
	return s
}

// Answer is what the API server said.
type Answer struct {
	Code    int
	AuditID string
	Body    string
}

// maxAnswer is more than /readyz or a Status says, and maxPod more than etcd takes.
const (
	maxAnswer = 4 << 10
	maxPod    = 2 << 20
)

// Ask sends one request on a connection of its own.
func (s *Server) Ask(ctx context.Context, method, path string) (Answer, error) {
	return s.askFor(ctx, method, path, maxAnswer)
}

// askFor reads no more of the answer than most bytes.
func (s *Server) askFor(ctx context.Context, method, path string, most int64) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := s.send(ctx, method, path, "", nil)
	if err != nil {
		return Answer{}, err
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	return Answer{resp.StatusCode, resp.Header.Get("Audit-Id"), strings.TrimSpace(string(body))}, nil
}

// maxObject is more than etcd takes for one object (--max-request-bytes, 1.5 MiB),
// as JSON.
const maxObject = 4 << 20

// Call sends a request with a body of a content type, none when it is "", and
// returns the whole answer.
func (s *Server) Call(ctx context.Context, method, path, contentType string, body []byte) (code int, data []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	resp, err := s.send(ctx, method, path, contentType, body)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	if data, err = io.ReadAll(io.LimitReader(resp.Body, maxObject)); err != nil {
		return 0, nil, plainNetError(err)
	}
	return resp.StatusCode, data, nil
}

// send sends one request on a connection of its own; the caller closes the body
// of the answer.
func (s *Server) send(ctx context.Context, method, path, contentType string, body []byte) (*http.Response, error) {
	resp, err := s.do(func() (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, method, s.Base+path, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		req.Close = true
		req.Header.Set("User-Agent", "auditpatch")
		req.Header.Set("Accept-Encoding", "identity") // to compress megabytes costs more than to send them to oneself
		return req, nil
	})
	if err != nil {
		return nil, plainNetError(err)
	}
	return resp, nil
}

// ErrSilent is the error of a question that was not answered in time: whom it was put
// to may be starved of processor time, and answer the next one.
var ErrSilent = errors.New("no answer in time")

// plainNetError drops the method and address that every error would repeat.
func plainNetError(err error) error {
	var late net.Error // a connection that is not made in time too
	if errors.As(err, &late) && late.Timeout() {
		return ErrSilent
	}
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}

// Ready asks /readyz. 401 and 403 prove life but not health: without
// credentials nothing more can be learned.
func (s *Server) Ready(ctx context.Context) (ready bool, why string) {
	a, err := s.Ask(ctx, http.MethodGet, "/readyz")
	switch {
	case err != nil:
		return false, err.Error()
	case a.Code == http.StatusOK:
		return true, ""
	case (a.Code == http.StatusUnauthorized || a.Code == http.StatusForbidden) && s.User == "":
		return true, ""
	case a.Code == http.StatusUnauthorized:
		return false, fmt.Sprintf("/readyz says 401 to the credentials in %s", s.tried())
	}
	return false, fmt.Sprintf("/readyz says %d%s", a.Code, failedChecks(a.Body))
}

// failedChecks are the names of the checks that /readyz says have failed. It has
// a line for each: "[-]etcd failed: reason withheld".
func failedChecks(body string) string {
	var names []string
	for line := range strings.Lines(body) {
		if name, ok := strings.CutPrefix(line, "[-]"); ok {
			name, _, _ = strings.Cut(name, " ")
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// Processes are the API servers of this manifest's static Pod that run with its
// command line.
func (s *Server) Processes() ([]proc.Process, error) {
	all, err := s.Pod.Processes()
	return slices.DeleteFunc(all, func(p proc.Process) bool { return !s.Spec.RunsAs(p.Argv) }), err
}

// Leaving are those of some API servers that do not listen any more.
func (s *Server) Leaving(ps []proc.Process) []proc.Process {
	return slices.DeleteFunc(ps, func(p proc.Process) bool {
		socks, err := s.Host.SocketsOn(p, s.Spec.Port)
		return err != nil || socks.Listening
	})
}

// stranger is a kube-apiserver with the manifest's command line that is not one
// of its static Pod, and why not; "" without one.
func (s *Server) stranger() (p proc.Process, why string) {
	all, _ := s.Host.Processes("kube-apiserver")
	for _, p := range all {
		if !s.Spec.RunsAs(p.Argv) || s.Pod.Owns(p) {
			continue
		}
		switch pod := s.Host.PodOf(p); {
		case pod.UID == "":
			why = "has its command line and runs in no Pod"
		case !pod.Static():
			why = "has its command line and runs in a Pod that was made through the API"
		case p.UID != s.Pod.user:
			why = fmt.Sprintf("has its command line and runs as user %d, not %d", p.UID, s.Pod.user)
		default:
			why = fmt.Sprintf("runs in Pod %s, for which the kubelet keeps no log folder of this name", pod.UID)
		}
		return p, why
	}
	return proc.Process{}, ""
}

// Running is what runs of the manifest's static Pod.
type Running struct {
	PID    int    // with the manifest's command line, 0 for none
	UID    string // of the Pod that it runs in: the manifest that the kubelet started it from
	Others int    // with another command line, and still serving
	Ending int    // with another command line, and not listening any more
	// Serving tells whether PID listens; one that does not is starting or ending.
	Serving bool
	// Stranger says of a kube-apiserver with the manifest's command line why it is
	// not one of the static Pod; "" for none.
	Stranger string
}

// Running looks at the processes.
func (s *Server) Running() (r Running, err error) {
	all, err := s.Pod.Processes()
	if err != nil {
		return r, err
	}
	ending := s.Leaving(slices.Clone(all))
	for _, p := range all {
		switch gone := slices.ContainsFunc(ending, p.Same); {
		case s.Spec.RunsAs(p.Argv):
			if r.PID == 0 || !gone {
				r.PID, r.UID, r.Serving = p.PID, s.Host.PodOf(p).UID, !gone
			}
		case gone:
			r.Ending++
		default:
			r.Others++
		}
	}
	if p, why := s.stranger(); why != "" {
		r.Stranger = fmt.Sprintf("pid %d %s", p.PID, why)
	}
	return r, nil
}

// StartedWith are the annotations of the Pod that the API server runs in, as the
// kubelet had the manifest when it started it: it publishes them in the mirror
// Pod. known is false when they cannot be read, or are of another Pod.
func (s *Server) StartedWith(ctx context.Context) (annotations map[string]string, known bool) {
	running, err := s.Processes()
	if err != nil || len(running) != 1 || s.User == "" {
		return nil, false
	}
	uid, name := s.podOf(running[0])
	if name == "" {
		return nil, false
	}
	a, err := s.askFor(ctx, http.MethodGet, "/api/v1/namespaces/"+s.Spec.Namespace+"/pods/"+name, maxPod)
	var pod corev1.Pod
	if err != nil || a.Code != http.StatusOK || json.Unmarshal([]byte(a.Body), &pod) != nil {
		return nil, false
	}
	// After a restart the mirror Pod is the old one for a moment.
	if pod.Annotations[corev1.MirrorPodAnnotationKey] != uid {
		return nil, false
	}
	return pod.Annotations, true
}

// podOf is the UID and the name of the Pod that a process runs in.
func (s *Server) podOf(p proc.Process) (uid, name string) {
	uid = s.Host.PodOf(p).UID
	_, name, _ = strings.Cut(filepath.Base(s.Pod.folder(uid)), "_")
	return uid, strings.TrimSuffix(name, "_"+uid)
}

// ForbiddenError says that the credentials of this node do not open what is
// needed, or that there are none.
type ForbiddenError struct{ Reason string }

func (e *ForbiddenError) Error() string { return e.Reason }

// Refusal is what the API server says about a request that it did not fulfil.
func Refusal(code int, data []byte) string {
	var status struct{ Message string }
	if json.Unmarshal(data, &status) != nil || status.Message == "" {
		return fmt.Sprintf("the API server says %d", code)
	}
	return fmt.Sprintf("the API server says %d: %s", code, status.Message)
}

// At is the same, of another API server.
func (s *Server) At(base string) *Server {
	other := *s
	other.Base = base
	return &other
}

// Probe is a request that the policy records and that changes nothing.
type Probe struct {
	Method string
	Path   string
}

// NetCause is a network error without the address, which is said already, and
// without the URL, which may be secret.
func NetCause(err error) string {
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer within 5 s"
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	var dns *net.DNSError
	if errors.As(err, &dns) {
		return fmt.Sprintf("%s: %s", dns.Name, dns.Err)
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err.Error()
}
