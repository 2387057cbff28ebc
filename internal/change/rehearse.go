package change

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"auditpatch/internal/apiserver"
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

// rehearse is the rehearsal of a plan, nil for none.
func (j *job) rehearse(l *rollout.Live, plan *patch.Plan) func(context.Context) error {
	how := j.how.Rehearse
	if how == "" || how == rehearsal.Never || !plan.Restarts() {
		return nil
	}
	return func(ctx context.Context) error {
		began := time.Now()
		report, err := rehearsal.Rehearsal{
			Server: apiserver.New(j.target.Node, plan.Before.Server), Manifest: j.target.Manifest, New: plan.After, Changes: plan.Changes, Probe: l.Probe, Delay: l.Delay,
		}.Run(ctx)
		var not *rehearsal.Impossible
		var failed *rehearsal.Failed
		say := func(format string, a ...any) {
			j.step(rollout.Progress{Step: "rehearsal", Text: fmt.Sprintf(format, a...), After: time.Since(began), Timed: true})
		}
		switch {
		case errors.As(err, &not) && how == rehearsal.Auto:
			j.result.Rehearsal = &Rehearsal{Verdict: "skipped", Why: not.Reason}
			say("skipped: %s", not.Reason)
			return nil
		case errors.As(err, &not):
			return hint.Errorf(hint.First(not.Hint, hint.Flag("rehearse", rehearsal.Auto)), "the change cannot be rehearsed: %s", not.Reason)
		case errors.As(err, &failed):
			j.result.Rehearsal = &Rehearsal{Verdict: "failed", Why: failed.Reason}
			return err
		case err != nil:
			return err
		}
		j.result.Rehearsal = &Rehearsal{Verdict: "passed", Seconds: math.Round(report.Ready.Seconds()*10) / 10, Event: report.Event}
		say("%s", passed(report))
		return nil
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
