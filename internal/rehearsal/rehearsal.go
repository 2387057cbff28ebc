package rehearsal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/proof"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// Rehearsal is a change that is to be rehearsed.
type Rehearsal struct {
	// Server is the API server that runs, with the manifest as it is.
	Server   *apiserver.Server
	Manifest string         // its path on the node
	New      patch.Settings // of the manifest as planned
	// Changes are those of the plan: what they write the second API server finds.
	Changes []patch.Change
	Probe   *apiserver.Probe // a request that is recorded; nil when nothing can be proven
	Delay   time.Duration    // how long a batch may hold an event back
	// Serve makes the second API server one that can take over from the first; nil for one
	// that only has to show that it starts.
	Serve *Serve
}

// Serve is what a second API server needs that is to serve.
type Serve struct {
	// Log is a file on the node, empty and the API server's own, that takes the events;
	// "" without a log backend.
	Log string
	// IPv6 has it listen on ::1, and not on 127.0.0.1: a listener on a loopback address
	// knows one family only.
	IPv6 bool
	// Version is that of the API server, also where its image does not say so.
	Version patch.Version
}

// Report is what came of a rehearsal that went well.
type Report struct {
	Ready time.Duration // from the start to the first good answer of /readyz
	Event string        // the audit ID of the marked event; "" when nothing can be proven
}

// Impossible says why a change cannot be rehearsed, which says nothing of its settings.
type Impossible struct {
	Reason string
	Hint   hint.Hint
}

func (e *Impossible) Error() string { return e.Reason }

// Remedy is what to type.
func (e *Impossible) Remedy() hint.Hint { return e.Hint }

// Failed says that the settings do not work.
type Failed struct {
	Reason string
	Log    string // what the API server has said, the end of it
	Hint   hint.Hint
}

func (e *Failed) Error() string { return e.Reason }

// Remedy is what to type.
func (e *Failed) Remedy() hint.Hint { return e.Hint }

// logDir is the directory of the second API server's log, in its own file system. It lies in
// memory, so that nothing is left of it and nobody else can put anything there.
const logDir = "/" + stageName + "-log"

var (
	// readyWithin is many times what an API server takes (2.5 to 4.1 s on two busy cores).
	readyWithin = wait.Scaled(time.Minute)
	pollEvery   = wait.Scaled(50 * time.Millisecond)
)

// Run rehearses the change, and ends the second API server. Nothing of the node is changed,
// whatever the outcome. The error is an *Impossible, a *Failed, or wait.ErrInterrupted.
func (r Rehearsal) Run(ctx context.Context) (Report, error) {
	second, report, err := r.Begin(ctx)
	if err != nil {
		return Report{}, err
	}
	second.End()
	return report, nil
}

// Begin rehearses the change, and leaves the second API server running when all went well.
// The errors are those of Run.
func (r Rehearsal) Begin(ctx context.Context) (*Second, Report, error) {
	if err := r.checkPort(); err != nil {
		return nil, Report{}, err
	}
	lock, err := r.lock(ctx)
	if err != nil {
		return nil, Report{}, err
	}
	for again := true; ; again = false {
		second, report, err := r.once(ctx)
		var failed *Failed
		switch {
		case err == nil:
			second.lock = lock
			return second, report, nil
		case again && errors.As(err, &failed) && addressInUse(failed.Log):
			continue // somebody else has taken the port that was free a moment ago
		case errors.As(err, &failed) && addressInUse(failed.Log):
			err = impossible("somebody else takes each port that a second kube-apiserver is to listen on")
		}
		_ = lock.Close()
		return nil, Report{}, err
	}
}

// checkPort looks at a port that the API server that runs does not have. The rehearsal has
// one of its own.
func (r Rehearsal) checkPort() error {
	is, was := r.New.Server, r.Server.Spec
	if is.Port == was.Port && is.Address == was.Address {
		return nil
	}
	at := net.JoinHostPort(is.Address, strconv.Itoa(is.Port))
	l, err := net.Listen("tcp", at)
	if err != nil && is.Port != was.Port {
		return &Failed{Reason: fmt.Sprintf("kube-apiserver could not listen on %s: %s", at, apiserver.NetCause(err)), Hint: hint.Shell("ss -ltnp sport = :%s", strconv.Itoa(is.Port))}
	}
	if err == nil {
		l.Close()
	}
	return nil
}

// once is one attempt.
func (r Rehearsal) once(ctx context.Context) (*Second, Report, error) {
	port, err := r.freePort()
	if err != nil {
		return nil, Report{}, &Impossible{Reason: fmt.Sprintf("there is no free port: %v", err)}
	}
	s, err := r.spec(port)
	if err != nil {
		return nil, Report{}, err
	}
	began := time.Now()
	i, err := start(ctx, s)
	var failed *Failed
	switch {
	case errors.As(err, &failed):
		failed.Hint = r.remedy(failed.Reason)
		return nil, Report{}, failed
	case errors.Is(err, wait.ErrInterrupted):
		return nil, Report{}, err
	case err != nil:
		return nil, Report{}, &Impossible{Reason: err.Error()}
	}
	second := &Second{Port: port, Server: r.serverAt(port), instance: i, rehearsal: r, hostname: s.Hostname}
	report, err := r.try(ctx, second, began)
	if err != nil {
		second.End()
		return nil, Report{}, err
	}
	return second, report, nil
}

// try wants a second API server to get ready and to write an event.
func (r Rehearsal) try(ctx context.Context, second *Second, began time.Time) (report Report, err error) {
	if err := r.awaitReady(ctx, second.instance, second.Server); err != nil {
		return Report{}, err
	}
	report.Ready = time.Since(began)
	report.Event, err = r.prove(ctx, second.instance, second.Server)
	return report, err
}

// serverAt is the second API server, for whoever asks it.
func (r Rehearsal) serverAt(port int) *apiserver.Server {
	spec := r.New.Server
	spec.Address, spec.Port = r.loopback(), port
	return apiserver.New(r.Server.Node, spec)
}

// loopback is where the second API server listens.
func (r Rehearsal) loopback() string {
	if r.Serve != nil && r.Serve.IPv6 {
		return "::1"
	}
	return "127.0.0.1"
}

// freePort is a port that nobody has now.
func (r Rehearsal) freePort() (int, error) {
	l, err := net.Listen("tcp", net.JoinHostPort(r.loopback(), "0"))
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// awaitReady waits for /readyz.
func (r Rehearsal) awaitReady(ctx context.Context, second *instance, server *apiserver.Server) error {
	for deadline := time.Now().Add(readyWithin); ; {
		ready, why := server.Ready(ctx)
		switch {
		case second.hasEnded():
			return r.died(second)
		case ctx.Err() != nil:
			return wait.ErrInterrupted
		case ready:
			return nil
		case time.Now().After(deadline):
			words := plain(apiserver.LastError(second.output.String()))
			return &Failed{
				Reason: fmt.Sprintf("kube-apiserver was not ready with these settings within %s: %s%s", readyWithin, why, lastly(words)),
				Log:    second.output.String(), Hint: hint.Flag("rehearse", Never).Note("begins without this"),
			}
		}
		select {
		case <-ctx.Done():
		case <-second.ended:
		case <-time.After(pollEvery):
		}
	}
}

// lastly puts last words behind a sentence.
func lastly(words string) string {
	if words == "" {
		return ""
	}
	return "; it said last: " + words
}

// prove sends the probe and finds it in the second API server's log, which need not lie on
// the node.
func (r Rehearsal) prove(ctx context.Context, second *instance, server *apiserver.Server) (id string, err error) {
	if r.Probe == nil || !r.logs() {
		return "", nil
	}
	root, err := os.OpenRoot(filepath.Join("/proc", strconv.Itoa(second.process.Pid), "root"))
	if err != nil {
		return "", &Impossible{Reason: fmt.Sprintf("the files of the rehearsed API server cannot be seen: %v", err)}
	}
	defer root.Close()
	proving, stop := context.WithCancel(ctx)
	defer stop()
	go second.whenLogFails(proving, stop)
	id, err = proof.Event(proving, server, *r.Probe, root.FS(), r.logPath(), r.Delay)
	said := apiserver.AuditLogErrorIn(second.output.String())
	switch {
	case err == nil:
		return id, nil
	case second.hasEnded():
		return "", r.died(second)
	case ctx.Err() != nil:
		return "", wait.ErrInterrupted
	}
	cause := cmp.Or(strings.ReplaceAll(said, r.logPath(), r.New.Log.Path), err.Error())
	dir := hint.Path(path.Dir(r.New.Log.Host))
	return "", &Failed{
		Reason: "kube-apiserver gets ready with these settings, but a request that the policy records was not found in its log: " + cause,
		Log:    second.output.String(), Hint: hint.Shell("df -h %s; df -i %s", dir, dir),
	}
}

// whenLogFails calls a function when the API server ends, or says that it cannot write its
// log.
func (i *instance) whenLogFails(ctx context.Context, do func()) {
	for !i.hasEnded() && apiserver.AuditLogErrorIn(i.output.String()) == "" {
		select {
		case <-ctx.Done():
			return
		case <-i.ended:
		case <-time.After(pollEvery):
		}
	}
	do()
}

// logs tells whether the log backend writes a file.
func (r Rehearsal) logs() bool { return r.New.Log != nil && r.New.Policy != nil }

// logPath is the second API server's log, in its own file system.
func (r Rehearsal) logPath() string { return path.Join(logDir, "audit.log") }
