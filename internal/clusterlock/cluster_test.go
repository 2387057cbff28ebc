package clusterlock

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// quick is the pace of these tests. A Lease's duration is in whole seconds; a machine with much else
// to do must still renew it in that time.
var quick = pace{lease: 4 * time.Second, renew: 100 * time.Millisecond, retry: 20 * time.Millisecond, peers: 300 * time.Millisecond, silent: time.Minute, balancers: 300 * time.Millisecond}

// controlPlane is a made-up cluster: its API servers share a Lease, which they
// write as real ones do, and a list of themselves.
type controlPlane struct {
	t  *testing.T
	mu sync.Mutex

	lease   *leaseObject
	version int
	unready map[string]bool // by HOST:PORT
	code    int             // of lists and Leases, 0 for what is true
	young   map[string]bool // by HOST:PORT: these have not loaded RBAC yet
	wrote   []string        // holders, "" for nobody
	servers []*httptest.Server
	// address0 is under which the first one is listed, "" for its own.
	address0 string
}

func newControlPlane(t *testing.T, servers int) *controlPlane {
	c := &controlPlane{t: t, unready: map[string]bool{}}
	for range servers {
		srv := httptest.NewTLSServer(http.HandlerFunc(c.serve))
		t.Cleanup(srv.Close)
		c.servers = append(c.servers, srv)
	}
	return c
}

func (c *controlPlane) address(i int) string { return c.servers[i].Listener.Addr().String() }

func (c *controlPlane) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case r.URL.Path == "/readyz":
		if c.unready[r.Host] {
			http.Error(w, "[-]etcd failed: reason withheld", http.StatusInternalServerError)
		}
	case c.code != 0 || c.young[r.Host]:
		w.WriteHeader(cmp.Or(c.code, http.StatusForbidden))
		fmt.Fprint(w, `{"kind":"Status","message":"it is forbidden"}`)
	case strings.HasSuffix(r.URL.Path, "/pods"):
		c.pods(w)
	case strings.HasSuffix(r.URL.Path, "/endpointslices"):
		fmt.Fprintf(w, `{"items":[{"endpoints":[{"addresses":["127.0.0.1"]}],"ports":[{"name":"https","port":%s}]}]}`, port(c.address(0)))
	default:
		c.leases(w, r)
	}
}

func port(address string) string { return address[strings.LastIndex(address, ":")+1:] }

// pods are mirror Pods of all API servers, in kubeadm's way but for the last.
func (c *controlPlane) pods(w http.ResponseWriter) {
	var list struct {
		Items []corev1.Pod `json:"items"`
	}
	for i := range c.servers {
		var p corev1.Pod
		p.Spec.NodeName = fmt.Sprintf("cp%d", i+1)
		p.Annotations = map[string]string{advertised: c.address(i)}
		if i == 0 && c.address0 != "" {
			p.Annotations[advertised] = c.address0
		}
		if i > 0 && i == len(c.servers)-1 {
			p.Annotations, p.Status.HostIP = nil, "127.0.0.1"
			p.Spec.Containers = []corev1.Container{{Command: []string{"kube-apiserver", "--secure-port=" + port(c.address(i))}}}
		}
		list.Items = append(list.Items, p)
	}
	_ = json.NewEncoder(w).Encode(list)
}

// leases has the API server's optimistic concurrency.
func (c *controlPlane) leases(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		if c.lease == nil {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(c.lease)
		return
	}
	var o leaseObject
	data, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(data, &o); err != nil || o.Name != "auditpatch" || o.Namespace != "kube-system" || o.Kind != "Lease" {
		c.t.Errorf("%s %s of %s: %v", r.Method, r.URL.Path, data, err)
	}
	post := r.Method == http.MethodPost
	if post == (c.lease != nil) || !post && o.ResourceVersion != c.lease.ResourceVersion {
		w.WriteHeader(http.StatusConflict)
		return
	}
	c.version++
	o.ResourceVersion = strconv.Itoa(c.version)
	c.lease = &o
	c.wrote = append(c.wrote, o.Spec.HolderIdentity)
	if post {
		w.WriteHeader(http.StatusCreated)
	}
	_ = json.NewEncoder(w).Encode(o)
}

// hold writes the Lease for somebody else.
func (c *controlPlane) hold(holder string, seconds int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.version++
	c.lease = &leaseObject{Spec: leaseSpec{HolderIdentity: holder, LeaseDurationSeconds: seconds}}
	c.lease.Name, c.lease.Namespace, c.lease.Kind = "auditpatch", "kube-system", "Lease"
	c.lease.ResourceVersion = strconv.Itoa(c.version)
}

// holder is who has the Lease, and the annotation about the last restart.
func (c *controlPlane) holder() (name, restarted string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lease == nil {
		return "", ""
	}
	return nameOf(c.lease.Spec.HolderIdentity), nameOf(c.lease.Annotations[restartedBy])
}

// onNode is what a run on a node sees. All nodes have the same addresses, so they differ by port.
func (c *controlPlane) onNode(i int) (*Cluster, *strings.Builder) {
	number, err := strconv.Atoi(port(c.address(i)))
	if err != nil {
		c.t.Fatal(err)
	}
	server := apiserver.New(node.New(c.t.TempDir(), ""), patch.Server{Address: "127.0.0.1", Port: number})
	server.User = "kubernetes-admin"
	said := &strings.Builder{}
	return &Cluster{
		Server:      server,
		LockTimeout: 5 * time.Second, pace: quick,
		Say:  func(text string, _ time.Duration) { fmt.Fprintln(said, text) },
		Warn: func(err error) { fmt.Fprintln(said, "warning:", err) },
	}, said
}

func TestPeers(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, _ := c.onNode(1)
	peers, self, err := peersOf(t.Context(), on.Server)
	if want := (Peer{"cp2", c.address(1)}); err != nil || self != want {
		t.Errorf("self %v, %v, want %v", self, err, want)
	}
	if want := fmt.Sprint([]Peer{{"cp1", c.address(0)}, {"cp3", c.address(2)}}); fmt.Sprint(peers) != want {
		t.Errorf("peers %v, want %v", peers, want)
	}
}

// TestPeersUnlisted tells a node that the cluster does not list from others of
// the kind: each would be 127.0.0.1.
func TestPeersUnlisted(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 2)
	on, _ := c.onNode(1)
	on.Server.Spec.Port = 1
	peers, self, err := peersOf(t.Context(), on.Server)
	if err != nil || self.Node == "" || self.Address != "127.0.0.1:1" || len(peers) != 2 {
		t.Errorf("peers %v, self %v, %v", peers, self, err)
	}
}

// TestPeersBehindNAT knows its own API server by the address that it advertises.
func TestPeersBehindNAT(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 2)
	c.address0 = "192.0.2.1:" + port(c.address(0))
	on, _ := c.onNode(0)
	on.Server.Spec.Command = []string{"kube-apiserver", "--advertise-address=192.0.2.1"}
	peers, self, err := peersOf(t.Context(), on.Server)
	if err != nil || self != (Peer{"cp1", c.address0}) || len(peers) != 1 {
		t.Errorf("peers %v, self %v, %v", peers, self, err)
	}
}

func TestEnterAlone(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 1)
	on, said := c.onNode(0)
	if err := on.Enter(t.Context()); err != nil || said.String() != "" {
		t.Errorf("enter: %v, said %q", err, said)
	}
	on.Leave(true)
	if c.lease != nil {
		t.Error("a lock that nobody needs was made")
	}
}

func TestEnter(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	if err := on.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, _ := c.holder(); name != "cp2" {
		t.Errorf("the lock is held by %q", name)
	}
	// The own API server ends, and the lock is renewed all the same.
	c.servers[1].Close()
	time.Sleep(3 * quick.lease / 2)
	if !on.lease.held() {
		t.Error("the lock was not renewed through the others")
	}
	on.Leave(true)
	if name, restarted := c.holder(); name != "" || restarted != "cp2" {
		t.Errorf("held by %q, restarted by %q", name, restarted)
	}
	if want := "the 2 other API servers are ready\n"; said.String() != want {
		t.Errorf("said %q, want %q", said, want)
	}
}

// TestEnterInTurn lets many nodes in at once, none of which may meet another.
func TestEnterInTurn(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 4)
	inside := make(chan int, 1)
	var all sync.WaitGroup
	for i := range c.servers {
		on, _ := c.onNode(i)
		on.LockTimeout = time.Minute
		all.Go(func() {
			if err := on.Enter(t.Context()); err != nil {
				t.Error(err)
				return
			}
			select {
			case inside <- i:
			default:
				t.Error("two nodes are inside")
			}
			time.Sleep(50 * time.Millisecond)
			<-inside
			on.Leave(true)
		})
	}
	all.Wait()
}

func TestEnterWaits(t *testing.T) {
	t.Parallel()
	live := func(c *controlPlane, ctx context.Context) {
		for ctx.Err() == nil {
			c.hold("cp1_10.0.0.1:6443_abc", 4)
			time.Sleep(quick.renew)
		}
	}
	t.Run("for a holder that lives", func(t *testing.T) {
		c := newControlPlane(t, 3)
		on, said := c.onNode(1)
		on.LockTimeout = 1500 * time.Millisecond
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		c.hold("cp1_10.0.0.1:6443_abc", 4)
		go live(c, ctx)
		err := on.Enter(t.Context())
		var busy *BusyError
		if !errors.As(err, &busy) || busy.Holder != "cp1" {
			t.Errorf("got %v, want that cp1 is busy", err)
		}
		if want := "waiting for cp1, which is changing its API server\n"; said.String() != want {
			t.Errorf("said %q, want %q", said, want)
		}
	})
	t.Run("for a dead holder", func(t *testing.T) {
		c := newControlPlane(t, 3)
		on, said := c.onNode(1)
		on.LockTimeout = time.Minute
		c.hold("cp1_10.0.0.1:6443_abc", 4)
		began := time.Now()
		if err := on.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		on.Leave(false)
		if !strings.Contains(said.String(), "load balancers get") {
			t.Errorf("said %q; it may have just restarted its API server", said)
		}
		if waited := time.Since(began); waited < quick.lease || waited > 4*quick.lease {
			t.Errorf("a lock of %s was taken over after %s", quick.lease, waited)
		}
	})
	t.Run("not for a dead run of this node", func(t *testing.T) {
		c := newControlPlane(t, 3)
		on, said := c.onNode(1)
		c.hold("cp2_"+c.address(1)+"_abc", 60)
		if err := on.Enter(t.Context()); err != nil || strings.Contains(said.String(), "waiting") {
			t.Errorf("%v, said %q", err, said)
		}
		on.Leave(false)
	})
	t.Run("as long as an unwatched restart may take", func(t *testing.T) {
		c := newControlPlane(t, 3)
		first, _ := c.onNode(0)
		if err := first.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.LeaveUnwatched()
		on, _ := c.onNode(1)
		on.LockTimeout = 1500 * time.Millisecond
		var busy *BusyError
		if err := on.Enter(t.Context()); !errors.As(err, &busy) {
			t.Errorf("got %v, want that cp1 is busy", err)
		}
	})
	t.Run("until it is interrupted", func(t *testing.T) {
		c := newControlPlane(t, 3)
		on, _ := c.onNode(1)
		on.LockTimeout = time.Minute
		c.hold("cp1_10.0.0.1:6443_abc", 60)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		on.Say = func(string, time.Duration) { cancel() }
		if err := on.Enter(ctx); !errors.Is(err, wait.ErrInterrupted) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("for load balancers", func(t *testing.T) {
		c := newControlPlane(t, 3)
		first, _ := c.onNode(0)
		if err := first.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		first.Leave(true)
		again, said := c.onNode(0)
		if err := again.Enter(t.Context()); err != nil || strings.Contains(said.String(), "balancers") {
			t.Errorf("the same node: %v, said %q", err, said)
		}
		again.Leave(true)
		on, said := c.onNode(1)
		on.pace.balancers = 2 * time.Second
		began := time.Now()
		if err := on.Enter(t.Context()); err != nil || time.Since(began) < quick.balancers || !strings.Contains(said.String(), "cp1 has just restarted") {
			t.Errorf("%v after %s, said %q", err, time.Since(began), said)
		}
		on.Leave(true)
	})
}

func TestEnterUnhealthy(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	c.unready[c.address(2)] = true
	on, _ := c.onNode(1)
	var unhealthy *apiserver.NotHealthy
	want := "cp3 (" + c.address(2) + "): /readyz says 500: etcd"
	if err := on.Enter(t.Context()); !errors.As(err, &unhealthy) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
	if name, restarted := c.holder(); name != "" || restarted != "" {
		t.Errorf("afterwards held by %q, restarted by %q", name, restarted)
	}
	forced, said := c.onNode(1)
	forced.Force = true
	if err := forced.Enter(t.Context()); err != nil || !strings.Contains(said.String(), want) {
		t.Errorf("with force: %v, said %q", err, said)
	}
	forced.Leave(true)
	late, said := c.onNode(1)
	late.Late = true
	if err := late.Enter(t.Context()); err != nil || said.String() != "" {
		t.Errorf("when it is under way: %v, said %q", err, said)
	}
	late.Leave(true)
	patient, said := c.onNode(1)
	patient.pace.peers = time.Minute
	say := patient.Say
	patient.Say = func(text string, after time.Duration) {
		say(text, after)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.unready[c.address(2)] = false
	}
	if err := patient.Enter(t.Context()); err != nil || !strings.Contains(said.String(), "waiting until others are healthy") {
		t.Errorf("when it becomes healthy: %v, said %q", err, said)
	}
	patient.Leave(true)
}

// TestEnterBlind enters where the others cannot be seen.
func TestEnterBlind(t *testing.T) {
	t.Parallel()
	const nothing = "warning: nothing keeps two control-plane nodes from restarting their API servers at once: "
	for _, tt := range []struct {
		name          string
		code          int
		with          func(*Cluster)
		refused, said string
	}{
		{"forbidden", 403, func(*Cluster) {}, "", nothing + "the API server says 403: it is forbidden\n"},
		{"no credentials", 0, func(c *Cluster) { c.Server.User = "" }, "", nothing + "there are no credentials in "},
		{"broken", 500, func(*Cluster) {}, "cannot see whether the other control-plane nodes are healthy: ", ""},
		{"broken, with force", 500, func(c *Cluster) { c.Force = true }, "", nothing},
		{"broken, nobody waits", 500, func(c *Cluster) { c.Unseen = true }, "", ""},
		{"broken, under way", 500, func(c *Cluster) { c.Late = true }, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newControlPlane(t, 3)
			c.code = tt.code
			on, said := c.onNode(0)
			tt.with(on)
			err := on.Enter(t.Context())
			if (err != nil) != (tt.refused != "") || err != nil && !strings.HasPrefix(err.Error(), tt.refused) {
				t.Errorf("error %v, want %q", err, tt.refused)
			}
			if !strings.HasPrefix(said.String(), tt.said) || tt.said == "" && said.String() != "" {
				t.Errorf("said %q, want %q", said, tt.said)
			}
			on.Leave(true)
		})
	}
}

// TestEnterInterrupted is interrupted while it asks for the others. Where it would go on without
// an answer, it does not.
func TestEnterInterrupted(t *testing.T) {
	t.Parallel()
	for name, with := range map[string]func(*Cluster){
		"refused": func(*Cluster) {}, "force": func(c *Cluster) { c.Force = true },
		"nobody waits": func(c *Cluster) { c.Unseen = true }, "under way": func(c *Cluster) { c.Late = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := newControlPlane(t, 3)
			on, said := c.onNode(1)
			with(on)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if err := on.Enter(ctx); !errors.Is(err, wait.ErrInterrupted) || said.String() != "" {
				t.Errorf("got %v, said %q", err, said)
			}
			if name, _ := c.holder(); name != "" {
				t.Errorf("held by %q", name)
			}
		})
	}
}

// behindBalancer is a node whose own API server is away, with force, and a load balancer in its
// credentials.
func behindBalancer(t *testing.T) (*controlPlane, *Cluster, *strings.Builder) {
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	on.Server.Endpoint = c.servers[0].URL
	c.servers[1].Close()
	on.Force = true
	return c, on, said
}

// TestEnterThroughBalancer finds the others although the own API server is away.
func TestEnterThroughBalancer(t *testing.T) {
	t.Parallel()
	c, on, said := behindBalancer(t)
	if err := on.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, _ := c.holder(); name != "cp2" {
		t.Errorf("the lock is held by %q, said %q", name, said)
	}
	on.Leave(true)
}

// TestEnterBesideYoung asks another API server when one has just started, and
// forbids everything.
func TestEnterBesideYoung(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	c.young = map[string]bool{c.address(0): true}
	on, said := c.onNode(1)
	if err := on.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	if name, _ := c.holder(); name != "cp2" {
		t.Errorf("the lock is held by %q, said %q", name, said)
	}
	c.mu.Lock()
	c.young = map[string]bool{c.address(0): true, c.address(1): true, c.address(2): true}
	c.mu.Unlock()
	time.Sleep(3 * quick.renew)
	c.mu.Lock()
	c.young = nil
	c.mu.Unlock()
	time.Sleep(3 * quick.renew)
	if !on.lease.held() {
		t.Error("the lock is not renewed any more")
	}
	on.Leave(true)
	// All of them for a while.
	c.young = map[string]bool{c.address(0): true, c.address(2): true}
	next, said := c.onNode(1)
	c.hold("cp1_10.0.0.1:6443_abc", 1)
	c.young[c.address(1)] = true
	go func() {
		time.Sleep(failingTries * quick.retry / 2)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.young = nil
	}()
	err := newLease(next.servers([]Peer{{"cp1", c.address(0)}}), Peer{"cp2", c.address(1)}, quick).acquire(t.Context(), time.Minute, func(string) {})
	if name, _ := c.holder(); err != nil || name != "cp2" {
		t.Errorf("%v, the lock is held by %q, said %q", err, name, said)
	}
}

// TestLeaseTaken does not take back a lock that another node has taken over.
func TestLeaseTaken(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, _ := c.onNode(1)
	if err := on.Enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.hold("cp3_10.0.0.3:6443_abc", 60)
	time.Sleep(2 * quick.lease)
	if on.lease.held() {
		t.Error("the lock counts as held")
	}
	on.Leave(true)
	if name, _ := c.holder(); name != "cp3" {
		t.Errorf("the lock is held by %q", name)
	}
}

func TestOthers(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	c.unready[c.address(0)] = true
	c.hold("cp3_10.0.0.3:6443_abc", 60)
	on, _ := c.onNode(1)
	n, unready, holder, err := Others(t.Context(), on.Server, 0)
	if n != 2 || len(unready) != 1 || !strings.HasPrefix(unready[0], "cp1 ") || holder != "cp3" || err != nil {
		t.Errorf("got %d, %q, %q, %v", n, unready, holder, err)
	}
}
