package cli

import (
	"errors"
	"fmt"
	"os/user"
	"path"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/urfave/cli/v2"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/rollout"
	"auditpatch/patch"
)

// result is the JSON of enable, disable, restore and diff.
type result struct {
	Command  string       `json:"command"`
	Changed  bool         `json:"changed"` // with dryRun and diff: would change
	DryRun   bool         `json:"dryRun,omitempty"`
	Manifest string       `json:"manifest"`
	Backup   string       `json:"backup,omitempty"` // the ID that restore --to takes
	Files    []fileChange `json:"files"`
	Edits    []string     `json:"edits"` // of the manifest, in words
	Kept     []string     `json:"kept"`  // settings that were there and stay
	Warnings []string     `json:"warnings"`
	Waited   bool         `json:"waited"` // for the API server
	Steps    []step       `json:"steps"`  // of the wait
	// Kubeadm is what becomes of kubeadm-config, with --persist.
	Kubeadm *kubeadmChange `json:"kubeadm,omitempty"`
}

// fileChange is what becomes of one file.
type fileChange struct {
	Path   string `json:"path"`
	Action string `json:"action"` // write, remove, mkdir, ensure
	Mode   string `json:"mode,omitempty"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Why    string `json:"why"`
	Diff   string `json:"diff,omitempty"` // not of files that may hold credentials
}

// carryOut does what a plan says, in the way that the flags ask for.
func (p *program) carryOut(c *cli.Context, t *target, plan *patch.Plan) error {
	restart, err := rollout.ParseRestart(c.String("restart"))
	if err != nil {
		return err // checkValues has refused it
	}
	p.plan = plan
	if err := p.planKubeadm(c, t, plan); err != nil {
		return err
	}
	p.warn(plan.Warnings...)
	switch {
	case t.stdin:
		return p.filter(plan)
	case c.Bool("dry-run"):
		if err := rollout.Check(t.node, plan); err != nil {
			return err
		}
		p.printPlan(c.Command.Name, plan, "")
		if !p.json && !plan.AsAsked() {
			p.say("dry run: nothing was changed")
		}
		return nil
	case plan.Empty() && !plan.AsAsked():
		return p.persistAlone(c, t, plan)
	case plan.Empty():
		return p.unchanged(c, t, plan)
	}
	waited := t.live && !c.Bool("no-wait") && plan.Restarts()
	o := rollout.Options{Version: p.version, Restart: restart, Wrote: func(id string) {
		p.say("%-9s %-46s auditpatch restore --to %s", "backup", id, id)
	}}
	if waited {
		l, err := p.live(c, t, plan)
		if err != nil {
			return err
		}
		o.Watch = l
	} else if t.live && plan.Restarts() {
		o.Watch, o.Once = p.unwatched(c, t, plan), true
	}
	p.sayPlan(plan)
	if err := p.gate.enter(); err != nil {
		return err
	}
	report, err := rollout.Run(c.Context, t.node, plan, o)
	if err != nil {
		return err
	}
	p.changed = true
	if err := p.persist(c.Context, t, plan); err != nil {
		return &notPersisted{plan.Verb, report.Backup, err}
	}
	p.say("%s", outcome(plan, t, waited))
	p.sayPersisted(plan)
	p.sayUnbuilt(plan)
	p.printResult(c.Command.Name, plan, report.Backup, waited)
	return nil
}

// unchanged is the way where the files are as asked already. A restart that is
// still under way is waited for, and proven like one of this run's own.
func (p *program) unchanged(c *cli.Context, t *target, plan *patch.Plan) error {
	waited := false
	if t.live && !c.Bool("no-wait") {
		l, err := p.live(c, t, plan)
		if err != nil {
			return err
		}
		waited, err = l.Await(c.Context)
		var down *apiserver.NotHealthy
		if errors.As(err, &down) {
			p.warn(patch.Problem{Message: down.Error(), Hint: "auditpatch doctor"})
		} else if err != nil {
			return err
		}
	}
	p.sayUnchanged(plan)
	p.printResult(c.Command.Name, plan, "", waited)
	return nil
}

// outcome is the last line of a change.
func outcome(plan *patch.Plan, t *target, waited bool) string {
	switch {
	case plan.Verb == "restore" && plan.SettingsOnly:
		return "the audit settings of the backup are restored"
	case plan.Verb == "restore":
		return "the backup is restored"
	case waited && plan.Verb == "enable":
		return "audit logging is on"
	case waited:
		return "audit logging is off"
	case plan.Unbuilt():
		return "the files for audit logging are in place"
	case plan.Verb == "disable" && !plan.Restarts():
		return "the files are removed"
	case t.live && plan.Restarts():
		return "the files are written; the kubelet now restarts the API server, which was not waited for"
	case plan.Verb == "enable":
		return "audit logging is configured"
	}
	return "audit logging is taken out of the manifest"
}

// sayUnchanged tells that there was nothing to do.
func (p *program) sayUnchanged(plan *patch.Plan) {
	switch plan.Verb {
	case "enable":
		if plan.Unbuilt() {
			p.say("the files for audit logging are in place as asked, nothing changed")
			return
		}
		p.say("audit logging is on as asked, nothing changed")
	case "disable":
		p.say("audit logging is off, nothing changed")
	default:
		if plan.SettingsOnly {
			p.say("the audit settings are as in the backup, and what others have changed in the manifest since stays, nothing changed")
			return
		}
		p.say("everything is as in the backup, nothing changed")
	}
}

// filter is the way of --manifest -: the new manifest goes to standard output,
// and nothing is written.
func (p *program) filter(plan *patch.Plan) error {
	text, ok := plan.Text(plan.Manifest)
	if !ok {
		text = plan.Unchanged
	}
	if !p.json {
		if _, err := p.Out.Write(text); err != nil {
			return fmt.Errorf("write the manifest: %w", err)
		}
	} else {
		p.printResult(plan.Verb, plan, "", false)
	}
	if plan.Verb == "enable" {
		p.sayPlan(plan)
		p.say("the manifest went to standard output; nothing else was written, so the policy still has to be put in place")
	}
	return nil
}

// sayPlan prints one line for each file, then the settings that were kept.
func (p *program) sayPlan(plan *patch.Plan) {
	for _, role := range []string{"policy", "webhook", "log", "file", "manifest"} {
		for _, c := range plan.Changes {
			if p.role(plan, c.Path) != role {
				continue
			}
			name := c.Path
			if c.Kind == patch.MakeDir && role == "log" {
				name = plan.After.Log.Host
			}
			p.say("%-9s %-46s %s", role, name, why(c, plan))
		}
	}
	if k := plan.Kubeadm; k != nil && !k.Empty() {
		p.say("%-9s %-46s %s", "kubeadm", patch.KubeadmConfig, k.Counts())
	}
	if len(plan.Kept) > 0 {
		p.say("%-9s %s", "kept", strings.Join(plan.Kept, " "))
	}
}

// role is what a path is for.
func (p *program) role(plan *patch.Plan, path string) string {
	for _, s := range []patch.Settings{plan.After, plan.Before} {
		switch {
		case path == plan.Manifest:
			return "manifest"
		case s.Policy.Covered() && s.Policy.Host == path:
			return "policy"
		case s.Webhook.Covered() && s.Webhook.Host == path:
			return "webhook"
		case s.Log.Covered() && strings.HasPrefix(s.Log.Host, path):
			return "log"
		}
	}
	return "file"
}

// why is a change's reason for people, with names for owners.
func why(c patch.Change, plan *patch.Plan) string {
	s := c.Why
	if c.Kind == patch.MakeDir {
		s = fmt.Sprintf("new folder, %04o %s", c.Mode, owner(c.UID, c.GID))
		if !plan.After.Log.Covered() || path.Dir(path.Clean(plan.After.Log.Host)) != c.Path {
			return s
		}
		if bytes, unlimited := patch.DiskBudget(plan.After.Flags, plan.After.Version); unlimited {
			s += "; nothing limits its size"
		} else if bytes > 0 {
			s += "; keeps at most " + size(bytes)
		}
	}
	if c.Path == plan.Manifest && s == "" {
		s = plan.Counts()
	}
	return s
}

// owner is user:group by name where this machine knows them.
func owner(uid, gid int) string {
	u, g := strconv.Itoa(uid), strconv.Itoa(gid)
	if x, err := user.LookupId(u); err == nil {
		u = x.Username
	}
	if x, err := user.LookupGroupId(g); err == nil {
		g = x.Name
	}
	return u + ":" + g
}

// size is a number of bytes for people, in the units of the rotation flags.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}

// printPlan prints what would change: as diffs, or as JSON.
func (p *program) printPlan(command string, plan *patch.Plan, backup string) {
	if p.json {
		r := newResult(command, plan, backup)
		r.DryRun = true
		p.printJSON(r)
		return
	}
	if plan.AsAsked() {
		p.sayUnchanged(plan)
		return
	}
	p.sayPlan(plan)
	for _, c := range plan.Changes {
		fmt.Fprint(p.Out, changeDiff(c))
	}
	if plan.Kubeadm != nil {
		fmt.Fprint(p.Out, kubeadmDiff(plan.Kubeadm))
	}
}

// printResult prints the JSON of what was done.
func (p *program) printResult(command string, plan *patch.Plan, backup string, waited bool) {
	if p.json {
		r := newResult(command, plan, backup)
		r.Waited, r.Steps = waited, append(r.Steps, p.steps...)
		p.printJSON(r)
	}
}

// newResult is a plan as JSON.
func newResult(command string, plan *patch.Plan, backup string) result {
	r := result{
		Command: command, Changed: !plan.AsAsked(), Kubeadm: newKubeadmChange(plan.Kubeadm), Manifest: plan.Manifest, Backup: backup,
		Files: []fileChange{}, Edits: []string{}, Kept: []string{}, Warnings: []string{}, Steps: []step{},
	}
	for _, c := range plan.Changes {
		f := fileChange{Path: c.Path, Action: string(c.Kind), UID: c.UID, GID: c.GID, Why: why(c, plan)}
		if c.Kind != patch.RemoveFile {
			f.Mode = fmt.Sprintf("%04o", c.Mode.Perm())
		}
		f.Diff = changeDiff(c)
		r.Files = append(r.Files, f)
	}
	for _, e := range plan.Edits {
		r.Edits = append(r.Edits, e.String())
	}
	r.Kept = append(r.Kept, plan.Kept...)
	for _, w := range plan.Warnings {
		r.Warnings = append(r.Warnings, w.Message)
	}
	return r
}

// changeDiff is the unified diff of one file. What may hold credentials is
// never shown.
func changeDiff(c patch.Change) string {
	if c.Kind != patch.WriteFile && c.Kind != patch.RemoveFile {
		return ""
	}
	from, to := c.Path, c.Path
	if !c.Old.Exists {
		from = "/dev/null"
	}
	if c.Kind == patch.RemoveFile {
		to = "/dev/null"
	}
	if !c.Shown {
		return fmt.Sprintf("--- %s\n+++ %s\n(not shown: it may hold credentials)\n", from, to)
	}
	d := string(diff.Diff(from, c.Old.Data, to, c.Data))
	// The first line names the program diff and helps nobody.
	_, d, _ = strings.Cut(d, "\n")
	return d
}

// table prints aligned columns.
func (p *program) table(rows [][]string) error {
	w := tabwriter.NewWriter(p.Out, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	if err := w.Flush(); err != nil {
		return errors.Join(errors.New("print the table"), err)
	}
	return nil
}

// join puts flag lists together.
func join(lists ...[]cli.Flag) []cli.Flag {
	var out []cli.Flag
	for _, l := range lists {
		out = append(out, l...)
	}
	return out
}
