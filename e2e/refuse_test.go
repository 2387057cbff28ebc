//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// TestStrayBackup wants a copy of the manifest beside it to be refused: the kubelet reads
// every name in that folder, and would run the copy.
func TestStrayBackup(t *testing.T) {
	l := begin(t)
	stray := cluster.Manifest + ".bak"
	before, original := l.server(), l.read(cluster.Manifest)

	// The kubelet is stopped meanwhile, or the copy itself would restart the API server.
	l.exec("systemctl", "stop", "kubelet")
	l.exec("cp", "-p", cluster.Manifest, stray)
	said := l.auditpatch(2, "enable", "--no-wait")
	if !strings.Contains(said, stray) || !strings.Contains(said, "auditpatch: hint: mv "+stray) {
		l.Fatalf("want the stray file and a hint to move it, got:\n%s", said)
	}
	l.exec("rm", stray)
	from := time.Now()
	l.exec("systemctl", "start", "kubelet")

	l.waitUpdates(from, cluster.Updates{Add: 1}) // the kubelet has read its folder again
	if now := l.server(); now.PID != before.PID || l.read(cluster.Manifest) != original {
		l.Fatalf("refused, and yet the API server was pid %d and is %d, or its manifest changed", before.PID, now.PID)
	}
	if _, _, exit := l.node.Exec(l.ctx, "test", "-e", "/etc/kubernetes/audit-policy.yaml"); exit == 0 {
		l.Fatal("refused, and yet there is a policy")
	}
}
