//go:build e2e

package e2e

import (
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// healthCheck is how long a load balancer may take to notice that a backend is gone; a
// connection that it sends there meanwhile is cut.
const healthCheck = 5 * time.Second

// TestOneOfThree wants a cluster of three control-plane nodes to go on answering while audit
// logging is turned on on one of them.
func TestOneOfThree(t *testing.T) {
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
	from := time.Now()
	balanced := cluster.NewWatch(endpoint)
	defer balanced.Stop()
	l.restarts(func() { l.auditpatch(0, "enable", "--no-wait") })
	if outage, whole := cluster.Outage(balanced.Stop(), cluster.Readyz, "200", from); outage > healthCheck || !whole {
		l.Fatalf("no reliable answer from the balanced API for %s: %v", outage, balanced.Changes())
	}
	if err := c.Unintended(l.ctx); err != nil {
		l.Fatal(err)
	}
}
