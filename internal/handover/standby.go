package handover

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// Serving prepares the files of a second API server that is to serve with new settings: its
// events go to a spool. An *Impossible says why there can be none.
func Serving(s *apiserver.Server, after patch.Settings) (*rehearsal.Serve, error) {
	serve := &rehearsal.Serve{IPv6: advertisesIPv6(after.Server)}
	if Left(s.Node) {
		return nil, &Impossible{Reason: "audit events of an earlier run are still to be moved to the log", Hint: hint.Command("recover")}
	}
	var err error
	if log := writtenTo(after); log != "" {
		serve.Log, err = makeSpool(s.Node, log, int(after.Server.User))
	}
	if err != nil {
		return nil, impossible("make a file for audit events: %v", err)
	}
	return serve, nil
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
	server        *apiserver.Server // the node's own
	second        *rehearsal.Second
	before, after patch.Settings

	taken *taken // nil before Attach
	once  sync.Once
	why   atomic.Value // a string: why it was ended
}

// New makes a standby of a second API server that was started with [Serving].
func New(s *apiserver.Server, second *rehearsal.Second, before, after patch.Settings) *Standby {
	return &Standby{server: s, second: second, before: before, after: after}
}

// Discard ends the standby of a change that has not begun, and drops its events.
func Discard(s *apiserver.Server, second *rehearsal.Second) {
	if second != nil {
		second.End()
	}
	_ = dropSpool(s.Node)
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
	if s.taken, err = take(s.server.Spec.Port, listener); err != nil {
		return "", err
	}
	if err := s.takeLocal(); err != nil {
		missed = fmt.Sprintf("those to loopback addresses are not served meanwhile: %v", err)
	}
	s.taken.background(func(ctx context.Context) { keepEndpoints(ctx, s.second.Server) })
	s.taken.background(s.guard)
	return missed, nil
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

// unhealthyFor is how long a standby may be unready. One that does not answer is worse than
// none: the kubelet waits for it before it starts the new API server, and is refused at once
// where nobody listens.
var unhealthyFor = wait.Scaled(4 * time.Second)

// guard gives connections back when the standby ends, or is not ready for a while, which ends
// it.
func (s *Standby) guard(ctx context.Context) {
	for last := time.Now(); ; {
		select {
		case <-ctx.Done():
			return
		case <-s.second.Ended():
			s.taken.release()
			return
		case <-time.After(unhealthyFor / 4):
		}
		within, cancel := context.WithTimeout(ctx, unhealthyFor/2)
		ready, _ := s.second.Server.Ready(within)
		cancel()
		switch {
		case ready:
			last = time.Now()
		case time.Since(last) > unhealthyFor && ctx.Err() == nil:
			s.why.Store("it was not ready for " + unhealthyFor.String())
			s.second.Kill()
			s.taken.release()
			return
		}
	}
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
	if s.taken != nil {
		if _, ended := s.Ended(); !ended {
			time.Sleep(settleFor)
		}
		s.taken.close()
		if _, ended := s.Ended(); !ended {
			time.Sleep(emptyFor)
		}
	}
	killed := s.second.Drain()
	log := writtenTo(s.before)
	if kept {
		log = writtenTo(s.after)
	}
	if err := deliver(s.server.Node, log); err != nil {
		return err
	}
	if killed {
		return errors.New("the kube-apiserver that served meanwhile did not end by itself and was killed: requests and audit events may be missing")
	}
	return nil
}
