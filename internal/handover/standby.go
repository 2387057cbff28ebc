package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// Prepared is what a second API server needs that is to serve with new settings. Whoever has
// prepared it discards it, or makes a [Standby] of it.
type Prepared struct {
	*rehearsal.Serve
	server        *apiserver.Server // the node's own
	before, after patch.Settings
	missed        []string // whom it cannot serve
}

// Prepare makes the files of a second API server that is to serve: its events go to a spool.
// A *rehearsal.Impossible says why there can be none. The caller holds the node's lock.
func Prepare(ctx context.Context, s *apiserver.Server, before, after patch.Settings) (*Prepared, error) {
	p := &Prepared{Serve: &rehearsal.Serve{IPv6: advertisesIPv6(after.Server)}, server: s, before: before, after: after}
	p.Serve.Version = after.Version
	if after.Version == (patch.Version{}) {
		p.Serve.Version = s.Version(ctx)
	}
	if !p.Serve.IPv6 && servesIPv6(s) {
		p.missed = append(p.missed, "clients that come over IPv6 are not served meanwhile")
	}
	log := writtenTo(after)
	if log == "" {
		return p, nil
	}
	if why := crowded(s.Node); why != "" {
		return nil, impossible("%s", why)
	}
	var err error
	if p.Serve.Log, err = makeSpool(s.Node, log, int(after.Server.User)); err != nil {
		p.Discard()
		return nil, impossible("make a file for audit events: %v", err)
	}
	return p, nil
}

// Discard drops the events of a second API server that has not served.
func (p *Prepared) Discard() { _ = dropSpool(p.server.Node) }

// leastFree has to be free where the spool is: events of a busy cluster for some minutes.
const leastFree = 256 << 20

// crowded says that the spool's file system has too little space, "" when it has enough.
func crowded(n *node.Node) string {
	space, err := n.Space(n.StateDir)
	switch {
	case err != nil:
		return fmt.Sprintf("the space for audit events cannot be measured: %v", err)
	case space.FreeToRoot < leastFree:
		return fmt.Sprintf("%s are free in %s, where audit events are kept meanwhile, and %s are wanted", auditlog.FormatSize(space.FreeToRoot), n.StateDir, auditlog.FormatSize(leastFree))
	}
	return ""
}

// servesIPv6 tells whether somebody uses the API server over IPv6 now, but for itself, which
// dials ::1.
func servesIPv6(s *apiserver.Server) bool {
	running, err := s.Processes()
	if err != nil {
		return false
	}
	return slices.ContainsFunc(running, func(p proc.Process) bool {
		all, err := s.Host.SocketsOn(p, s.Spec.Port)
		return err == nil && slices.ContainsFunc(all.Open, func(c proc.Connection) bool {
			from := c.Remote.Addr().Unmap()
			return from.Is6() && !from.IsLoopback()
		})
	})
}

// writtenTo is the log that an API server with these settings writes, a path on the node; ""
// for none.
func writtenTo(s patch.Settings) string {
	if s.Log == nil || s.Policy == nil {
		return ""
	}
	return s.Log.Host
}

// advertisesIPv6 tells whether clients come over IPv6.
func advertisesIPv6(s patch.Server) bool {
	ip := net.ParseIP(proc.Flag(s.Command, "advertise-address"))
	return ip != nil && ip.To4() == nil
}

// Standby is a second API server, with the new settings, that serves while the node's own
// restarts.
type Standby struct {
	*Prepared
	second *rehearsal.Second

	taken *taken   // nil before Attach
	hold  *os.File // the second one's port, nil for none
	once  sync.Once
	why   atomic.Value // a string: why it was ended
}

// Standby is a second API server that was started with what is prepared.
func (p *Prepared) Standby(second *rehearsal.Second) *Standby {
	return &Standby{Prepared: p, second: second}
}

// Attach has the standby take new connections from now on. missed says of which it cannot
// take, and why; it is "" for none.
func (s *Standby) Attach() (missed string, err error) {
	running, alive := s.server.Host.Process(s.second.PID())
	if !alive {
		return "", fmt.Errorf("the rehearsed kube-apiserver has ended: %s", s.second.LastWords())
	}
	listener, err := s.server.Host.Listener(running, s.second.Port)
	if err != nil {
		return "", err
	}
	// Should the second one die, its listener has to go with it: else connections would be
	// taken by nobody.
	defer listener.Close()
	missing := slices.Clone(s.missed)
	endpoints, err := readEndpoints(context.Background(), s.second.Server)
	if err != nil {
		missing = append(missing, fmt.Sprintf("the endpoints of the Service kubernetes are empty meanwhile: %v", err))
	}
	if s.taken, err = take(s.server.Spec.Port, listener); err != nil {
		return "", err
	}
	s.hold = s.second.Hold()
	if err := s.takeLocal(); err != nil {
		missing = append(missing, fmt.Sprintf("clients of loopback addresses are not served meanwhile: %v", err))
	}
	// It is what serves now, and goes no sooner than the one that it stands in for.
	s.server.Host.AsPrecious(running)
	s.taken.background(func(ctx context.Context) { keepEndpoints(ctx, s.second.Server, endpoints) })
	s.taken.background(s.guard)
	return strings.Join(missing, "; "), nil
}

// takeLocal takes connections from this machine to loopback addresses.
func (s *Standby) takeLocal() error {
	if s.second.Server.Spec.Address == loopbackIPv6 {
		return errors.New("clients come over IPv6, and this can be done with IPv4 only")
	}
	return s.taken.takeLocal(s.server.Spec.Port, s.second.Port)
}

// loopbackIPv6 is where a second API server listens for clients of IPv6.
const loopbackIPv6 = "::1"

// How long a standby may fail to answer, and answer that it is not ready. One that does not
// answer is worse than none: the kubelet waits for it before it starts the new API server, and
// is refused at once where nobody listens. One that only has lost etcd does no more harm than
// the other would.
var (
	silentWithin = wait.Scaled(8 * time.Second)
	unreadyFor   = wait.Scaled(12 * time.Second)
	// askWithin is how long an answer may take on a machine that is busy.
	askWithin = wait.Scaled(4 * time.Second)
	askEvery  = wait.Scaled(time.Second)
	// fewestFailures have to come in a row: this process may have been stopped meanwhile.
	fewestFailures = 3
)

// guard gives connections back when the standby ends, and ends it when it is not ready for a
// while or cannot write its events.
func (s *Standby) guard(ctx context.Context) {
	var failures []time.Time // without a good answer between them
	answered := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.second.Ended():
			s.taken.abandon()
			return
		case <-time.After(askEvery):
		}
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, askWithin)
		answer, err := s.second.Server.Ask(within, http.MethodGet, "/readyz")
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && answer.Code < http.StatusInternalServerError:
			failures, answered = nil, time.Now()
		case err == nil:
			failures, answered = append(failures, began), time.Now()
		default:
			failures = append(failures, began)
		}
		if why := s.fault(failures, answered); why != "" {
			s.why.Store(why)
			s.second.Kill()
			s.taken.abandon()
			return
		}
	}
}

// fault is why a standby is better ended, "" while it is not.
func (s *Standby) fault(failures []time.Time, answered time.Time) string {
	if len(failures) >= fewestFailures {
		switch now := time.Now(); {
		case now.Sub(answered) > silentWithin && now.Sub(failures[0]) > silentWithin:
			return fmt.Sprintf("it has not answered for %s", silentWithin)
		case now.Sub(failures[0]) > unreadyFor:
			return fmt.Sprintf("it was not ready for %s", unreadyFor)
		}
	}
	if s.Serve.Log == "" {
		return ""
	}
	if said := s.second.LogError(); said != "" {
		return "it cannot write audit events: " + said
	}
	space, err := s.server.Node.Space(s.server.Node.StateDir)
	if err == nil && space.FreeToRoot < leastFree/4 {
		return fmt.Sprintf("only %s are free in %s, where audit events are kept meanwhile", auditlog.FormatSize(space.FreeToRoot), s.server.Node.StateDir)
	}
	return ""
}

// Ended tells whether the standby has ended by itself, or did not answer any more, and why.
func (s *Standby) Ended() (words string, ended bool) {
	select {
	case <-s.second.Ended():
		if why, ok := s.why.Load().(string); ok {
			return why, true
		}
		return s.second.LastWords(), true
	default:
		return "", false
	}
}

var (
	// settleFor is how long the new API server is ready before it gets connections.
	settleFor = wait.Scaled(300 * time.Millisecond)
	// emptyFor is how long the standby has to take what was on its way to it: with 0.2 s a
	// new connection was cut. Clients over HTTP/2 leave it meanwhile.
	emptyFor = wait.Scaled(1500 * time.Millisecond)
)

// End gives new connections to the node's own API server, lets the standby answer what it
// has accepted, and moves its events to that one's log. kept says that this one runs with
// the new settings.
func (s *Standby) End(kept bool) (err error) {
	s.once.Do(func() { err = s.end(kept) })
	return err
}

func (s *Standby) end(kept bool) error {
	_, died := s.Ended()
	if s.taken != nil {
		if !died {
			time.Sleep(settleFor)
		}
		s.taken.close()
		if !died {
			time.Sleep(emptyFor)
		}
	}
	killed := s.second.Drain()
	if s.hold != nil {
		_ = s.hold.Close()
	}
	if s.taken == nil { // nobody has used it
		s.Discard()
		return nil
	}
	log := writtenTo(s.before)
	if kept {
		log = writtenTo(s.after)
	}
	if err := deliver(s.server.Node, log); err != nil {
		return hint.Errorf(hint.Command("recover"), "%v", err)
	}
	if killed || died {
		return errors.New("the kube-apiserver that served meanwhile did not end by itself: requests that it had accepted, and their audit events, may be missing")
	}
	return nil
}
