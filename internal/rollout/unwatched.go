package rollout

import (
	"context"
	"time"

	"auditpatch/internal/clusterlock"
)

// Unwatched is the Watcher of a change that nobody waits for: all that it does
// is to enter the cluster, and to leave the lock to expire when the kubelet has
// had its time.
type Unwatched struct{ Cluster *clusterlock.Cluster }

// Before waits until this node may restart its API server.
func (u *Unwatched) Before(ctx context.Context) error { return u.Cluster.Enter(ctx) }

// Wait does not.
func (u *Unwatched) Wait(context.Context, Files) error { u.Cluster.LeaveUnwatched(); return nil }

// Failing tells of nothing to wait for.
func (u *Unwatched) Failing() bool { return false }

// Clear has nothing to do.
func (u *Unwatched) Clear() {}

// Back does not wait either.
func (u *Unwatched) Back(Files) error { return nil }

// Yield does not either.
func (u *Unwatched) Yield() error { return nil }

// After gives the lock back when nothing was written.
func (u *Unwatched) After() { u.Cluster.Leave(false) }

// ClusterSteps makes steps of what a Cluster says.
func ClusterSteps(say func(Progress)) func(text string, after time.Duration) {
	if say == nil {
		return nil
	}
	return func(text string, after time.Duration) { say(Progress{Step: "cluster", Text: text, After: after}) }
}
