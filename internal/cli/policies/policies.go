// Package policies has the commands of auditpatch policy that need no node.
//
// Commands is the name to know: it makes them for a [Console], the program that
// runs them and owns streams, common flags and the way in which things are said.
package policies

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// Console is the program, as these commands see it.
type Console interface {
	commands.Console
	Version() string                                                    // of the program
	OpenInput(flag, name string) (io.ReadCloser, error)                 // as ReadInput, whatever its size
	Conflict(c *cli.Context, flag, value, other, itsValue string) error // refuses flags that exclude each other
	Warn(problems ...patch.Problem)                                     // warnings with their hints
	Begin() error                                                       // says that a file is about to be changed; the error is that it was interrupted before
	Spared()                                                            // says that after all it was not
	SetChanged(next hint.Hint)                                          // says that it was, and what to type if that cannot be printed
}

// program has the commands as methods.
type program struct{ Console }

// Commands are all of them, in the order of the help text.
func Commands(c Console) []*cli.Command {
	p := &program{c}
	return []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand(), p.policyRulesCommand(),
		p.policyExplainCommand(), p.policyTestCommand(), p.policyComposeCommand(), p.policyDiffCommand()}
}

// TargetVersion reads "1.30", "v1.30" or "1.30.4", for a flag.
func TargetVersion(flag, s string) (policy.Version, error) {
	if s == "" {
		return policy.Version{}, nil
	}
	v, ok := auditflags.ParseImageVersion("kube-apiserver:v" + strings.TrimPrefix(s, "v"))
	if !ok {
		return policy.Version{}, hint.Errorf(hint.Flag(flag, "1.30"), "--%s %q: not a Kubernetes version", flag, s)
	}
	return policy.Version{Major: v.Major, Minor: v.Minor}, nil
}
