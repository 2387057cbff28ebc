package policies

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/change"
	"auditpatch/internal/cli/commands"
	"auditpatch/internal/exit"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/lint"
	"auditpatch/internal/spelling"
	"auditpatch/patch"
)

// lintFlags are those of policy lint.
type lintFlags struct {
	policy, preset, target, version, failOn string
	namespaces, ignore                      cli.StringSlice
	fix, dryRun                             bool
}

// Failures are what --fail-on takes.
var Failures = []string{"error", "warning", "info", "never"}

func (p *program) policyLintCommand() *cli.Command {
	f := &lintFlags{}
	return p.Command(&cli.Command{
		Name:  "lint",
		Usage: "find what is wrong with a policy, and mend what is certain",
		Description: "Finds what kube-apiserver refuses, what it accepts in silence although it cannot be meant,\n" +
			"rules that never match, secrets that get into the log, and gaps in it. policy rules explains\n" +
			"each finding. Exit status 0: nothing as bad as --fail-on, 1: such findings.\n\n" +
			"A comment \"# auditpatch:ignore AP066 reason\" above a rule or a line switches a finding off.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "policy", Destination: &f.policy, Category: commands.WhatCategory, Usage: "the policy `FILE`, - for standard input"},
			&cli.StringFlag{Name: "preset", Destination: &f.preset, Category: commands.WhatCategory, Usage: "a policy that ships with auditpatch, in place of a file"},
			&cli.StringSliceFlag{Name: "namespace", Destination: &f.namespaces, Category: commands.WhatCategory, Usage: "namespace of a preset that takes namespaces; may be repeated"},
			&cli.StringFlag{Name: "target-version", Destination: &f.target, Category: commands.WhatCategory, Usage: "check for this version of kube-apiserver too, such as 1.30"},
			&cli.StringFlag{Name: "kubernetes-version", Destination: &f.version, Category: commands.WhatCategory, Usage: "the same as --target-version"},
			&cli.StringFlag{Name: "fail-on", Destination: &f.failOn, Category: commands.HowCategory, Value: "error", Usage: "exit with 1 for findings of this severity and above: " + spelling.Either(Failures)},
			&cli.StringSliceFlag{Name: "ignore", Destination: &f.ignore, Category: commands.HowCategory, Usage: "leave out findings with this `CODE`, such as AP030; may be repeated"},
			&cli.BoolFlag{Name: "fix", Destination: &f.fix, Category: commands.HowCategory, Usage: "mend what is certain, in the file, or on standard output for --policy -"},
			&cli.BoolFlag{Name: "dry-run", Destination: &f.dryRun, Category: commands.HowCategory, Usage: "with --fix: print a unified diff, and write nothing"},
		}, p.OutputFlags("sarif")),
		Action: func(c *cli.Context) error { return p.lint(c, f) },
	})
}

// lintRun is one run of policy lint.
type lintRun struct {
	in     *change.Input
	stdin  bool // what is mended goes to standard output
	target policy.Version
	ignore []string
}

func (p *program) lint(c *cli.Context, f *lintFlags) error {
	run, err := p.lintRun(c, f)
	if err != nil {
		return err
	}
	report := lint.Check(run.in.Name, run.in.Data, run.target, run.ignore...)
	out := lintResult{File: run.in.Name}
	if f.fix {
		if report, err = p.lintFix(f, run, report, &out); err != nil {
			return err
		}
	}
	if err := p.printLint(f, report, &out); err != nil {
		return err
	}
	if f.failOn != "never" && report.Worst().AtLeast(lint.Severity(f.failOn)) {
		return exit.Status(exit.Differs)
	}
	return nil
}

// lintRun reads the flags.
func (p *program) lintRun(c *cli.Context, f *lintFlags) (*lintRun, error) {
	if err := p.lintConflicts(c, f); err != nil {
		return nil, err
	}
	run := &lintRun{}
	for _, id := range commands.Names(f.ignore) {
		code, ok := lint.Find(id)
		switch {
		case !ok:
			return nil, hint.Errorf(hint.Command("policy rules"), "--ignore %q: there is no such finding", id)
		case code.Refusal():
			return nil, hint.Errorf(hint.Command("policy rules").Spaced("code", code.ID), "--ignore %s: a policy with this finding is refused, and it cannot be left out", code.ID)
		}
		run.ignore = append(run.ignore, code.ID)
	}
	var err error
	if run.target, err = TargetVersion("target-version", f.target); err == nil && f.version != "" {
		run.target, err = TargetVersion("kubernetes-version", f.version)
	}
	if err != nil {
		return nil, err
	}
	if f.preset != "" {
		// The warnings are about what the preset leaks; lint has findings for that.
		content, _, err := change.Preset(f.preset, commands.Names(f.namespaces), patch.Version{})
		if err != nil {
			return nil, err
		}
		run.in = &change.Input{Name: "preset:" + f.preset, Data: content.Data}
		return run, nil
	}
	// A link such as /dev/stdin leads to the very file that the shell opened.
	run.stdin = slices.Contains([]string{"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}, f.policy)
	run.in, err = p.ReadInput("policy", f.policy)
	return run, err
}

func (p *program) lintConflicts(c *cli.Context, f *lintFlags) error {
	if err := p.Conflict(c, "policy", f.policy, "preset", f.preset); err != nil {
		return err
	}
	if err := p.Conflict(c, "target-version", f.target, "kubernetes-version", f.version); err != nil {
		return err
	}
	switch {
	case f.policy == "" && f.preset == "":
		return hint.Errorf(hint.Command("policy lint").Spaced("policy", "FILE"), "--policy is missing")
	case !slices.Contains(Failures, f.failOn):
		return hint.Errorf(hint.Flag("fail-on", "warning"), "--fail-on %q: it takes %s", f.failOn, spelling.Either(Failures))
	case f.fix && f.preset != "":
		return hint.Errorf(hint.Command("policy show").Spaced("preset", f.preset), "--fix: a preset is no file; write it into one first")
	case f.fix && p.Output() == "sarif":
		return hint.Errorf(hint.Spaced("o", "text"), "--fix and -o sarif exclude each other")
	case f.dryRun && !f.fix:
		return hint.Errorf(hint.Switch("fix").Switch("dry-run"), "--dry-run is for --fix: without it nothing is written")
	}
	return nil
}

// lintFix carries out the fixes, and reports what is left.
func (p *program) lintFix(f *lintFlags, run *lintRun, before *lint.Report, out *lintResult) (*lint.Report, error) {
	fixed := lint.Repair(run.in.Name, run.in.Data, run.target, run.ignore...)
	text, changed := fixed.Text, len(fixed.Done) > 0
	out.Changed, out.Fixed, out.Left = changed, findingsOf(fixed.Done), leftOf(fixed.Left)
	out.toStdout = run.stdin && !p.JSON() && !f.dryRun
	if f.dryRun {
		out.Diff = lint.Diff(run.in.Name, run.in.Data, text)
		return before, nil
	}
	if run.stdin {
		out.Policy = string(text)
	} else if changed {
		if err := p.Begin(); err != nil {
			return nil, err
		}
		real, err := rewrite(f.policy, run.in.Data, text)
		if err != nil {
			p.Spared()
			return nil, err
		}
		p.SetChanged(hint.Command("policy lint").Spaced("policy", f.policy))
		if abs, err := filepath.Abs(f.policy); err != nil || abs != real {
			p.Printf("%s is behind a symlink: the file that was changed is %s", f.policy, real)
		}
	}
	return lint.Check(run.in.Name, text, run.target, run.ignore...), nil
}

// lintResult is what policy lint prints as JSON.
type lintResult struct {
	Changed  bool          `json:"changed"` // with --dry-run: would change
	File     string        `json:"file"`
	Findings []lintFinding `json:"findings"`
	Ignored  []lintFinding `json:"ignored,omitempty"`
	Fixed    []lintFinding `json:"fixed,omitempty"`
	Left     []lintLeft    `json:"left,omitempty"` // their fixes would do harm
	Diff     string        `json:"diff,omitempty"`
	Policy   string        `json:"policy,omitempty"`

	toStdout bool // the policy goes there, and everything else to standard error
}

// lintFinding is one finding as JSON.
type lintFinding struct {
	Line     int      `json:"line"`
	Col      int      `json:"col"`
	Field    string   `json:"field,omitempty"`
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"`
	Code     string   `json:"code"`
	Name     string   `json:"name"`
	Severity string   `json:"severity"`
	Why      string   `json:"why"`
	Fix      *lintFix `json:"fix,omitempty"`
}

// lintLeft is a finding that --fix has left.
type lintLeft struct {
	lintFinding
	Harm string `json:"harm"` // what its fix would do
}

func leftOf(list []lint.Undone) []lintLeft {
	out := []lintLeft{}
	for _, u := range list {
		out = append(out, lintLeft{findingOf(u.Finding), u.Harm})
	}
	return out
}

// lintFix is what --fix would do about a finding.
type lintFix struct {
	Does           string     `json:"does"`
	Changes        string     `json:"changes,omitempty"`
	KeepsDecisions bool       `json:"keepsDecisions"`
	Edits          []lintEdit `json:"edits"`
}

// lintEdit replaces bytes of the file, from start up to end.
type lintEdit struct {
	Start int    `json:"start"`
	End   int    `json:"end"`
	New   string `json:"new"`
}

func findingOf(f lint.Finding) lintFinding {
	out := lintFinding{f.Line, f.Col, f.Field, f.Message, f.Hint, f.Code.ID, f.Code.Name, string(f.Code.Severity), f.Code.Why, nil}
	if f.Fix != nil {
		out.Fix = &lintFix{Does: f.Fix.Does, Changes: f.Fix.Changes, KeepsDecisions: f.Fix.Changes == ""}
		for _, e := range f.Fix.Edits {
			out.Fix.Edits = append(out.Fix.Edits, lintEdit{e.Start, e.End, e.New})
		}
	}
	return out
}

func findingsOf(list []lint.Finding) []lintFinding {
	out := []lintFinding{}
	for _, f := range list {
		out = append(out, findingOf(f))
	}
	return out
}

// printLint prints a report in the format that was asked for.
func (p *program) printLint(f *lintFlags, report *lint.Report, out *lintResult) error {
	out.Findings, out.Ignored = findingsOf(report.Findings), findingsOf(report.Ignored)
	switch {
	case p.Output() == "sarif":
		text, err := lint.SARIF(strings.Trim(out.File, "<>"), p.Version(), report)
		if err != nil {
			return err
		}
		_, err = p.Stdout().Write(glyph.JSON(nil, text))
		return err
	case p.JSON():
		p.PrintJSON(out)
		return nil
	}
	// What cannot be written is told by the session, which knows that a file has changed.
	_, _ = p.Stdout().Write([]byte(out.Diff))
	say := p.Outf
	if out.toStdout || f.dryRun {
		say = p.Printf
	}
	if out.toStdout {
		_, _ = p.Stdout().Write([]byte(out.Policy))
	}
	for _, d := range out.Fixed {
		say("%s:%d:%d: %s %s: %s (%s)", out.File, d.Line, d.Col, fixWord(f), d.Code, d.Fix.Does, effect(d.Fix))
	}
	for i, d := range out.Left {
		if i == mostLeft {
			p.Say("warning", fmt.Sprintf("%s: %d more are not fixed: -o json has them all", out.File, len(out.Left)-i))
			break
		}
		p.Say("warning", fmt.Sprintf("%s:%d:%d: not fixed, for %s: %s", out.File, d.Line, d.Col, d.Harm, d.Fix.Does))
	}
	if !f.dryRun {
		printFindings(say, out, !f.fix)
	}
	p.Printf("%s: %s", out.File, summary(report, out))
	return nil
}

// mostLeft are told one by one of what is not fixed.
const mostLeft = 20

func fixWord(f *lintFlags) string {
	if f.dryRun {
		return "would fix"
	}
	return "fixed"
}

// effect is how a fix changes what the policy does.
func effect(f *lintFix) string {
	if f.KeepsDecisions {
		return "every decision stays"
	}
	return f.Changes
}

// printFindings prints a line for each finding, with its hint, and for the first of
// a kind why it matters. offer shows what --fix would do.
func printFindings(say func(string, ...any), out *lintResult, offer bool) {
	seen := map[string]bool{}
	for _, f := range out.Findings {
		say("%s:%d:%d: %s %s: %s", out.File, f.Line, f.Col, f.Severity, f.Code, f.Message)
		if !seen[f.Code] {
			say("    why: %s", f.Why)
		}
		seen[f.Code] = true
		if f.Hint != "" {
			say("    hint: %s", f.Hint)
		}
		if f.Fix != nil && offer {
			say("    --fix: %s (%s)", f.Fix.Does, effect(f.Fix))
		}
	}
}

// summary counts what was found.
func summary(report *lint.Report, out *lintResult) string {
	words := "refused"
	if report.Policy != nil {
		words = policy.Count(report.Policy.Rules())
		if !report.Strict {
			words += ", of which kube-apiserver would ignore a part"
		}
	}
	numbers := map[lint.Severity]int{}
	for _, f := range report.Findings {
		numbers[f.Code.Severity]++
	}
	for _, s := range []lint.Severity{lint.Error, lint.Warning, lint.Info} {
		if n := numbers[s]; n > 0 {
			words += ", " + plural(n, string(s))
		}
	}
	if len(report.Findings) == 0 {
		words += ", no findings"
	}
	if n := len(report.Ignored); n > 0 {
		words += fmt.Sprintf(", %d switched off by comments", n)
	}
	if n := len(out.Fixed); n > 0 {
		words += fmt.Sprintf(", %d %s", n, map[bool]string{true: "to fix", false: "fixed"}[out.Diff != ""])
	}
	return words
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// ruleEntry is one code as JSON.
type ruleEntry struct {
	Code     string `json:"code"`
	Name     string `json:"name"`
	Severity string `json:"severity"`
	Title    string `json:"title"`
	Why      string `json:"why"`
	Bad      string `json:"bad"`
	Good     string `json:"good"`
}

func (p *program) policyRulesCommand() *cli.Command {
	var id string
	return p.Command(&cli.Command{
		Name:  "rules",
		Usage: "the findings of policy lint: what each means, why it matters, what to write instead",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "code", Destination: &id, Category: commands.WhatCategory, Usage: "only the finding with this `CODE`, such as AP030"},
		}, p.OutputFlags()),
		Action: func(*cli.Context) error {
			codes := lint.Codes()
			if id != "" {
				code, ok := lint.Find(id)
				if !ok {
					return hint.Errorf(hint.Command("policy rules"), "--code %q: there is no such finding", id)
				}
				codes = []*lint.Code{code}
			}
			return p.printRules(codes)
		},
	})
}

func (p *program) printRules(codes []*lint.Code) error {
	entries := []ruleEntry{}
	rows := [][]string{}
	for _, c := range codes {
		entries = append(entries, ruleEntry{c.ID, c.Name, string(c.Severity), c.Title, c.Why, c.Bad.Policy(), c.Good.Policy()})
		rows = append(rows, []string{c.ID, string(c.Severity), c.Name, c.Title})
	}
	switch {
	case p.JSON():
		p.PrintJSON(struct {
			Changed bool        `json:"changed"`
			Rules   []ruleEntry `json:"rules"`
		}{false, entries})
		return nil
	case len(codes) == 1:
		_, err := fmt.Fprint(p.Stdout(), codes[0].Text())
		return err
	}
	return p.Table(rows)
}
