package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// proveWithin is how long a recorded request may take to reach the log in
// blocking mode; in batch mode the batch's own wait comes on top.
var proveWithin = wait.Scaled(10 * time.Second)

// NotLogged says that no event was found in the log, and what stands in its way.
type NotLogged struct {
	Log    string // on the node
	Cause  error  // why the last request was not found
	Reason string // what keeps the log from being written, "" when nothing is known
}

func (e *NotLogged) Error() string {
	said := fmt.Sprintf("the API server is ready, but a request that the policy records was not found in %s: ", e.Log)
	if e.Reason != "" {
		return said + e.Reason
	}
	return said + e.Cause.Error()
}

func (e *NotLogged) Unwrap() error { return e.Cause }

// Remedy is what to type.
func (e *NotLogged) Remedy() hint.Hint {
	if e.Reason == "" {
		return nil
	}
	dir := hint.Path(path.Dir(e.Log))
	return hint.Shell("df -h %s; df -i %s", dir, dir)
}

// prove sends the probe and finds its audit ID in the log. It is sent again when
// it is not found: not every request has to reach the log.
func prove(ctx context.Context, s *apiserver.Server, probe apiserver.Probe, after patch.Settings, delay time.Duration) (id string, err error) {
	fsys, err := s.Node.FS()
	if err != nil {
		return "", err
	}
	defer fsys.Close()
	search := auditlog.Begin(fsys, after.Log.Host)
	defer search.Close()
	deadline := time.Now().Add(proveWithin + delay)
	var last error
	var asked []string
	for first := true; first || time.Now().Before(deadline); first = false {
		a, err := s.Ask(ctx, probe.Method, probe.Path)
		switch {
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
		case <-time.After(wait.Scaled(500 * time.Millisecond)):
		}
	}
	return "", &NotLogged{after.Log.Host, last, unwritten(s, after)}
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
		case <-time.After(pollEvery):
		}
	}
}

// leastFree is less than some events take.
const leastFree = 64 << 10

// unwritten is what keeps the log from being written, "" when nothing is known: a
// file system that takes no more, or what the API server says of its log.
func unwritten(s *apiserver.Server, after patch.Settings) string {
	dir := path.Dir(after.Log.Host)
	if space, err := s.Node.Space(dir); err == nil {
		switch {
		case space.ReadOnly:
			return fmt.Sprintf("the file system of %s is mounted read-only", dir)
		case space.NoFiles:
			return fmt.Sprintf("the file system of %s has no inodes left", dir)
		case space.Free < leastFree:
			return fmt.Sprintf("the file system of %s is full", dir)
		}
	}
	return s.AuditLogError()
}

// fileSize is how large a file is, 0 for none.
func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}
