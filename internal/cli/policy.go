package cli

import (
	"strings"

	"github.com/urfave/cli/v2"

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
		Subcommands: []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand(), p.policyRulesCommand(), p.policyExplainCommand(), p.policyTestCommand(),
			p.policyVerdictCommand(), p.policyComposeCommand(), p.policyDiffCommand()},
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
