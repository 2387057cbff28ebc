package cli

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// finding is the verdict of one check.
type finding struct {
	Check   string `json:"check"`
	Verdict string `json:"verdict"` // ok, warning, wrong
	Detail  string `json:"detail"`
	Hint    string `json:"hint,omitempty"`
}

const (
	verdictOK      = "ok"
	verdictWarning = "warning"
	verdictWrong   = "wrong"
)

// doctor makes the checks one after the other and keeps what they find.
type doctor struct {
	t        *target
	state    patch.State
	m        *manifest.File
	now      patch.Settings
	findings []finding
}

func (p *program) doctorCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "doctor",
		Usage: "say why the API server does not run, or why enable would refuse",
		Description: "Makes every check that stands before a change, and those that tell why an API server does not\n" +
			"come back, and prints a verdict for each. Changes nothing. Exit status 1 when something is wrong.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "last", Category: whatCategory, Usage: "instead, say why the last change failed, with the end of the API server's log"},
		}, nodeFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := newTarget(c)
			if err != nil {
				return err
			}
			if t.stdin {
				return hinted("auditpatch doctor", "doctor looks at a node, not at standard input")
			}
			if c.Bool("last") {
				return p.lastFailure(t)
			}
			d := &doctor{t: t}
			d.examine(c.Context, p)
			return p.printFindingsOf(d)
		},
	})
}

// lastRun is the JSON of doctor --last.
type lastRun struct {
	Changed bool   `json:"changed"` // always false
	Run     string `json:"run"`     // "" when no change has failed
	Command string `json:"command,omitempty"`
	Result  string `json:"result,omitempty"` // undone, overridden, unfinished
	Reason  string `json:"reason,omitempty"`
	Log     string `json:"log,omitempty"` // the end of the API server's log at that time
}

// lastFailure tells of the newest change that was put back.
func (p *program) lastFailure(t *target) error {
	backups, err := t.node.Backups()
	if err != nil {
		return err
	}
	r := lastRun{}
	for _, b := range backups {
		if b.Result == node.ResultUndone || b.Result == node.ResultOverridden || b.Reason != "" {
			reason, log, _ := strings.Cut(b.Reason, "\n\n")
			r = lastRun{Run: b.ID, Command: b.Verb, Result: string(b.Result), Reason: strings.TrimSpace(reason), Log: strings.TrimRight(log, "\n")}
			break
		}
	}
	switch {
	case p.json:
		p.printJSON(r)
	case r.Run == "":
		p.say("no change has failed here")
	default:
		how := "was put back"
		switch r.Result {
		case string(node.ResultOverridden):
			how = "ended because somebody else changed the manifest"
		case string(node.ResultUnfinished):
			how = wasHeld
		}
		fmt.Fprintf(p.Out, "%s of %s %s: %s\n", r.Command, r.Run, how, r.Reason)
		if r.Log != "" {
			fmt.Fprintf(p.Out, "\nthe API server's log ended:\n%s\n", r.Log)
		}
	}
	return nil
}

// examine makes the checks. Without a manifest that can be read there is
// nothing to hold the others against.
func (d *doctor) examine(ctx context.Context, p *program) {
	if d.t.live {
		d.kubelet()
	}
	d.runs()
	if !d.manifest(p) {
		return
	}
	d.flags()
	d.places()
	d.policy()
	d.webhook()
	d.log()
	if d.t.live {
		d.server(ctx)
	}
}

func (d *doctor) ok(check, format string, a ...any) {
	d.findings = append(d.findings, finding{check, verdictOK, fmt.Sprintf(format, a...), ""})
}

func (d *doctor) warning(check, hint, format string, a ...any) {
	d.findings = append(d.findings, finding{check, verdictWarning, fmt.Sprintf(format, a...), hint})
}

func (d *doctor) wrong(check, hint, format string, a ...any) {
	d.findings = append(d.findings, finding{check, verdictWrong, fmt.Sprintf(format, a...), hint})
}

func (d *doctor) wrongErr(check string, err error) { d.wrong(check, hintOf(err), "%v", err) }

// kubelet looks for the process, and whether it reads the directory that the
// manifest lies in.
func (d *doctor) kubelet() {
	const check = "kubelet"
	k, err := kubelet.Find(d.t.node)
	dir := path.Dir(d.t.manifest)
	switch {
	case err != nil:
		d.wrongErr(check, err)
	case k.PID == 0:
		d.wrong(check, "systemctl start kubelet", "the kubelet does not run, so nobody acts on the manifest")
	case k.StaticPodPath == "":
		d.warning(check, "", "it runs (pid %d); its configuration %s does not say where manifests are", k.PID, k.Config)
	case k.StaticPodPath != dir:
		d.wrong(check, "auditpatch doctor --manifest "+path.Join(k.StaticPodPath, path.Base(d.t.manifest)),
			"it reads manifests from %s (%s), not from %s", k.StaticPodPath, k.Config, dir)
	default:
		d.ok(check, "it runs (pid %d) and reads %s", k.PID, dir)
	}
}

// runs looks at the journal.
func (d *doctor) runs() {
	const check = "journal"
	run, by, err := d.t.underWay()
	switch {
	case err != nil:
		d.wrongErr(check, err)
	case by != nil:
		d.wrong(check, "run the same command again", "%s is going on now, pid %d", by.Purpose, by.PID)
	case run != nil:
		d.wrong(check, "auditpatch recover", "the run %s (%s) %s", run.ID, run.Verb, unfinished(run))
	default:
		d.ok(check, "no run died half way")
	}
}

// manifest reads the manifest and looks for other files with the same Pod.
func (d *doctor) manifest(p *program) bool {
	const check = "manifest"
	var err error
	if d.state, err = d.t.readManifest(p); err == nil {
		d.m, err = manifest.Parse(d.state.Manifest.Path, d.state.Manifest.Data)
	}
	if err != nil {
		d.wrongErr(check, err)
		return false
	}
	d.now, d.state.Parsed = patch.Inspect(d.m), d.m
	if err := d.m.Nameless(); err != nil {
		d.wrongErr(check, err)
	} else {
		d.ok(check, "%s is a Pod that the kubelet takes", d.t.manifest)
	}
	if _, left := d.now.Annotations[patch.RestartAnnotation]; left {
		d.wrong(check, "auditpatch enable", "it has the annotation %s: a restart is under way, or has died half way", patch.RestartAnnotation)
	}
	if err := patch.CheckUID(d.m); err != nil {
		d.wrongErr(check, err)
	}
	for _, u := range d.m.Unknown() {
		d.warning(check, "", "%s: the kubelet ignores it", u)
	}
	if err := patch.CheckOwner(d.m, d.state); err != nil {
		d.wrongErr("owner", err)
	} else {
		d.ok("owner", "no other program or file defines this Pod")
	}
	return true
}

// flags holds the audit flags against what kube-apiserver takes.
func (d *doctor) flags() {
	const check = "flags"
	errs, warns := patch.CheckFlags(d.now.Flags, d.now.Version)
	for _, e := range errs {
		d.wrong(check, e.Hint, "%s", e.Message)
	}
	for _, w := range warns {
		d.warning(check, w.Hint, "%s", w.Message)
	}
	switch {
	case len(errs)+len(warns) > 0:
	case d.now.Enabled():
		d.ok(check, "kube-apiserver takes all %d audit flags", len(d.now.Flags))
	default:
		d.ok(check, "audit logging is off: %s", missing(d.now))
	}
}

// places looks at the mounts.
func (d *doctor) places() {
	const check = "mounts"
	problems := append(patch.MountProblems(d.m), d.t.unfit(d.m)...)
	for _, problem := range problems {
		d.wrong(check, problem.Hint, "%s", problem.Message)
	}
	for _, problem := range patch.Places(d.m, d.state) {
		d.warning(check, problem.Hint, "%s", problem.Message)
	}
	if len(problems) == 0 && d.now.Enabled() {
		d.ok(check, "every path of the audit flags lies on this node")
	}
}

// policy looks at the policy that the manifest names.
func (d *doctor) policy() {
	const check = "policy"
	if !d.now.Policy.Covered() {
		d.policyToKeep()
		return
	}
	f, err := d.t.node.Read(d.now.Policy.Host)
	if err == nil && !f.Exists {
		d.wrong(check, "auditpatch enable --preset=baseline", "%s is missing: the API server would not start", d.now.Policy.Host)
		return
	}
	var pol *policy.Policy
	if err == nil {
		pol, err = checkPolicy(d.now.Policy.Host, f.Data, d.state)
	}
	switch sum, known := d.now.Annotations[patch.PolicyAnnotation]; {
	case err != nil:
		d.wrongErr(check, err)
	case known && sum != patch.Checksum(f.Data):
		d.warning(check, "auditpatch enable", "%s was changed since the API server was started with it", d.now.Policy.Host)
	case !pol.Records():
		d.warning(check, "auditpatch policy list", "%s records nothing at all", d.now.Policy.Host)
	default:
		d.ok(check, "%s, %s", d.now.Policy.Host, rules(pol.Rules()))
	}
}

// policyToKeep looks at a policy that no manifest names yet: enable would take it
// over, or refuse to.
func (d *doctor) policyToKeep() {
	const check = "policy"
	if d.now.Policy != nil {
		return
	}
	f, err := d.t.node.Read(patch.DefaultPolicyPath)
	if err == nil && f.Exists {
		_, err = checkPolicy(patch.DefaultPolicyPath, f.Data, d.state)
	}
	if err != nil {
		d.wrongErr(check, err)
	}
}

// webhook looks at the webhook's config, whose contents are not shown.
func (d *doctor) webhook() {
	const check = "webhook"
	if !d.now.Webhook.Covered() {
		return
	}
	f, err := d.t.node.Read(d.now.Webhook.Host)
	switch {
	case err != nil:
		d.wrongErr(check, err)
		return
	case !f.Exists:
		d.wrong(check, "auditpatch enable --webhook-config=FILE", "%s is missing: the API server would not start", d.now.Webhook.Host)
		return
	}
	cfg, errs, warns := patch.CheckWebhookKubeconfig(d.now.Webhook.Host, f.Data)
	for _, e := range errs {
		d.wrong(check, e.Hint, "%s", e.Message)
	}
	for _, w := range warns {
		d.warning(check, w.Hint, "%s", w.Message)
	}
	if len(errs)+len(warns) == 0 {
		d.ok(check, "%s, to %s", d.now.Webhook.Host, cfg.Server)
	}
}

// log looks at the disk.
func (d *doctor) log() {
	const check = "log"
	if !d.now.Log.Covered() {
		return
	}
	disk, err := d.t.measureLog(d.now)
	if err != nil {
		d.wrongErr(check, err)
		return
	}
	switch full, tight := disk.full(), disk.tight(); {
	case full != "":
		d.wrong(check, disk.relief(), "%s", full)
	case tight != "":
		d.warning(check, disk.relief(), "%s", tight)
	default:
		d.ok(check, "%s takes %s of at most %s; %s are free", d.now.Log.Host, size(disk.usage.Bytes), size(disk.limit), size(disk.space.Free))
	}
}

// server looks at what runs, and reads the last words of what does not.
func (d *doctor) server(ctx context.Context) {
	const check = "API server"
	s := apiserver.New(d.t.node, d.now.Server)
	running, err := s.Running()
	if err != nil {
		d.wrongErr(check, err)
		return
	}
	words := s.LastWords()
	if words != "" {
		words = "; its log ends: " + words
	}
	ready, why := s.Ready(ctx)
	switch {
	case running.PID == 0:
		what, hint := notAsManifest(d.t, running)
		d.wrong(check, hint, "%s%s", what, words)
	case !ready:
		d.wrong(check, "", "it runs (pid %d) and is not ready: %s%s", running.PID, why, words)
	default:
		d.ok(check, "it runs (pid %d) as the manifest has it, and is ready", running.PID)
	}
	if d.credentials(s) && ready { // without it the others cannot be asked for
		d.others(ctx, s)
	}
}

// credentials looks at the kubeconfigs, after the API server was asked.
func (d *doctor) credentials(s *apiserver.Server) bool {
	const check = "credentials"
	if none := s.NoCredentials(); s.User == "" {
		d.warning(check, none.Hint(), "%v; so nothing can be proven", none)
		return false
	}
	for _, e := range s.Skipped() {
		d.warning(check, e.Hint, "%v; %s is used", e, s.Kubeconfig())
	}
	return true
}

// others looks at the API servers of the other control-plane nodes.
func (d *doctor) others(ctx context.Context, s *apiserver.Server) {
	const check = "cluster"
	n, unready, holder, err := clusterlock.Others(ctx, s)
	switch {
	case err != nil:
		d.warning(check, "", "the other control-plane nodes cannot be seen: %v", err)
	case len(unready) > 0:
		d.wrong(check, "auditpatch doctor, on that node", "other API servers are not healthy: %s", strings.Join(unready, "; "))
	case holder != "":
		d.warning(check, "kubectl -n kube-system get lease auditpatch", "%s has the cluster's lock: a change here would wait for it", holder)
	case n > 0:
		d.ok(check, "%s", clusterlock.OthersReady(n))
	}
}

// printFindingsOf prints the verdicts and sets the exit status.
func (p *program) printFindingsOf(d *doctor) error {
	bad := false
	rows := [][]string{}
	for _, f := range d.findings {
		bad = bad || f.Verdict == verdictWrong
		rows = append(rows, []string{f.Verdict, f.Check, f.Detail})
		if f.Hint != "" {
			rows = append(rows, []string{"", "", "hint: " + f.Hint})
		}
	}
	if p.json {
		p.printJSON(struct {
			Changed  bool      `json:"changed"`
			Findings []finding `json:"findings"`
		}{false, d.findings})
	} else if err := p.table(rows); err != nil {
		return err
	}
	if bad {
		return status(exitDiffers)
	}
	return nil
}
