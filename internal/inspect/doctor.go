package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/change"
	"auditpatch/internal/clusterlock"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/internal/webhook"
	"auditpatch/manifest"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
	"auditpatch/patch/webhookconfig"
)

// Finding is the verdict of one check.
type Finding struct {
	Check   string    `json:"check"`
	Verdict string    `json:"verdict"` // ok, warning, wrong
	Detail  string    `json:"detail"`
	Hint    hint.Hint `json:"hint,omitempty"`
}

// The verdicts.
const (
	OK      = "ok"
	Warning = "warning"
	Wrong   = "wrong"
)

// doctor makes the checks one after the other and keeps what they find.
type doctor struct {
	t        *target.Target
	state    patch.State
	m        *manifest.File
	now      patch.Settings
	findings []Finding
}

// Doctor makes every check that stands before a change, and those that tell why an
// API server does not come back.
func Doctor(ctx context.Context, t *target.Target) []Finding {
	d := &doctor{t: t}
	d.examine(ctx)
	return d.findings
}

// examine makes the checks. Without a manifest that can be read there is
// nothing to hold the others against but the kubelet.
func (d *doctor) examine(ctx context.Context) {
	if d.t.Live {
		d.make(ctx, rollout.KubeletCheck(d.t.Node, d.t.Manifest))
	}
	d.runs()
	if !d.manifest() {
		return
	}
	d.flags()
	d.places()
	d.policy()
	d.webhook()
	d.log()
	d.refusal()
	if d.t.Live {
		d.preflight(ctx)
	}
}

// refusal makes the very plan that enable would make, so that nothing for which that
// is refused goes without a finding.
func (d *doctor) refusal() {
	err := change.Refusal(d.t)
	if err == nil {
		d.ok("enable", "a change would not be refused for what lies on this node")
		return
	}
	said := func(f Finding) bool { return f.Verdict == Wrong && strings.Contains(err.Error(), f.Detail) }
	if !slices.ContainsFunc(d.findings, said) {
		d.wrongErr("enable", err)
	}
}

func (d *doctor) ok(check, format string, a ...any) {
	d.findings = append(d.findings, Finding{check, OK, fmt.Sprintf(format, a...), nil})
}

func (d *doctor) warning(check string, h hint.Hint, format string, a ...any) {
	d.findings = append(d.findings, Finding{check, Warning, fmt.Sprintf(format, a...), h})
}

func (d *doctor) wrong(check string, h hint.Hint, format string, a ...any) {
	d.findings = append(d.findings, Finding{check, Wrong, fmt.Sprintf(format, a...), h})
}

func (d *doctor) wrongErr(check string, err error) { d.wrong(check, hint.Of(err), "%v", err) }

// runs looks at the journal.
func (d *doctor) runs() {
	const check = "journal"
	run, by, err := d.t.UnderWay()
	switch {
	case err != nil:
		d.wrongErr(check, err)
	case by != nil:
		d.wrong(check, by.Remedy(), "%s is going on now, pid %d", by.Purpose, by.PID)
	case run != nil:
		d.wrong(check, hint.Command("recover"), "the run %s (%s) %s", run.ID, run.Verb, target.Unfinished(run))
	default:
		d.ok(check, "no run died half way")
	}
}

// manifest reads the manifest and looks for other files with the same Pod.
func (d *doctor) manifest() bool {
	const check = "manifest"
	var err error
	if d.state, err = d.t.ReadManifest(); err == nil {
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
		d.ok(check, "%s is a Pod that the kubelet takes", d.t.Manifest)
	}
	if _, left := d.now.Annotations[patch.RestartAnnotation]; left {
		d.wrong(check, hint.Command("enable"), "it has the annotation %s: a restart is under way, or has died half way", patch.RestartAnnotation)
	}
	if err := patch.CheckUID(d.m); err != nil {
		d.wrongErr(check, err)
	}
	for _, u := range d.m.Unknown() {
		d.warning(check, nil, "%s: the kubelet ignores it", u)
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
	errs, warns := auditflags.Check(d.now.Flags, d.now.Version)
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
	problems := append(patch.MountProblems(d.m), unfit(d.t, d.m)...)
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
	f, err := d.t.Node.Read(d.now.Policy.Host)
	if err == nil && !f.Exists {
		d.wrong(check, hint.Command("enable").Flag("preset", "baseline"), "%s is missing: the API server would not start", d.now.Policy.Host)
		return
	}
	var pol *policy.Policy
	if err == nil {
		pol, err = policy.LoadFor(d.now.Policy.Host, f.Data, version(d.now))
	}
	switch sum, known := d.now.Annotations[patch.PolicyAnnotation]; {
	case err != nil:
		d.wrongErr(check, policy.OnNode(err))
	case known && sum != patch.Checksum(f.Data):
		d.warning(check, hint.Command("enable"), "%s was changed since the API server was started with it", d.now.Policy.Host)
	case !pol.Records():
		d.warning(check, hint.Command("policy list"), "%s records nothing at all", d.now.Policy.Host)
	default:
		d.ok(check, "%s, %s", d.now.Policy.Host, policy.Count(pol.Rules()))
	}
}

// policyToKeep looks at a policy that no manifest names yet: enable would take it
// over, or refuse to.
func (d *doctor) policyToKeep() {
	const check = "policy"
	if d.now.Policy != nil {
		return
	}
	f, err := d.t.Node.Read(patch.DefaultPolicyPath)
	if err == nil && f.Exists {
		_, err = policy.LoadFor(patch.DefaultPolicyPath, f.Data, version(d.now))
	}
	if err != nil {
		d.wrongErr(check, policy.OnNode(err))
	}
}

// webhook looks at the webhook's config, whose contents are not shown.
func (d *doctor) webhook() {
	const check = "webhook"
	if !d.now.Webhook.Covered() {
		return
	}
	f, err := d.t.Node.Read(d.now.Webhook.Host)
	switch {
	case err != nil:
		d.wrongErr(check, err)
		return
	case !f.Exists:
		d.wrong(check, hint.Command("enable").Flag("webhook-config", "FILE"), "%s is missing: the API server would not start", d.now.Webhook.Host)
		return
	}
	cfg, errs, warns := webhookconfig.CheckOnNode(d.now.Webhook.Host, f.Data)
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
	disk, err := d.t.MeasureLog(d.now)
	if err != nil {
		d.wrongErr(check, err)
		return
	}
	switch full, tight := disk.Full(), disk.Tight(); {
	case full != "":
		d.wrong(check, disk.Relief(), "%s", full)
	case tight != "":
		d.warning(check, disk.Relief(), "%s", tight)
	default:
		d.ok(check, "%s takes %s of at most %s; %s are free", d.now.Log.Host, auditlog.FormatSize(disk.Usage.Bytes), auditlog.FormatSize(disk.Limit), auditlog.FormatSize(disk.Space.Free))
	}
}

// preflight makes the checks that a change makes on a node that runs, and looks at
// the others of its cluster.
func (d *doctor) preflight(ctx context.Context) {
	s := apiserver.New(d.t.Node, d.now.Server)
	var hook *webhook.Receiver
	if f, err := d.t.Node.Read(hostOf(d.now.Webhook)); err == nil && f.Exists && d.now.Enabled() {
		hook, _ = webhook.Read(f.Data, d.now) // what cannot be read has a finding already
	}
	for _, check := range rollout.Preflight(s, d.t.Manifest, hook)[1:] { // the first is the kubelet's
		d.make(ctx, check)
	}
	ready, _ := s.Ready(ctx)
	if d.credentials(s) && ready { // without it the others cannot be asked for
		d.others(ctx, s)
	}
}

// make makes one check.
func (d *doctor) make(ctx context.Context, check rollout.Check) {
	found, err := check.Run(ctx)
	var down *apiserver.NotHealthy
	switch {
	case errors.As(err, &down):
		d.wrong(check.Name, down.Hint, "%s", down.Reason)
	case err != nil:
		d.wrongErr(check.Name, err)
	case found.Doubt:
		d.warning(check.Name, nil, "%s", found.Text)
	case found.Text != "":
		d.ok(check.Name, "%s", found.Text)
	}
}

// hostOf is where a file lies on the node, "" for nowhere.
func hostOf(l *patch.Location) string {
	if !l.Covered() {
		return ""
	}
	return l.Host
}

// credentials looks at the kubeconfigs, after the API server was asked.
func (d *doctor) credentials(s *apiserver.Server) bool {
	const check = "credentials"
	if none := s.NoCredentials(); s.User == "" {
		d.warning(check, none.Remedy(), "%v; so nothing can be proven", none)
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
		d.warning(check, nil, "the other control-plane nodes cannot be seen: %v", err)
	case len(unready) > 0:
		d.wrong(check, hint.Command("doctor").Elsewhere().Note(", on that node"), "other API servers are not healthy: %s", strings.Join(unready, "; "))
	case holder != "":
		d.warning(check, hint.Shell("kubectl -n kube-system get lease auditpatch"), "%s has the cluster's lock: a change here would wait for it", holder)
	case n > 0:
		d.ok(check, "%s", clusterlock.OthersReady(n))
	}
}

// version is the API server's, zero when its image does not tell.
func version(now patch.Settings) policy.Version {
	return policy.Version{Major: now.Version.Major, Minor: now.Version.Minor}
}
