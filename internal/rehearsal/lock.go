package rehearsal

import (
	"context"
	"path"
	"time"

	"github.com/gofrs/flock"

	"auditpatch/internal/wait"
)

// lockedWithin is more than a rehearsal takes.
var lockedWithin = wait.Scaled(30 * time.Second)

// lock keeps a second rehearsal from this node, which would have the same host name and so
// the same Lease. It makes no file: a rehearsal may be part of a dry run.
func (r Rehearsal) lock(ctx context.Context) (*flock.Flock, error) {
	l := flock.New(path.Join(r.Server.Node.Root, r.Manifest), flock.SetFlag(0))
	within, cancel := context.WithTimeout(ctx, lockedWithin)
	defer cancel()
	locked, err := l.TryLockContext(within, pollEvery)
	switch {
	case locked:
		return l, nil
	case ctx.Err() != nil:
		return nil, wait.ErrInterrupted
	case within.Err() != nil:
		return nil, impossible("another rehearsal is running on this node")
	}
	return nil, impossible("%v", err)
}
