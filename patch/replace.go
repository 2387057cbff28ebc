package patch

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
	"auditpatch/patch/webhookconfig"

	"auditpatch/internal/lazyregexp"
)

// spared says why a file must neither be overwritten nor removed, "" when it
// may: it is new or empty, an audit policy, or a webhook config of auditing.
// Every change of a plan but the manifest's own passes here. ms are the
// manifests that count: the one that is there, and in a restore the one to come.
func overwriteFault(c Change, ms ...*manifest.File) string {
	old := c.Old
	switch {
	case !old.Exists || old.Dir || c.Kind != WriteFile && c.Kind != RemoveFile:
		return ""
	case isPolicy(old.Data) && !(isKubeconfig(c.Data) && c.Kind == WriteFile):
		return ""
	case bytes.HasPrefix(old.Data, ownWebhook) && !isPolicy(c.Data):
		return ""
	}
	for _, at := range []string{c.Path, old.Real} {
		if why := inUse(at, ms); why != "" {
			return why
		}
	}
	switch {
	case len(bytes.TrimSpace(old.Data)) == 0:
		return ""
	case !isPolicy(c.Data) && isWebhook(c.Path, old, ms), !isKubeconfig(c.Data) && isBroken(old.Data) && named(policyFlag, c.Path, ms):
		return ""
	case isPolicy(c.Data):
		return "it is not an audit policy"
	case c.Kind == RemoveFile:
		return "it is neither an audit policy nor a webhook config"
	}
	return "it is not recognised as a config of the audit webhook"
}

// ownWebhook is how a webhook config begins that auditpatch wrote.
var ownWebhook = []byte(webhookconfig.Head)

// clusterFiles are kubeconfigs that kubeadm writes.
var clusterFiles = []string{"admin.conf", "super-admin.conf", "kubelet.conf", "bootstrap-kubelet.conf", "controller-manager.conf", "scheduler.conf"}

// kubeconfigOf says whose kubeconfig usually is at a path, "" for nobody's.
func kubeconfigOf(at string) string {
	switch {
	case path.Dir(at) == "/etc/kubernetes" && slices.Contains(clusterFiles, path.Base(at)):
		return "it is a kubeconfig of the cluster"
	case under(at, "/root"), under(at, "/home"), path.Base(path.Dir(at)) == ".kube":
		return ofPeople
	}
	return ""
}

// inUse says who else needs the file at a path, "" when nobody is known to.
func inUse(at string, ms []*manifest.File) string {
	at = path.Clean(at)
	switch {
	case at == ".":
		return ""
	case under(at, "/etc/kubernetes/pki"):
		return "it is among the cluster's keys"
	case kubeconfigOf(at) != "":
		return kubeconfigOf(at)
	case under(at, "/var/lib/kubelet"), under(at, "/var/lib/etcd"):
		return "it belongs to the kubelet or to etcd"
	}
	if why := notForFiles(at); why != "" {
		return why
	}
	for _, m := range ms {
		for _, f := range m.Flags() {
			if !strings.HasPrefix(f.Name, "audit-") && slices.ContainsFunc(pathsIn(f.Value), func(file string) bool { return liesAt(m, file, at) }) {
				return "--" + f.Name + " names it"
			}
		}
	}
	return ""
}

// liesAt tells whether a path of the container is that path of the node.
func liesAt(m *manifest.File, file, at string) bool {
	l := locate(m, file)
	return l.Covered() && path.Clean(l.Host) == at || l.Mount == nil && path.Clean(file) == at
}

// isWebhook tells whether a file is the config of the audit webhook: it is
// where Enable puts one, or a manifest names it so, and it looks like one.
func isWebhook(at string, old File, ms []*manifest.File) bool {
	if isKubeconfig(old.Data) {
		return path.Clean(at) == DefaultWebhookPath || named(webhookFlag, at, ms)
	}
	return isBroken(old.Data) && named(webhookFlag, at, ms)
}

// named tells whether a manifest has a flag that names that path of the node.
func named(flag, at string, ms []*manifest.File) bool {
	return slices.ContainsFunc(ms, func(m *manifest.File) bool {
		f, set := m.Flag(flag)
		return set && liesAt(m, f.Value, path.Clean(at))
	})
}

// isBroken tells whether a file is text that is no config of anything: someone
// has spoilt it. What is in PEM form or says what it is is something else.
func isBroken(data []byte) bool {
	h := head{}
	_ = yaml.Unmarshal(data, &h) // what it could not read has no kind
	return h.Kind == "" && h.APIVersion == "" && !bytes.Contains(data, []byte("-----BEGIN"))
}

// head is what tells one kind of file from another.
type head struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Rules      []any  `json:"rules"`
	Clusters   []any  `json:"clusters"`
	Contexts   []any  `json:"contexts"`
}

// policyLine finds the version of an audit policy in text that is no YAML.
var policyLine = lazyregexp.New(`(?m)^["']?apiVersion["']?[ \t]*:[ \t]*["']?audit\.k8s\.io/`)

// isPolicy tells whether a file is an audit policy, be it faulty. Audit events
// have the same API group and another kind.
func isPolicy(data []byte) bool {
	h := head{}
	if err := yaml.Unmarshal(data, &h); err != nil && h.Kind == "" && h.APIVersion == "" {
		return policyLine().Match(data)
	}
	switch {
	case strings.HasPrefix(h.APIVersion, "audit.k8s.io"):
		return h.Kind == "" || strings.EqualFold(h.Kind, "Policy")
	case h.APIVersion == "":
		return strings.EqualFold(h.Kind, "Policy") || h.Kind == "" && len(h.Rules) > 0
	}
	return false
}

// isKubeconfig tells whether a file is a kubeconfig, be it faulty.
func isKubeconfig(data []byte) bool {
	h := head{}
	if err := yaml.Unmarshal(data, &h); err != nil && h.Kind == "" {
		return false
	}
	return h.Kind == "Config" || len(h.Clusters) > 0 && h.Kind == ""
}

// checkOverwrite refuses to change a file that does not belong to auditing.
func (p *planner) checkOverwrite(c Change, flag string) error {
	why := overwriteFault(c, p.m)
	if why == "" {
		return nil
	}
	next := hint.Flag(flag, defaultOf(flag))
	if path.Clean(c.Path) == defaultOf(flag) {
		next = MoveAway(c.Path)
	}
	return refuse(next, "--%s: %s exists and is not overwritten: %s", flag, c.Path, why)
}

// keeps warns of a file that a plan would remove and that is not auditing's.
func keeps(p *Plan, c Change, ms ...*manifest.File) bool {
	why := overwriteFault(c, ms...)
	if why != "" {
		p.Warnings = append(p.Warnings, Problem{Message: c.Path + " stays: " + why})
	}
	return why != ""
}

// keepForeignFiles drops removals of files that do not belong to auditing, with a warning,
// and refuses to overwrite one.
func (p *Plan) keepForeignFiles(s State, wanted []File) error {
	var ms []*manifest.File
	if m, err := s.parse(); err == nil {
		ms = append(ms, m)
	}
	for _, w := range wanted {
		if w.Path != s.Manifest.Path || !w.Exists {
			continue
		}
		if m, err := manifest.Parse(w.Path, w.Data); err == nil {
			ms = append(ms, m)
		}
	}
	var changes []Change
	for _, c := range p.Changes {
		switch {
		case c.Path == s.Manifest.Path:
		case c.Kind == RemoveFile && keeps(p, c, ms...):
			continue
		default:
			if why := overwriteFault(c, ms...); why != "" {
				return refuse(hint.Command("restore").Switch("list"), "%s exists and is not overwritten: %s", c.Path, why)
			}
		}
		changes = append(changes, c)
	}
	p.Changes = changes
	return nil
}
