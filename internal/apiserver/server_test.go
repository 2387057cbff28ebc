package apiserver

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"auditpatch/internal/node"
	"auditpatch/internal/proc"
	"auditpatch/internal/standin"
	"auditpatch/patch"
)

// TestStartedWith finds the mirror Pod by way of the control group and the log
// folder, and trusts it only when it is of the Pod that runs.
func TestStartedWith(t *testing.T) {
	const uid = "dd374e7bfbbc28103a27a99f078360e1"
	for name, c := range map[string]struct {
		user, mirror string
		log          string
		code         int
		known        bool
	}{
		"as it runs":           {"admin", uid, "kube-apiserver-cp-1_" + uid, 200, true},
		"of its predecessor":   {"admin", "0123", "kube-apiserver-cp-1_" + uid, 200, false},
		"no credentials":       {"", uid, "kube-apiserver-cp-1_" + uid, 200, false},
		"no right":             {"admin", uid, "kube-apiserver-cp-1_" + uid, 403, false},
		"another Pod's folder": {"admin", uid, "kube-apiserver-cp-1_0123", 200, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := standin.Tree{T: t, Root: t.TempDir()}
			group := "/kubelet-kubepods-burstable-pod" + uid + ".slice"
			m.Write("proc/7/stat", "7 (kube-apiserver) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 70 1 1")
			m.Write("proc/7/status", "Uid:\t0\t0\t0\t0\n")
			m.Write("proc/7/cmdline", "kube-apiserver\x00--flag=1\x00")
			m.Write("proc/7/cgroup", "0::"+group+"/cri-containerd-ab.scope\n")
			m.Write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
			m.Write("sys/fs/cgroup"+group+"/cgroup.procs", "")
			m.Write("var/log/pods/kube-system_"+c.log+"/kube-apiserver/0.log", "")
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if want := "/api/v1/namespaces/kube-system/pods/kube-apiserver-cp-1"; r.URL.Path != want {
					t.Errorf("asked for %s, want %s", r.URL.Path, want)
				}
				w.WriteHeader(c.code)
				_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{
					"annotations": map[string]string{"kubernetes.io/config.mirror": c.mirror, "auditpatch/policy-sha256": "1"},
				}})
			}))
			defer srv.Close()
			s := &Server{
				Node: node.New(m.Root, ""), Host: proc.Host{Root: m.Root}, client: srv.Client(), Base: srv.URL, User: c.user,
				Spec: patch.Server{Namespace: "kube-system", Pod: "kube-apiserver", Command: []string{"kube-apiserver", "--flag=1"}},
			}
			m.Write("proc/9/stat", "9 (kubelet) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 90 1 1")
			m.Write("proc/9/status", "Uid:\t0\t0\t0\t0\n")
			m.Write("proc/9/cmdline", "kubelet\x00--hostname-override\x00CP-1\x00")
			s.Pod = NewStaticPod(s.Node, s.Spec)
			got, known := s.StartedWith(context.Background())
			if known != c.known || known && got["auditpatch/policy-sha256"] != "1" {
				t.Errorf("got %v, %v", got, known)
			}
		})
	}
}

func TestFailedChecks(t *testing.T) {
	for body, want := range map[string]string{
		"":   "",
		"ok": "",
		"[+]ping ok\n[-]etcd failed: reason withheld\n[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\nreadyz check failed": ": etcd, poststarthook/rbac/bootstrap-roles",
	} {
		if got := failedChecks(body); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}
