package change

import (
	"context"
	"errors"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/hint"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/patch"
)

// job is one request on its way to its result.
type job struct {
	target *target.Target
	how    How
	result Result
	moved  bool // audit events that an earlier run had left
}

// newJob begins a request on the node that it names.
func newJob(command string, o target.Options, how How) (*job, error) {
	if err := how.check(); err != nil {
		return nil, err
	}
	t, err := target.New(o)
	if err != nil {
		return nil, err
	}
	j := &job{target: t, how: how, result: newResult(command)}
	return j, nil
}

// warn tells of something that is no part of the plan.
func (j *job) warn(p patch.Problem) {
	j.result.Problems = append(j.result.Problems, p)
	j.how.Listener.warn(p)
}

// warnPlan tells of something that comes with the change itself.
func (j *job) warnPlan(problems ...patch.Problem) {
	for _, p := range problems {
		j.result.Warnings = append(j.result.Warnings, p.Message)
		j.warn(p)
	}
}

// warnErr is warnPlan of what the rollout has to say.
func (j *job) warnErr(err error) { j.warnPlan(patch.Problem{Message: err.Error()}) }

// step notes a step of the rollout and tells of it.
func (j *job) step(p rollout.Progress) {
	j.result.Steps = append(j.result.Steps, newStep(p))
	j.how.Listener.step(p)
}

// finish carries out a plan, in the way that was asked for.
func (j *job) finish(ctx context.Context, plan *patch.Plan) error {
	if err := j.planKubeadm(ctx, plan); err != nil {
		return err
	}
	j.result.describe(plan)
	j.warnPlan(plan.Warnings...)
	if j.always() && !plan.AsAsked() && (j.target.Stdin() || !j.target.Live) {
		return hint.New(hint.Flag("rehearse", rehearsal.Auto), "--rehearse=always: no API server runs that could rehearse the change")
	}
	switch {
	case j.result.Command == "diff":
		return j.preview(plan)
	case j.target.Stdin():
		return nil
	case j.how.DryRun:
		if err := j.preview(plan); err != nil {
			return err
		}
		return j.previewLive(ctx, plan)
	case plan.Empty() && !plan.AsAsked():
		return j.persistAlone(ctx, plan)
	case plan.Empty():
		return j.leave(ctx, plan)
	}
	return j.carryOut(ctx, plan)
}

// preview refuses what the change itself would be refused for.
func (j *job) preview(plan *patch.Plan) error {
	j.result.DryRun = true
	if !j.target.Stdin() {
		if err := checkNode(j.target.Node, plan); err != nil {
			return err
		}
	}
	if plan.AsAsked() {
		j.result.Outcome = unchanged(plan)
	}
	return nil
}

// previewLive refuses what the change itself would be refused for as the node runs
// now. It does not wait for other nodes, whose turn it may be.
func (j *job) previewLive(ctx context.Context, plan *patch.Plan) error {
	switch {
	case !j.target.Live || !plan.Restarts():
		return nil
	case j.always():
		return j.rehearseOnly(ctx, plan)
	case j.how.NoWait:
		j.warnNoKubelet()
		return nil
	}
	l, err := j.live(ctx, plan)
	if err != nil {
		return err
	}
	if err := l.Preview(ctx); err != nil {
		return err
	}
	_, err = trial{j, l, plan, apiserver.New(j.target.Node, plan.Before.Server)}.serving(ctx)
	return err
}

// warnNoKubelet tells whoever does not wait that nothing acts on the manifest.
func (j *job) warnNoKubelet() {
	if !kubelet.Runs(j.target.Node) {
		j.warnPlan(patch.Problem{Message: rollout.ErrNoKubelet.Error(), Hint: hint.Of(rollout.ErrNoKubelet)})
	}
}

// carryOut writes the files, waits and proves.
func (j *job) carryOut(ctx context.Context, plan *patch.Plan) error {
	waited := j.target.Live && !j.how.NoWait && plan.Restarts()
	o := rollout.Options{Version: j.how.Version, Restart: j.how.Restart, Wrote: j.how.Listener.backup}
	var l *rollout.Live
	if waited {
		var err error
		if l, err = j.live(ctx, plan); err != nil {
			return err
		}
		o.Watch = l
	} else if j.target.Live && plan.Restarts() {
		if err := j.rehearseUnwatched(ctx, plan); err != nil {
			return err
		}
		o.Cluster = j.unwatched(plan)
		j.warnNoKubelet()
	}
	j.how.Listener.plan(plan)
	if err := j.how.Listener.begin(); err != nil {
		return err
	}
	report, err := rollout.Run(ctx, j.target.Node, plan, o)
	if err != nil {
		return err
	}
	j.result.Touched, j.result.Backup, j.result.Waited = true, report.Backup, waited
	if waited {
		j.restarted(l)
	}
	if err := j.persist(ctx, plan); err != nil {
		return &NotPersisted{plan.Verb, report.Backup, err}
	}
	j.result.Outcome = j.outcome(plan)
	j.remarkPersisted(plan)
	if plan.Unbuilt() && plan.Verb == "enable" {
		j.result.Remarks = append(j.result.Remarks, patch.Problem{
			Message: "there is no kube-apiserver manifest yet; kubeadm init and join write it, with what they are told:",
			Hint:    hint.Command("export kubeadm"),
		})
	}
	return nil
}

// leave is the way where the files are as asked already. A restart that is still
// under way is waited for, and proven like one of this run's own.
func (j *job) leave(ctx context.Context, plan *patch.Plan) error {
	if j.target.Live && !j.how.NoWait {
		l, err := j.live(ctx, plan)
		if err != nil {
			return err
		}
		j.result.Waited, err = l.Await(ctx)
		var down *apiserver.NotHealthy
		if errors.As(err, &down) {
			j.warn(patch.Problem{Message: down.Error(), Hint: hint.Command("doctor")})
		} else if err != nil {
			return err
		}
	}
	j.result.Outcome = unchanged(plan)
	return nil
}

// live prepares the wait for the API server of this machine.
func (j *job) live(ctx context.Context, plan *patch.Plan) (*rollout.Live, error) {
	l := &rollout.Live{
		Node: j.target.Node, Manifest: j.target.Manifest, Old: plan.Before, New: plan.After,
		Terms:    rollout.Terms{Timeout: j.how.Timeout, LockTimeout: j.how.LockTimeout, Force: j.how.Force, Restart: j.how.Restart},
		Listener: rollout.Listener{Say: j.step, Warn: j.warnErr},
	}
	if plan.After.Server.Command == nil { // the manifest itself stays
		l.New = plan.Before
	}
	if err := j.addProbe(ctx, l, plan.Text); err != nil {
		return nil, err
	}
	l.Rehearsal = j.rehearse(l, plan)
	return l, nil
}

// unwatched prepares a change that nobody waits for: even so no other node may
// be restarting its API server.
func (j *job) unwatched(plan *patch.Plan) *clusterlock.Cluster {
	return &clusterlock.Cluster{
		Server: apiserver.New(j.target.Node, plan.Before.Server), LockTimeout: j.how.LockTimeout, Force: j.how.Force, Unseen: true,
		Say: rollout.ClusterSteps(j.step), Warn: j.warnErr,
	}
}

// batchDelay is how long the log backend may hold an event back.
func batchDelay(s patch.Settings) (d time.Duration) {
	if s.Flags["audit-log-mode"] == "batch" {
		d, _ = time.ParseDuration(s.Flags["audit-log-batch-max-wait"])
	}
	return d
}
