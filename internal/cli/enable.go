package cli

import (
	"path"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/manifest"
	"auditpatch/patch"
	"auditpatch/presets"
)

func (p *program) enableCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "enable",
		Usage: "turn audit logging on, as the flags say",
		Description: "Makes audit logging what the flags say. What the manifest sets already and you do not\n" +
			"mention stays as it is. A second run with the same flags changes nothing.\n\n" +
			"Try it first:   auditpatch diff\n" +
			"As a filter:    auditpatch enable --manifest - < kube-apiserver.yaml > new.yaml",
		Flags: join(settingFlags(), nodeFlags(), persistFlag(), changeFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, plan, err := p.enablePlan(c, true)
			if err != nil {
				return err
			}
			return p.carryOut(c, t, plan)
		},
	})
}

func (p *program) diffCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "diff",
		Usage: "show what enable with the same flags would change",
		Description: "Prints a unified diff of every file that enable with the same flags would change, and\n" +
			"changes nothing. Exit status 0: nothing would change, 1: something would.",
		Flags: join(settingFlags(), nodeFlags(), persistFlag(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, plan, err := p.enablePlan(c, false)
			if err == nil {
				err = p.planKubeadm(c, t, plan)
			}
			if err == nil && !t.stdin {
				err = rollout.Check(t.node, plan)
			}
			if err != nil {
				return err
			}
			p.warn(plan.Warnings...)
			p.printPlan(c.Command.Name, plan, "")
			if plan.AsAsked() {
				return nil
			}
			return status(exitDiffers)
		},
	})
}

// enablePlan works out what enable has to do. With change set it first ends a
// run that died.
func (p *program) enablePlan(c *cli.Context, change bool) (*target, *patch.Plan, error) {
	t, err := newTarget(c)
	if err != nil {
		return nil, nil, err
	}
	if err := checkInputs(c); err != nil {
		return nil, nil, err
	}
	if !change || c.Bool("dry-run") {
		t.warnUnfinished(p)
	} else if _, err := t.recover(c, p); err != nil {
		return nil, nil, err
	}
	state, err := t.readBuild(p)
	if err != nil {
		return nil, nil, err
	}
	if state.Parsed, err = manifest.Parse(state.Manifest.Path, state.Manifest.Data); err != nil {
		return nil, nil, err
	}
	if err := t.look(&state, state.Parsed); err != nil {
		return nil, nil, err
	}
	opts, warnings, err := p.options(c, state)
	if err != nil {
		return nil, nil, err
	}
	more, err := p.fillState(t, &state, &opts)
	if err != nil {
		return nil, nil, err
	}
	warnings = append(warnings, more...)
	plan, err := patch.Enable(state, opts)
	if err != nil {
		return nil, nil, err
	}
	plan.Warnings = append(plan.Warnings, warnings...)
	t.ownFiles(plan)
	return t, plan, t.checkSpace(c, plan)
}

// checkInputs refuses flags that exclude each other.
func checkInputs(c *cli.Context) error {
	for _, names := range [][]string{
		{"preset", "policy"}, {"webhook-config", "webhook-url"}, {"manifest", "root"},
	} {
		if names[0] == "manifest" && c.String("manifest") != "-" {
			continue
		}
		if err := conflict(c, names...); err != nil {
			return err
		}
	}
	stdin := 0
	for _, f := range []string{"manifest", "policy", "webhook-config"} {
		if c.String(f) == "-" {
			stdin++
		}
	}
	if stdin > 1 {
		return hinted("--policy FILE", "only one input can come from standard input")
	}
	if c.IsSet("namespace") && !c.IsSet("preset") {
		return hinted("--preset=pod-deletions", "--namespace goes with a preset that takes namespaces")
	}
	for _, f := range []string{"webhook-ca", "webhook-client-cert", "webhook-client-key"} {
		if c.IsSet(f) && !c.IsSet("webhook-url") {
			return hinted("--webhook-url=https://HOST:PORT/PATH", "--%s goes with --webhook-url", f)
		}
	}
	return nil
}

// options reads everything that the user gave.
func (p *program) options(c *cli.Context, s patch.State) (patch.Options, []patch.Problem, error) {
	opts := patch.Options{Flags: auditFlags(c)}
	var err error
	if opts.LogGroup, opts.LogFileMode, err = logAccess(c); err != nil {
		return opts, nil, err
	}
	var warnings []patch.Problem
	if opts.Policy, warnings, err = p.policyContent(c, s); err != nil {
		return opts, nil, err
	}
	var more []patch.Problem
	opts.Webhook, more, err = p.webhookContent(c)
	return opts, append(warnings, more...), err
}

// policyContent is the policy that the user asks for, nil for the one that is
// there.
func (p *program) policyContent(c *cli.Context, s patch.State) (*patch.Content, []patch.Problem, error) {
	switch {
	case c.IsSet("preset"):
		return presetContent(c.String("preset"), c.StringSlice("namespace"))
	case !c.IsSet("policy"):
		return nil, nil, nil
	}
	name := c.String("policy")
	data, err := p.readInput("policy", name)
	if err != nil {
		return nil, nil, err
	}
	if name == "-" {
		name = "<stdin>"
	}
	pol, err := checkPolicy(name, data, s)
	if err != nil {
		return nil, nil, err
	}
	var warnings []patch.Problem
	if !pol.Records() {
		warnings = append(warnings, recordsNothing(name))
	}
	return &patch.Content{Origin: path.Base(name), Detail: rules(pol.Rules()), Data: data}, warnings, nil
}

// presetContent is a preset as a file, with a warning when it logs secrets.
func presetContent(name string, namespaces []string) (*patch.Content, []patch.Problem, error) {
	preset, err := presets.Get(name)
	if err != nil {
		return nil, nil, hinted("auditpatch policy list", "%v", err)
	}
	data, err := preset.Policy(namespaces)
	if err != nil {
		return nil, nil, hinted("auditpatch policy list", "%v", err)
	}
	pol, err := policy.Load("preset "+name, data)
	if err != nil {
		return nil, nil, err
	}
	var warnings []patch.Problem
	if preset.Leaks != "" {
		warnings = append(warnings, patch.Problem{Message: "preset " + name + ": " + preset.Leaks})
	}
	return &patch.Content{Origin: "preset " + name, Detail: rules(pol.Rules()), Data: data}, warnings, nil
}

// checkPolicy loads a policy strictly and holds it against the API server's
// version.
func checkPolicy(name string, data []byte, s patch.State) (*policy.Policy, error) {
	pol, err := policy.Load(name, data)
	if err != nil {
		return nil, err
	}
	v := patch.Inspect(s.Parsed).Version
	return pol, pol.CheckTarget(policy.Version{Major: v.Major, Minor: v.Minor})
}

// webhookContent is the webhook's kubeconfig, nil when the user gives none.
func (p *program) webhookContent(c *cli.Context) (*patch.Content, []patch.Problem, error) {
	switch {
	case c.IsSet("webhook-config"):
		return p.webhookFile(c.String("webhook-config"))
	case !c.IsSet("webhook-url"):
		return nil, nil, nil
	}
	t := patch.WebhookTarget{URL: c.String("webhook-url")}
	for _, f := range []struct {
		flag string
		to   *[]byte
	}{{"webhook-ca", &t.CA}, {"webhook-client-cert", &t.ClientCert}, {"webhook-client-key", &t.ClientKey}} {
		if !c.IsSet(f.flag) {
			continue
		}
		data, err := p.readInput(f.flag, c.String(f.flag))
		if err != nil {
			return nil, nil, err
		}
		*f.to = data
	}
	data, errs, warns := patch.WebhookKubeconfig(t)
	if err := problems(errs); err != nil {
		return nil, nil, err
	}
	return &patch.Content{Origin: "webhook config for --webhook-url", Data: data}, warns, nil
}

// webhookFile reads the user's own kubeconfig.
func (p *program) webhookFile(name string) (*patch.Content, []patch.Problem, error) {
	data, err := p.readInput("webhook-config", name)
	if err != nil {
		return nil, nil, err
	}
	if name == "-" {
		name = "<stdin>"
	}
	_, errs, warns := patch.CheckWebhookKubeconfig(name, data)
	if err := problems(errs); err != nil {
		return nil, nil, err
	}
	return &patch.Content{Origin: path.Base(name), Data: data}, warns, nil
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
func (p *program) fillState(t *target, s *patch.State, opts *patch.Options) ([]patch.Problem, error) {
	files, err := patch.Files(*s, *opts)
	if err != nil {
		return nil, err
	}
	if err := t.readFiles(s, files.All(), func(f string) bool { return f != files.LogFile }); err != nil {
		return nil, err
	}
	if opts.Policy != nil || files.Policy == "" {
		return nil, nil
	}
	there := s.Files[files.Policy]
	switch {
	case there.Dir && !there.Empty:
		return nil, nil // the plan refuses it, with what to type
	case there.Exists && !there.Dir:
		return keptPolicy(files.Policy, there.Data, *s)
	case t.stdin && files.PolicySet:
		return nil, nil // it cannot be seen from here
	}
	opts.Policy, _, err = presetContent(presets.Default, nil)
	return nil, err
}

// keptPolicy checks a policy that is there and stays. The one that was installed and
// that the API server was started with has passed already, by the rules of its day.
func keptPolicy(name string, data []byte, s patch.State) ([]patch.Problem, error) {
	pol, err := checkPolicy(name, data, s)
	switch installed := patch.Inspect(s.Parsed).Annotations[patch.PolicyAnnotation] == patch.Checksum(data); {
	case err != nil && installed:
		return nil, nil
	case err != nil:
		return nil, err
	case !pol.Records():
		return []patch.Problem{recordsNothing(name)}, nil
	}
	return nil, nil
}

// recordsNothing warns of a policy that makes audit logging pointless.
func recordsNothing(name string) patch.Problem {
	return patch.Problem{Message: name + ": this policy records nothing at all", Hint: "auditpatch policy list"}
}
