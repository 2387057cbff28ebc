package cli

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy/expect"
)

func (p *program) policyTestCommand() *cli.Command {
	var f struct {
		policySource
		tests string
	}
	return p.command(&cli.Command{
		Name:  "test",
		Usage: "compare a policy with a file of expectations: which request is recorded, at which level",
		Description: "Exit status 0: all expectations are met, 1: some are not, one block each on standard output,\n" +
			"2: the policy or the file of expectations cannot be read.",
		Flags: join(f.flags(), []cli.Flag{
			&cli.StringFlag{Name: "tests", Destination: &f.tests, Category: whatCategory, Usage: "the expectations, a YAML `FILE`, - for standard input"},
		}, p.outputFlags("junit")),
		Action: func(*cli.Context) error {
			switch {
			case f.tests == "":
				return hint.Errorf(hint.Command("policy test").Spaced("policy", "FILE").Spaced("tests", "FILE"), "--tests is missing")
			case f.tests == "-" && f.file == "-":
				return hint.Errorf(hint.Spaced("policy", "FILE"), "--policy and --tests: only one can be standard input")
			}
			pol, err := f.load(p, "policy test")
			if err != nil {
				return err
			}
			in, err := p.readInput("tests", f.tests)
			if err != nil {
				return err
			}
			file, err := expect.Load(in.Name, in.Data)
			if err != nil {
				return err
			}
			results, err := file.Run(pol)
			if err != nil {
				return err
			}
			return p.printTested(expect.NewReport(pol, in.Name, results))
		},
	})
}

func (p *program) printTested(t expect.Report) error {
	switch {
	case p.json:
		p.printJSON(t)
	case p.output == "junit":
		text, err := t.JUnit()
		if err != nil {
			return err
		}
		if _, err := p.Out.Write(text); err != nil {
			return fmt.Errorf("print the results: %w", err)
		}
	default:
		for _, r := range t.Results {
			if !r.Passed {
				p.outf("%s:%d:%d: %s: %s, as %s", t.Tests, r.Line, r.Col, r.Test, r.Request, r.User)
				p.outf("    %s", r.Failure(t.Policy))
			}
		}
	}
	if t.Failed > 0 {
		p.printf("%d of %d requests are not recorded as expected", t.Failed, t.Failed+t.Passed)
		return status(exit.Differs)
	}
	p.printf("%d requests are recorded as expected", t.Passed)
	return nil
}
