package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/inspect"
	"auditpatch/internal/node"
	"auditpatch/internal/target"
)

func (p *program) doctorCommand() *cli.Command {
	var f struct {
		node nodeFlags
		last bool
	}
	return p.command(&cli.Command{
		Name:  "doctor",
		Usage: "say why the API server does not run, or why enable would refuse",
		Description: "Makes every check that stands before a change, and those that tell why an API server does not\n" +
			"come back, and prints a verdict for each. Changes nothing. Exit status 1 when something is wrong.",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "last", Destination: &f.last, Category: whatCategory, Usage: "instead, say why the last change failed, with the end of the API server's log"},
		}, f.node.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := target.New(f.node.options(p))
			if err != nil {
				return err
			}
			if t.Stdin() {
				return hint.Errorf(hint.Command("doctor"), "doctor looks at a node, not at standard input")
			}
			if f.last {
				return p.printLastFailure(t)
			}
			return p.printChecks(inspect.Doctor(c.Context, t))
		},
	})
}

// printLastFailure tells of the newest change that was put back.
func (p *program) printLastFailure(t *target.Target) error {
	r, err := inspect.LastFailure(t)
	switch {
	case err != nil:
		return err
	case p.json:
		p.printJSON(r)
	case r.Run == "":
		p.printf("no change has failed here")
	default:
		how := "was put back"
		switch r.Result {
		case string(node.ResultOverridden):
			how = "ended because somebody else changed the manifest"
		case string(node.ResultUnfinished):
			how = target.WasHeld
		}
		p.outf("%s of %s %s: %s", r.Command, r.Run, how, r.Reason)
		p.printLog(r.Log)
	}
	return nil
}

// printLog prints the end of an API server's log.
func (p *program) printLog(log string) {
	if log == "" {
		return
	}
	p.outf("")
	p.outf("the API server's log ended:")
	for line := range strings.SplitSeq(log, "\n") {
		p.outf("%s", line)
	}
}

// printChecks prints the verdicts and sets the exit status.
func (p *program) printChecks(findings []inspect.Finding) error {
	bad := false
	rows := [][]string{}
	for i, f := range findings {
		f.Hint = p.hint(f.Hint)
		findings[i] = f
		bad = bad || f.Verdict == inspect.Wrong
		rows = append(rows, []string{f.Verdict, f.Check, f.Detail})
		if len(f.Hint) > 0 {
			rows = append(rows, []string{"", "", "hint: " + f.Hint.String()})
		}
	}
	if p.json {
		p.printJSON(struct {
			Changed  bool              `json:"changed"`
			Findings []inspect.Finding `json:"findings"`
		}{false, findings})
	} else if err := p.table(rows); err != nil {
		return err
	}
	if bad {
		return exit.Status(exit.Differs)
	}
	return nil
}
