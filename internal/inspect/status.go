package inspect

import (
	"context"
	"path"
	"time"

	"auditpatch/internal/target"
	"auditpatch/patch"
)

// Report is the JSON of status, and has the fields of that documented object.
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
	Benchmarks *BenchmarkStatus  `json:"benchmarks,omitempty"` // what checkers would say; not when logging is off
	Unfinished string            `json:"unfinished,omitempty"` // the run that died half way or is going on
	LastChange *LastChange       `json:"lastChange,omitempty"`
	Backups    int               `json:"backups"`
	Drift      []string          `json:"drift"`    // what is not as it should be
	Warnings   []string          `json:"warnings"` // known to hurt, but as configured
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
	f := gather(ctx, t, false)
	if f.manifest == nil {
		return nil, f.unread
	}
	all := f.judge()
	r := &Report{
		Enabled: f.now.Enabled(), Manifest: f.state.Manifest.Path, Flags: f.now.Flags,
		Policy: f.policyStatus(), Log: f.logStatus(), Webhook: f.webhookStatus(), Server: f.serverStatus(), Kubeadm: f.kubeadmStatus(),
		Benchmarks: f.benchmarks(), Unfinished: f.journal.unfinished(), LastChange: f.journal.lastChange(), Backups: f.journal.done(),
		Drift: at(drift, all, t.Here), Warnings: at(warnings, all, t.Here),
	}
	if f.now.Version != (patch.Version{}) {
		r.Kubernetes = f.now.Version.String()
	}
	return r, failures(all)
}

func (f *facts) policyStatus() *PolicyStatus {
	n := f.policy
	if n.at == "" {
		return nil
	}
	s := &PolicyStatus{Path: n.at, Exists: n.Exists && !n.Dir, Rules: n.kept.Rules}
	if !s.Exists {
		return s
	}
	s.SHA256 = patch.Checksum(n.Data)
	if sum, known := f.now.Annotations[patch.PolicyAnnotation]; known {
		same := sum == s.SHA256
		s.AsStarted = &same
	}
	return s
}

func (f *facts) logStatus() *LogStatus {
	d := f.disk
	if d == nil {
		return nil
	}
	s := &LogStatus{Path: path.Clean(f.now.Log.Host), Files: len(d.Usage.Files), Bytes: d.Usage.Bytes, FreeBytes: d.Space.Free,
		LimitBytes: d.Limit, Unlimited: d.Unlimited}
	if !d.Usage.Newest.IsZero() {
		s.LastWritten = &d.Usage.Newest
	}
	if !d.Usage.Oldest.IsZero() {
		s.Oldest = &d.Usage.Oldest
	}
	return s
}

func (f *facts) webhookStatus() *WebhookStatus {
	n := f.webhook
	if n.at == "" {
		return nil
	}
	return &WebhookStatus{Path: n.at, Exists: n.Exists && !n.Dir, Server: n.kept.Server}
}

func (f *facts) serverStatus() *ServerStatus {
	if f.live == nil || f.live.seen == nil {
		return nil
	}
	seen := f.live.seen
	return &ServerStatus{PID: seen.PID, Pod: seen.UID, AsManifest: seen.PID != 0, Ready: seen.Ready, NotReady: seen.NotReady, Current: f.live.current}
}
