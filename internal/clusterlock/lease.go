package clusterlock

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/wait"
)

// The cluster's lock is a Lease, as Kubernetes' own components use for theirs:
// whoever's write of it succeeds has it, and one that is not renewed expires.
const (
	leaseName  = "auditpatch"
	leasesPath = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
	leasePath  = leasesPath + "/" + leaseName
	// renewWithin is how long one API server may take to renew it, before the
	// next is asked.
	renewWithin = 2 * time.Second
	// releaseWithin is how long a release may take; after that the Lease expires.
	releaseWithin = 5 * time.Second
	// failingTries are enough to be sure that a failure is none that passes.
	failingTries = 10

	// restartedBy and restartedAt tell of the last restart.
	restartedBy = "auditpatch/restarted-by"
	restartedAt = "auditpatch/restarted-at"
	// unsettled stays on a lock that was taken over until all others have stayed ready:
	// whoever has it next waits for that. It names who let it expire.
	unsettled = "auditpatch/unsettled"
)

// pace is how fast things go, which tests change.
type pace struct {
	lease time.Duration // how long a holder may be silent, in whole seconds
	renew time.Duration // how often it renews
	retry time.Duration // how often a wait looks
	peers time.Duration // how long others may take to be healthy
	// silent is how long a question for the others may stay without an answer.
	silent time.Duration
	// balancers is how long load balancers get to see that an API server is back
	// before the next one goes.
	balancers time.Duration
}

// usual is the pace on clusters. The kubelet takes up to 46 s to restart an API
// server by itself.
var usual = pace{lease: 15 * time.Second, renew: 3 * time.Second, retry: time.Second, peers: 2 * time.Minute, silent: Patience, balancers: 10 * time.Second}

// leaseObject is what is needed of a coordination.k8s.io/v1 Lease; to link that
// package costs more than this.
type leaseObject struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              leaseSpec `json:"spec"`
}

type leaseSpec struct {
	HolderIdentity       string            `json:"holderIdentity"`
	LeaseDurationSeconds int32             `json:"leaseDurationSeconds"`
	AcquireTime          *metav1.MicroTime `json:"acquireTime,omitempty"`
	RenewTime            *metav1.MicroTime `json:"renewTime,omitempty"`
	LeaseTransitions     int32             `json:"leaseTransitions"`
}

// lease is the cluster's lock as this run sees it.
type lease struct {
	servers []*apiserver.Server // asked in this order until one answers
	holder  string              // this run
	pace    pace

	mu sync.Mutex
	// inherited is a lock that another node has let expire, and since then nobody has seen all
	// others stay ready: when that one has restarted its API server last is unknown.
	inherited bool
	object    leaseObject // as it was last read or written
	renewed   time.Time
	stop      context.CancelFunc
	done      sync.WaitGroup
}

// newLease prepares for the lock. Nobody else's identity is like that of a run,
// and its part before the last "_" tells the node: an address that only one
// API server can have.
func newLease(servers []*apiserver.Server, self Peer, p pace) *lease {
	return &lease{servers: servers, pace: p, holder: self.Node + "_" + self.Address + "_" + strings.ToLower(rand.Text()[:8])}
}

// nodeOf is the part of an identity that all runs of a node have in common.
func nodeOf(holder string) string {
	if i := strings.LastIndex(holder, "_"); i >= 0 {
		return holder[:i]
	}
	return holder
}

// nameOf is the node of an identity for people.
func nameOf(holder string) string {
	name, address, _ := strings.Cut(nodeOf(holder), "_")
	if name == "" {
		return address
	}
	return name
}

// BusyError says that another node has kept the lock for too long.
type BusyError struct {
	Holder string // the node
	Waited time.Duration
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("%s has held the cluster's lock (Lease kube-system/%s) for %s: another control-plane node is restarting its API server", e.Holder, leaseName, e.Waited.Round(time.Second))
}

// Remedy is what to type.
func (e *BusyError) Remedy() hint.Hint {
	return hint.Words("run the same command again, or wait longer").Then(": ", hint.Flag("lock-timeout", "30m")).
		Then("; ", hint.Shell("kubectl -n kube-system get lease auditpatch"))
}

// acquire takes the lock, and waits for it while another node has it: until that
// one releases it, or has not renewed it for as long as it said that it would.
// That time is measured here, so that the clocks of two nodes need not agree.
// waiting is told whenever the wait is for another holder.
func (l *lease) acquire(ctx context.Context, within time.Duration, waiting func(holder string)) error {
	began := time.Now()
	var seen leaseObject
	var changed time.Time
	for failed := 0; ; {
		taken, err := l.try(ctx, seen, changed)
		if err != nil {
			failed++
		} else {
			failed = 0
		}
		if taken || failed >= failingTries || errors.Is(err, wait.ErrInterrupted) {
			return err
		}
		if now := l.object; err == nil && now.ResourceVersion != seen.ResourceVersion {
			if h := now.Spec.HolderIdentity; h != "" && h != seen.Spec.HolderIdentity {
				waiting(nameOf(h))
			}
			seen, changed = now, time.Now()
		}
		// Where nobody is seen to have it, what keeps it from being taken passes, or is an error.
		if waited, h := time.Since(began), seen.Spec.HolderIdentity; waited > within && h != "" {
			return &BusyError{nameOf(h), waited}
		}
		select {
		case <-ctx.Done():
			return wait.ErrInterrupted
		case <-time.After(l.pace.retry):
		}
	}
}

// try takes the lock if it is free. seen is what it was like since an instant.
func (l *lease) try(ctx context.Context, seen leaseObject, since time.Time) (bool, error) {
	code, err := l.do(ctx, http.MethodGet, leasePath, nil)
	if err != nil {
		return false, err
	}
	if code == http.StatusNotFound {
		l.object = leaseObject{ObjectMeta: metav1.ObjectMeta{Name: leaseName, Namespace: metav1.NamespaceSystem}}
		l.object.APIVersion, l.object.Kind = "coordination.k8s.io/v1", "Lease"
		return l.take(ctx, http.MethodPost, leasesPath)
	}
	holder := l.object.Spec.HolderIdentity
	expires := since.Add(time.Duration(l.object.Spec.LeaseDurationSeconds) * time.Second)
	unchanged := seen.ResourceVersion == l.object.ResourceVersion
	switch {
	// A run of this very node that still had it would have the node's lock too,
	// which is ours.
	case holder == "", nodeOf(holder) == nodeOf(l.holder):
		return l.take(ctx, http.MethodPut, leasePath)
	case unchanged && time.Now().After(expires):
		metav1.SetMetaDataAnnotation(&l.object.ObjectMeta, unsettled, holder)
		return l.take(ctx, http.MethodPut, leasePath)
	}
	return false, nil
}

// take writes this run as the holder; false when somebody else was faster.
func (l *lease) take(ctx context.Context, method, path string) (bool, error) {
	o := l.object
	now := metav1.NowMicro()
	o.Spec = leaseSpec{l.holder, int32(l.pace.lease.Seconds()), &now, &now, o.Spec.LeaseTransitions + 1}
	code, err := l.do(ctx, method, path, &o)
	switch {
	case err != nil:
		return false, err
	case code == http.StatusConflict || code == http.StatusNotFound:
		return false, nil
	}
	l.renewed, l.inherited = time.Now(), o.Annotations[unsettled] != ""
	return true, nil
}

// do sends a request about the Lease to the first API server that fulfils it,
// and keeps the object of the answer. The codes 404 and 409 are no errors. That
// one forbids it says little: one that has just started forbids everything until
// it has loaded RBAC.
func (l *lease) do(ctx context.Context, method, path string, body *leaseObject) (code int, err error) {
	var data []byte
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	var failed error // other than forbidden
	for _, s := range l.servers {
		one, cancel := context.WithTimeout(ctx, renewWithin)
		var answer []byte
		code, answer, err = s.Call(one, method, path, "application/json", data)
		cancel()
		switch {
		case ctx.Err() != nil:
			return 0, wait.ErrInterrupted
		case err != nil:
			failed = fmt.Errorf("ask %s for the Lease kube-system/%s: %w", s.Base, leaseName, err)
		case code == http.StatusOK || code == http.StatusCreated:
			l.object = leaseObject{}
			return code, json.Unmarshal(answer, &l.object)
		case code == http.StatusNotFound, code == http.StatusConflict:
			return code, nil
		case code == http.StatusUnauthorized || code == http.StatusForbidden:
			err = &apiserver.ForbiddenError{Reason: apiserver.Refusal(code, answer)}
		default:
			failed = fmt.Errorf("ask %s for the Lease kube-system/%s: %s", s.Base, leaseName, apiserver.Refusal(code, answer))
		}
	}
	return 0, cmp.Or(failed, err)
}

// keep renews the lock until it is released.
func (l *lease) keep() {
	ctx, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	l.done.Go(func() {
		tick := time.NewTicker(l.pace.renew)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				l.renew(ctx)
			}
		}
	})
}

// renew writes the time. What was refused because the object has changed is
// tried again from what it is now: an answer to an earlier renewal may have been
// lost. A lock that somebody else has taken is not taken back.
func (l *lease) renew(ctx context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for range 2 {
		o, now := l.object, metav1.NowMicro()
		if o.Spec.HolderIdentity != l.holder {
			return
		}
		o.Spec.RenewTime = &now
		if !l.inherited {
			delete(o.Annotations, unsettled)
		}
		code, err := l.do(ctx, http.MethodPut, leasePath, &o)
		if err == nil && code == http.StatusOK {
			l.renewed = now.Time
			return
		}
		if err != nil || code != http.StatusConflict || !l.reread(ctx) {
			return
		}
	}
}

// reread gets the object again.
func (l *lease) reread(ctx context.Context) bool {
	code, err := l.do(ctx, http.MethodGet, leasePath, nil)
	return err == nil && code == http.StatusOK
}

// held tells whether the lock is surely still this run's.
func (l *lease) held() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Since(l.renewed) < l.pace.lease-l.pace.renew
}

// settled notes that all others have stayed ready.
func (l *lease) settled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inherited = false
}

// release gives the lock back. restarted says that this node's API server was
// restarted meanwhile. With busy set nobody may take it for that time: the
// API server may still be about to restart.
func (l *lease) release(restarted bool, busy time.Duration) {
	l.stop()
	l.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), releaseWithin)
	defer cancel()
	for range 2 {
		o, now := l.object, metav1.NowMicro()
		if o.Spec.HolderIdentity != l.holder {
			return
		}
		o.Spec.RenewTime = &now
		if !l.inherited {
			delete(o.Annotations, unsettled)
		}
		if busy > 0 {
			o.Spec.LeaseDurationSeconds = int32(busy.Seconds())
		} else {
			o.Spec.HolderIdentity = ""
		}
		if restarted {
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, restartedBy, l.holder)
			metav1.SetMetaDataAnnotation(&o.ObjectMeta, restartedAt, now.UTC().Format(time.RFC3339Nano))
		}
		code, err := l.do(ctx, http.MethodPut, leasePath, &o)
		if err != nil || code != http.StatusConflict || !l.reread(ctx) {
			return
		}
	}
}

// justRestarted is the node that has restarted its API server last, if that was
// another one, and how long ago by the clocks of both.
func (l *lease) justRestarted() (name string, ago time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	by := l.object.Annotations[restartedBy]
	at, err := time.Parse(time.RFC3339Nano, l.object.Annotations[restartedAt])
	if err != nil || by == "" || nodeOf(by) == nodeOf(l.holder) {
		return "", 0, false
	}
	return nameOf(by), max(time.Since(at), 0), true
}
