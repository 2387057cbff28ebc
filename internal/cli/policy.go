package cli

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
	"auditpatch/presets"
)

func isPreset(name string) bool {
	_, err := presets.Get(name)
	return err == nil
}

func (p *program) policyCommand() *cli.Command {
	return p.group(&cli.Command{
		Name:        "policy",
		Usage:       "list, show and check audit policies",
		Subcommands: []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand(), p.policyRulesCommand()},
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
		Flags: p.outputFlags(),
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
				fmt.Fprintf(p.Out, "%-16s %s (%s)\n%-16s costs: %s\n%-16s hides: %s\n", e.Name, e.Purpose, policy.Count(e.Rules), "", e.Cost, "", e.Hides)
				if e.Leaks != "" {
					fmt.Fprintf(p.Out, "%-16s leaks: %s\n", "", e.Leaks)
				}
			}
			return nil
		},
	})
}

func (p *program) policyShowCommand() *cli.Command {
	var f struct {
		preset     string
		namespaces cli.StringSlice
	}
	return p.command(&cli.Command{
		Name:  "show",
		Usage: "print a preset as YAML",
		Flags: join([]cli.Flag{
			&cli.StringFlag{Name: "preset", Destination: &f.preset, Category: whatCategory, Value: presets.Default, Usage: "`NAME` of the preset"},
			&cli.StringSliceFlag{Name: "namespace", Destination: &f.namespaces, Category: whatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
		}, p.outputFlags()),
		Action: func(c *cli.Context) error {
			content, warnings, err := change.Preset(f.preset, f.namespaces.Value(), patch.Version{})
			if err != nil {
				return err
			}
			p.warn(warnings...)
			if p.json {
				p.printJSON(struct {
					Changed bool   `json:"changed"`
					Preset  string `json:"preset"`
					Policy  string `json:"policy"`
				}{false, f.preset, string(content.Data)})
				return nil
			}
			_, err = p.Out.Write(content.Data)
			return err
		},
	})
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
