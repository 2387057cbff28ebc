package cli

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
	"auditpatch/internal/inspect"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/internal/target"
)

func (p *program) statusCommand() *cli.Command {
	var f struct {
		node  nodeFlags
		check bool
	}
	return p.command(&cli.Command{
		Name:  "status",
		Usage: "show what is configured and whether it fits together",
		Description: "Reads the manifest, the policy, the log and the backups of this node, and changes nothing.\n" +
			"With --check the exit status is 1 when anything is not as it should be, also when audit\n" +
			"logging is off.",
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "check", Destination: &f.check, Category: whatCategory, Usage: "exit with status 1 on any drift"},
		}, f.node.flags(), p.outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := target.New(f.node.options(p))
			if err != nil {
				return err
			}
			r, err := inspect.Status(c.Context, t)
			if err != nil {
				return err
			}
			if p.json {
				p.printJSON(r)
			} else if err := p.printStatus(r); err != nil {
				return err
			}
			if f.check && len(r.Drift) > 0 {
				return exit.Status(exit.Differs)
			}
			return nil
		},
	})
}

// printStatus prints the report for people.
func (p *program) printStatus(r *inspect.Report) error {
	on := map[bool]string{true: "on", false: "off"}[r.Enabled]
	rows := [][]string{{"audit logging", on}, {"manifest", r.Manifest + kubernetes(r.Kubernetes)}}
	if r.Policy != nil {
		rows = append(rows, []string{"policy", r.Policy.Path + "  " + policyWords(r.Policy)})
	}
	if r.Log != nil {
		rows = append(rows, []string{"log", r.Log.Path + "  " + logWords(r.Log, time.Now())})
	}
	if r.Webhook != nil {
		rows = append(rows, []string{"webhook", r.Webhook.Path + "  to " + cmp.Or(r.Webhook.Server, "?")})
	}
	if r.Server != nil {
		rows = append(rows, []string{"running", serverWords(r.Server)})
	}
	if r.Kubeadm != nil {
		rows = append(rows, []string{"kubeadm", r.Kubeadm.ConfigMap + "  " + r.Kubeadm.String()})
	}
	if b := r.Benchmarks; b != nil {
		rows = append(rows, []string{"benchmarks", b.Summary + ": " + hint.Command("policy verdict").In(p.node).String()})
	}
	if r.LastChange != nil {
		rows = append(rows, []string{"last change", lastChangeWords(r.LastChange)})
	}
	rows = append(rows, []string{"backups", fmt.Sprint(r.Backups)})
	for _, d := range r.Drift {
		rows = append(rows, []string{"drift", d})
	}
	for _, w := range r.Warnings {
		rows = append(rows, []string{"warning", w})
	}
	return p.table(rows)
}

func kubernetes(v string) string {
	if v == "" {
		return ""
	}
	return "  Kubernetes " + v
}

func serverWords(s *inspect.ServerStatus) string {
	switch {
	case s.PID == 0:
		return "no kube-apiserver as the manifest has it"
	case s.Ready:
		return fmt.Sprintf("kube-apiserver pid %d%s, as the manifest has it, ready", s.PID, podWords(s))
	}
	return fmt.Sprintf("kube-apiserver pid %d%s, as the manifest has it, not ready: %s", s.PID, podWords(s), s.NotReady)
}

func podWords(s *inspect.ServerStatus) string {
	if s.Pod == "" {
		return ""
	}
	return fmt.Sprintf(" in Pod %.8s", s.Pod)
}

func policyWords(s *inspect.PolicyStatus) string {
	switch {
	case !s.Exists:
		return "missing"
	case s.AsStarted == nil:
		return policy.Count(s.Rules)
	case *s.AsStarted:
		return policy.Count(s.Rules) + ", as the API server was started with"
	}
	return policy.Count(s.Rules) + ", changed since"
}

func logWords(s *inspect.LogStatus, now time.Time) string {
	limit := "keeps at most " + auditlog.FormatSize(s.LimitBytes)
	if s.Unlimited {
		limit = "nothing limits its size"
	}
	if s.Files == 0 {
		return fmt.Sprintf("no log yet; %s; %s free", limit, auditlog.FormatSize(s.FreeBytes))
	}
	words := fmt.Sprintf("%s in %s", auditlog.FormatSize(s.Bytes), fileCount(s.Files))
	if s.LastWritten != nil {
		words += ", last written " + ago(now.Sub(*s.LastWritten))
	}
	if s.Oldest != nil {
		words += ", reaches back " + span(now.Sub(*s.Oldest))
	}
	return fmt.Sprintf("%s; %s; %s free", words, limit, auditlog.FormatSize(s.FreeBytes))
}

func fileCount(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func ago(d time.Duration) string { return span(d) + " ago" }

// span is a length of time in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// lastChangeWords tells how the change ended.
func lastChangeWords(l *inspect.LastChange) string {
	when := l.ID
	if when == "" {
		when = l.Time.UTC().Format(time.RFC3339)
	}
	said := fmt.Sprintf("%s %s: ", l.Command, when)
	switch l.Result {
	case inspect.ResultRunning:
		return fmt.Sprintf("%sgoing on now, pid %d", said, l.PID)
	case string(node.ResultUndone):
		return said + "put back: " + l.Reason
	case string(node.ResultOverridden):
		return said + "somebody else changed the manifest: " + l.Reason
	case string(node.ResultUnfinished):
		if l.Reason != "" {
			return said + target.WasHeld + ": " + l.Reason
		}
		return said + target.DiedHalfWay
	}
	return strings.TrimSpace(said + l.Result)
}
