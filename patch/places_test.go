package patch_test

import (
	"strings"
	"testing"

	"auditpatch/patch"
)

// TestLogPlaces says which folders an audit log may lie in, and why not in the
// others.
func TestLogPlaces(t *testing.T) {
	const instead = "--audit-log-path=/var/log/kubernetes/audit/audit.log"
	keyFlag := "    - --client-ca-file=/etc/kubernetes/pki/ca.crt\n    - --tls-sni-cert-key=/data/tls/a.crt,/data/tls/a.key:*.example.test\n    - --encryption-provider-config=unix:///data/kms/kms.sock\n"
	const noPlace = "the folder would be mounted writable, and "
	for _, tc := range []struct{ log, why string }{
		{"/var/log/kubernetes/audit/audit.log", ""},
		{"/var/log/kubernetes/audit.log", ""},
		{"/var/log/kube-audit/audit.log", ""},
		{"/data/audit/audit.log", ""},
		{"/data/audit.log", noPlace + "/data/tls/a.crt of --tls-sni-cert-key lies in it"},
		{"/data/kms/audit.log", noPlace + "/data/kms/kms.sock of --encryption-provider-config lies in it"},
		{"/srv/audit/audit.log", ""},
		{"/opt/audit/audit.log", ""},
		{"/var/lib/kube-audit/audit.log", ""},
		{"/etc/kubernetes/audit-logs/audit.log", ""},
		{"/etc/kubernetes/audit.log", noPlace + "/etc/kubernetes is not a suitable place for it: it holds the cluster's keys"},
		{"/etc/kubernetes/./audit.log", noPlace + "/etc/kubernetes is not a suitable place for it: it holds the cluster's keys"},
		{"/etc/kubernetes/pki/audit.log", noPlace + "/etc/kubernetes/pki is not a suitable place for it: it holds the cluster's keys"},
		{"/etc/kubernetes/pki/etcd/audit.log", noPlace + "/etc/kubernetes/pki/etcd is not a suitable place for it: it holds the cluster's keys"},
		{"/etc/audit.log", noPlace + "/etc is not a suitable place for it: it holds configuration of the node or the image"},
		{"/etc/ssl/certs/audit.log", noPlace + "/etc/ssl/certs is not a suitable place for it: it holds configuration of the node or the image"},
		{"/bin/audit.log", noPlace + "/bin is not a suitable place for it: it holds programs of the node or the image"},
		{"/usr/local/bin/audit.log", noPlace + "/usr/local/bin is not a suitable place for it: it holds programs of the node or the image"},
		{"/lib/x/audit.log", noPlace + "/lib/x is not a suitable place for it: it holds programs of the node or the image"},
		{"/sys/audit.log", noPlace + "/sys is not a suitable place for it: the kernel and the container runtime manage it"},
		{"/run/audit/audit.log", noPlace + "/run/audit is not a suitable place for it: the kernel and the container runtime manage it"},
		{"/tmp/audit/audit.log", noPlace + "/tmp/audit is not a suitable place for it: any user can create files in it, and they are cleaned up"},
		{"/root/audit.log", noPlace + "/root is not a suitable place for it: it holds home directories"},
		{"/home/bob/audit.log", noPlace + "/home/bob is not a suitable place for it: it holds home directories"},
		{"/var/audit.log", noPlace + "/var is not a suitable place for it: other programs keep their files in it"},
		{"/var/lib/audit.log", noPlace + "/var/lib is not a suitable place for it: other programs keep their files in it"},
		{"/var/lib/etcd/audit.log", noPlace + "/var/lib/etcd is not a suitable place for it: it holds the cluster's data"},
		{"/var/lib/kubelet/pods/audit.log", noPlace + "/var/lib/kubelet/pods is not a suitable place for it: the kubelet and the container runtime work in it"},
		{"/var/lib/auditpatch/audit.log", noPlace + "/var/lib/auditpatch lies in it"},
		{"/var/lib/auditpatch/logs/audit.log", "it lies in /var/lib/auditpatch, where auditpatch keeps its backups"},
		{"/var/log/audit.log", noPlace + "/var/log is not a suitable place for it: it holds the logs of the whole node"},
		{"/var/log/pods/audit.log", noPlace + "/var/log/pods is not a suitable place for it: the kubelet and the container runtime work in it"},
		{"/var/log/audit/audit.log", noPlace + "/var/log/audit is not a suitable place for it: the node's auditd writes its own audit.log to it"},
		{"/home", "the log needs a directory of its own"},
	} {
		s := plain([]byte(pod(keyFlag, "    - {mountPath: /data/x/y, name: k8s-certs}\n", "", "")))
		s.StateDir = "/var/lib/auditpatch"
		_, err := patch.Enable(s, patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-log-path": tc.log}})
		switch {
		case tc.why == "" && err != nil:
			t.Errorf("%s: %v", tc.log, err)
		case tc.why != "":
			refused(t, s, patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-log-path": tc.log}}, "--audit-log-path="+tc.log+": "+tc.why, instead)
		}
	}
	s := plain([]byte(pod("", "    - {mountPath: /data/x/y, name: k8s-certs}\n", "", "")))
	refused(t, s, patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-log-path": "/data/audit.log"}},
		"--audit-log-path=/data/audit.log: the folder would be mounted writable, and the mount /data/x/y lies in it", instead)
	refused(t, s, patch.Options{Policy: anyPolicy, Flags: map[string]string{"audit-log-path": "/data/a/audit.log", "audit-policy-file": "/data/a/p/policy.yaml"}},
		"--audit-log-path=/data/a/audit.log: the folder would be mounted writable, and /data/a/p/policy.yaml of --audit-policy-file lies in it", instead)
}

// TestFilePlaces says the same of a policy and a webhook config.
func TestFilePlaces(t *testing.T) {
	const policy, hook = "audit-policy-file", "audit-webhook-config-file"
	key := "    - --service-account-key-file=/srv/keys/sa.pub\n"
	for _, tc := range []struct{ flag, file, why string }{
		{policy, "/etc/kubernetes/audit/policy.yaml", ""},
		{policy, "/etc/audit_policy.config", ""},
		{policy, "/etc/kubernetes/pki/policy.yaml", ""},
		{policy, "/policy.yaml", ""},
		{policy, "/usr/local/bin/kube-apiserver", "/usr/local/bin/kube-apiserver is not a suitable place for it: it holds programs of the node or the image"},
		{hook, "/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2 is not a suitable place for it: it holds programs of the node or the image"},
		{policy, "/proc/1/environ", "/proc/1/environ is not a suitable place for it: the kernel and the container runtime manage it"},
		{policy, "/etc/passwd", "/etc/passwd is not a suitable place for it: the node or the image needs the file at that path"},
		{hook, "/etc/resolv.conf", "/etc/resolv.conf is not a suitable place for it: the node or the image needs the file at that path"},
		{policy, "/etc/kubernetes", "it is a folder: the mount /etc/kubernetes/pki lies in it"},
		{policy, "/srv/keys/sa.pub", "/srv/keys/sa.pub of --service-account-key-file lies there"},
		{policy, "/srv/keys", "/srv/keys/sa.pub of --service-account-key-file lies there"},
		{policy, "/etc/kubernetes/audit-webhook.yaml", "/etc/kubernetes/audit-webhook.yaml of --audit-webhook-config-file lies there"},
		{hook, "/var/lib/auditpatch/w.yaml", "it lies in /var/lib/auditpatch, where auditpatch keeps its backups"},
	} {
		s := plain([]byte(pod(key, "", "", "")))
		s.StateDir = "/var/lib/auditpatch"
		opts := patch.Options{Policy: anyPolicy, Webhook: anyHook, Flags: map[string]string{tc.flag: tc.file}}
		_, err := patch.Enable(s, opts)
		switch {
		case tc.why == "" && err != nil:
			t.Errorf("%s: %v", tc.file, err)
		case tc.why != "":
			want := "--" + tc.flag + "=" + tc.file + ": " + tc.why
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		}
	}
}

// TestPlacesKept: a log that is written into an odd folder already is a reason
// for a warning, unless something would have to be made writable.
func TestPlacesKept(t *testing.T) {
	flags := strings.ReplaceAll(allFlags, "/var/log/kubernetes/audit/", "/var/log/")
	mount := "    - mountPath: /var/log/\n      name: audit-log\n"
	src := pod(flags, policyMount+mount, strings.ReplaceAll(volumes, "/var/log/kubernetes/audit/", "/var/log/"), "")
	const want = manifestPath + ":12: --audit-log-path=/var/log/audit.log: the folder is mounted writable, and /var/log is not a suitable place for it: it holds the logs of the whole node"
	plan, err := patch.Enable(plain([]byte(src)), patch.Options{Policy: anyPolicy})
	if err != nil || len(plan.Warnings) != 1 || plan.Warnings[0].Message != want || plan.Warnings[0].Hint.String() != "auditpatch enable --audit-log-path=/var/log/kubernetes/audit/audit.log" {
		t.Fatalf("%v %v\nwant %s", plan, err, want)
	}
	if got := patch.Places(parsed(t, plain([]byte(src))), patch.State{}); len(got) != 1 || got[0].Message != want {
		t.Errorf("got  %v\nwant %s", got, want)
	}
	closed := strings.Replace(src, mount, mount+"      readOnly: true\n", 1)
	refused(t, plain([]byte(closed)), patch.Options{Policy: anyPolicy}, strings.Replace(want, "is mounted", "would be mounted", 1), "--audit-log-path=/srv/audit/audit.log")
	// The path in the container looks harmless, that of the node is not.
	hidden := pod("", logMount, "  - {name: audit-log, hostPath: {path: /etc}}\n", "")
	refused(t, plain([]byte(hidden)), patch.Options{Policy: anyPolicy},
		"--audit-log-path=/var/log/kubernetes/audit/audit.log: the folder would be mounted writable, and /etc is not a suitable place for it: it holds configuration of the node or the image",
		"--audit-log-path=/var/log/kubernetes-audit/audit.log")
}

// TestPlacesLinked: a folder that is a symlink is held against where it leads.
func TestPlacesLinked(t *testing.T) {
	s := plain([]byte(pod("", "", "", "")))
	s.Files["/var/log/kubernetes/audit"] = patch.File{Path: "/var/log/kubernetes/audit", Real: "/etc/ssl", Exists: true, Dir: true, Mode: 0o755}
	refused(t, s, patch.Options{Policy: anyPolicy},
		"--audit-log-path=/var/log/kubernetes/audit/audit.log: /var/log/kubernetes/audit is a symlink to /etc/ssl: the folder would be mounted writable, and /etc/ssl is not a suitable place for it: it holds configuration of the node or the image",
		"--audit-log-path=/var/log/kubernetes-audit/audit.log")
}
