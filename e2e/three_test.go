//go:build e2e

package e2e

import (
	"crypto/tls"
	"net/http"
	"sync"
	"testing"
	"time"
)

// healthCheck is how long a load balancer may take to notice that a backend is gone; a
// connection that it sends there meanwhile is cut.
const healthCheck = 5 * time.Second

// TestThreeInTurn turns audit logging on on each of three control-plane nodes, one after the
// other, and counts what a client of the load balancer notices.
func TestThreeInTurn(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a second cluster")
	}
	c, err := threeNodes()
	if err != nil {
		t.Fatal(err)
	}
	l := beginOn(t, c)
	endpoint, err := c.Endpoint(l.ctx)
	if err != nil {
		l.Fatal(err)
	}
	for _, n := range c.Nodes() {
		on := *l
		on.node = n
		client := askSteadily("https://" + endpoint + "/readyz")
		on.rollsOut(func() { on.auditpatch(0, "enable") })
		asked, failed, longest := client.end()
		l.Logf("%s: a client of the load balancer asked %d times, %d failed, for %.1f s at the longest",
			n.Name(), asked, failed, longest.Seconds())
		if longest > healthCheck {
			l.Fatalf("no reliable answer from the balanced API for %s", longest)
		}
		on.auditpatch(0, "status", "--check")
	}
	if err := c.Unintended(l.ctx); err != nil {
		l.Fatal(err)
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
