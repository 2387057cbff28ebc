package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/proof"
	"auditpatch/patch"
)

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

// prove sends the probe and finds its audit ID in the log.
func prove(ctx context.Context, s *apiserver.Server, probe apiserver.Probe, after patch.Settings, delay time.Duration) (id string, err error) {
	fsys, err := s.Node.FS()
	if err != nil {
		return "", err
	}
	defer fsys.Close()
	id, err = proof.Event(ctx, s, probe, fsys, after.Log.Host, delay)
	var missing *proof.NotFound
	if errors.As(err, &missing) {
		return "", &NotLogged{after.Log.Host, missing.Cause, unwritten(s, after)}
	}
	return id, err
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
