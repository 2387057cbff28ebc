// Package proof shows that an API server writes audit events: it sends a request that the
// policy records and finds it in the log.
//
// Call [Event].
package proof

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/wait"
)

var (
	// within is how long a recorded request may take to reach the log in blocking mode; in
	// batch mode the batch's own wait comes on top.
	within = wait.Scaled(10 * time.Second)
	// silence is how much longer it takes at most because requests are not answered in time: what
	// says nothing of the log, on a machine with too much to do.
	silence   = wait.Scaled(30 * time.Second)
	askAgain  = wait.Scaled(500 * time.Millisecond)
	lookAgain = wait.Scaled(100 * time.Millisecond)
)

// NotFound says why no request was found in the log.
type NotFound struct{ Cause error }

func (e *NotFound) Error() string { return e.Cause.Error() }

func (e *NotFound) Unwrap() error { return e.Cause }

// Event sends the probe and finds its audit ID in the log that lies at a path of a file
// system. It is sent again when it is not found: not every request has to reach the log.
// delay is how long the log backend may hold an event back. The error is a *NotFound, or
// wait.ErrInterrupted.
func Event(ctx context.Context, s *apiserver.Server, probe apiserver.Probe, fsys fs.FS, log string, delay time.Duration) (id string, err error) {
	search := auditlog.Begin(fsys, log)
	defer search.Close()
	deadline := time.Now().Add(within + delay)
	latest := deadline.Add(silence)
	var last error
	var asked []string
	for first := true; first || time.Now().Before(deadline); first = false {
		began := time.Now()
		a, err := s.Ask(ctx, probe.Method, probe.Path)
		switch {
		case errors.Is(err, apiserver.ErrSilent):
			last = err
			if deadline = deadline.Add(time.Since(began)); deadline.After(latest) {
				deadline = latest
			}
		case err != nil:
			last = err
		case a.AuditID == "":
			last = fmt.Errorf("the API server answered %d to %s %s without an Audit-Id: it does not audit", a.Code, probe.Method, probe.Path)
		default:
			asked = append(asked, a.AuditID)
			if id, last = find(ctx, search, asked, min(delay+wait.Scaled(2*time.Second), time.Until(deadline))); last == nil {
				return id, nil
			}
		}
		select {
		case <-ctx.Done():
			return "", wait.ErrInterrupted
		case <-time.After(askAgain):
		}
	}
	return "", &NotFound{last}
}

// find waits until the event of one of the requests is in the log.
func find(ctx context.Context, search *auditlog.Search, auditIDs []string, within time.Duration) (id string, err error) {
	deadline := time.Now().Add(within)
	for {
		id, err := search.Find(auditIDs...)
		if id != "" {
			return id, nil
		}
		if time.Now().After(deadline) {
			if err != nil {
				return "", err
			}
			return "", errors.New("event " + auditIDs[len(auditIDs)-1] + " is not in it")
		}
		select {
		case <-ctx.Done():
			return "", wait.ErrInterrupted
		case <-time.After(lookAgain):
		}
	}
}
