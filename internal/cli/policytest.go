package cli

import (
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/expect"
	"auditpatch/internal/policy/explain"
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
			return p.printTested(tested(pol, in.Name, results))
		},
	})
}

// testedPolicy is the JSON of policy test.
type testedPolicy struct {
	Changed bool         `json:"changed"`
	Policy  string       `json:"policy"`
	Tests   string       `json:"tests"`
	Passed  int          `json:"passed"`
	Failed  int          `json:"failed"`
	Results []testResult `json:"results"`
}

// testResult is one request of one user.
type testResult struct {
	Test    string          `json:"test"`
	Line    int             `json:"line"` // in the file of expectations
	Col     int             `json:"col"`
	Request string          `json:"request"`
	User    string          `json:"user"`
	Passed  bool            `json:"passed"`
	Wrong   []wrongExpected `json:"wrong"`
	Rule    int             `json:"rule"` // that decides, from 0; -1 for none
	At      int             `json:"ruleLine"`
	AtCol   int             `json:"ruleCol"`
	Level   audit.Level     `json:"level"`
	Stages  []audit.Stage   `json:"stages"`
}

type wrongExpected struct {
	Field    string `json:"field"`
	Expected string `json:"expected"`
	Came     string `json:"came"`
}

func tested(pol *policy.Policy, tests string, results []expect.Result) testedPolicy {
	out := testedPolicy{Policy: pol.Name(), Tests: tests, Results: []testResult{}}
	for _, r := range results {
		t := testResult{
			Test: r.Test, Line: r.Line, Col: r.Col, Request: explain.Describe(r.Request), User: explain.DescribeUser(r.Request),
			Passed: len(r.Wrong) == 0, Wrong: []wrongExpected{}, Rule: r.Rule, At: r.RuleLine, AtCol: r.RuleCol, Level: r.Level, Stages: r.Stages,
		}
		for _, w := range r.Wrong {
			t.Wrong = append(t.Wrong, wrongExpected(w))
		}
		if t.Passed {
			out.Passed++
		} else {
			out.Failed++
		}
		out.Results = append(out.Results, t)
	}
	return out
}

func (p *program) printTested(t testedPolicy) error {
	switch {
	case p.json:
		p.printJSON(t)
	case p.output == "junit":
		if err := p.printJUnit(t); err != nil {
			return err
		}
	default:
		for _, r := range t.Results {
			if !r.Passed {
				p.outf("%s:%d:%d: %s: %s, as %s", t.Tests, r.Line, r.Col, r.Test, r.Request, r.User)
				p.outf("    %s", failure(t.Policy, r))
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

// failure is what was expected, what came, and who decided.
func failure(policy string, r testResult) string {
	var out []string
	for _, w := range r.Wrong {
		out = append(out, fmt.Sprintf("%s: expected %s, came %s", w.Field, w.Expected, w.Came))
	}
	decides := "no rule matches"
	if r.Rule >= 0 {
		decides = fmt.Sprintf("rules[%d] decides, %s:%d:%d", r.Rule, policy, r.At, r.AtCol)
	}
	return strings.Join(out, "; ") + "; " + decides
}

// printJUnit prints the results in the XML that CI systems read.
func (p *program) printJUnit(t testedPolicy) error {
	type fault struct {
		Message string `xml:"message,attr"`
	}
	type testcase struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		File    string `xml:"file,attr"`
		Line    int    `xml:"line,attr"`
		Failure *fault `xml:"failure,omitempty"`
	}
	type testsuite struct {
		XMLName  xml.Name   `xml:"testsuite"`
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Cases    []testcase `xml:"testcase"`
	}
	suite := testsuite{Name: t.Policy, Tests: len(t.Results), Failures: t.Failed}
	for _, r := range t.Results {
		c := testcase{Class: r.Test, Name: r.Request + ", as " + r.User, File: t.Tests, Line: r.Line}
		if !r.Passed {
			c.Failure = &fault{failure(t.Policy, r)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return fmt.Errorf("print the results: %w", err)
	}
	_, err = fmt.Fprintf(p.Out, "%s%s\n", xml.Header, text)
	return err
}
