package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	startTimeout = 90 * time.Second
	stopTimeout  = 30 * time.Second
)

// Server is one kube-apiserver.
type Server struct {
	bed     *Bed
	dir     string
	address string // host:port
	process *process
}

// URL is where the server listens.
func (s *Server) URL() string { return "https://" + s.address }

// Dir has the server's own log, its policy and the audit log.
func (s *Server) Dir() string { return s.dir }

func (s *Server) path(name string) string { return filepath.Join(s.dir, name) }

// start makes one attempt on a port that was free a moment ago.
func (s *Server) start(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.address = listener.Addr().String()
	if err := listener.Close(); err != nil {
		return err
	}
	s.process, err = begin(s.path("kube-apiserver.log"), s.bed.programs.KubeAPIServer, s.flags()...)
	if err != nil {
		return err
	}
	if err := s.awaitReady(ctx); err != nil {
		return errors.Join(err, s.process.stop(stopTimeout))
	}
	return nil
}

// flags has the audit log rotated as soon as possible, so that tests meet several files.
func (s *Server) flags() []string {
	_, port, _ := net.SplitHostPort(s.address)
	keys := s.bed.keys
	return []string{
		"--etcd-servers=unix://" + s.bed.etcdSocket(),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--secure-port=" + port,
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.96.0.0/16",
		"--tls-cert-file=" + keys.path("server.crt"), "--tls-private-key-file=" + keys.path("server.key"),
		"--client-ca-file=" + keys.path("ca.crt"),
		"--token-auth-file=" + s.bed.path("tokens.csv"), "--enable-bootstrap-token-auth",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + keys.path("ca.key"), "--service-account-signing-key-file=" + keys.path("ca.key"),
		"--authorization-mode=RBAC",
		"--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=" + s.path("policy.yaml"),
		"--audit-log-path=" + s.path("audit.log"), "--audit-log-mode=blocking",
		"--audit-log-maxsize=1", "--audit-log-maxbackup=10000", "--audit-log-maxage=0",
	}
}

// awaitReady asks /readyz until it says ok.
func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	client := s.Client()
	defer client.Close()
	for {
		answer, err := client.Do(Request{As: Admin, Method: http.MethodGet, Target: "/readyz"})
		if err == nil && answer.Status == http.StatusOK {
			return nil
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("kube-apiserver ended before it was ready: %w\n%s", s.process.err, s.process.tail())
		case <-ctx.Done():
			return fmt.Errorf("kube-apiserver is not ready after %s, /readyz: %d %s (%w)\n%s", startTimeout, answer.Status, answer.Body, err, s.process.tail())
		case <-time.After(30 * time.Millisecond):
		}
	}
}

// Stop ends the server as its kubelet would, with SIGTERM: it finishes the requests
// that it has, so that after it the audit log is complete.
func (s *Server) Stop() error { return s.process.stop(stopTimeout) }

// AuditLog returns the events so far, from rotated files too, the oldest first. The
// last line may be half written while the server runs.
func (s *Server) AuditLog() ([]byte, error) {
	files, err := filepath.Glob(s.path("audit-*.log"))
	if err != nil {
		return nil, err
	}
	slices.Sort(files) // their names are times
	var all []byte
	for _, name := range append(files, s.path("audit.log")) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		all = append(all, text...)
	}
	return all, nil
}
