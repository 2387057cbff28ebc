package clusterlock

import (
	"cmp"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
)

// instead puts an answer before that of a server, which answers what it is false for.
func (c *controlPlane) instead(i int, answer func(w http.ResponseWriter, r *http.Request) bool) {
	c.servers[i].Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			c.serve(w, r)
		}
	})
}

// unanswered waits until whoever has sent a request gives up; true, for instead.
func unanswered(r *http.Request) bool {
	<-r.Context().Done()
	return true
}

// lateList has the first list of Pods stay without an answer, whoever is asked for it.
func (c *controlPlane) lateList() {
	var late atomic.Bool
	for i := range c.servers {
		c.instead(i, func(_ http.ResponseWriter, r *http.Request) bool {
			return isList(r) && !late.Swap(true) && unanswered(r)
		})
	}
}

func isList(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/pods") }

// etcdAway is what an API server answers then.
func etcdAway(w http.ResponseWriter) {
	http.Error(w, `{"message":"etcdserver: request timed out"}`, http.StatusInternalServerError)
}

// besideDead is a node of a cluster in which another one has died with the lock.
func besideDead(t *testing.T) (*controlPlane, *Cluster, *strings.Builder) {
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	on.LockTimeout = time.Minute
	c.hold("cp1_10.0.0.1:6443_abc", 1)
	return c, on, said
}

// TestEnterSlow gets no answer in time to its first question for the others.
func TestEnterSlow(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		with    func(*Cluster)
		refused string
		holder  string
	}{
		{"asks again", func(*Cluster) {}, "", "cp1"},
		{"with force too", func(c *Cluster) { c.Force = true }, "", "cp1"},
		{"not for ever", func(c *Cluster) { c.pace.silent = 0 }, "no answer in time", ""},
		{"under way", func(c *Cluster) { c.Late = true }, "", "cp1"},
		{"under way, not for ever", func(c *Cluster) { c.Late, c.pace.silent = true, 0 }, "", ""},
		{"nobody waits", func(c *Cluster) { c.Unseen = true }, "", "cp1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newControlPlane(t, 3)
			c.lateList()
			on, said := c.onNode(0)
			tt.with(on)
			err := on.Enter(t.Context())
			if (err != nil) != (tt.refused != "") || err != nil && !strings.HasSuffix(err.Error(), tt.refused) {
				t.Errorf("error %v, want %q; said %q", err, tt.refused, said)
			}
			if name, _ := c.holder(); name != tt.holder {
				t.Errorf("held by %q, want %q", name, tt.holder)
			}
			on.Leave(false)
		})
	}
}

// TestLateConnection wants a connection that nobody accepts in time to be a late answer too.
func TestLateConnection(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("how long a queue is that was asked to have no place is Linux's")
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Close(fd) }()
	if err := cmp.Or(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	bound, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*syscall.SockaddrInet4).Port))
	for range 4 { // until its queue is full
		if conn, err := net.DialTimeout("tcp", address, 300*time.Millisecond); err == nil {
			defer func() { _ = conn.Close() }()
		}
	}
	c := newControlPlane(t, 2)
	on, _ := c.onNode(0)
	if _, _, err := peersOf(t.Context(), on.Server.At("https://"+address)); !errors.Is(err, apiserver.ErrSilent) {
		t.Errorf("got %v", err)
	}
}

// TestLateBalancer has an API server that is down, and a load balancer that answers late once:
// force must not go on without the lock beside whoever holds it.
func TestLateBalancer(t *testing.T) {
	t.Parallel()
	c, on, said := behindBalancer(t)
	c.hold("cp3_10.0.0.3:6443_abc", 60)
	c.lateList()
	on.LockTimeout = time.Second
	var busy *BusyError
	if err := on.Enter(t.Context()); !errors.As(err, &busy) || busy.Holder != "cp3" {
		t.Errorf("got %v, said %q", err, said)
	}
}

// TestLateOthers asks again before it says that nobody can see the others, if it may.
func TestLateOthers(t *testing.T) {
	t.Parallel()
	for patience, want := range map[time.Duration]error{time.Minute: nil, 0: apiserver.ErrSilent} {
		c := newControlPlane(t, 1)
		on, _ := c.onNode(0)
		c.lateList()
		if n, _, _, err := Others(t.Context(), on.Server, patience); n != 0 || !errors.Is(err, want) {
			t.Errorf("with a patience of %s: %d, %v", patience, n, err)
		}
	}
}

// TestLateHealth has another API server whose every second answer about its health is late.
func TestLateHealth(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	asked := 0
	c.instead(2, func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/readyz" {
			return false
		}
		asked++
		return asked%2 == 1 && unanswered(r)
	})
	if err := on.Enter(t.Context()); err != nil || strings.Contains(said.String(), "waiting") {
		t.Errorf("%v, said %q", err, said)
	}
	on.Leave(false)
}

// TestEnterFlapping waits for one that becomes ready, falls back, and becomes ready for good: only
// after that, and after load balancers have had their time, may this node go.
func TestEnterFlapping(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	c.unready[c.address(2)] = true
	on, said := c.onNode(1)
	on.pace.peers = time.Minute
	say, back := on.Say, 0
	var last time.Time
	on.Say = func(text string, after time.Duration) {
		say(text, after)
		c.mu.Lock()
		defer c.mu.Unlock()
		switch {
		case strings.HasPrefix(text, "waiting until others"):
			c.unready[c.address(2)] = false
		case strings.HasPrefix(text, "all others are ready: load balancers"):
			back++
			last = time.Now()
			c.unready[c.address(2)] = back == 1
		}
	}
	err := on.Enter(t.Context())
	if err != nil || back != 2 || time.Since(last) < on.pace.balancers {
		t.Errorf("%v, back %d times, %s after the last; said %q", err, back, time.Since(last), said)
	}
	on.Leave(true)
}

// TestSettleThoughUnseen has another API server go and come back while this node's own one cannot
// list any: load balancers get their time all the same.
func TestSettleThoughUnseen(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	on.pace.peers = time.Minute
	looks := 0
	var back time.Time
	c.instead(1, func(w http.ResponseWriter, r *http.Request) bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if !isList(r) || c.lease == nil {
			return false
		}
		looks++
		if c.unready[c.address(2)] = looks < 3; looks == 3 {
			back = time.Now()
		}
		if looks < 3 {
			etcdAway(w)
		}
		return looks < 3
	})
	err := on.Enter(t.Context())
	if err != nil || time.Since(back) < on.pace.balancers || !strings.Contains(said.String(), "load balancers get") {
		t.Errorf("%v, %s after it was back; said %q", err, time.Since(back), said)
	}
	on.Leave(false)
}

// TestUnseenIsNotUnhealthy says what is known: that the others cannot be listed.
func TestUnseenIsNotUnhealthy(t *testing.T) {
	t.Parallel()
	c := newControlPlane(t, 3)
	on, said := c.onNode(1)
	c.instead(1, func(w http.ResponseWriter, r *http.Request) bool {
		c.mu.Lock()
		away := isList(r) && c.lease != nil
		c.mu.Unlock()
		if away {
			etcdAway(w)
		}
		return away
	})
	err := on.Enter(t.Context())
	if err == nil || !strings.HasPrefix(err.Error(), "cannot see whether the other") || strings.Contains(said.String(), "healthy") {
		t.Errorf("got %v, said %q", err, said)
	}
}

// TestInheritedTwice takes a lock over that a dead node has let expire. That it has to settle is not
// forgotten: not when the answer to the takeover is late, and not when the taker is interrupted.
func TestInheritedTwice(t *testing.T) {
	t.Parallel()
	const settles = "load balancers get"
	t.Run("the answer is late", func(t *testing.T) {
		t.Parallel()
		c, on, said := besideDead(t)
		late := true
		c.instead(0, func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut || !late {
				return false
			}
			late = false
			c.serve(httptest.NewRecorder(), r)
			return unanswered(r)
		})
		if err := on.Enter(t.Context()); err != nil || !strings.Contains(said.String(), settles) {
			t.Errorf("%v, said %q", err, said)
		}
		on.Leave(false)
	})
	t.Run("the taker is interrupted", func(t *testing.T) {
		t.Parallel()
		c, on, _ := besideDead(t)
		ctx, cancel := context.WithCancel(t.Context())
		on.Say = func(text string, _ time.Duration) {
			if strings.Contains(text, settles) {
				cancel()
			}
		}
		if err := on.Enter(ctx); !errors.Is(err, wait.ErrInterrupted) {
			t.Fatal(err)
		}
		for _, want := range []bool{true, false} { // who has settled leaves nothing of it
			next, said := c.onNode(2)
			if err := next.Enter(t.Context()); err != nil || strings.Contains(said.String(), settles) != want {
				t.Errorf("%v, said %q, want %t that it settles", err, said, want)
			}
			next.Leave(false)
		}
	})
}

// TestShortLockTimeout waits for nobody: what keeps the lock from being taken is an error.
func TestShortLockTimeout(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{http.StatusForbidden: "the API server says 403", http.StatusInternalServerError: "for the Lease"} {
		c := newControlPlane(t, 3)
		on, said := c.onNode(1)
		on.Force, on.LockTimeout = true, time.Nanosecond
		for i := range 3 {
			c.instead(i, func(w http.ResponseWriter, r *http.Request) bool {
				refused := strings.Contains(r.URL.Path, "/leases")
				if refused {
					w.WriteHeader(code)
				}
				return refused
			})
		}
		if err := on.Enter(t.Context()); err != nil || !strings.Contains(said.String(), want) {
			t.Errorf("%d: %v, said %q", code, err, said)
		}
	}
}
