package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/policy"
	"auditpatch/patch"
	"auditpatch/presets"
)

func rules(n int) string {
	if n == 1 {
		return "1 rule"
	}
	return fmt.Sprintf("%d rules", n)
}

func isPreset(name string) bool {
	_, err := presets.Get(name)
	return err == nil
}

func (p *program) policyCommand() *cli.Command {
	return p.group(&cli.Command{
		Name:        "policy",
		Usage:       "list, show and check audit policies",
		Subcommands: []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand()},
	})
}

// presetEntry is one preset as JSON.
type presetEntry struct {
	Name    string `json:"name"`
	Purpose string `json:"purpose"`
	Cost    string `json:"cost"`
	Hides   string `json:"hides"`
	Leaks   string `json:"leaks,omitempty"`
	Rules   int    `json:"rules"`
}

func (p *program) policyListCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "list",
		Usage: "the policies that ship with auditpatch",
		Flags: outputFlags(),
		Action: func(c *cli.Context) error {
			var entries []presetEntry
			for _, pre := range presets.All() {
				data, err := pre.Policy(nil)
				if err != nil {
					return err
				}
				pol, err := policy.Load("preset "+pre.Name, data)
				if err != nil {
					return err
				}
				entries = append(entries, presetEntry{pre.Name, pre.Purpose, pre.Cost, pre.Hides, pre.Leaks, pol.Rules()})
			}
			if p.json {
				p.printJSON(struct {
					Changed bool          `json:"changed"`
					Presets []presetEntry `json:"presets"`
				}{false, entries})
				return nil
			}
			for i, e := range entries {
				if i > 0 {
					fmt.Fprintln(p.Out)
				}
				fmt.Fprintf(p.Out, "%-16s %s (%s)\n%-16s costs: %s\n%-16s hides: %s\n", e.Name, e.Purpose, rules(e.Rules), "", e.Cost, "", e.Hides)
				if e.Leaks != "" {
					fmt.Fprintf(p.Out, "%-16s leaks: %s\n", "", e.Leaks)
				}
			}
			return nil
		},
	})
}

func (p *program) policyShowCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "show",
		Usage: "print a preset as YAML",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "preset", Category: whatCategory, Value: presets.Default, Usage: "`NAME` of the preset"},
			&cli.StringSliceFlag{Name: "namespace", Category: whatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
		}, outputFlags()),
		Action: func(c *cli.Context) error {
			content, warnings, err := presetContent(c.String("preset"), c.StringSlice("namespace"))
			if err != nil {
				return err
			}
			p.warn(warnings...)
			if p.json {
				p.printJSON(struct {
					Changed bool   `json:"changed"`
					Preset  string `json:"preset"`
					Policy  string `json:"policy"`
				}{false, c.String("preset"), string(content.Data)})
				return nil
			}
			_, err = p.Out.Write(content.Data)
			return err
		},
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

func (p *program) policyLintCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "lint",
		Usage: "check a policy as strictly as enable does",
		Description: "Finds what kube-apiserver refuses, and what it silently accepts although it cannot be meant:\n" +
			"unknown and misspelt fields, keys that stand twice, a second document. Exit status 0: nothing\n" +
			"found, 1: findings, one line each on standard output.",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "policy", Category: whatCategory, Usage: "the policy `FILE`, - for standard input"},
			&cli.StringFlag{Name: "kubernetes-version", Category: whatCategory, Usage: "check for this version of kube-apiserver too, such as 1.30"},
		}, outputFlags()),
		Action: p.lint,
	})
}

func (p *program) lint(c *cli.Context) error {
	if !c.IsSet("policy") {
		return hinted("auditpatch policy lint --policy FILE", "--policy is missing")
	}
	name := c.String("policy")
	data, err := p.readInput("policy", name)
	if err != nil {
		return err
	}
	if name == "-" {
		name = "<stdin>"
	}
	version, err := lintVersion(c.String("kubernetes-version"))
	if err != nil {
		return err
	}
	pol, err := policy.Load(name, data)
	if err == nil {
		err = pol.CheckTarget(version)
	}
	findings := []lintFinding{}
	var bad *policy.Error
	if errors.As(err, &bad) {
		for _, f := range bad.Findings {
			findings = append(findings, lintFinding{f.Line, f.Col, f.Field, f.Message, f.Hint})
		}
	} else if err != nil {
		return err
	}
	p.printFindings(name, findings)
	if len(findings) > 0 {
		return status(exitDiffers)
	}
	p.say("%s: %s, no findings", name, rules(pol.Rules()))
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
		fmt.Fprintf(p.Out, "%s:%d:%d: %s\n", name, f.Line, f.Col, f.Message)
		if f.Hint != "" {
			fmt.Fprintf(p.Out, "    hint: %s\n", f.Hint)
		}
	}
}

// lintVersion reads "1.30", "v1.30" or "1.30.4".
func lintVersion(s string) (policy.Version, error) {
	if s == "" {
		return policy.Version{}, nil
	}
	v, ok := patch.ParseImageVersion("kube-apiserver:v" + strings.TrimPrefix(s, "v"))
	if !ok {
		return policy.Version{}, hinted("--kubernetes-version=1.30", "--kubernetes-version %q: not a Kubernetes version", s)
	}
	return policy.Version{Major: v.Major, Minor: v.Minor}, nil
}
