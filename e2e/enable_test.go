//go:build e2e

package e2e

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// TestEnableRecords takes a node through its life: audit logging on, on again, with another
// preset, and off.
func TestEnableRecords(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	l.stays(func() {
		l.auditpatch(1, "diff")
		l.auditpatch(1, "status", "--check")
	})

	// One change without waiting: the kubelet's own way, with one write of the manifest.
	server := l.restarts(func() { l.auditpatch(0, "enable", "--no-wait") })
	for _, flag := range []string{"--audit-log-path=" + auditLog, "--audit-policy-file=/etc/kubernetes/audit-policy.yaml"} {
		if !slices.Contains(server.Args, flag) {
			l.Fatalf("kube-apiserver runs without %s: %q", flag, server.Args)
		}
	}
	l.recordsAccess()
	l.stays(func() {
		pageOutput(l, "doctor", l.auditpatch(0, "doctor"))
		l.auditpatch(0, "diff")
		l.auditpatch(0, "status", "--check")
		l.auditpatch(0, "enable", "--no-wait")
		l.auditpatch(0, "enable", "--no-wait", "--preset", "baseline")
	})

	l.rollsOut(func() { l.exec("sh", "-ec", pageScript(t, "preset")) })
	l.kubectl("get", "nodes")
	l.wantEvent(event{user: "kubernetes-admin", verb: "list", resource: "nodes", code: 200})

	l.rollsOut(func() { l.auditpatch(0, "disable") })
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("enable and disable left another manifest than before:\n%s", now)
	}
	l.logIsQuiet()
}

// recordsAccess does what an auditor wants to hear of, and looks for it in the log.
func (l *lab) recordsAccess() {
	l.Helper()
	const secret = "do-not-log-me-either"
	l.kubectl("create", "namespace", "e2e")
	l.kubectl("-n", "e2e", "create", "configmap", "settings", "--from-literal=key="+secret)
	l.kubectl("-n", "e2e", "create", "secret", "generic", "login", "--from-literal=key="+secret)
	l.kubectl("-n", "e2e", "get", "secret", "login")
	l.node.Kubectl(l.ctx, "-n", "e2e", "get", "secret", "login", "--as", "mallory")
	l.kubectl("-n", "e2e", "delete", "configmap", "settings")
	l.kubectl("-n", "kube-system", "exec", "etcd-"+l.node.Name(), "--", "etcd", "--version")
	l.kubectl("delete", "namespace", "e2e")

	const admin = "kubernetes-admin"
	for _, want := range []event{
		{admin, "create", "configmaps", "", "e2e", "settings", 201},
		{admin, "create", "secrets", "", "e2e", "login", 201},
		{admin, "get", "secrets", "", "e2e", "login", 200},
		{"mallory", "get", "secrets", "", "e2e", "login", 403},
		{admin, "delete", "configmaps", "", "e2e", "settings", 200},
		{admin, "", "pods", "exec", "kube-system", "etcd-" + l.node.Name(), 101},
		{admin, "delete", "namespaces", "", "", "e2e", 200},
	} {
		l.wantEvent(want)
	}
	for _, leak := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
		if strings.Contains(l.read(auditLog), leak) {
			l.Fatalf("the audit log has the content of a Secret or ConfigMap: %s", leak)
		}
	}
}

// logIsQuiet wants the log to stay and not to grow, whatever is asked of the API server.
func (l *lab) logIsQuiet() {
	l.Helper()
	before := l.logSize()
	l.kubectl("get", "secrets", "-A")
	time.Sleep(2 * time.Second)
	if after := l.logSize(); after != before {
		l.Fatalf("the log grows from %s to %s bytes although audit logging is off", before, after)
	}
}

// TestRestoreGoesBack wants restore to give back the manifest of before the last change.
func TestRestoreGoesBack(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	l.rollsOut(func() { l.auditpatch(0, "enable", "--preset", "writes") })
	l.rollsOut(func() { l.auditpatch(0, "restore") })
	if now := l.read(cluster.Manifest); now != original {
		l.Fatalf("restore left another manifest than before enable:\n%s", now)
	}
	if _, _, exit := l.node.Exec(l.ctx, "test", "-e", "/etc/kubernetes/audit-policy.yaml"); exit == 0 {
		l.Fatal("restore left the policy, which was not there before enable")
	}
}
