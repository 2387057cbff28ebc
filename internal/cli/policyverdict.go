package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/cli/policies"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/inspect"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/verdict"
	"auditpatch/internal/target"
	"auditpatch/patch"
)

// verdictFlags are those of policy verdict.
type verdictFlags struct {
	node                               nodeFlags
	preset, policy, version, benchmark string
	namespaces                         cli.StringSlice
	check                              bool
}

func (p *program) policyVerdictCommand() *cli.Command {
	f := &verdictFlags{}
	return p.command(&cli.Command{
		Name:  "verdict",
		Usage: "what the checkers say: CIS, STIG, Kubescape, Trivy, KICS, checkov",
		Description: "Judges the audit flags of this node's manifest and the policy that it names, check by check:\n" +
			"pass, fail, or cannot pass, with the value seen and the flag of enable that would change it.\n" +
			"With --preset or --policy it judges that policy, with the flags that enable would leave: those of\n" +
			"the manifest where there is one, and the defaults. CIS 3.2.2 is a manual check: it is decided by\n" +
			"what the policy does with requests. Nothing is changed.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "preset", Destination: &f.preset, Category: whatCategory, Usage: "judge the preset of this `NAME` instead of the node's policy"},
			&cli.StringFlag{Name: "policy", Destination: &f.policy, Category: whatCategory, Usage: "judge the policy in `FILE`, - for standard input, instead of the node's"},
			&cli.StringSliceFlag{Name: "namespace", Destination: &f.namespaces, Category: whatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
			&cli.StringFlag{Name: "benchmark", Destination: &f.benchmark, Category: whatCategory, Usage: "`VERSION` of the CIS benchmark, such as cis-1.8; without it, the one that kube-bench takes for the version of Kubernetes"},
			&cli.StringFlag{Name: "target-version", Destination: &f.version, Category: whatCategory, Usage: "`VERSION` of Kubernetes, such as 1.30; without it, that of the manifest's image"},
			&cli.BoolFlag{Name: "check", Destination: &f.check, Category: whatCategory, Usage: "exit with status 1 when a check fails that could pass, with 2 when one is unknown"},
		}, f.node.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error { return p.verdict(c, f) },
	})
}

func (p *program) verdict(c *cli.Context, f *verdictFlags) error {
	if err := f.refuse(p, c); err != nil {
		return err
	}
	q := inspect.Question{Optional: f.preset+f.policy != "" && !c.IsSet("manifest") && !c.IsSet("root")}
	var err error
	if q.Version, err = policies.TargetVersion("target-version", f.version); err != nil {
		return err
	}
	if q.Benchmark, err = benchmark(f.benchmark); err != nil {
		return err
	}
	if q.Policy, err = p.givenPolicy(f); err != nil {
		return err
	}
	o := f.node.options(p)
	o.Command = "policy verdict"
	t, err := target.New(o)
	if err != nil {
		return err
	}
	j, err := inspect.Verdict(t, q)
	if err != nil {
		return err
	}
	p.printVerdicts(j)
	unknown := j.Of(verdict.Unknown)
	switch {
	case f.check && len(j.Of(verdict.Fail)) > 0:
		return exit.Status(exit.Differs)
	case f.check && len(unknown) > 0:
		return hint.Errorf(hint.Spaced("policy", "FILE"), "%s unknown: %s", counted(len(unknown)), unknown[0].Reason)
	}
	return nil
}

// counted is a number of checks with their verb.
func counted(n int) string {
	if n == 1 {
		return "1 check is"
	}
	return fmt.Sprintf("%d checks are", n)
}

// refuse refuses flags that exclude each other.
func (f *verdictFlags) refuse(p *program, c *cli.Context) error {
	for _, pair := range [][2]given{
		{{"preset", f.preset}, {"policy", f.policy}}, {{"manifest", onlyStdin(f.node.manifest)}, {"root", f.node.root}},
	} {
		if err := p.conflict(c, pair[0], pair[1]); err != nil {
			return err
		}
	}
	if f.node.stdin() && f.policy == "-" {
		return hint.Errorf(hint.Spaced("policy", "FILE"), "only one input can come from standard input")
	}
	if len(commands.Names(f.namespaces)) > 0 && f.preset == "" {
		return hint.Errorf(hint.Flag("preset", "pod-deletions"), "--namespace goes with a preset that takes namespaces")
	}
	return nil
}

// givenPolicy loads the policy that is named on the command line, nil for none. It is
// refused where enable refuses it, for the version that is to read it.
func (p *program) givenPolicy(f *verdictFlags) (func(policy.Version) (*policy.Policy, error), error) {
	var in change.Input
	switch {
	case f.preset != "":
		content, _, err := change.Preset(f.preset, commands.Names(f.namespaces), patch.Version{})
		if err != nil {
			return nil, err
		}
		in = change.Input{Name: content.Origin, Data: content.Data}
	case f.policy != "":
		given, err := p.readInput("policy", f.policy)
		if err != nil {
			return nil, err
		}
		in = *given
	default:
		return nil, nil
	}
	return func(v policy.Version) (*policy.Policy, error) {
		pol, ignored, err := policy.LoadStartable(in.Name, in.Data, v)
		if ignored != nil && err == nil {
			p.warn(patch.Problem{Message: ignored.Error(), Hint: hint.Of(ignored)})
		}
		return pol, err
	}, nil
}

// benchmark reads "cis-1.8" or "1.8".
func benchmark(s string) (string, error) {
	known := verdict.Benchmarks()
	name := "cis-" + strings.TrimPrefix(strings.ToLower(s), "cis-")
	switch {
	case s == "":
		return "", nil
	case slices.Contains(known, name):
		return name, nil
	}
	return "", hint.Errorf(hint.Flag("benchmark", known[len(known)-1]), "--benchmark %q: there are %s", s, strings.Join(known, ", "))
}

// verdictReport is the JSON of policy verdict.
type verdictReport struct {
	Changed    bool              `json:"changed"` // always false
	Benchmark  string            `json:"benchmark"`
	Kubernetes string            `json:"kubernetesVersion,omitempty"`
	Policy     string            `json:"policy,omitempty"`
	FlagsFrom  string            `json:"flagsFrom"`
	Pass       int               `json:"pass"`
	Fail       int               `json:"fail"`
	CannotPass int               `json:"cannotPass"`
	Unknown    int               `json:"unknown"`
	Verdicts   []verdict.Verdict `json:"verdicts"`
}

func (p *program) printVerdicts(j inspect.Judged) {
	for i, v := range j.Verdicts {
		j.Verdicts[i].Hint = p.hint(v.Hint)
	}
	if p.json {
		p.printJSON(verdictReport{false, j.Benchmark, j.Kubernetes, j.Policy, j.Flags, len(j.Of(verdict.Pass)), len(j.Of(verdict.Fail)),
			len(j.Of(verdict.CannotPass)), len(j.Of(verdict.Unknown)), j.Verdicts})
		return
	}
	const columns = "%-9s  %-10s  %-11s  %-28s  %s"
	p.outf(columns, "CHECK", "ID", "VERDICT", "SEEN", "WHAT WOULD CHANGE IT")
	for _, v := range j.Verdicts {
		p.outf("%s", strings.TrimRight(fmt.Sprintf(columns, v.Checker, v.ID, v.Verdict, short(v.Seen), v.Hint), " "))
	}
	p.printReasons(j)
	name := j.Policy
	if name == "" {
		name = "no policy"
	}
	p.outf("")
	p.outf("%s: %s, %s, CIS as in %s", j.Report, name, j.Flags, j.Benchmark)
}

// printReasons prints each reason once, with the checks that it is of.
func (p *program) printReasons(j inspect.Judged) {
	var reasons []string
	of := map[string][]string{}
	for _, v := range j.Verdicts {
		if v.Reason == "" {
			continue
		}
		text := fmt.Sprintf("%s: %s", v.Verdict, v.Reason)
		if of[text] == nil {
			reasons = append(reasons, text)
		}
		of[text] = append(of[text], v.Name())
	}
	for _, text := range reasons {
		p.outf("")
		for _, line := range wrap(strings.Join(of[text], ", ")+" "+text, 98) {
			p.outf("%s", line)
		}
	}
}

// wrap breaks a text into lines of at most so many characters, where words allow it.
func wrap(text string, width int) (lines []string) {
	words := strings.Fields(text)
	line := words[0]
	for _, word := range words[1:] {
		if len(line)+1+len(word) > width {
			lines, line = append(lines, line), "  "+word
		} else {
			line += " " + word
		}
	}
	return append(lines, line)
}

// short is a value that leaves room for the other columns.
func short(s string) string {
	const most = 28
	if r := []rune(s); len(r) > most {
		return "..." + string(r[len(r)-most+3:])
	}
	return s
}
