package inspect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/manifest"
	"auditpatch/patch"
)

// enabled is a manifest with audit logging as the flags say.
func enabled(t *testing.T, flags map[string]string) *manifest.File {
	t.Helper()
	s := patch.State{Manifest: patch.StandIn("/etc/kubernetes/manifests/kube-apiserver.yaml"), Offline: true}
	plan, err := patch.Enable(s, patch.Options{Flags: flags, Policy: &patch.Content{Data: []byte("x")}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := plan.Settled()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestCompareKubeadm wants drift where the two disagree, a warning where kubeadm
// knows of nothing, and neither where it cannot be told.
func TestCompareKubeadm(t *testing.T) {
	on := enabled(t, map[string]string{})
	same, err := patch.ExportKubeadm(on, "v1beta4")
	if err != nil {
		t.Fatal(err)
	}
	silent, err := manifest.Parse("m", patch.StandIn("m").Data)
	if err != nil {
		t.Fatal(err)
	}
	const none = "apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta4\nkind: ClusterConfiguration\n"
	for name, c := range map[string]struct {
		text            string
		m               *manifest.File
		words           string
		drift, warnings []string
	}{
		"the same":    {string(same), on, "has the same audit settings", nil, nil},
		"none at all": {none, silent, "no audit settings", nil, nil},
		"not persisted": {none, on, "no audit settings", nil,
			[]string{"the next kubeadm upgrade takes audit logging out: auditpatch enable --persist"}},
		"manifest off": {string(same), silent, "has other audit settings",
			[]string{"kube-system/kubeadm-config has audit settings and the manifest none: auditpatch enable, or auditpatch disable --persist"}, nil},
		"another value": {string(same), enabled(t, map[string]string{"audit-log-maxage": "7"}), "has other audit settings",
			[]string{"kube-system/kubeadm-config: it has audit-log-maxage=30, and the manifest 7: auditpatch enable --persist"}, nil},
		"one more": {strings.Replace(string(same), "  extraVolumes:", "  - name: audit-log-compress\n    value: \"true\"\n  extraVolumes:", 1), on, "has other audit settings",
			[]string{"kube-system/kubeadm-config: it has audit-log-compress=true, and the manifest does not: auditpatch enable --persist"}, nil},
		"not understood": {"kind: ClusterConfiguration\napiVersion: kubeadm.k8s.io/v1beta5\n", on,
			"not known: kube-system/kubeadm-config:2:13: apiVersion kubeadm.k8s.io/v1beta5: only kubeadm.k8s.io/v1beta3 and kubeadm.k8s.io/v1beta4 are known", nil, nil},
	} {
		f := &facts{configured: configured{manifest: c.m, now: patch.Inspect(c.m)}, live: &live{kubeadm: clusterConfig{text: []byte(c.text)}}}
		out := &findings{}
		f.kubeadmCheck(out)
		lines := func(p place) []string { return append([]string(nil), at(p, out.all, nil)...) }
		if d := cmp.Diff([]any{c.words, c.drift, c.warnings}, []any{f.kubeadmStatus().String(), lines(drift), lines(warnings)}); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
