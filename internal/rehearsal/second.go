package rehearsal

import (
	"os"
	"time"

	"github.com/gofrs/flock"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/wait"
)

// Second is a second API server that has passed its rehearsal and runs on. It ends with this
// process, if not before.
type Second struct {
	Port   int               // on a loopback address
	Server *apiserver.Server // for whoever asks it

	instance  *instance
	rehearsal Rehearsal
	hostname  string
	lock      *flock.Flock // nil before the rehearsal is over
}

// How long a second API server may take to end by itself. One that has only been rehearsed
// needs that to give up its identity lease. One that has served answers what it had accepted,
// and sends the events that a backend holds back: the kubelet would give it 30 s.
var (
	endWithin       = wait.Scaled(3 * time.Second)
	endServedWithin = wait.Scaled(30 * time.Second)
)

// PID is the process.
func (s *Second) PID() int { return s.instance.process.Pid }

// Ended is closed when it has ended.
func (s *Second) Ended() <-chan struct{} { return s.instance.ended }

// LastWords is the last error that it has logged; "" once a signal has ended it, which it says
// nothing of.
func (s *Second) LastWords() string {
	if s.instance.hasEnded() && s.instance.signalled {
		return ""
	}
	return plain(apiserver.LastError(s.instance.output.String()))
}

// LogError is what it says of its audit log when it cannot write that; "" while it can.
func (s *Second) LogError() string { return apiserver.AuditLogErrorIn(s.instance.output.String()) }

// Hold is a descriptor for the second API server's port: nobody of another user can listen
// there before it is closed, also when the API server has ended; nil where that cannot be.
func (s *Second) Hold() *os.File {
	host := s.Server.Host
	p, alive := host.Process(s.PID())
	if !alive || !s.rehearsal.sharesPorts() {
		return nil
	}
	f, err := host.Descriptor(p, heldFD)
	if err != nil {
		return nil
	}
	return f
}

// Kill ends it at once, with what it has accepted.
func (s *Second) Kill() { _ = s.instance.process.Kill() }

// End ends one that nobody uses, and takes away what it has left.
func (s *Second) End() { s.end(endWithin) }

// Drain ends one that has served. It tells whether that one had to be killed.
func (s *Second) Drain() (killed bool) { return s.end(endServedWithin) }

func (s *Second) end(within time.Duration) (killed bool) {
	killed = s.instance.end(within)
	removeLease(s.rehearsal.Server, s.hostname)
	if s.lock != nil {
		_ = s.lock.Close()
	}
	return killed
}
