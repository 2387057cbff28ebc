// Package apiserver runs a real kube-apiserver and its etcd on loopback, for tests
// of what is written into the audit log. It needs neither root nor containers nor
// a network.
//
// Start starts etcd and makes keys and users; (*Bed).Serve starts kube-apiserver
// with an audit policy; (*Server).Client sends requests as one of the users. What
// is stored under one server is there under the next, since etcd keeps running.
package apiserver

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Programs are the paths of the two programs.
type Programs struct{ KubeAPIServer, Etcd string }

// User is whoever sends a request. The zero User is anonymous.
type User struct {
	Name        string
	Groups      []string // without system:authenticated, which the API server adds
	Token       string   // sent as it is, whether or not the API server knows it
	Certificate bool     // has a client certificate in place of a token
}

// Admin may do everything: its group needs no role.
var Admin = User{Name: "bed-admin", Groups: []string{"system:masters"}, Token: "bed-admin-token"}

// Bed is an etcd, and what every kube-apiserver on it has in common. It is for one
// server at a time.
type Bed struct {
	dir      string // keys, sockets, logs
	programs Programs
	keys     *keys
	etcd     *process
	kubelet  *Kubelet
	starts   int
}

// Start starts etcd and a stand-in for a kubelet. All files go into dir, whose path
// must be short, since a socket's path has at most 107 bytes. Users with a token are
// those that kube-apiserver will know.
func Start(dir string, programs Programs, users []User) (*Bed, error) {
	b := &Bed{dir: dir, programs: programs}
	var err error
	if b.keys, err = makeKeys(filepath.Join(dir, "pki")); err != nil {
		return nil, err
	}
	if err := b.writeTokens(append([]User{Admin}, users...)); err != nil {
		return nil, err
	}
	if b.kubelet, err = startKubelet(b.keys); err != nil {
		return nil, err
	}
	// It listens on sockets alone. Older releases want a port in what it tells other members
	// of its cluster, of which there are none.
	const client, peer = "http://localhost:2379", "http://localhost:2380"
	b.etcd, err = begin(b.path("etcd.log"), programs.Etcd,
		"--data-dir="+b.path("etcd"),
		"--listen-client-urls=unix://"+b.etcdSocket(), "--advertise-client-urls="+client,
		"--listen-peer-urls=unix://"+b.path("peer.sock"), "--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer,
		"--unsafe-no-fsync", "--log-level=warn")
	if err != nil {
		return nil, errors.Join(err, b.kubelet.close())
	}
	return b, nil
}

// Stop ends etcd and the stand-in for a kubelet.
func (b *Bed) Stop() error {
	return errors.Join(b.etcd.stop(stopTimeout), b.kubelet.close())
}

// Kubelet is what kube-apiserver takes for the kubelet of a node.
func (b *Bed) Kubelet() *Kubelet { return b.kubelet }

// CAFile is the certificate authority of kube-apiserver, for kubectl.
func (b *Bed) CAFile() string { return b.keys.path("ca.crt") }

func (b *Bed) path(name string) string { return filepath.Join(b.dir, name) }

func (b *Bed) etcdSocket() string { return b.path("etcd.sock") }

// writeTokens writes the static token file: token, name, uid, groups.
func (b *Bed) writeTokens(users []User) error {
	var text strings.Builder
	w := csv.NewWriter(&text)
	for i, u := range users {
		if u.Token == "" {
			continue
		}
		line := []string{u.Token, u.Name, strconv.Itoa(i)}
		if len(u.Groups) > 0 { // an empty field would be a group without a name
			line = append(line, strings.Join(u.Groups, ","))
		}
		if err := w.Write(line); err != nil {
			return fmt.Errorf("token of %s: %w", u.Name, err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	return os.WriteFile(b.path("tokens.csv"), []byte(text.String()), 0o600)
}

// Serve starts kube-apiserver with the audit policy and waits until it is ready. Its
// files lie in a folder of their own within the bed's.
func (b *Bed) Serve(ctx context.Context, policy []byte) (*Server, error) {
	b.starts++
	s := &Server{bed: b, dir: b.path("server-" + strconv.Itoa(b.starts))}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.path("policy.yaml"), policy, 0o600); err != nil {
		return nil, err
	}
	// Another program may take the port before kube-apiserver does.
	for try := 1; ; try++ {
		err := s.start(ctx)
		if err == nil {
			return s, nil
		}
		if try == 3 || !s.process.said("address already in use") {
			return nil, err
		}
	}
}
