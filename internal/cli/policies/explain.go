package policies

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/urfave/cli/v2"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/cli/commands"
	"auditpatch/internal/exit"
	"auditpatch/internal/glyph"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// explainFlags are those of policy explain.
type explainFlags struct {
	policySource
	fields               explain.Fields
	url, method, kubectl string
	events               string
	user                 string
	groups               cli.StringSlice
	failedLogin, strict  bool
}

func (p *program) policyExplainCommand() *cli.Command {
	f := &explainFlags{}
	const request = "2. The request"
	return p.Command(&cli.Command{
		Name:  "explain",
		Usage: "which rule decides about a request, what it records, and why not the rules before",
		Description: "A request is named in one of four ways:\n" +
			"   --verb create --resource pods/exec --namespace prod --name web\n" +
			"   --url '/api/v1/pods?watch=true' --method GET\n" +
			"   --kubectl \"get secrets -A\"\n" +
			"   --events audit.log\n" +
			"Without --user it is made by a user whom no rule names.",
		Flags: slices.Concat(f.flags(), []cli.Flag{
			&cli.StringFlag{Name: "verb", Destination: &f.fields.Verb, Category: request, Usage: "`VERB` of the request: get, list, watch, create, update, patch, delete or deletecollection"},
			&cli.StringFlag{Name: "resource", Destination: &f.fields.Resource, Category: request, Usage: "`RESOURCE` such as pods, pods/exec, deployments.apps or deployments.apps/scale"},
			&cli.StringFlag{Name: "namespace", Destination: &f.fields.Namespace, Category: request, Usage: "`NAMESPACE` of the request; without it, it is for all namespaces or for what lies in none"},
			&cli.StringFlag{Name: "name", Destination: &f.fields.Name, Category: request, Usage: "`NAME` of the object in the request's URL"},
			&cli.StringFlag{Name: "field-selector", Destination: &f.fields.FieldSelector, Category: request, Usage: "`SELECTOR` of a list or watch; metadata.name=X counts as its name"},
			&cli.StringFlag{Name: "url", Destination: &f.url, Category: request, Usage: "`URL` of the request, or its path with the query"},
			&cli.StringFlag{Name: "method", Destination: &f.method, Category: request, Usage: "`METHOD` of the request for --url; GET unless it is given"},
			&cli.StringFlag{Name: "kubectl", Destination: &f.kubectl, Category: request, Usage: "the requests that kubectl sends for these `WORDS`"},
			&cli.StringFlag{Name: "events", Destination: &f.events, Category: request, Usage: "the requests of the audit events in `FILE`, one JSON object a line; - for standard input"},
			&cli.BoolFlag{Name: "strict", Destination: &f.strict, Category: request, Usage: "exit status 1 if --events has lines that cannot be read"},
			&cli.StringFlag{Name: "user", Destination: &f.user, Category: request, Usage: "`USER` who has logged in, before an impersonation"},
			&cli.StringSliceFlag{Name: "group", Destination: &f.groups, Category: request, Usage: "`GROUP` of the user beside system:authenticated; may be repeated"},
			&cli.BoolFlag{Name: "failed-login", Destination: &f.failedLogin, Category: request, Usage: "the login failed, and the answer is 401"},
		}, p.OutputFlags("jsonl")),
		Action: func(c *cli.Context) error { return p.explain(c.Context, f) },
	})
}

func (p *program) explain(ctx context.Context, f *explainFlags) error {
	if err := f.check(p.Output()); err != nil {
		return err
	}
	pol, err := f.load(p, "policy explain")
	if err != nil {
		return err
	}
	if f.events != "" {
		return p.explainEvents(ctx, f, pol)
	}
	sent, err := f.requests(pol)
	if err != nil {
		return err
	}
	out, err := explain.NewReport(pol, sent)
	if err != nil {
		return err
	}
	if p.JSON() {
		p.PrintJSON(out)
		return nil
	}
	for i, r := range out.Requests {
		if i > 0 {
			p.Outf("")
		}
		for _, line := range r.Lines(out.Policy) {
			p.Outf("%s", line)
		}
	}
	if f.user == "" && !f.failedLogin {
		p.Printf("the user is one whom no rule names; --user and --group are for another, --failed-login is for none")
	}
	return nil
}

// check refuses what cannot be meant together.
func (f *explainFlags) check(output string) error {
	ways, given := 0, ""
	for _, way := range []struct{ flag, value string }{
		{"verb", f.fields.Verb + f.fields.Resource}, {"url", f.url}, {"kubectl", f.kubectl}, {"events", f.events},
	} {
		if way.value != "" {
			ways, given = ways+1, way.flag
		}
	}
	fields := f.fields.Namespace + f.fields.Name + f.fields.FieldSelector
	switch {
	case ways == 0:
		return hint.New(hint.Spaced("kubectl", "get secrets -A").Then(", or ", hint.Spaced("verb", "get").Spaced("resource", "pods/exec")), "the request is missing")
	case ways > 1:
		return hint.New(hint.Command("policy explain").Switch("help"), "--verb, --url, --kubectl and --events: only one can name the request")
	case given != "verb" && fields != "":
		return hint.Errorf(hint.Command("policy explain").Switch("help"), "--namespace, --name and --field-selector belong to --verb and --resource, not to --%s", given)
	case explain.IsGroup(f.user):
		return hint.Errorf(hint.Spaced("user", "bob").Spaced("group", f.user), "--user %s: it is a group", f.user)
	case f.method != "" && given != "url":
		return hint.Errorf(hint.Spaced("url", "/healthz"), "--method belongs to --url")
	case f.failedLogin && (f.user != "" || len(f.groups.Value()) > 0):
		return hint.New(hint.Switch("failed-login"), "--failed-login: there is no user, nor groups")
	case given == "events" && (f.user != "" || f.failedLogin || len(f.groups.Value()) > 0):
		return hint.New(hint.Spaced("events", f.events), "--events: each event has its own user")
	case given == "events" && f.events == "-" && f.file == "-":
		return hint.New(hint.Spaced("policy", "FILE"), "--policy and --events: only one can be standard input")
	case output == "jsonl" && given != "events":
		return hint.New(hint.Spaced("o", "json"), "-o jsonl: it is for --events")
	case f.strict && given != "events":
		return hint.New(hint.Spaced("events", "FILE"), "--strict: it is for --events")
	}
	return nil
}

func (f *explainFlags) requests(pol *policy.Policy) ([]explain.Sent, error) {
	who := explain.Who{User: f.user, Groups: f.groups.Value()}
	if f.user == "" && !f.failedLogin {
		who.User = explain.Somebody(pol).User
	}
	switch {
	case f.kubectl != "":
		return explain.FromKubectl(f.kubectl, who)
	case f.url != "":
		s, err := explain.FromURL(f.method, f.url, who)
		return []explain.Sent{s}, err
	}
	s, err := explain.FromFields(f.fields, who)
	return []explain.Sent{s}, err
}

// explainEvents answers for each event, or counts them by rule. An interruption ends it with what
// is known by then.
func (p *program) explainEvents(ctx context.Context, f *explainFlags, pol *policy.Policy) error {
	in, err := p.OpenInput("events", f.events)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	if err := p.EndsItself(); err != nil {
		return err
	}
	var total explain.Total
	if p.Output() == "jsonl" {
		total, err = p.eventLines(ctx, pol, in)
	} else {
		total, err = p.eventCounts(ctx, f, pol, in)
	}
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		p.Say("error", "interrupted: this is not all")
		return exit.Status(exit.Refused)
	case p.Output() == "jsonl":
		if err := total.Nothing(f.events); err != nil {
			return err
		}
	}
	return p.unreadable(f, total)
}

// eventCounts prints how many events each rule decides.
func (p *program) eventCounts(ctx context.Context, f *explainFlags, pol *policy.Policy, in io.Reader) (explain.Total, error) {
	if !explain.ReadsAhead(in) {
		in = commands.Interruptible(ctx, in)
	}
	counts := make([]explain.RuleEvents, pol.Rules()+1)
	total, err := explain.Events(ctx, pol, in, func(e explain.Event, a explain.Answer) error {
		c := &counts[a.Rule+1]
		c.Events++
		c.Bytes += e.Bytes
		return nil
	})
	cut := ctx.Err() != nil
	if err != nil && !(cut && errors.Is(err, ctx.Err())) {
		return total, fmt.Errorf("--events: %w", err)
	}
	if err := total.Nothing(f.events); err != nil && !cut {
		return total, err // a table of zeros would call each rule unused
	}
	return total, p.printCounts(pol, counts, total, cut)
}

// printCounts prints how many events each rule decides.
func (p *program) printCounts(pol *policy.Policy, counts []explain.RuleEvents, total explain.Total, cut bool) error {
	for i, rule := range explain.Rules(pol) {
		c := &counts[i+1]
		c.Rule, c.Line, c.Level = i, rule.Line, rule.Level
	}
	counts[0].Rule, counts[0].Level = -1, audit.LevelNone
	counts = append(counts[1:], counts[0])
	if p.JSON() {
		p.PrintJSON(explain.Report{Policy: pol.Name(), Events: &explain.EventsReport{Events: total.Events, Bytes: total.Bytes, Unreadable: total.Unreadable, Cut: cut, Rules: counts}})
		return nil
	}
	rows := [][]string{{"RULE", "LINE", "LEVEL", "EVENTS", "BYTES"}}
	for _, c := range counts {
		name, line := fmt.Sprintf("rules[%d]", c.Rule), strconv.Itoa(c.Line)
		if c.Rule < 0 {
			name, line = "none", "-"
		}
		rows = append(rows, []string{name, line, string(c.Level), strconv.Itoa(c.Events), strconv.FormatInt(c.Bytes, 10)})
	}
	return p.Table(append(rows, []string{"all", "-", "-", strconv.Itoa(total.Events), strconv.FormatInt(total.Bytes, 10)}))
}

// unreadable says which lines are no events.
func (p *program) unreadable(f *explainFlags, total explain.Total) error {
	name := f.events
	if name == "-" {
		name = "<stdin>"
	}
	for _, u := range total.First {
		p.Say("warning", fmt.Sprintf("%s:%d: %s", name, u.Line, u.Reason))
	}
	if more := total.Unreadable - len(total.First); more > 0 {
		p.Say("warning", fmt.Sprintf("%s: %d more lines are no audit events", name, more))
	}
	if total.Events == 0 {
		p.Say("warning", name+" has no events")
	}
	if f.strict && total.Unreadable > 0 || total.Events == 0 {
		return exit.Status(exit.Differs)
	}
	return nil
}

// eventLines prints one line an event. An interruption ends it between two.
func (p *program) eventLines(ctx context.Context, pol *policy.Policy, in io.Reader) (explain.Total, error) {
	w := bufio.NewWriterSize(p.Stdout(), 64<<10)
	enc := glyph.NewEncoder(w)
	if !explain.ReadsAhead(in) {
		in = flushing{commands.Interruptible(ctx, in), w}
	}
	total, err := explain.Events(ctx, pol, in, func(e explain.Event, a explain.Answer) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return enc.Encode(struct {
			AuditID string        `json:"auditID"`
			Rule    int           `json:"rule"`
			Line    int           `json:"line"`
			Level   audit.Level   `json:"level"`
			Stages  []audit.Stage `json:"stages"`
		}{e.AuditID, a.Rule, a.Line, a.Level, a.Stages})
	})
	lost := w.Flush()
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	if err = cmp.Or(err, lost); err != nil {
		return total, fmt.Errorf("--events: %w", err)
	}
	return total, nil
}

// flushing prints what is answered before it waits for more, as behind tail -f.
type flushing struct {
	io.Reader
	w *bufio.Writer
}

func (f flushing) Read(to []byte) (int, error) {
	if err := f.w.Flush(); err != nil {
		return 0, fmt.Errorf("print: %w", err)
	}
	return f.Reader.Read(to)
}
