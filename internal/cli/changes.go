package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// Task is a change that a command line asks for.
type Task func(ctx context.Context, l change.Listener) (change.Result, error)

// perform carries a task out and prints what comes of it.
func (p *program) perform(ctx context.Context, task Task) (change.Result, error) {
	if p.reader != nil {
		p.reader.task = task
		return change.Result{}, errRead
	}
	r, err := task(ctx, p.listener())
	r.Tell(p, err)
	if err != nil {
		return r, &failed{r, err}
	}
	return r, nil
}

// listener prints what happens.
func (p *program) listener() change.Listener {
	return change.Listener{
		Begin: p.Begin, Spared: p.Spared,
		Warn:    func(w patch.Problem) { p.warn(w) },
		Recover: func(id, what string) { p.printf("recover   %-46s %s", id, what) },
		Plan:    p.sayPlan,
		Backup: func(id string) {
			p.printf("%-9s %-46s %s", "backup", id, hint.Command("restore").Spaced("to", id).In(p.node))
		},
		Step: p.sayStep,
	}
}

// sayStep prints one step of a wait.
func (p *program) sayStep(s rollout.Progress) {
	if s.Timed {
		p.printf("%-9s %s", s.Step, s.Text)
	} else {
		p.printf("%-9s %-46s %.1f s", s.Step, s.Text, s.After.Seconds())
	}
	for line := range strings.Lines(s.Detail) {
		p.printf("%-9s %s", "", strings.TrimRight(line, "\r\n"))
	}
}

// run carries out a change of a node whose manifest may come from standard input.
func (p *program) change(c *cli.Context, n *nodeFlags, task Task) error {
	r, err := p.perform(c.Context, task)
	switch {
	case err != nil:
		return err
	case n.stdin():
		return p.printFiltered(r)
	case r.DryRun:
		p.printPlan(r)
		if !p.json && !r.Plan.AsAsked() {
			p.printf("dry run: nothing was changed")
		}
		return nil
	}
	p.printDone(r)
	return nil
}

// printDone prints what was done.
func (p *program) printDone(r change.Result) {
	if r.Outcome != "" {
		p.printf("%s", r.Outcome)
	}
	for _, remark := range r.Remarks {
		p.printf("%s", remark.Message)
		if len(remark.Hint) > 0 {
			p.printf("auditpatch: hint: %s", remark.Hint.In(p.node))
		}
	}
	if p.json {
		p.printJSON(r)
	}
}

// printFiltered is the way of --manifest -: the new manifest goes to standard
// output, and nothing is written.
func (p *program) printFiltered(r change.Result) error {
	if p.json {
		p.printJSON(r)
	} else if _, err := p.Out.Write(r.Text()); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	if r.Plan.Verb == "enable" {
		p.sayPlan(r.Plan)
		p.printf("the manifest went to standard output; nothing else was written, so the policy still has to be put in place")
	}
	return nil
}

// printPlan prints what would change: as diffs, or as JSON.
func (p *program) printPlan(r change.Result) {
	switch {
	case p.json:
		p.printJSON(r)
	case r.Plan.AsAsked():
		p.printf("%s", r.Outcome)
	default:
		p.sayPlan(r.Plan)
		for _, d := range r.Diffs() {
			fmt.Fprint(p.Out, d)
		}
	}
}

// sayPlan prints one line for each file, then the settings that were kept.
func (p *program) sayPlan(plan *patch.Plan) {
	for _, role := range []string{"policy", "webhook", "log", "file", "manifest"} {
		for _, c := range plan.Changes {
			if roleOf(plan, c.Path) != role {
				continue
			}
			name := c.Path
			if c.Kind == patch.MakeDir && role == "log" {
				name = plan.After.Log.Host
			}
			p.printf("%-9s %-46s %s", role, name, change.Why(c, plan))
		}
	}
	if k := plan.Kubeadm; k != nil && !k.Empty() {
		p.printf("%-9s %-46s %s", "kubeadm", patch.KubeadmConfig, k.Counts())
	}
	if len(plan.Kept) > 0 {
		p.printf("%-9s %s", "kept", strings.Join(plan.Kept, " "))
	}
}

// roleOf is what a path is for.
func roleOf(plan *patch.Plan, path string) string {
	for _, s := range []patch.Settings{plan.After, plan.Before} {
		switch {
		case path == plan.Manifest:
			return "manifest"
		case s.Policy.Covered() && s.Policy.Host == path:
			return "policy"
		case s.Webhook.Covered() && s.Webhook.Host == path:
			return "webhook"
		case s.Log.Covered() && strings.HasPrefix(s.Log.Host, path):
			return "log"
		}
	}
	return "file"
}
