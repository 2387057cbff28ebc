package simnode

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// How long a kube-apiserver takes for its start, of 3 to 5 s on a cluster.
const (
	listensAfter = time.Second
	rulesAfter   = time.Second // then, for RBAC
	readyAfter   = time.Second // and then
)

// apiServer is a stand-in for kube-apiserver.
type apiServer struct {
	flags  *serverFlags
	faults *Faults
	roots  *x509.CertPool // of clients
	audit  *auditor
	store  store
	counts counters

	rules  atomic.Bool // RBAC is loaded
	ready  atomic.Bool
	ending atomic.Bool
}

// runServer is kube-apiserver. Its last words have klog's form, as its own
// (k8s.io/component-base/cli, Run), or cobra's for flags.
func runServer() error {
	s := &apiServer{faults: &Faults{}, store: store{"/var/lib/etcd"}}
	if text := os.Getenv(envFaults); text != "" && text != "null" {
		if err := fromEnv(envFaults, s.faults); err != nil {
			return err
		}
	}
	var err error
	if s.flags, err = parseFlags(os.Args[1:], s.faults.Unknown); err != nil {
		//lint:ignore ST1005 these are cobra's words
		return fmt.Errorf("Error: %w", err)
	}
	if err := s.run(); err != nil {
		//lint:ignore ST1005 this is a line of klog, at the level E
		return fmt.Errorf("E%s       1 run.go:72] \"command failed\" err=%q", time.Now().Format("0102 15:04:05.000000"), err.Error())
	}
	return nil
}

func (s *apiServer) run() (err error) {
	if s.faults.Words != "" {
		return errors.New(s.faults.Words)
	}
	// SIGTERM is waited for from the start (k8s.io/apiserver/pkg/server/signal.go).
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	if s.audit, err = newAuditor(s.flags, &s.counts); err != nil {
		return err
	}
	if s.roots, err = readRoots(s.flags.text("client-ca-file")); err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(s.flags.text("tls-cert-file"), s.flags.text("tls-private-key-file"))
	if err != nil {
		return err
	}
	time.Sleep(paced(listensAfter + s.faults.Slow))
	address := net.JoinHostPort(s.flags.text("bind-address"), s.flags.text("secure-port"))
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("failed to create listener: failed to listen on %s: %w", address, err)
	}
	return s.serve(ctx, tls.NewListener(listener, &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert,
	}))
}

func readRoots(name string) (*x509.CertPool, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("unable to load client CA file %q: %w", name, err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(data)
	return pool, nil
}

// serve answers until SIGTERM. Then the listener is closed at once, requests are
// answered, and whoever watches holds the process (measured; the kubelet's
// SIGKILL ends it). Without connections it flushes the log and ends.
func (s *apiServer) serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{Handler: http.HandlerFunc(s.handle), ErrorLog: log.New(io.Discard, "", 0)}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(l) }()
	go s.start()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.ending.Store(true)
	if s.faults.Deaf {
		l.Close()
		select {}
	}
	if err := server.Shutdown(context.Background()); err != nil {
		return err
	}
	s.audit.close()
	return nil
}

// start is what happens after the listener is open (post-start hooks): RBAC's
// roles are loaded by requests to itself, which are audited like all others.
func (s *apiServer) start() {
	if s.faults.Exit > 0 {
		time.AfterFunc(paced(s.faults.Exit), func() {
			fmt.Fprintf(os.Stderr, "F%s       1 hooks.go:204] PostStartHook failed\n", time.Now().Format("0102 15:04:05.000000"))
			os.Exit(255)
		})
	}
	time.Sleep(paced(rulesAfter))
	for _, uri := range []string{"/apis/rbac.authorization.k8s.io/v1/clusterroles", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"} {
		if err := s.audit.self(uri); err != nil {
			return // in blocking-strict mode the hook fails
		}
	}
	s.rules.Store(true)
	time.Sleep(paced(readyAfter))
	s.ready.Store(!s.faults.NeverReady)
}

// Faults are what is wrong with API servers that have a text in their command
// line.
type Faults struct {
	When  string // "" for every one
	Times int    // how many starts, 0 for all of them

	Unknown    string        // a flag that it does not know
	Words      string        // its last words, at once
	Exit       time.Duration // it dies so long after it has begun to listen
	Slow       time.Duration // it takes that much more
	NeverReady bool
	Hang       bool // it takes connections and never answers
	Deaf       bool // it does not end by itself
	LateLog    bool // the runtime is late with what it says
}

// faultsFor are those of an API server with this command line.
func (m *Machine) faultsFor(argv []string) *Faults {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, f := range m.faults {
		if !mentions(argv, f.When) {
			continue
		}
		if f.Times == 1 {
			m.faults = append(append([]*Faults(nil), m.faults[:i]...), m.faults[i+1:]...)
		}
		f.Times--
		return f
	}
	return nil
}
