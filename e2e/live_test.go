//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"auditpatch/e2e/cluster"
)

// TestEnableWaits wants enable to return only when the new API server is ready
// and an event was found in its log, and each later change to restart it once.
func TestEnableWaits(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	// An API server without watches ends by itself; those of kube-controller-manager and
	// kube-scheduler are not always there after other tests.
	l.exec("sh", "-c", "kubectl --kubeconfig /etc/kubernetes/admin.conf get namespaces --watch >/tmp/watch 2>&1 & until [ -s /tmp/watch ]; do sleep 0.1; done")
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
		if again := l.auditpatch(0, "enable", "-o", "json"); !strings.Contains(again, `"changed": false`) {
			l.Fatalf("a second enable says that it changed something:\n%s", again)
		}
	})
	first := l.read(cluster.Manifest)

	l.rollsOut(func() { l.auditpatch(0, "enable", "--preset", "metadata") })
	l.kubectl("get", "nodes")
	l.wantEvent(event{user: "kubernetes-admin", verb: "list", resource: "nodes", code: 200})
	flags := l.rollsOut(func() { out = l.auditpatch(0, "enable", "--audit-log-maxage=7", "--audit-log-maxbackup=3") })
	for _, want := range []string{"--audit-log-maxage=7", "--audit-log-maxbackup=3"} {
		if !slices.Contains(flags.Args, want) {
			l.Fatalf("kube-apiserver runs without %s: %q", want, flags.Args)
		}
	}
	// The backup of the change of preset is what the first enable left.
	var list struct{ Backups []struct{ ID string } }
	if err := json.Unmarshal([]byte(l.auditpatch(0, "restore", "--list", "-o", "json")), &list); err != nil || len(list.Backups) != 3 {
		l.Fatalf("restore --list: %v, %+v", err, list)
	}
	l.rollsOut(func() { l.auditpatch(0, "restore", "--to", list.Backups[1].ID) })
	if now := l.read(cluster.Manifest); now != first {
		l.Fatalf("restore --to left another manifest than the first enable:\n%s", now)
	}
	l.stays(func() { l.auditpatch(0, "status", "--check") })

	l.rollsOut(func() { l.auditpatch(0, "disable") })
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("enable and disable left another manifest than before:\n%s", now)
	}
	l.logIsQuiet()
}

// TestRollback lets the new API server fail to write its log: everything has to
// be put back, with its own words as the cause.
func TestRollback(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	l.unwritableLog()
	l.stays(func() { l.wantSaid(l.auditpatch(2, "enable"), "is mounted read-only") })
	defer l.exec("umount", "/var/log/kubernetes/audit")
	l.node.Intend(4) // two writes of the new one, two of the old
	out := l.auditpatch(3, "enable", "--force", "--rehearse=never")
	for _, want := range []string{"ensureLogFile", "read-only file system", "the earlier settings are back and healthy"} {
		if !strings.Contains(out, want) {
			l.Fatalf("enable does not say %q:\n%s", want, out)
		}
	}
	pageOutput(l, "rollback", out)
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("the manifest is not as it was:\n%s", now)
	}
	l.kubectl("get", "nodes")
	out = l.auditpatch(0, "doctor", "--last")
	for _, want := range []string{"was put back: kube-apiserver does not start", "the API server's log ended:", "read-only file system"} {
		if !strings.Contains(out, want) {
			l.Fatalf("doctor --last does not say %q:\n%s", want, out)
		}
	}
}
