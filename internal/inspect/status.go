package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/hint"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/internal/rollout"
	"auditpatch/internal/target"
	"auditpatch/manifest"
	"auditpatch/patch"
	"auditpatch/patch/auditflags"
	"auditpatch/patch/webhookconfig"
)

// Report is the JSON of status.
type Report struct {
	Changed    bool              `json:"changed"` // always false
	Enabled    bool              `json:"enabled"` // the manifest configures a policy and a backend
	Manifest   string            `json:"manifest"`
	Kubernetes string            `json:"kubernetesVersion,omitempty"` // from the image
	Flags      map[string]string `json:"flags"`                       // the audit flags that count
	Policy     *PolicyStatus     `json:"policy,omitempty"`
	Log        *LogStatus        `json:"log,omitempty"`
	Webhook    *WebhookStatus    `json:"webhook,omitempty"`
	Server     *ServerStatus     `json:"server,omitempty"`     // only on a node that runs
	Kubeadm    *KubeadmStatus    `json:"kubeadm,omitempty"`    // only where kubeadm made the cluster
	Unfinished string            `json:"unfinished,omitempty"` // the run that died half way or is going on
	LastChange *LastChange       `json:"lastChange,omitempty"`
	Backups    int               `json:"backups"`
	Drift      []string          `json:"drift"`    // what is not as it should be
	Warnings   []string          `json:"warnings"` // known to hurt, but as configured
	here       hint.Node
}

type PolicyStatus struct {
	Path   string `json:"path"` // on the node
	Exists bool   `json:"exists"`
	Rules  int    `json:"rules"`
	SHA256 string `json:"sha256,omitempty"`
	// AsStarted tells whether the file is the one that the manifest's checksum
	// speaks of; null where the manifest has none.
	AsStarted *bool `json:"asStarted"`
}

type LogStatus struct {
	Path        string     `json:"path"` // on the node
	Files       int        `json:"files"`
	Bytes       int64      `json:"bytes"`
	LimitBytes  int64      `json:"limitBytes"` // 0 with unlimited
	Unlimited   bool       `json:"unlimited"`
	FreeBytes   int64      `json:"freeBytes"`
	LastWritten *time.Time `json:"lastWritten"`
	Oldest      *time.Time `json:"oldest"`
}

// ServerStatus is what really runs.
type ServerStatus struct {
	PID        int    `json:"pid"`           // 0: no kube-apiserver runs with the manifest's command line
	Pod        string `json:"pod,omitempty"` // UID of the Pod that it runs in, which tells what manifest it was started from
	AsManifest bool   `json:"asManifest"`    // one does
	Ready      bool   `json:"ready"`
	NotReady   string `json:"notReady,omitempty"` // why not
	// Current tells whether it was started with the manifest's checksums of policy
	// and webhook config; null when that could not be asked.
	Current *bool `json:"current"`
}

type WebhookStatus struct {
	Path   string `json:"path"`
	Exists bool   `json:"exists"`
	Server string `json:"server,omitempty"`
}

// Status gathers the report.
func Status(ctx context.Context, t *target.Target) (*Report, error) {
	state, err := t.ReadManifest()
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(state.Manifest.Path, state.Manifest.Data)
	if err != nil {
		return nil, err
	}
	now := patch.Inspect(m)
	r := &Report{
		Enabled: now.Enabled(), Manifest: state.Manifest.Path, Flags: now.Flags,
		Drift: []string{}, Warnings: []string{}, here: t.Here,
	}
	if now.Version != (patch.Version{}) {
		r.Kubernetes = now.Version.String()
	}
	if !r.Enabled {
		r.drift("audit logging is off: %s: %s", missing(now), hint.Command("enable"))
	}
	for _, problem := range patch.Drift(m, state) {
		r.drift("%s", withHint(problem))
	}
	for _, problem := range patch.Places(m, state) {
		r.Warnings = append(r.Warnings, problem.Message)
	}
	_, warns := auditflags.Check(now.Flags, now.Version)
	for _, w := range warns {
		r.Warnings = append(r.Warnings, w.Message)
	}
	if t.Stdin() {
		return r, nil
	}
	for _, problem := range unfit(t, m) {
		r.drift("%s", withHint(problem))
	}
	err = errors.Join(r.addPolicy(t, now), r.addLog(t, now), r.addWebhook(t, now), r.addRuns(t))
	if t.Live && err == nil {
		err = r.addServer(ctx, t, now)
		r.addKubeadm(ctx, t, m)
	}
	slices.SortStableFunc(r.Drift, func(a, b string) int { return cmp.Compare(r.orderOf(a), r.orderOf(b)) })
	return r, err
}

// orderOf is the place of a drift among others, by what mends it: a change waits for a
// kubelet that acts, and ends an earlier run first.
func (r *Report) orderOf(drift string) int {
	for i, command := range []string{"systemctl start kubelet", "systemctl restart kubelet", hint.Command("recover").In(r.here).String()} {
		if strings.HasSuffix(drift, ": "+command) {
			return i
		}
	}
	return 3
}

// addServer holds what runs against the manifest.
func (r *Report) addServer(ctx context.Context, t *target.Target, now patch.Settings) error {
	server := apiserver.New(t.Node, now.Server)
	running, err := server.Running()
	if err != nil {
		return err
	}
	r.Server = &ServerStatus{PID: running.PID, Pod: running.UID, AsManifest: running.PID != 0}
	r.Server.Ready, r.Server.NotReady = server.Ready(ctx)
	for _, e := range server.Skipped() {
		r.warn("%v: %s", e, e.Hint)
	}
	switch {
	case running.PID == 0:
		down := rollout.NotRunning(t.Node, t.Manifest, running)
		r.drift("%s: %s", down.Reason, down.Hint)
	case !r.Server.Ready:
		r.drift("the API server is not ready: %s: %s", r.Server.NotReady, hint.Command("doctor"))
	default:
		r.startedWith(ctx, server, now)
	}
	return nil
}

// startedWith compares the checksums in the manifest with those that the API
// server was started with: a kubelet that did not run has not noticed the change.
func (r *Report) startedWith(ctx context.Context, server *apiserver.Server, now patch.Settings) {
	started, known := server.StartedWith(ctx)
	if !known {
		return
	}
	current := true
	for _, key := range []string{patch.PolicyAnnotation, patch.WebhookAnnotation, patch.RestartAnnotation} {
		current = current && started[key] == now.Annotations[key]
	}
	if r.Server.Current = &current; !current {
		r.drift("the API server that runs was started before the manifest was last changed: journalctl -u kubelet")
	}
}

func (r *Report) drift(format string, a ...any) { r.Drift = append(r.Drift, r.line(format, a)) }

func (r *Report) warn(format string, a ...any) { r.Warnings = append(r.Warnings, r.line(format, a)) }

// line is one line, whose hints name the same node as the command line.
func (r *Report) line(format string, a []any) string {
	for i := range a {
		if h, is := a[i].(hint.Hint); is {
			a[i] = h.In(r.here)
		}
	}
	return fmt.Sprintf(format, a...)
}

// missing says what a manifest that logs nothing lacks.
func missing(s patch.Settings) string {
	if s.Policy == nil {
		return "the manifest sets no --audit-policy-file"
	}
	return "the manifest sets neither --audit-log-path nor --audit-webhook-config-file"
}

// addPolicy looks at the policy on the node.
func (r *Report) addPolicy(t *target.Target, now patch.Settings) error {
	if !now.Policy.Covered() {
		return nil
	}
	f, err := t.Node.Read(now.Policy.Host)
	if err != nil {
		return err
	}
	r.Policy = &PolicyStatus{Path: now.Policy.Host, Exists: f.Exists}
	if !f.Exists {
		r.drift("there is no policy at %s: the API server would not start", now.Policy.Host)
		return nil
	}
	r.Policy.SHA256 = patch.Checksum(f.Data)
	if sum, ok := now.Annotations[patch.PolicyAnnotation]; ok {
		same := sum == r.Policy.SHA256
		if r.Policy.AsStarted = &same; !same {
			r.drift("the policy %s was changed since the API server was started with it: %s", now.Policy.Host, hint.Command("enable").Note("restarts it"))
		}
	}
	pol, err := policy.Load(now.Policy.Host, f.Data)
	if err == nil {
		r.Policy.Rules = pol.Rules()
		err = pol.CheckTarget(policy.Version{Major: now.Version.Major, Minor: now.Version.Minor})
	}
	switch {
	case err != nil:
		r.drift("%v", err)
	case !pol.Records():
		r.Warnings = append(r.Warnings, policy.RecordsNothing(now.Policy.Host))
	}
	return nil
}

// addLog measures the log.
func (r *Report) addLog(t *target.Target, now patch.Settings) error {
	if !now.Log.Covered() {
		return nil
	}
	disk, err := t.MeasureLog(now)
	if err != nil {
		return err
	}
	u := disk.Usage
	r.Log = &LogStatus{Path: path.Clean(now.Log.Host), Files: len(u.Files), Bytes: u.Bytes, FreeBytes: disk.Space.Free,
		LimitBytes: disk.Limit, Unlimited: disk.Unlimited}
	if !u.Newest.IsZero() {
		r.Log.LastWritten = &u.Newest
	}
	if !u.Oldest.IsZero() {
		r.Log.Oldest = &u.Oldest
	}
	switch full, tight := disk.Full(), disk.Tight(); {
	case full != "":
		r.drift("%s: %s", full, disk.Relief())
	case tight != "":
		r.warn("%s: %s", tight, disk.Relief())
	}
	return nil
}

// addWebhook looks at the webhook's config, whose contents are not shown.
func (r *Report) addWebhook(t *target.Target, now patch.Settings) error {
	if !now.Webhook.Covered() {
		return nil
	}
	f, err := t.Node.Read(now.Webhook.Host)
	if err != nil {
		return err
	}
	r.Webhook = &WebhookStatus{Path: now.Webhook.Host, Exists: f.Exists}
	if !f.Exists {
		r.drift("there is no webhook config at %s: the API server would not start", now.Webhook.Host)
		return nil
	}
	if sum, ok := now.Annotations[patch.WebhookAnnotation]; ok && sum != patch.Checksum(f.Data) {
		r.drift("the webhook config %s was changed since the API server was started with it: %s", now.Webhook.Host, hint.Command("enable").Note("restarts it"))
	}
	cfg, errs, _ := webhookconfig.Check(now.Webhook.Host, f.Data)
	r.Webhook.Server = cfg.Server
	for _, e := range errs {
		r.drift("%s", e.Message)
	}
	return nil
}

// addRuns looks at the journal and the backups.
func (r *Report) addRuns(t *target.Target) error {
	run, by, err := t.UnderWay()
	if err != nil {
		return err
	}
	backups, err := t.Node.Backups()
	if err != nil {
		return err
	}
	for _, b := range backups {
		if b.Result == node.ResultDone {
			r.Backups++
		}
	}
	r.addLastChange(run, by, backups)
	return nil
}
