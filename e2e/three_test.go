//go:build e2e

package e2e

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// healthCheck is how long a load balancer may take to notice that a backend is gone; a
// connection that it sends there meanwhile is cut.
const healthCheck = 5 * time.Second

// TestThreeAtOnce starts enable on all three nodes at the same time: they go one after the other
// by themselves, and no two API servers are ever away together.
func TestThreeAtOnce(t *testing.T) {
	l := beginOnThree(t)
	h := watchAll(l)
	endpoint, err := h.Endpoint(l.ctx)
	if err != nil {
		l.Fatal(err)
	}
	client := askSteadily("https://" + endpoint + "/readyz")
	h.intend(2)
	said := h.onAll("enable")
	h.neverTwoAway()
	pageOutput(t, "three", strings.SplitAfter(said, "\naudit logging is on\n")...)
	asked, failed, longest := client.end()
	l.Logf("a client of the load balancer asked %d times, %d failed, for %.1f s at the longest", asked, failed, longest.Seconds())
	if longest > healthCheck {
		l.Fatalf("no reliable answer from the balanced API for %s", longest)
	}
	if n := strings.Count(said, "waiting for "+h.Nodes()[0].Name()); n < 2 { // the others' names begin with it
		l.Fatalf("%d nodes say that they wait for another one, want two at least", n)
	}
	for _, n := range h.Nodes() {
		on := *l
		on.node = n
		on.auditpatch(0, "status", "--check")
		on.stays(func() { on.auditpatch(0, "enable") })
	}
	if err := h.Unintended(l.ctx); err != nil {
		l.Fatal(err)
	}
}

// TestThreeDeadHolder kills enable on one node in the middle of its restart, with the cluster's
// lock in its hands, and wants another node to wait until that one is healthy, and then to go on.
// What the first one had begun is finished later.
func TestThreeDeadHolder(t *testing.T) {
	l := beginOnThree(t)
	h := watchAll(l)
	first, second := *l, *l
	second.node = h.Nodes()[1]
	first.node.Intend(2)
	second.node.Intend(2)
	first.auditpatchWhile(`said "backup "; kill -KILL $pid`, 128+9, "enable")
	said := second.auditpatch(0, "enable")
	second.wantSaid(said, "waiting for "+first.node.Name(), "load balancers get 10 s to notice", "found in the log")
	if strings.Contains(said, "warning") {
		l.Fatal("it went on without the lock")
	}
	first.auditpatch(0, "recover")
	h.neverTwoAway()
	first.auditpatch(0, "status", "--check")
	if err := h.Unintended(l.ctx); err != nil {
		l.Fatal(err)
	}
}

// beginOnThree resets the cluster of three nodes.
func beginOnThree(t *testing.T) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("makes a second cluster")
	}
	c, err := threeNodes()
	if err != nil {
		t.Fatal(err)
	}
	return beginOn(t, c)
}

// watched is a cluster all of whose API servers are watched.
type watched struct {
	*cluster.Cluster
	*lab
	watches []*cluster.Watch
}

func watchAll(l *lab) *watched {
	c, err := threeNodes()
	if err != nil {
		l.Fatal(err)
	}
	w := &watched{Cluster: c, lab: l}
	for _, n := range c.Nodes() {
		w.watches = append(w.watches, n.Watch())
	}
	l.Cleanup(func() {
		for _, w := range w.watches {
			w.Stop()
		}
	})
	return w
}

// intend counts, on each node, changes that are about to come: the tests after one that has failed
// count them too.
func (w *watched) intend(changes int) {
	for _, n := range w.Nodes() {
		n.Intend(changes)
	}
}

// onAll runs auditpatch on all nodes at once, wants each to succeed, and returns what all said.
func (w *watched) onAll(args ...string) string {
	w.Helper()
	said, exits := make([]string, len(w.Nodes())), make([]int, len(w.Nodes()))
	var all sync.WaitGroup
	for i, n := range w.Nodes() {
		all.Go(func() {
			stdout, stderr, exit := n.Auditpatch(w.ctx, args...)
			said[i], exits[i] = stdout+stderr, exit
		})
	}
	all.Wait()
	for i, n := range w.Nodes() {
		w.Logf("%s: auditpatch %s: exit status %d\n%s", n.Name(), strings.Join(args, " "), exits[i], said[i])
	}
	if slices.Max(exits) > 0 || slices.Min(exits) < 0 {
		w.Fatalf("exit statuses %v", exits)
	}
	return strings.Join(said, "")
}

// neverTwoAway compares the times in which each node's /readyz did not say 200, and wants each
// node to have been away at all.
func (w *watched) neverTwoAway() {
	w.Helper()
	var all [][]cluster.Span
	for i, n := range w.Nodes() {
		spans := cluster.Restarts(w.watches[i].Stop(), time.Now())
		for _, s := range spans {
			w.Logf("%s was away from %s to %s, for %.1f s", n.Name(), s.From.Format("15:04:05.0"), s.To.Format("15:04:05.0"), s.To.Sub(s.From).Seconds())
		}
		for j, others := range all {
			for _, a := range spans {
				if slices.ContainsFunc(others, a.Overlaps) {
					w.Fatalf("%s and %s were away at the same time", n.Name(), w.Nodes()[j].Name())
				}
			}
		}
		all = append(all, spans)
	}
	if n := len(slices.Concat(all...)); n < 3 {
		w.Fatalf("the probes saw an API server away %d times, want one a restart", n)
	}
}

// steady is a client that asks 20 times a second, on a new connection each time.
type steady struct {
	stop chan struct{}
	done sync.WaitGroup

	asked, failed int
	longest       time.Duration // from a failed answer to the next good one
}

func askSteadily(url string) *steady {
	s := &steady{stop: make(chan struct{})}
	// Whose certificate it is does not matter: nothing secret is sent.
	client := &http.Client{Timeout: healthCheck, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	s.done.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		var since time.Time
		for {
			at := time.Now()
			s.asked++
			answer, err := client.Get(url)
			if err == nil {
				answer.Body.Close()
			}
			switch good := err == nil && answer.StatusCode == http.StatusOK; {
			case !good:
				s.failed++
				if since.IsZero() {
					since = at
				}
				s.longest = max(s.longest, time.Since(since))
			case !since.IsZero():
				s.longest, since = max(s.longest, at.Sub(since)), time.Time{}
			}
			select {
			case <-s.stop:
				return
			case <-tick.C:
			}
		}
	})
	return s
}

// end stops the client and returns what it noticed.
func (s *steady) end() (asked, failed int, longest time.Duration) {
	close(s.stop)
	s.done.Wait()
	return s.asked, s.failed, s.longest
}
