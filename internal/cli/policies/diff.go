package policies

import (
	"github.com/urfave/cli/v2"
	"slices"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/difference"
)

// policyDiffFlags are those of policy diff.
type policyDiffFlags struct{ from, to string }

func (p *program) policyDiffCommand() *cli.Command {
	f := &policyDiffFlags{}
	return p.Command(&cli.Command{
		Name:  "diff",
		Usage: "the requests that two policies do not treat alike, by example",
		Description: "Compares what two policies do, not how they are written: one example of each kind for each pair\n" +
			"of rules that decide a request differently, the worst first. Every such pair is found, so far as\n" +
			"the last line does not say otherwise. Exit status 0: they do the same, 1: they do not.",
		Flags: slices.Concat([]cli.Flag{
			&cli.StringFlag{Name: "from", Destination: &f.from, Category: commands.WhatCategory, Usage: "the first policy: `FILE`, - for standard input, or preset:NAME"},
			&cli.StringFlag{Name: "to", Destination: &f.to, Category: commands.WhatCategory, Usage: "the second policy: `FILE`, - for standard input, or preset:NAME"},
		}, p.OutputFlags()),
		Action: func(*cli.Context) error { return p.policyDiff(f) },
	})
}

func (p *program) policyDiff(f *policyDiffFlags) error {
	if f.from == "-" && f.to == "-" {
		return hint.Errorf(hint.Spaced("from", "FILE"), "only one input can come from standard input")
	}
	from, err := p.sideOf("from", f.from)
	if err != nil {
		return err
	}
	to, err := p.sideOf("to", f.to)
	if err != nil {
		return err
	}
	r, err := difference.Compare(from, to)
	if err != nil {
		return err
	}
	p.printDifferences(r, from.Name(), to.Name())
	if len(r.Differences) > 0 {
		return exit.Status(exit.Differs)
	}
	return nil
}

// sideOf loads one of the two policies.
func (p *program) sideOf(flag, name string) (*policy.Policy, error) {
	if name == "" {
		return nil, hint.Errorf(hint.Command("policy diff").Spaced("from", "preset:baseline").Spaced("to", "FILE"), "--%s is missing", flag)
	}
	s, err := p.source(flag, name)
	if err != nil {
		return nil, err
	}
	return policy.Load(s.Name, s.Data)
}

// policyDifferences is the JSON of policy diff.
type policyDifferences struct {
	Changed     bool               `json:"changed"` // always false
	Different   bool               `json:"different"`
	From        string             `json:"from"`
	To          string             `json:"to"`
	Exhaustive  bool               `json:"exhaustive"` // no request of another kind is treated differently
	Differences []policyDifference `json:"differences"`
}

// policyDifference is one example.
type policyDifference struct {
	Kind    difference.Kind    `json:"kind"` // lost, leak, less, gained, more, stages, managed
	Words   string             `json:"words"`
	Request requestJSON        `json:"request"`
	From    difference.Outcome `json:"from"`
	To      difference.Outcome `json:"to"`
}

// requestJSON is a request as JSON. Without user, a login failed.
type requestJSON struct {
	User        string   `json:"user,omitempty"`
	Groups      []string `json:"groups,omitempty"`
	Verb        string   `json:"verb"`
	APIGroup    string   `json:"apiGroup,omitempty"`
	Resource    string   `json:"resource,omitempty"`
	Subresource string   `json:"subresource,omitempty"`
	Namespace   string   `json:"namespace,omitempty"`
	Name        string   `json:"name,omitempty"`
	Path        string   `json:"path,omitempty"`
}

func newRequestJSON(r policy.Request) requestJSON {
	return requestJSON{r.User, r.Groups, r.Verb, r.Group, r.Resource, r.Subresource, r.Namespace, r.Name, r.Path}
}

// headings are the kinds of differences in words.
var headings = map[difference.Kind]string{
	difference.Lost:    "no longer recorded",
	difference.Leak:    "contents that may be secret, now in the log",
	difference.Less:    "recorded with less",
	difference.Gained:  "recorded now",
	difference.More:    "recorded with more",
	difference.Stages:  "recorded at other stages",
	difference.Managed: "recorded with other managed fields",
}

// most is how many differences of a kind are shown for people.
const most = 15

func (p *program) printDifferences(r difference.Report, from, to string) {
	if p.JSON() {
		out := policyDifferences{false, len(r.Differences) > 0, from, to, r.Exhaustive, []policyDifference{}}
		for _, d := range r.Differences {
			out.Differences = append(out.Differences, policyDifference{d.Kind, d.Words(from, to), newRequestJSON(d.Request), d.From, d.To})
		}
		p.PrintJSON(out)
		return
	}
	for _, kind := range difference.Kinds() {
		all := r.Of(kind)
		if len(all) == 0 {
			continue
		}
		p.Outf("%s:", headings[kind])
		for _, d := range all[:min(len(all), most)] {
			p.Outf("  %s", d.Words(from, to))
		}
		if len(all) > most {
			p.Outf("  and %d more: %s", len(all)-most, hint.Spaced("o", "json"))
		}
	}
	switch {
	case !r.Exhaustive:
		p.Printf("there may be more: the policies are too large to compare in full")
	case len(r.Differences) == 0:
		p.Printf("%s and %s do the same with every request", from, to)
	default:
		p.Printf("one example of each kind for each pair of rules; no other pair decides a request differently")
	}
}
