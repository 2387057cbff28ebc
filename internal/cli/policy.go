package cli

import (
	"errors"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch/auditflags"
	"auditpatch/presets"
)

func isPreset(name string) bool {
	_, err := presets.Get(name)
	return err == nil
}

func (p *program) policyCommand() *cli.Command {
	return p.group(&cli.Command{
		Name:  "policy",
		Usage: "list, show and check audit policies",
		Subcommands: []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand(), p.policyExplainCommand(), p.policyTestCommand(),
			p.policyVerdictCommand(), p.policyComposeCommand(), p.policyDiffCommand()},
	})
}

// lintFinding is one finding as JSON.
type lintFinding struct {
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// lintFlags are those of policy lint.
type lintFlags struct{ policy, version string }

func (p *program) policyLintCommand() *cli.Command {
	f := &lintFlags{}
	return p.command(&cli.Command{
		Name:  "lint",
		Usage: "check a policy as strictly as enable does",
		Description: "Finds what kube-apiserver refuses, and what it silently accepts although it cannot be meant:\n" +
			"unknown and misspelt fields, keys that stand twice, a second document. Exit status 0: nothing\n" +
			"found, 1: findings, one line each on standard output.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "policy", Destination: &f.policy, Category: whatCategory, Usage: "the policy `FILE`, - for standard input"},
			&cli.StringFlag{Name: "kubernetes-version", Destination: &f.version, Category: whatCategory, Usage: "check for this version of kube-apiserver too, such as 1.30"},
		}, p.outputFlags()),
		Action: func(*cli.Context) error { return p.lint(f) },
	})
}

func (p *program) lint(f *lintFlags) error {
	if f.policy == "" {
		return hint.Errorf(hint.Command("policy lint").Spaced("policy", "FILE"), "--policy is missing")
	}
	in, err := p.readInput("policy", f.policy)
	if err != nil {
		return err
	}
	version, err := lintVersion(f.version)
	if err != nil {
		return err
	}
	pol, err := policy.LoadFor(in.Name, in.Data, version)
	findings := []lintFinding{}
	var bad *policy.Error
	if errors.As(err, &bad) {
		for _, f := range bad.Findings {
			findings = append(findings, lintFinding{f.Line, f.Col, f.Field, f.Message, f.Hint})
		}
	} else if err != nil {
		return err
	}
	p.printFindings(in.Name, findings)
	if len(findings) > 0 {
		return status(exit.Differs)
	}
	p.printf("%s: %s, no findings", in.Name, policy.Count(pol.Rules()))
	return nil
}

// printFindings prints a line for each finding, with its hint.
func (p *program) printFindings(name string, findings []lintFinding) {
	if p.json {
		p.printJSON(struct {
			Changed  bool          `json:"changed"`
			File     string        `json:"file"`
			Findings []lintFinding `json:"findings"`
		}{false, name, findings})
		return
	}
	for _, f := range findings {
		p.outf("%s:%d:%d: %s", name, f.Line, f.Col, f.Message)
		if f.Hint != "" {
			p.outf("    hint: %s", f.Hint)
		}
	}
}

// lintVersion reads "1.30", "v1.30" or "1.30.4".
func lintVersion(s string) (policy.Version, error) {
	return targetVersion("kubernetes-version", s)
}

// targetVersion reads "1.30", "v1.30" or "1.30.4", for a flag.
func targetVersion(flag, s string) (policy.Version, error) {
	if s == "" {
		return policy.Version{}, nil
	}
	v, ok := auditflags.ParseImageVersion("kube-apiserver:v" + strings.TrimPrefix(s, "v"))
	if !ok {
		return policy.Version{}, hint.Errorf(hint.Flag(flag, "1.30"), "--%s %q: not a Kubernetes version", flag, s)
	}
	return policy.Version{Major: v.Major, Minor: v.Minor}, nil
}
