// Package policies has the commands of auditpatch policy that need no node.
//
// Commands is the name to know: it makes them for a [Console], the program that
// runs them and owns streams, common flags and the way in which things are said.
package policies

import (
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
)

// Flag categories, in the order of the help text.
const (
	WhatCategory = "1. What to log"
	HowCategory  = "3. How"
)

// Console is the program, as its commands see it.
type Console interface {
	Command(*cli.Command) *cli.Command                                  // gives a command what all have
	OutputFlags(more ...string) []cli.Flag                              // -o, with formats beside text and JSON, and --quiet
	Output() string                                                     // what -o says
	JSON() bool                                                         // the same as a question
	Version() string                                                    // of the program
	ReadInput(flag, name string) (*change.Input, error)                 // a file of this machine, - for standard input
	OpenInput(flag, name string) (io.ReadCloser, error)                 // the same, whatever its size
	Conflict(c *cli.Context, flag, value, other, itsValue string) error // refuses flags that exclude each other
	Stdout() io.Writer
	PrintJSON(v any)                // a result for programs
	Outf(format string, a ...any)   // a line of a result for people
	Printf(format string, a ...any) // progress and outcomes for people, unless --quiet
	Table(rows [][]string) error    // a result in columns
	Say(kind, text string)          // an error, a hint or a warning
	Warn(problems ...patch.Problem) // warnings with their hints
	Hint(h hint.Hint) hint.Hint     // a hint as it may be shown
	SetChanged(next hint.Hint)      // says that a file was changed, and what to type if that cannot be printed
}

// program has the commands as methods.
type program struct{ Console }

// Commands are all of them, in the order of the help text.
func Commands(c Console) []*cli.Command {
	p := &program{c}
	return []*cli.Command{p.policyListCommand(), p.policyShowCommand(), p.policyLintCommand(), p.policyRulesCommand(),
		p.policyExplainCommand(), p.policyTestCommand(), p.policyComposeCommand(), p.policyDiffCommand()}
}

// Names are the values of a flag for namespaces or codes. None of these has a comma, so that
// several may stand in one value, as kubectl has it. Names of files, users and groups may
// have one, and are taken as they are.
func Names(values cli.StringSlice) (names []string) {
	for _, value := range values.Value() {
		names = append(names, strings.Split(value, ",")...)
	}
	return names
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
