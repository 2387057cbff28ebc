package patch_test

import (
	"testing"

	"auditpatch/patch"
)

// TestWebhookIsNobodysKubeconfig: kube-apiserver would post events to itself, with
// an administrator's rights.
func TestWebhookIsNobodysKubeconfig(t *testing.T) {
	t.Parallel()
	for at, why := range map[string]string{
		"/etc/kubernetes/admin.conf":   "it is a kubeconfig of the cluster",
		"/etc/kubernetes/kubelet.conf": "it is a kubeconfig of the cluster",
		"/srv/ops/.kube/config":        "it holds home directories",
	} {
		s := plain([]byte(pod("", "", "", "")))
		s.Files[at] = patch.File{Path: at, Exists: true, Data: []byte(otherConfig)}
		_, err := patch.Enable(s, patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-webhook-config-file": at}})
		want := "--audit-webhook-config-file=" + at + ": " + why + ", and events would be posted where it leads, with its rights"
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
