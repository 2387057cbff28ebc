package inspect

import (
	"context"
	"errors"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/handover"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/internal/webhook"
	"auditpatch/patch"
)

// result is what one of the checks that stand before a change has found.
type result struct {
	name  string
	found rollout.Found
	err   error
}

// live is what runs, and what it says.
type live struct {
	*apiserver.Server
	seen *rollout.Seen // nil when the processes cannot be seen
	// current tells whether it was started with the manifest's checksums of policy
	// and webhook config; nil when that could not be asked.
	current *bool
	kubeadm clusterConfig
	others  *others // nil when they were not asked for
	// rehearsal is whether a change could be rehearsed; nil when that was not asked.
	rehearsal *obstacle
	handover  *obstacle
}

// obstacle is what stands in the way of something; its error is nil when nothing does.
type obstacle struct{ err error }

// others are the API servers of the other control-plane nodes.
type others struct {
	n       int
	unready []string
	holder  string // of the cluster's lock
	err     error
}

// clusterConfig is the ClusterConfiguration that kubeadm keeps in the cluster.
type clusterConfig struct {
	text []byte // nil without one
	err  error
}

// kubeadmWithin is how long kubeadm-config is waited for.
const kubeadmWithin = 3 * time.Second

// lookAtLife looks at the kubelet, and with a manifest at the API server.
func (f *facts) lookAtLife(ctx context.Context, planning bool) {
	if f.manifest == nil {
		f.examine(ctx, rollout.KubeletCheck(f.target.Node, f.target.Manifest))
		return
	}
	s := apiserver.New(f.target.Node, f.now.Server)
	f.live = &live{Server: s}
	var hook *webhook.Receiver
	if planning && f.now.Enabled() && f.webhook.Exists {
		hook, _ = webhook.Read(f.webhook.Data, f.now) // what cannot be read has a finding already
	}
	f.examine(ctx, rollout.Preflight(s, f.target.Manifest, hook)...)
	if f.live.seen == nil || !f.live.seen.Ready {
		return
	}
	f.live.ask(ctx, f.now, planning)
}

// examine makes checks, and keeps what that of the API server has seen.
func (f *facts) examine(ctx context.Context, checks ...rollout.Check) {
	for _, c := range checks {
		found, err := c.Run(ctx)
		f.preflight = append(f.preflight, result{c.Name, found, err})
		if found.Server != nil {
			f.live.seen = found.Server
		}
	}
}

// ask asks an API server that is ready.
func (l *live) ask(ctx context.Context, now patch.Settings, planning bool) {
	if started, known := l.StartedWith(ctx); known && l.seen.PID != 0 {
		current := true
		for _, key := range []string{patch.PolicyAnnotation, patch.WebhookAnnotation, patch.RestartAnnotation} {
			current = current && started[key] == now.Annotations[key]
		}
		l.current = &current
	}
	if l.User == "" {
		l.kubeadm.err = l.NoCredentials()
		return
	}
	within, cancel := context.WithTimeout(ctx, kubeadmWithin)
	defer cancel()
	l.kubeadm.text, l.kubeadm.err = l.KubeadmConfig(within)
	if errors.Is(l.kubeadm.err, apiserver.ErrNoKubeadmConfig) {
		l.kubeadm = clusterConfig{}
	}
	if planning {
		o := &others{}
		o.n, o.unready, o.holder, o.err = clusterlock.Others(ctx, l.Server, 0)
		l.others = o
		l.rehearsal = &obstacle{rehearsal.Possible(l.Server)}
		l.handover = &obstacle{handover.Possible(l.Server, now)}
	}
}
