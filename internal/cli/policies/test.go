package policies

import (
	"fmt"
	"slices"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy/expect"
)

func (p *program) policyTestCommand() *cli.Command {
	var f struct {
		policySource
		tests string
	}
	return p.Command(&cli.Command{
		Name:  "test",
		Usage: "compare a policy with a file of expectations: which request is recorded, at which level",
		Description: "Exit status 0: all expectations are met, 1: some are not, one block each on standard output,\n" +
			"2: the policy or the file of expectations cannot be read.",
		Flags: slices.Concat(f.flags(), []cli.Flag{
			&cli.StringFlag{Name: "tests", Destination: &f.tests, Category: commands.WhatCategory, Usage: "the expectations, a YAML `FILE`, - for standard input"},
		}, p.OutputFlags("junit")),
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
			in, err := p.ReadInput("tests", f.tests)
			if err != nil {
				return err
			}
			file, err := expect.Load(in.Name, in.Data)
			if err != nil {
				return err
			}
			return p.printTested(expect.NewReport(pol, in.Name, file.Run(pol)))
		},
	})
}

func (p *program) printTested(t expect.Report) error {
	switch {
	case p.JSON():
		p.PrintJSON(t)
	case p.Output() == "junit":
		text, err := t.JUnit()
		if err != nil {
			return err
		}
		if _, err := p.Stdout().Write(text); err != nil {
			return fmt.Errorf("print the results: %w", err)
		}
	default:
		for _, r := range t.Results {
			if !r.Passed {
				p.Outf("%s:%d:%d: %s: %s, as %s", t.Tests, r.Line, r.Col, r.Test, r.Request, r.User)
				p.Outf("    %s", r.Failure(t.Policy))
			}
		}
	}
	if t.Failed > 0 {
		p.Printf("%d of %d requests are not recorded as expected", t.Failed, t.Failed+t.Passed)
		return exit.Status(exit.Differs)
	}
	if t.Passed == 1 {
		p.Printf("1 request is recorded as expected")
		return nil
	}
	p.Printf("%d requests are recorded as expected", t.Passed)
	return nil
}
