package patch

import (
	"fmt"
	"path"
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/internal/nodefile"
	"auditpatch/manifest"
	"auditpatch/patch/auditflags"
)

// File is one file or directory of the node as it was read.
type File = nodefile.File

// State is what a plan is made from. Nothing else is read.
type State struct {
	Manifest File
	Files    map[string]File // by path on the node; those that Files names
	Siblings []File          // what else the kubelet reads in the manifest's directory
	// SymlinkTargets has the targets of symlinks among the paths that the manifest
	// and its siblings name; a plan that removes files needs them.
	SymlinkTargets map[string]string
	// WebhookConfigs are paths at which earlier runs had a webhook's config.
	WebhookConfigs []string
	// Parsed is Manifest read by manifest.Parse, for a caller that has done so
	// already. It must be of the same bytes.
	Parsed *manifest.File
	// Offline says that the node is not running yet, so missing files may be added later.
	Offline bool
	// StateDir is where auditpatch keeps backups and journals, "" if that does not
	// matter.
	StateDir string
	// Kinds tells what is at the hostPaths of the Pod, by path: one of the Kind
	// constants. nil when the node was not looked at.
	Kinds map[string]string
}

// parse reads the manifest, once.
func (s State) parse() (*manifest.File, error) {
	if s.Parsed != nil {
		return s.Parsed, nil
	}
	return manifest.Parse(s.Manifest.Path, s.Manifest.Data)
}

// Where files are unless the manifest or the user says otherwise.
const (
	DefaultPolicyPath  = "/etc/kubernetes/audit-policy.yaml"
	DefaultLogPath     = "/var/log/kubernetes/audit/audit.log"
	DefaultWebhookPath = "/etc/kubernetes/audit-webhook.yaml"
)

// byDefault are the flags that Enable always sets, so that no version's own
// default counts. With these numbers the rotation checks of the CIS benchmark
// pass. The webhook's is only set with a webhook.
var byDefault = map[string]string{
	policyFlag:            DefaultPolicyPath,
	logFlag:               DefaultLogPath,
	webhookFlag:           DefaultWebhookPath,
	"audit-log-maxage":    "30",
	"audit-log-maxbackup": "10",
	"audit-log-maxsize":   "100",
}

// rotation are those that need a log file.
var rotation = map[string]bool{"audit-log-maxage": true, "audit-log-maxbackup": true, "audit-log-maxsize": true}

// The flags that the planner itself decides on.
const (
	policyFlag  = "audit-policy-file"
	logFlag     = "audit-log-path"
	webhookFlag = "audit-webhook-config-file"
)

// Annotations on the Pod. A changed checksum gives the Pod another identity,
// so the kubelet restarts the API server, which reads its policy only once.
const (
	PolicyAnnotation  = "auditpatch/policy-sha256"
	WebhookAnnotation = "auditpatch/webhook-sha256"
	// BeforeAnnotation remembers leftovers of auditing that were in a manifest
	// without working audit logging; see preexisting.go.
	PreexistingAnnotation = "auditpatch/before"
	// RestartAnnotation is in the manifest only while the API server is being
	// restarted; see [Plan.Interim].
	RestartAnnotation = "auditpatch/restart"
)

// Problem is one thing that is wrong, or not wise.
type Problem = auditflags.Problem

// Version is a release of Kubernetes.
type Version = auditflags.Version

// Error is a refusal: nothing has been changed.
type Error struct {
	Reason string // a phrase without a full stop, with file:line:col where it has one
	Hint   hint.Hint
	More   []Problem
}

func (e *Error) Error() string { return e.Reason }

// Remedy is the hint, as an error's method.
func (e *Error) Remedy() hint.Hint { return e.Hint }

func refuse(h hint.Hint, format string, a ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, a...), Hint: h}
}

// checkNode refuses what must not be on a node that runs.
func checkNode(m *manifest.File, s State) error {
	if err := m.Nameless(); err != nil && !s.Offline {
		return err
	}
	if err := CheckUID(m); err != nil && !s.Offline {
		return err
	}
	return CheckSiblings(m, s)
}

// CheckSiblings refuses a second file that defines the same Pod: the kubelet
// keeps one Pod a name, and on each look the file that sorts last wins, so an
// edit of the other is silently reverted (KUBERNETES: pkg/kubelet/config).
func CheckSiblings(m *manifest.File, s State) error {
	want := podKey(m.Pod().Namespace, m.Pod().Name)
	for _, f := range s.Siblings {
		if f.Path == s.Manifest.Path {
			continue
		}
		name, namespace, ok := manifest.PodName(f.Data)
		if !ok || podKey(namespace, name) != want {
			continue
		}
		return refuse(hint.Shell("mv %s /root/", hint.Path(f.Path)),
			"%s defines the same Pod %q as %s: the kubelet reads every file of that directory whatever its extension, and the last one by name wins",
			f.Path, want, s.Manifest.Path)
	}
	return nil
}

func podKey(namespace, name string) string {
	if namespace == "" {
		namespace = "default"
	}
	return namespace + "/" + name
}

// under tells whether path p is dir or is below it.
func under(p, dir string) bool {
	p, dir = path.Clean(p), path.Clean(dir)
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}
