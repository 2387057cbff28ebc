package patch

import (
	"strings"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// programs are those that write the manifest anew from settings of their
// own: an edit would be lost, so each is named with its own setting.
var programs = []struct {
	name, hint string
	keeps      func(m *manifest.File) bool
}{
	{"Talos", "set cluster.apiServer.auditPolicy in the machine config: talosctl edit machineconfig",
		func(m *manifest.File) bool { return hasPrefixKey(m.Pod().Annotations, "talos.dev/") }},
	{"OpenShift", "oc edit apiserver cluster (spec.audit.profile)",
		func(m *manifest.File) bool {
			return m.Pod().Namespace == "openshift-kube-apiserver" || hasPrefixKey(m.Pod().Labels, "openshift.io/")
		}},
	{"RKE2", "set audit-policy-file in /etc/rancher/rke2/config.yaml and restart rke2-server",
		func(m *manifest.File) bool {
			return strings.Contains(m.Container().Image, "rancher/hardened-kubernetes") || mountsUnder(m, "/var/lib/rancher/rke2")
		}},
	{"kops", "set spec.kubeAPIServer.auditPolicyFile and auditLogPath: kops edit cluster",
		func(m *manifest.File) bool {
			return mountsUnder(m, "/srv/kubernetes/kube-apiserver") || mountsUnder(m, "/etc/kubernetes/kops")
		}},
}

// managedBy names the program that regenerates this manifest, "" when none does.
func managedBy(m *manifest.File) string {
	for _, k := range programs {
		if k.keeps(m) {
			return k.name
		}
	}
	return ""
}

// CheckManagedBy refuses a manifest that another program regenerates.
func CheckManagedBy(m *manifest.File) error {
	for _, k := range programs {
		if k.keeps(m) {
			return refuse(hint.Words("%s", k.hint), "%s: %s regenerates this manifest from its own settings: an edit would be lost", m.Name(), k.name)
		}
	}
	return nil
}

func hasPrefixKey(m map[string]string, prefix string) bool {
	for k := range m {
		if strings.HasPrefix(k, prefix) {
			return true
		}
	}
	return false
}

// mountsUnder tells whether the Pod brings in anything of the node below dir.
func mountsUnder(m *manifest.File, dir string) bool {
	for _, v := range m.Pod().Spec.Volumes {
		if v.HostPath != nil && under(v.HostPath.Path, dir) {
			return true
		}
	}
	return false
}
