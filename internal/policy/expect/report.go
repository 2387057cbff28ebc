package expect

import (
	"encoding/xml"
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// Report is the JSON of policy test.
type Report struct {
	Changed bool            `json:"changed"`
	Policy  string          `json:"policy"`
	Tests   string          `json:"tests"`
	Passed  int             `json:"passed"`
	Failed  int             `json:"failed"`
	Results []RequestReport `json:"results"`
}

// RequestReport is one request of one user.
type RequestReport struct {
	Test    string        `json:"test"`
	Line    int           `json:"line"` // in the file of expectations
	Col     int           `json:"col"`
	Request string        `json:"request"`
	User    string        `json:"user"`
	Passed  bool          `json:"passed"`
	Wrong   []wrongReport `json:"wrong"`
	Rule    int           `json:"rule"` // that decides, from 0; -1 for none
	At      int           `json:"ruleLine"`
	AtCol   int           `json:"ruleCol"`
	Level   audit.Level   `json:"level"`
	Stages  []audit.Stage `json:"stages"`
}

type wrongReport struct {
	Field    string `json:"field"`
	Expected string `json:"expected"`
	Came     string `json:"came"`
}

// NewReport is the report about the results of a file of tests.
func NewReport(pol *policy.Policy, tests string, results []Result) Report {
	out := Report{Policy: pol.Name(), Tests: tests, Results: []RequestReport{}}
	for _, r := range results {
		t := RequestReport{
			Test: r.Test, Line: r.Line, Col: r.Col, Request: explain.Describe(r.Request), User: explain.DescribeUser(r.Request),
			Passed: len(r.Wrong) == 0, Wrong: []wrongReport{}, Rule: r.Rule, At: r.RuleLine, AtCol: r.RuleCol, Level: r.Level, Stages: r.Stages,
		}
		for _, w := range r.Wrong {
			t.Wrong = append(t.Wrong, wrongReport(w))
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

// Failure is what was expected, what came, and who decided.
func (r RequestReport) Failure(policy string) string {
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

// JUnit is the report in the XML that CI systems read.
func (t Report) JUnit() ([]byte, error) {
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
			c.Failure = &fault{r.Failure(t.Policy)}
		}
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(suite, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the results as XML: %w", err)
	}
	return []byte(xml.Header + string(text) + "\n"), nil
}
