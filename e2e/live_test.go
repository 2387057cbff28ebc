//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"auditpatch/e2e/cluster"
)

// TestEnableWaits wants enable to return only when the new API server is ready
// and an event was found in its log.
func TestEnableWaits(t *testing.T) {
	l := begin(t)
	var out string
	server := l.rollsOut(func() { out = l.auditpatch(0, "enable", "--preset", "pod-deletions", "--namespace", "payments") })
	for _, want := range []string{"old kube-apiserver drained and ended", "new kube-apiserver started", "/readyz", "found in the log", "audit logging is on"} {
		if !strings.Contains(out, want) {
			l.Fatalf("enable does not say %q:\n%s", want, out)
		}
	}
	if now := l.server(); now.PID != server.PID {
		l.Fatalf("the API server has changed since: %v, %v", server, now)
	}
	l.stays(func() {
		l.auditpatch(0, "status", "--check")
		l.auditpatch(0, "doctor")
		l.auditpatch(0, "enable")
	})
}

// TestRollback lets the new API server fail to write its log: everything has to
// be put back, with its own words as the cause.
func TestRollback(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	l.exec("mkdir", "-p", "/var/log/kubernetes/audit")
	l.exec("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/var/log/kubernetes/audit")
	defer l.exec("umount", "/var/log/kubernetes/audit")
	l.node.Intend(3) // two writes of the new one, one of the old
	out := l.auditpatch(3, "enable")
	for _, want := range []string{"ensureLogFile", "read-only file system", "the earlier settings are back and healthy"} {
		if !strings.Contains(out, want) {
			l.Fatalf("enable does not say %q:\n%s", want, out)
		}
	}
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("the manifest is not as it was:\n%s", now)
	}
	l.kubectl("get", "nodes")
}

// TestInterrupted ends enable with SIGINT while the old API server is still
// going down.
func TestInterrupted(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	l.node.Intend(2) // the old one comes back before the second write of the new one
	_, out, exit := l.node.Exec(l.ctx, "timeout", "--preserve-status", "-s", "INT", "0.8", "auditpatch", "enable")
	if exit != 3 || !strings.Contains(out, "interrupted; the earlier settings are back and healthy") {
		l.Fatalf("exit status %d:\n%s", exit, out)
	}
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("the manifest is not as it was:\n%s", now)
	}
	l.kubectl("get", "nodes")
}
