package change

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
)

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
		"no credentials": {&apiserver.NoCredentialsError{Skipped: []*apiserver.CredentialError{{File: "/a", Reason: "b", Hint: hint.Shell("kubeadm certs renew admin.conf")}}}, "kubeadm certs renew admin.conf, and then: auditpatch enable --persist"},
	} {
		err := &NotPersisted{"enable", "2026-11-22T11:20:04Z", c.cause}
		got := Result{}.Failure(err)
		want := Failure{Changed: true, Error: "audit logging is on, but kube-system/kubeadm-config does not have it: " + c.cause.Error(),
			Hint: hint.Words("%s", c.hint), Backup: "2026-11-22T11:20:04Z", Status: exit.NotRestored}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestNoRight wants whoever may not write to learn what to type before anything
// is touched, and not that it is an error of the change.
func TestNoRight(t *testing.T) {
	err := noRight(&apiserver.ForbiddenError{Reason: "write kube-system/kubeadm-config: the API server says 403"}, "/etc/kubernetes/kubelet.conf", hint.Command("enable"))
	want := "kubectl --kubeconfig=/etc/kubernetes/kubelet.conf -n kube-system auth can-i patch configmaps/kubeadm-config; or on this node only: auditpatch enable"
	if got := hint.Of(err).String(); got != want || err.Error() != "write kube-system/kubeadm-config: the API server says 403" {
		t.Errorf("got %v, hint %s", err, got)
	}
	if other := errors.New("x"); noRight(other, "", nil) != other || noRight(nil, "", nil) != nil {
		t.Error("another error is changed")
	}
}
