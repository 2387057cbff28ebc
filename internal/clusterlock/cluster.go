package clusterlock

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
)

// Patience is how long a question for the others is asked again while nobody answers in time.
var Patience = wait.Scaled(30 * time.Second)

const (
	// DefaultTimeout is longer than a cluster of seven takes.
	DefaultTimeout = 10 * time.Minute
	// unwatchedFor is how long the lock stays taken when nobody waits for the
	// restart: as long as the kubelet takes for it by itself.
	unwatchedFor = time.Minute
)

// tellEvery is how often a wait says that it goes on.
var tellEvery = wait.Scaled(8 * time.Second)

// Cluster makes sure that no two control-plane nodes of a cluster restart their
// API servers at the same time, whoever starts auditpatch on them: it takes the
// cluster's lock and sees that the others are healthy. Where there are no others
// it does nothing.
type Cluster struct {
	Server      *apiserver.Server // of this node
	LockTimeout time.Duration     // how long to wait for the lock; 0: DefaultLockTimeout
	// Force goes on when the others cannot be seen or are not healthy, but not
	// without the lock while somebody has it.
	Force bool
	// Late says that the change is under way already, and that this node's API
	// server may be down: what cannot be seen is no reason to leave it so.
	Late bool
	// Unseen goes on when the others cannot be seen: nobody waits for this node's
	// own API server either.
	Unseen bool
	// Say tells people what is waited for, and how long Enter has taken by then.
	Say  func(text string, after time.Duration)
	Warn func(error)

	pace  pace // the zero one is the usual
	start time.Time
	lease *lease
}

// Enter waits until this node may restart its API server. A *BusyError, a
// *NotHealthy or another error says why it may not; nothing is held then.
func (c *Cluster) Enter(ctx context.Context) error {
	c.start = time.Now()
	if c.pace == (pace{}) {
		c.pace = usual
	}
	peers, self, err := c.answered(ctx)
	if err != nil || len(peers) == 0 {
		return c.withoutOthers(ctx, err)
	}
	l := newLease(c.servers(peers), self, c.pace)
	err = l.acquire(ctx, c.lockTimeout(), func(holder string) {
		c.stepf("waiting for %s, which is changing its API server", holder)
	})
	if err != nil {
		return c.withoutOthers(ctx, err)
	}
	l.keep()
	c.lease = l
	err = c.settle(ctx)
	if err == nil && !c.Late {
		if err = c.healthy(ctx, peers); err == nil {
			l.settled()
		}
	}
	if err == nil && !l.held() {
		err = &apiserver.NotHealthy{Reason: "the cluster's lock (Lease kube-system/" + leaseName + ") could not be renewed"}
	}
	if err != nil {
		c.leave(false, 0)
	}
	return err
}

// Leave gives the lock back, if there is one. restarted says that this node's
// API server was restarted.
func (c *Cluster) Leave(restarted bool) { c.leave(restarted, 0) }

// LeaveUnwatched leaves the lock to expire: the API server is still going to
// restart.
func (c *Cluster) LeaveUnwatched() { c.leave(true, unwatchedFor) }

func (c *Cluster) leave(restarted bool, busy time.Duration) {
	if c.lease != nil {
		c.lease.release(restarted, busy)
		c.lease = nil
	}
}

// withoutOthers decides whether to go on without the others: when there are none, when
// this node may not see them, and when it has to. Whoever interrupts the question has not
// said that it should go on unanswered.
func (c *Cluster) withoutOthers(ctx context.Context, err error) error {
	var forbidden *apiserver.ForbiddenError
	var busy *BusyError
	switch {
	case err != nil && ctx.Err() != nil:
		return wait.ErrInterrupted
	case err == nil, errors.Is(err, wait.ErrInterrupted), errors.As(err, &busy):
		return err
	case c.Late, c.Unseen:
		return nil
	case errors.As(err, &forbidden), c.Force:
		c.warnf("nothing keeps two control-plane nodes from restarting their API servers at once: %v", err)
		return nil
	}
	return &apiserver.NotHealthy{Reason: fmt.Sprintf("cannot see whether the other control-plane nodes are healthy: %v", err)}
}

// answered is peers, asked again while nobody answers in time: a machine with too much to do answers
// late. A change that is under way has less time for that.
func (c *Cluster) answered(ctx context.Context) (peers []Peer, self Peer, err error) {
	patience := c.pace.silent
	if c.Late {
		patience /= 3
	}
	deadline := time.Now().Add(patience)
	var told time.Time
	for {
		peers, self, err = c.peers(ctx)
		if !errors.Is(err, apiserver.ErrSilent) || time.Now().After(deadline) {
			return peers, self, err
		}
		if time.Since(told) > tellEvery {
			c.stepf("waiting for an answer: %v", err)
			told = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil, Peer{}, wait.ErrInterrupted
		case <-time.After(c.pace.retry):
		}
	}
}

// peers asks this node's API server for the others, and when it does not answer
// the one that the credentials name, which may be a load balancer.
func (c *Cluster) peers(ctx context.Context) (peers []Peer, self Peer, err error) {
	peers, self, err = peersOf(ctx, c.Server)
	if err == nil || c.Server.Endpoint == "" {
		return peers, self, err
	}
	peers, self, again := peersOf(ctx, c.Server.At(c.Server.Endpoint))
	switch {
	case again == nil:
		return peers, self, nil
	case errors.Is(again, apiserver.ErrSilent):
		return nil, Peer{}, again // it may answer the next question
	}
	return nil, Peer{}, err
}

// servers are whom to ask about the lock: the own API server last, since it is
// the one that goes.
func (c *Cluster) servers(peers []Peer) []*apiserver.Server {
	var out []*apiserver.Server
	for _, p := range peers {
		out = append(out, c.Server.At("https://"+p.Address))
	}
	return append(out, c.Server)
}

func (c *Cluster) lockTimeout() time.Duration {
	if c.LockTimeout > 0 {
		return c.LockTimeout
	}
	return DefaultTimeout
}

// settle gives load balancers time to see that the API server that was last
// restarted is back.
func (c *Cluster) settle(ctx context.Context) error {
	name, ago, ok := c.lease.justRestarted()
	if !ok || ago >= c.pace.balancers || c.Late {
		return nil
	}
	c.stepf("%s has just restarted its API server: load balancers get %.0f s to notice", name, (c.pace.balancers - ago).Seconds())
	select {
	case <-ctx.Done():
		return wait.ErrInterrupted
	case <-time.After(c.pace.balancers - ago):
		return nil
	}
}

// healthy waits until all others, peers at first, are ready at the same time. Where one was not, or
// may just have been restarted, they have to stay ready for as long as load balancers may take to see
// that: one that has just started may fall back, and until it gets requests nobody answers in this
// node's place.
func (c *Cluster) healthy(ctx context.Context, peers []Peer) error {
	deadline := time.Now().Add(c.pace.peers)
	var told, well time.Time // when people were last told, since when all are ready
	settle := time.Duration(0)
	if c.lease.inherited {
		settle = c.pace.balancers
	}
	for {
		// Whoever had the lock may have changed who there is.
		listed, _, unseen := c.peers(ctx)
		if unseen == nil {
			peers = listed
		}
		unhealthy := c.unready(ctx, peers, 2) // one late answer says nothing of health
		if len(unhealthy) > 0 {
			well, settle = time.Time{}, c.pace.balancers
		}
		err := notHealthy(unhealthy, unseen)
		switch {
		case ctx.Err() != nil:
			return wait.ErrInterrupted
		case err == nil && well.IsZero() && settle > 0:
			c.stepf("all others are ready: load balancers get %.0f s to notice", settle.Seconds())
			well, told = time.Now(), time.Time{}
		case err == nil && time.Since(well) >= settle:
			c.stepf("%s", OthersReady(len(peers)))
			return nil
		case err == nil:
		case c.Force:
			c.warnf("%v", err)
			return nil
		case time.Now().After(deadline):
			return err
		case time.Since(told) > tellEvery:
			told = time.Now()
			if len(unhealthy) == 0 {
				c.stepf("waiting for an answer: %v", unseen)
			} else {
				c.stepf("waiting until others are healthy: %s", strings.Join(unhealthy, "; "))
			}
		}
		select {
		case <-ctx.Done():
			return wait.ErrInterrupted
		case <-time.After(c.pace.retry):
		}
	}
}

// notHealthy is why this node may not go: others are unhealthy, or unseen says why nobody knows.
func notHealthy(unhealthy []string, unseen error) error {
	switch {
	case len(unhealthy) > 0:
		return &apiserver.NotHealthy{Reason: "other API servers are not healthy, and without this one too nobody may answer: " + strings.Join(unhealthy, "; ")}
	case unseen != nil:
		return &apiserver.NotHealthy{Reason: fmt.Sprintf("cannot see whether the other control-plane nodes are healthy: %v", unseen)}
	}
	return nil
}

// OthersReady says so of n other API servers.
func OthersReady(n int) string {
	switch n {
	case 0:
		return "there is no other API server any more"
	case 1:
		return "the other API server is ready"
	}
	return fmt.Sprintf("the %d other API servers are ready", n)
}

// unready says of those that are not ready why. One that does not answer in time is asked so many
// times.
func (c *Cluster) unready(ctx context.Context, peers []Peer, times int) []string {
	said := make(chan string)
	for _, p := range peers {
		go func() {
			server := c.Server.At("https://" + p.Address)
			ready, why := server.Ready(ctx)
			for n := 1; n < times && why == apiserver.ErrSilent.Error(); n++ {
				ready, why = server.Ready(ctx)
			}
			if !ready {
				said <- fmt.Sprintf("%s: %s", p, why)
				return
			}
			said <- ""
		}()
	}
	var unhealthy []string
	for range peers {
		if s := <-said; s != "" {
			unhealthy = append(unhealthy, s)
		}
	}
	slices.Sort(unhealthy)
	return unhealthy
}

// Others says how the other API servers are, for people who look before a
// change: how many there are, which are not ready and why, and which node holds
// the cluster's lock, "" for none. While nobody answers in time it asks again, for
// as long as patience.
func Others(ctx context.Context, s *apiserver.Server, patience time.Duration) (n int, unready []string, holder string, err error) {
	c := &Cluster{Server: s, pace: usual}
	c.pace.silent = patience
	peers, self, err := c.answered(ctx)
	if err != nil {
		return 0, nil, "", err
	}
	l := newLease(c.servers(peers), self, usual)
	if code, err := l.do(ctx, http.MethodGet, leasePath, nil); err == nil && code == http.StatusOK {
		holder = nameOf(l.object.Spec.HolderIdentity)
	}
	return len(peers), c.unready(ctx, peers, 1), holder, nil
}

func (c *Cluster) stepf(format string, a ...any) {
	if c.Say != nil {
		c.Say(fmt.Sprintf(format, a...), time.Since(c.start))
	}
}

func (c *Cluster) warnf(format string, a ...any) {
	if c.Warn != nil {
		c.Warn(fmt.Errorf(format, a...))
	}
}
