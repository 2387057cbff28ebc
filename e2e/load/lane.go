package load

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// lane is a client with connections of its own, and a bound for the requests under way on it.
type lane struct {
	client   *http.Client
	base     string
	protocol string
	slots    chan struct{}
	timeout  time.Duration // of a request
}

// The lanes: half of the requests go over HTTP/2, all of a lane over one connection, and half
// over HTTP/1.1 with keep-alive, each under way having a connection to itself. All slots
// together bound what an API server finds waiting when it comes up.
const (
	lanesEach  = 4
	slotsHTTP1 = 8
	slotsHTTP2 = 40
)

// MostUnderWay is how many requests can wait for an answer at once.
const MostUnderWay = lanesEach * (slotsHTTP1 + slotsHTTP2)

func newLanes(config *rest.Config, timeout time.Duration) ([]*lane, error) {
	var lanes []*lane
	for range lanesEach {
		for _, kind := range []struct {
			protocol string
			slots    int
		}{{"http/1.1", slotsHTTP1}, {"h2", slotsHTTP2}} {
			l, err := newLane(config, kind.protocol, kind.slots, timeout)
			if err != nil {
				return nil, err
			}
			lanes = append(lanes, l)
		}
	}
	return lanes, nil
}

// newLane makes a transport of its own: those of client-go are shared, and open a connection
// for every request that finds none, which is a storm of handshakes when an outage ends.
func newLane(config *rest.Config, protocol string, slots int, timeout time.Duration) (*lane, error) {
	c := rest.CopyConfig(config)
	c.NextProtos = []string{protocol}
	security, err := rest.TLSConfigFor(c)
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{
		TLSClientConfig:     security,
		DialContext:         dialWithin(timeout * 2 / 5), // 2 s of the usual 5
		ForceAttemptHTTP2:   protocol == "h2",
		MaxConnsPerHost:     slots,
		MaxIdleConnsPerHost: slots,
		DisableCompression:  true, // the load shares the processors with the API server
	}
	if protocol == "h2" {
		transport.MaxConnsPerHost = 1
	}
	return &lane{client: &http.Client{Transport: transport}, base: c.Host, protocol: protocol, slots: make(chan struct{}, slots), timeout: timeout}, nil
}

// free takes a slot of a random lane, of any other when that one has none, and is nil when
// none has.
func free(lanes []*lane) *lane {
	first := rand.IntN(len(lanes))
	for i := range lanes {
		l := lanes[(first+i)%len(lanes)]
		select {
		case l.slots <- struct{}{}:
			return l
		default:
		}
	}
	return nil
}

func (l *lane) leave() { <-l.slots }

// conn is a connection that knows its age: it tells the old API server's connections from
// the new one's.
type conn struct {
	net.Conn
	made time.Time
}

func dialWithin(timeout time.Duration) func(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := net.Dialer{Timeout: timeout}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &conn{Conn: c, made: time.Now()}, nil
	}
}

// madeAt is when a connection below TLS was made.
func madeAt(c net.Conn) time.Time {
	if t, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = t.NetConn()
	}
	if c, ok := c.(*conn); ok {
		return c.made
	}
	return time.Time{}
}
