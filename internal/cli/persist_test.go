package cli

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/apiserver"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// enabled is a manifest with audit logging as the flags say.
func enabled(t *testing.T, flags map[string]string) *manifest.File {
	t.Helper()
	s := patch.State{Manifest: patch.StandIn(defaultManifest), Offline: true}
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
		r := &statusReport{Enabled: c.m == on || name == "another value"}
		r.compareKubeadm([]byte(c.text), c.m)
		if d := cmp.Diff([]any{c.words, c.drift, c.warnings}, []any{r.Kubeadm.words(), r.Drift, r.Warnings}); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestNotPersisted is the end of a run whose last step failed: the node has
// changed, and the cluster has not.
func TestNotPersisted(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		hint  string
	}{
		"no answer": {errors.New("no answer in time"), "auditpatch enable --persist"},
		"no right": {&apiserver.ForbiddenError{Reason: "the API server says 403"},
			"kubectl --kubeconfig=/etc/kubernetes/admin.conf -n kube-system auth can-i patch configmaps/kubeadm-config, and once it may: auditpatch enable --persist"},
		"it is gone":     {apiserver.ErrNoKubeadmConfig, "kubectl -n kube-system get configmap kubeadm-config"},
		"no credentials": {&apiserver.NoCredentialsError{Skipped: []*apiserver.CredentialError{{File: "/a", Reason: "b", Hint: "kubeadm certs renew admin.conf"}}}, "kubeadm certs renew admin.conf, and then: auditpatch enable --persist"},
	} {
		var out, errs bytes.Buffer
		p := &program{Streams: Streams{Out: &out, Err: &errs}, json: true}
		if got := p.end(&notPersisted{"enable", "2026-11-22T11:20:04Z", c.cause}); got != exitNotRestored {
			t.Errorf("%s: exit status %d, want %d", name, got, exitNotRestored)
		}
		want := "auditpatch: error: audit logging is on, but kube-system/kubeadm-config does not have it: " + c.cause.Error() + "\n" +
			"auditpatch: hint: " + c.hint + "\n"
		if d := cmp.Diff(want, errs.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		for _, field := range []string{`"changed": true`, `"backup": "2026-11-22T11:20:04Z"`, `"status": 4`} {
			if !strings.Contains(out.String(), field) {
				t.Errorf("the JSON does not have %s:\n%s", field, out.String())
			}
		}
	}
}

// TestNoRight wants whoever may not write to learn what to type before anything
// is touched, and not that it is an error of the change.
func TestNoRight(t *testing.T) {
	err := noRight(&apiserver.ForbiddenError{Reason: "write kube-system/kubeadm-config: the API server says 403"}, "/etc/kubernetes/kubelet.conf", "auditpatch enable")
	want := "kubectl --kubeconfig=/etc/kubernetes/kubelet.conf -n kube-system auth can-i patch configmaps/kubeadm-config; or on this node only: auditpatch enable"
	if got := hintOf(err); got != want || err.Error() != "write kube-system/kubeadm-config: the API server says 403" {
		t.Errorf("got %v, hint %s", err, got)
	}
	if other := errors.New("x"); noRight(other, "", "") != other || noRight(nil, "", "") != nil {
		t.Error("another error is changed")
	}
}
