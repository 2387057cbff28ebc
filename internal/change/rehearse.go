package change

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/handover"
	"auditpatch/internal/hint"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// Rehearsal is what came of a rehearsal, in JSON.
type Rehearsal struct {
	Verdict string  `json:"verdict"`           // passed, skipped or failed
	Why     string  `json:"why,omitempty"`     // it was skipped, or has failed
	Seconds float64 `json:"seconds,omitempty"` // until the rehearsed API server was ready
	Event   string  `json:"event,omitempty"`   // the audit ID of the marked event
}

// Restart is how the API server was restarted, in JSON.
type Restart struct {
	Way string `json:"way"`           // seamless, quick or graceful
	Why string `json:"why,omitempty"` // it is not seamless, or not for all
}

// trial is the rehearsal of a plan.
type trial struct {
	*job
	live   *rollout.Live
	plan   *patch.Plan
	server *apiserver.Server // as the manifest is now
}

// rehearse is the rehearsal of a plan, nil for none.
func (j *job) rehearse(l *rollout.Live, plan *patch.Plan) func(context.Context) (rollout.Standby, error) {
	how := j.how.Rehearse
	if how == "" || how == rehearsal.Never || !plan.Restarts() {
		return nil
	}
	return trial{j, l, plan, apiserver.New(j.target.Node, plan.Before.Server)}.run
}

// run rehearses, and leaves the second API server running where it is to serve meanwhile.
func (t trial) run(ctx context.Context) (rollout.Standby, error) {
	prepared, err := t.serving(ctx)
	if err != nil {
		return nil, err
	}
	r := rehearsal.Rehearsal{Server: t.server, Manifest: t.target.Manifest, New: t.plan.After, Changes: t.plan.Changes, Probe: t.live.Probe, Delay: t.live.Delay}
	if prepared != nil {
		r.Serve = prepared.Serve
	}
	began := time.Now()
	second, report, err := r.Begin(ctx)
	say := func(format string, a ...any) {
		t.step(rollout.Progress{Step: "rehearsal", Text: fmt.Sprintf(format, a...), After: time.Since(began), Timed: true})
	}
	if err != nil {
		if prepared != nil {
			prepared.Discard()
		}
		return nil, t.failed(err, say)
	}
	t.result.Rehearsal = &Rehearsal{Verdict: "passed", Seconds: math.Round(report.Ready.Seconds()*10) / 10, Event: report.Event}
	say("%s", passed(report))
	if prepared == nil {
		second.End()
		return nil, nil
	}
	return prepared.Standby(second), nil
}

// failed is what a rehearsal that did not pass means for the change.
func (t trial) failed(err error, say func(string, ...any)) error {
	how := t.how.Rehearse
	var not *rehearsal.Impossible
	var failed *rehearsal.Failed
	switch {
	case errors.As(err, &not) && t.how.Restart == rollout.Seamless:
		return &rollout.NotSeamless{Reason: not.Reason, Hint: not.Hint}
	case errors.As(err, &not) && how == rehearsal.Auto:
		t.result.Rehearsal = &Rehearsal{Verdict: "skipped", Why: not.Reason}
		say("skipped: %s", not.Reason)
		t.quick("nothing was rehearsed that could serve meanwhile")
		return nil
	case errors.As(err, &not):
		return hint.Errorf(hint.First(not.Hint, hint.Flag("rehearse", rehearsal.Auto)), "the change cannot be rehearsed: %s", not.Reason)
	case errors.As(err, &failed):
		t.result.Rehearsal = &Rehearsal{Verdict: "failed", Why: failed.Reason}
	}
	return err
}

// serving prepares the second API server to serve meanwhile; nil when it is not to.
func (t trial) serving(ctx context.Context) (*handover.Prepared, error) {
	if !t.how.Restart.HandsOver() || t.how.NoWait || t.how.DryRun && t.how.Restart != rollout.Seamless {
		return nil, nil
	}
	err := t.mayServe(ctx)
	var prepared *handover.Prepared
	if err == nil && !t.how.DryRun {
		prepared, err = handover.Prepare(ctx, t.server, t.plan.Before, t.plan.After)
	}
	switch {
	case err == nil:
		return prepared, nil
	case t.how.Restart == rollout.Seamless:
		return nil, &rollout.NotSeamless{Reason: err.Error(), Hint: hint.Of(err)}
	}
	t.quick(err.Error())
	return nil, nil
}

// mayServe says why nobody can serve meanwhile, or need not.
func (t trial) mayServe(ctx context.Context) error {
	if err := t.single(ctx); err != nil {
		return err
	}
	return handover.Possible(t.server, t.plan.After)
}

// single wants no other control planes, which serve meanwhile where there are some.
func (t trial) single(ctx context.Context) error {
	n, _, _, err := clusterlock.Others(ctx, t.server, clusterlock.Patience)
	switch {
	case err != nil:
		return fmt.Errorf("whether other control planes serve meanwhile cannot be seen: %w", err)
	case n == 1:
		return errors.New("the other control plane serves meanwhile")
	case n > 1:
		return fmt.Errorf("%d other control planes serve meanwhile", n)
	}
	return nil
}

// quick says why a restart that need not be seamless is not.
func (t trial) quick(why string) {
	t.result.Restart = &Restart{Way: string(rollout.Quick), Why: why}
	t.step(rollout.Progress{Step: "restart", Text: "quick: " + why, Timed: true})
}

// restarted notes how the API server was restarted.
func (j *job) restarted(l *rollout.Live) {
	switch {
	case l.Served():
		j.result.Restart = &Restart{Way: string(rollout.Seamless), Why: l.Missed()}
	case j.how.Restart == rollout.Graceful:
		j.result.Restart = &Restart{Way: string(rollout.Graceful)}
	case j.result.Restart == nil:
		j.result.Restart = &Restart{Way: string(rollout.Quick), Why: l.Missed()}
	}
}

// passed says what a rehearsal has shown.
func passed(r rehearsal.Report) string {
	text := fmt.Sprintf("these settings work: ready in %.1f s", r.Ready.Seconds())
	if r.Event != "" {
		text += fmt.Sprintf(", event %.8s written", r.Event)
	}
	return text
}

// always tells whether a change is refused that cannot be rehearsed.
func (j *job) always() bool { return j.how.Rehearse == rehearsal.Always }

// rehearseOnly makes all checks of a change and the rehearsal, and changes nothing.
func (j *job) rehearseOnly(ctx context.Context, plan *patch.Plan) error {
	l, err := j.live(ctx, plan)
	if err != nil {
		return err
	}
	if err := l.Preview(ctx); err != nil {
		return err
	}
	// An interruption has to wait until the second API server is gone.
	if err := j.how.Listener.begin(); err != nil {
		return err
	}
	defer j.how.Listener.spared()
	return l.Rehearse(ctx)
}

// rehearseUnwatched rehearses a change that nobody waits for, when it must be.
func (j *job) rehearseUnwatched(ctx context.Context, plan *patch.Plan) error {
	if !j.always() {
		return nil
	}
	return j.rehearseOnly(ctx, plan)
}
