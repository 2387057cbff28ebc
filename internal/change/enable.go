package change

import (
	"cmp"
	"context"
	"path"
	"slices"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/verdict"
	"auditpatch/internal/rehearsal"
	"auditpatch/internal/rollout"
	"auditpatch/manifest"
	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
	"auditpatch/presets"
)

// Enable makes audit logging what the settings say.
func Enable(ctx context.Context, r EnableRequest) (Result, error) {
	j, err := newJob("enable", r.Target, r.How)
	if err != nil {
		return newResult("enable"), err
	}
	err = j.enable(ctx, r.Settings)
	return j.result, err
}

// Diff is what Enable would do.
func Diff(ctx context.Context, r EnableRequest) (Result, error) {
	r.How.DryRun = true
	j, err := newJob("diff", r.Target, r.How)
	if err != nil {
		return newResult("diff"), err
	}
	err = j.enable(ctx, r.Settings)
	return j.result, err
}

func (j *job) enable(ctx context.Context, s Settings) error {
	if err := j.endEarlier(ctx); err != nil {
		return err
	}
	plan, err := j.enablePlan(s)
	if err != nil {
		return err
	}
	return j.finish(ctx, plan)
}

// endEarlier ends a run that died, or says of a preview that the change does.
func (j *job) endEarlier(ctx context.Context) error {
	if j.how.DryRun {
		j.warnUnfinished()
		if j.result.Command == "diff" { // it shows two texts, and promises nothing
			return nil
		}
		return j.target.CheckOwnRoot(j.result.Command)
	}
	_, err := j.recover(ctx)
	return err
}

// read reads the node, and the manifest as what it is.
func (j *job) read() (patch.State, error) {
	state, err := j.readBuild()
	if err != nil {
		return state, err
	}
	if state.Parsed, err = manifest.Parse(state.Manifest.Path, state.Manifest.Data); err != nil {
		return state, err
	}
	return state, j.target.Look(&state, state.Parsed)
}

// readBuild reads what a plan begins with: the manifest, and where earlier runs had
// credentials.
func (j *job) readBuild() (patch.State, error) {
	state, err := j.target.ReadBuild()
	if err == nil {
		state.WebhookConfigs = j.notedWebhooks()
	}
	return state, err
}

// notedWebhooks are the paths at which earlier runs had a webhook's config. Runs
// that cannot be read say nothing: what is shown depends on contents too.
func (j *job) notedWebhooks() (paths []string) {
	if j.target.Stdin() {
		return nil
	}
	backups, err := j.target.Node.Backups()
	if err != nil {
		return nil
	}
	for _, b := range backups {
		for _, p := range rollout.WebhookConfigs(b.Meta) {
			if !slices.Contains(paths, p) {
				paths = append(paths, p)
			}
		}
	}
	return paths
}

// enablePlan works out what has to be done.
func (j *job) enablePlan(s Settings) (*patch.Plan, error) {
	state, err := j.read()
	if err != nil {
		return nil, err
	}
	opts, warnings, err := s.options(state)
	if err != nil {
		return nil, err
	}
	more, err := j.fillState(&state, &opts)
	if err != nil {
		return nil, err
	}
	plan, err := patch.Enable(state, opts)
	if err != nil {
		return nil, err
	}
	plan.Warnings = append(append(plan.Warnings, warnings...), more...)
	plan.Warnings = verdict.Add(plan.Warnings, Judgeable(plan.After))
	j.target.OwnFiles(plan)
	return plan, j.checkLog(plan)
}

// options are the settings as the plan takes them.
func (s Settings) options(state patch.State) (patch.Options, []patch.Problem, error) {
	opts := patch.Options{Flags: s.Flags, LogGroup: s.LogGroup, LogFileMode: s.LogFileMode}
	var warnings, more []patch.Problem
	var err error
	if opts.Policy, warnings, err = s.policy(state); err != nil {
		return opts, nil, err
	}
	opts.Webhook, more, err = s.webhook()
	return opts, append(warnings, more...), err
}

// policy is the policy that the user asks for, nil for the one that is there.
func (s Settings) policy(state patch.State) (*patch.Content, []patch.Problem, error) {
	switch {
	case s.Preset != "":
		if err := s.leaks(); err != nil {
			return nil, nil, err
		}
		return Preset(s.Preset, s.Namespaces, patch.Inspect(state.Parsed).Version)
	case s.Policy == nil:
		return nil, nil, nil
	}
	pol, warnings, err := policyFile{name: s.Policy.Name, data: s.Policy.Data}.load(patch.Inspect(state.Parsed).Version)
	if err != nil {
		return nil, nil, err
	}
	return &patch.Content{Origin: path.Base(s.Policy.Name), Detail: policy.Count(pol.Rules()), Data: s.Policy.Data}, append(warnings, leak(s.Policy.Name, s.Policy.Data, pol)...), nil
}

// leaks refuses a preset that writes contents of Secrets, unless that is accepted.
// Presets that leak less come with a warning.
func (s Settings) leaks() error {
	preset, err := presets.Get(s.Preset)
	if err != nil || !preset.LeaksSecrets() || s.AcceptLeaks {
		return nil // Preset tells of a name that there is not
	}
	return hint.Errorf(hint.Switch("accept-leaks"), "preset %s puts secrets into the log: %s", preset.Name, preset.Leaks)
}

// Preset is a preset as a file for a version of Kubernetes, with a warning when it
// logs sensitive contents.
func Preset(name string, namespaces []string, v patch.Version) (*patch.Content, []patch.Problem, error) {
	preset, err := presets.Get(name)
	if err != nil {
		return nil, nil, hint.Errorf(hint.Command("policy list"), "%v", err)
	}
	data, err := preset.Policy(namespaces)
	if err != nil {
		return nil, nil, hint.Errorf(hint.Command("policy list"), "%v", err)
	}
	pol, warnings, err := policyFile{name: "preset " + name, data: data}.load(v)
	if err != nil {
		return nil, nil, err
	}
	if preset.Leaks != "" {
		warnings = append(warnings, patch.Problem{Message: "preset " + name + ": " + preset.Leaks})
	}
	return &patch.Content{Origin: "preset " + name, Detail: policy.Count(pol.Rules()), Data: data}, warnings, nil
}

// webhook is the webhook's kubeconfig, nil when the user gives none.
func (s Settings) webhook() (*patch.Content, []patch.Problem, error) {
	switch {
	case s.Webhook != nil:
		_, errs, warns := webhookconfig.Check(s.Webhook.Name, s.Webhook.Data)
		return &patch.Content{Origin: path.Base(s.Webhook.Name), Data: s.Webhook.Data}, warns, problems(errs)
	case s.WebhookTarget != nil:
		data, errs, warns := webhookconfig.Kubeconfig(*s.WebhookTarget)
		return &patch.Content{Origin: "webhook config for --webhook-url", Data: data}, warns, problems(errs)
	}
	return nil, nil, nil
}

// problems makes one error of several faults.
func problems(errs []patch.Problem) error {
	if len(errs) == 0 {
		return nil
	}
	return &patch.Error{Reason: errs[0].Message, Hint: errs[0].Hint, More: errs[1:]}
}

// fillState reads the files that the plan has to see, and settles which policy
// it is when the user named none: the valid one that is there, else baseline.
func (j *job) fillState(s *patch.State, opts *patch.Options) ([]patch.Problem, error) {
	files, err := patch.Files(*s, *opts)
	if err != nil {
		return nil, err
	}
	if err := j.target.ReadFiles(s, files.All(), func(f string) bool { return f != files.LogFile }); err != nil {
		return nil, err
	}
	if there := s.Files[files.Webhook]; opts.Webhook == nil && there.Exists && !there.Dir {
		if kept := JudgeWebhook(files.Webhook, there.Data, patch.Inspect(s.Parsed)); kept.Refused != nil {
			return nil, kept.Refused
		}
	}
	if opts.Policy != nil || files.Policy == "" {
		return nil, nil
	}
	there := s.Files[files.Policy]
	switch {
	case there.Dir && !there.Empty:
		return nil, nil // the plan refuses it, with what to type
	case there.Exists && !there.Dir:
		kept := JudgePolicy(files.Policy, there.Data, patch.Inspect(s.Parsed))
		return kept.Warnings, kept.Refused
	case j.target.Stdin() && files.PolicySet:
		return nil, nil // it cannot be seen from here
	}
	var warnings []patch.Problem
	opts.Policy, warnings, err = Preset(presets.Default, nil, patch.Inspect(s.Parsed).Version)
	return warnings, err
}

// checkLog refuses to begin where no event could be written, and the proof had to
// fail, unless it is forced. It warns when a log would not fit on this node's disk.
func (j *job) checkLog(plan *patch.Plan) error {
	if j.target.Stdin() || !plan.After.Log.Covered() {
		return nil
	}
	begins := !plan.Empty() && !j.how.Force
	lost, stuck := j.target.LogSeal(plan.After)
	if lost != nil && begins {
		return hint.Errorf(j.orForce(hint.Of(lost)), "%v", lost)
	}
	for _, err := range []error{lost, stuck} {
		if err != nil {
			plan.Warnings = append(plan.Warnings, patch.Problem{Message: err.Error(), Hint: hint.Of(err)})
		}
	}
	if !j.target.Live {
		return nil
	}
	d, err := j.target.MeasureLog(plan.After)
	if err != nil {
		return nil // whoever may not look is told so when it is written
	}
	switch full := d.Full(); {
	case full != "" && d.Hopeless() && begins:
		return hint.Errorf(j.orForce(d.Relief()), "%s", full)
	case d.Unlimited && full == "": // the check of the flags has said so
	case full != "" || d.Tight() != "":
		plan.Warnings = append(plan.Warnings, patch.Problem{Message: cmp.Or(full, d.Tight()), Hint: d.Relief()})
	}
	return nil
}

// orForce is a way out, or to begin without it, which a rehearsal would not.
func (j *job) orForce(way hint.Hint) hint.Hint {
	force := hint.Switch("force")
	if j.target.Live && j.how.Rehearse != "" && j.how.Rehearse != rehearsal.Never {
		force = force.Flag("rehearse", rehearsal.Never)
	}
	return way.Then("; ", force.Note("begins all the same"))
}
