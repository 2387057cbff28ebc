package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/kubelet"
	"auditpatch/internal/node"
	"auditpatch/internal/policy"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// statusReport is the JSON of status.
type statusReport struct {
	Changed    bool              `json:"changed"` // always false
	Enabled    bool              `json:"enabled"` // the manifest configures a policy and a backend
	Manifest   string            `json:"manifest"`
	Kubernetes string            `json:"kubernetesVersion,omitempty"` // from the image
	Flags      map[string]string `json:"flags"`                       // the audit flags that count
	Policy     *policyStatus     `json:"policy,omitempty"`
	Log        *logStatus        `json:"log,omitempty"`
	Webhook    *webhookStatus    `json:"webhook,omitempty"`
	Server     *serverStatus     `json:"server,omitempty"`     // only on a node that runs
	Kubeadm    *kubeadmStatus    `json:"kubeadm,omitempty"`    // only where kubeadm made the cluster
	Unfinished string            `json:"unfinished,omitempty"` // the run that died half way or is going on
	LastChange *lastChange       `json:"lastChange,omitempty"`
	Backups    int               `json:"backups"`
	Drift      []string          `json:"drift"`    // what is not as it should be
	Warnings   []string          `json:"warnings"` // known to hurt, but as configured
}

type policyStatus struct {
	Path   string `json:"path"` // on the node
	Exists bool   `json:"exists"`
	Rules  int    `json:"rules"`
	SHA256 string `json:"sha256,omitempty"`
	// AsStarted tells whether the file is the one that the manifest's checksum
	// speaks of; null where the manifest has none.
	AsStarted *bool `json:"asStarted"`
}

type logStatus struct {
	Path        string     `json:"path"` // on the node
	Files       int        `json:"files"`
	Bytes       int64      `json:"bytes"`
	LimitBytes  int64      `json:"limitBytes"` // 0 with unlimited
	Unlimited   bool       `json:"unlimited"`
	FreeBytes   int64      `json:"freeBytes"`
	LastWritten *time.Time `json:"lastWritten"`
	Oldest      *time.Time `json:"oldest"`
}

// serverStatus is what really runs.
type serverStatus struct {
	PID        int    `json:"pid"`           // 0: no kube-apiserver runs with the manifest's command line
	Pod        string `json:"pod,omitempty"` // UID of the Pod that it runs in, which tells what manifest it was started from
	AsManifest bool   `json:"asManifest"`    // one does
	Ready      bool   `json:"ready"`
	NotReady   string `json:"notReady,omitempty"` // why not
	// Current tells whether it was started with the manifest's checksums of policy
	// and webhook config; null when that could not be asked.
	Current *bool `json:"current"`
}

type webhookStatus struct {
	Path   string `json:"path"`
	Exists bool   `json:"exists"`
	Server string `json:"server,omitempty"`
}

func (p *program) statusCommand() *cli.Command {
	return p.command(&cli.Command{
		Name:  "status",
		Usage: "show what is configured and whether it fits together",
		Description: "Reads the manifest, the policy, the log and the backups of this node, and changes nothing.\n" +
			"With --check the exit status is 1 when anything is not as it should be, also when audit\n" +
			"logging is off.",
		Flags: join([]cli.Flag{
			&cli.BoolFlag{Name: "check", Category: whatCategory, Usage: "exit with status 1 on any drift"},
		}, nodeFlags(), outputFlags()),
		Action: func(c *cli.Context) error {
			t, err := newTarget(c)
			if err != nil {
				return err
			}
			r, err := p.inspect(c.Context, t)
			if err != nil {
				return err
			}
			if p.json {
				p.printJSON(r)
			} else if err := p.printStatus(r); err != nil {
				return err
			}
			if c.Bool("check") && len(r.Drift) > 0 {
				return status(exitDiffers)
			}
			return nil
		},
	})
}

// inspect gathers the report.
func (p *program) inspect(ctx context.Context, t *target) (*statusReport, error) {
	state, err := t.readManifest(p)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Parse(state.Manifest.Path, state.Manifest.Data)
	if err != nil {
		return nil, err
	}
	now := patch.Inspect(m)
	r := &statusReport{
		Enabled: now.Enabled(), Manifest: state.Manifest.Path, Flags: now.Flags,
		Drift: []string{}, Warnings: []string{},
	}
	if now.Version != (patch.Version{}) {
		r.Kubernetes = now.Version.String()
	}
	if !r.Enabled {
		r.drift("audit logging is off: %s: auditpatch enable", missing(now))
	}
	for _, problem := range patch.Drift(m, state) {
		r.drift("%s", withHint(problem))
	}
	for _, problem := range patch.Places(m, state) {
		r.Warnings = append(r.Warnings, problem.Message)
	}
	_, warns := patch.CheckFlags(now.Flags, now.Version)
	for _, w := range warns {
		r.Warnings = append(r.Warnings, w.Message)
	}
	if t.stdin {
		return r, nil
	}
	for _, problem := range t.unfit(m) {
		r.drift("%s", withHint(problem))
	}
	err = errors.Join(r.addPolicy(t, now), r.addLog(t, now), r.addWebhook(t, now), r.addRuns(t))
	if t.live && err == nil {
		err = r.addServer(ctx, t, now)
		r.addKubeadm(ctx, t, m)
	}
	slices.SortStableFunc(r.Drift, func(a, b string) int { return cmp.Compare(orderOf(a), orderOf(b)) })
	return r, err
}

// orderOf is the place of a drift among others, by what mends it: a change waits for a
// kubelet that acts, and ends an earlier run first.
func orderOf(drift string) int {
	for i, command := range []string{"systemctl start kubelet", "systemctl restart kubelet", "auditpatch recover"} {
		if strings.HasSuffix(drift, ": "+command) {
			return i
		}
	}
	return 3
}

// addServer holds what runs against the manifest.
func (r *statusReport) addServer(ctx context.Context, t *target, now patch.Settings) error {
	server := apiserver.New(t.node, now.Server)
	running, err := server.Running()
	if err != nil {
		return err
	}
	r.Server = &serverStatus{PID: running.PID, Pod: running.UID, AsManifest: running.PID != 0}
	r.Server.Ready, r.Server.NotReady = server.Ready(ctx)
	for _, e := range server.Skipped() {
		r.Warnings = append(r.Warnings, fmt.Sprintf("%v: %s", e, e.Hint))
	}
	switch {
	case running.PID == 0:
		what, hint := notAsManifest(t, running)
		r.drift("%s: %s", what, hint)
	case !r.Server.Ready:
		r.drift("the API server is not ready: %s: auditpatch doctor", r.Server.NotReady)
	default:
		r.startedWith(ctx, server, now)
	}
	return nil
}

// notAsManifest says of a static Pod in which no API server runs as the manifest
// has it what runs instead, and what to type.
func notAsManifest(t *target, running apiserver.Running) (what, hint string) {
	switch {
	case running.Others > 0:
		return "the kube-apiserver that runs was started with other flags than the manifest has, and the kubelet has not acted on it", kubeletHint(t)
	case running.Ending > 0:
		return "the earlier kube-apiserver is ending, and the kubelet has yet to start one with the manifest's flags", "auditpatch enable waits for it"
	case running.Stranger != "":
		return "no kube-apiserver runs in this manifest's Pod: " + running.Stranger, kubeletHint(t)
	}
	return "no kube-apiserver runs on this node", kubeletHint(t)
}

// kubeletHint is what to type when the kubelet does not act on the manifest. One
// that was started while the API server was away, and before the manifest was
// written last, may need another start.
func kubeletHint(t *target) string {
	if kubelet.Stuck(t.node, t.manifest) {
		return "systemctl restart kubelet"
	}
	return "journalctl -u kubelet"
}

// startedWith compares the checksums in the manifest with those that the API
// server was started with: a kubelet that did not run has not noticed the change.
func (r *statusReport) startedWith(ctx context.Context, server *apiserver.Server, now patch.Settings) {
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

func (r *statusReport) drift(format string, a ...any) {
	r.Drift = append(r.Drift, fmt.Sprintf(format, a...))
}

// missing says what a manifest that logs nothing lacks.
func missing(s patch.Settings) string {
	if s.Policy == nil {
		return "the manifest sets no --audit-policy-file"
	}
	return "the manifest sets neither --audit-log-path nor --audit-webhook-config-file"
}

// addPolicy looks at the policy on the node.
func (r *statusReport) addPolicy(t *target, now patch.Settings) error {
	if !now.Policy.Covered() {
		return nil
	}
	f, err := t.node.Read(now.Policy.Host)
	if err != nil {
		return err
	}
	r.Policy = &policyStatus{Path: now.Policy.Host, Exists: f.Exists}
	if !f.Exists {
		r.drift("there is no policy at %s: the API server would not start", now.Policy.Host)
		return nil
	}
	r.Policy.SHA256 = patch.Checksum(f.Data)
	if sum, ok := now.Annotations[patch.PolicyAnnotation]; ok {
		same := sum == r.Policy.SHA256
		if r.Policy.AsStarted = &same; !same {
			r.drift("the policy %s was changed since the API server was started with it: auditpatch enable restarts it", now.Policy.Host)
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
		r.Warnings = append(r.Warnings, recordsNothing(now.Policy.Host).Message)
	}
	return nil
}

// addLog measures the log.
func (r *statusReport) addLog(t *target, now patch.Settings) error {
	if !now.Log.Covered() {
		return nil
	}
	disk, err := t.measureLog(now)
	if err != nil {
		return err
	}
	u := disk.usage
	r.Log = &logStatus{Path: path.Clean(now.Log.Host), Files: len(u.Files), Bytes: u.Bytes, FreeBytes: disk.space.Free,
		LimitBytes: disk.limit, Unlimited: disk.unlimited}
	if !u.Newest.IsZero() {
		r.Log.LastWritten = &u.Newest
	}
	if !u.Oldest.IsZero() {
		r.Log.Oldest = &u.Oldest
	}
	switch full, tight := disk.full(), disk.tight(); {
	case full != "":
		r.drift("%s: %s", full, disk.relief())
	case tight != "":
		r.Warnings = append(r.Warnings, tight+": "+disk.relief())
	}
	return nil
}

// addWebhook looks at the webhook's config, whose contents are not shown.
func (r *statusReport) addWebhook(t *target, now patch.Settings) error {
	if !now.Webhook.Covered() {
		return nil
	}
	f, err := t.node.Read(now.Webhook.Host)
	if err != nil {
		return err
	}
	r.Webhook = &webhookStatus{Path: now.Webhook.Host, Exists: f.Exists}
	if !f.Exists {
		r.drift("there is no webhook config at %s: the API server would not start", now.Webhook.Host)
		return nil
	}
	if sum, ok := now.Annotations[patch.WebhookAnnotation]; ok && sum != patch.Checksum(f.Data) {
		r.drift("the webhook config %s was changed since the API server was started with it: auditpatch enable restarts it", now.Webhook.Host)
	}
	cfg, errs, _ := patch.CheckWebhookKubeconfig(now.Webhook.Host, f.Data)
	r.Webhook.Server = cfg.Server
	for _, e := range errs {
		r.drift("%s", e.Message)
	}
	return nil
}

// addRuns looks at the journal and the backups.
func (r *statusReport) addRuns(t *target) error {
	run, by, err := t.underWay()
	if err != nil {
		return err
	}
	backups, err := t.node.Backups()
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

// printStatus prints the report for people.
func (p *program) printStatus(r *statusReport) error {
	on := map[bool]string{true: "on", false: "off"}[r.Enabled]
	rows := [][]string{{"audit logging", on}, {"manifest", r.Manifest + kubernetes(r.Kubernetes)}}
	if r.Policy != nil {
		rows = append(rows, []string{"policy", r.Policy.Path + "  " + r.Policy.words()})
	}
	if r.Log != nil {
		rows = append(rows, []string{"log", r.Log.Path + "  " + r.Log.words(time.Now())})
	}
	if r.Webhook != nil {
		rows = append(rows, []string{"webhook", r.Webhook.Path + "  to " + cmp.Or(r.Webhook.Server, "?")})
	}
	if r.Server != nil {
		rows = append(rows, []string{"running", r.Server.words()})
	}
	if r.Kubeadm != nil {
		rows = append(rows, []string{"kubeadm", r.Kubeadm.ConfigMap + "  " + r.Kubeadm.words()})
	}
	if r.LastChange != nil {
		rows = append(rows, []string{"last change", r.LastChange.words()})
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

func (s *serverStatus) words() string {
	switch {
	case s.PID == 0:
		return "no kube-apiserver as the manifest has it"
	case s.Ready:
		return fmt.Sprintf("kube-apiserver pid %d%s, as the manifest has it, ready", s.PID, s.pod())
	}
	return fmt.Sprintf("kube-apiserver pid %d%s, as the manifest has it, not ready: %s", s.PID, s.pod(), s.NotReady)
}

func (s *serverStatus) pod() string {
	if s.Pod == "" {
		return ""
	}
	return fmt.Sprintf(" in Pod %.8s", s.Pod)
}

func (s *policyStatus) words() string {
	switch {
	case !s.Exists:
		return "missing"
	case s.AsStarted == nil:
		return rules(s.Rules)
	case *s.AsStarted:
		return rules(s.Rules) + ", as the API server was started with"
	}
	return rules(s.Rules) + ", changed since"
}

func (s *logStatus) words(now time.Time) string {
	limit := "keeps at most " + size(s.LimitBytes)
	if s.Unlimited {
		limit = "nothing limits its size"
	}
	if s.Files == 0 {
		return fmt.Sprintf("no log yet; %s; %s free", limit, size(s.FreeBytes))
	}
	words := fmt.Sprintf("%s in %d files", size(s.Bytes), s.Files)
	if s.LastWritten != nil {
		words += ", last written " + ago(now.Sub(*s.LastWritten))
	}
	if s.Oldest != nil {
		words += ", reaches back " + span(now.Sub(*s.Oldest))
	}
	return fmt.Sprintf("%s; %s; %s free", words, limit, size(s.FreeBytes))
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
