package patch_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/diff"

	"auditpatch/patch"
)

// pod is a small manifest: extra flags, mounts, volumes and Pod fields go in at
// their places.
func pod(flags, mounts, volumes, spec string) string {
	return `apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
  namespace: kube-system
spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port=6443
` + flags + `    image: registry.k8s.io/kube-apiserver:v1.36.3
    name: kube-apiserver
    volumeMounts:
    - mountPath: /etc/kubernetes/pki
      name: k8s-certs
      readOnly: true
` + mounts + spec + `  volumes:
  - hostPath:
      path: /etc/kubernetes/pki
    name: k8s-certs
` + volumes
}

// edits are a plan's edits in words.
func edits(p *patch.Plan) []string {
	var out []string
	for _, e := range p.Edits {
		s := e.String()
		if i := strings.Index(s, "sha256="); i >= 0 {
			s = s[:i] + "sha256"
		}
		out = append(out, s)
	}
	return out
}

const (
	policyMount = "    - mountPath: /etc/kubernetes/audit-policy.yaml\n      name: audit\n      readOnly: true\n"
	logMount    = "    - mountPath: /var/log/kubernetes/audit/\n      name: audit-log\n"
	volumes     = "  - name: audit\n    hostPath: {path: /etc/kubernetes/audit-policy.yaml, type: File}\n" +
		"  - name: audit-log\n    hostPath: {path: /var/log/kubernetes/audit/, type: DirectoryOrCreate}\n"
	allFlags = "    - --audit-policy-file=/etc/kubernetes/audit-policy.yaml\n    - --audit-log-path=/var/log/kubernetes/audit/audit.log\n" +
		"    - --audit-log-maxage=30\n    - --audit-log-maxbackup=10\n    - --audit-log-maxsize=100\n"
)

// TestEnableEdits says for each shape of manifest which edits are needed.
func TestEnableEdits(t *testing.T) {
	for _, tc := range []struct {
		name, manifest string
		flags          map[string]string
		want           []string
		kept           []string
	}{
		{"from nothing", pod("", "", "", ""), nil, []string{
			"set flag --audit-policy-file=/etc/kubernetes/audit-policy.yaml",
			"set flag --audit-log-path=/var/log/kubernetes/audit/audit.log",
			"set flag --audit-log-maxage=30",
			"set flag --audit-log-maxbackup=10",
			"set flag --audit-log-maxsize=100",
			"add mount /etc/kubernetes/audit-policy.yaml of volume audit",
			"add mount /var/log/kubernetes/audit/ of volume audit-log",
			"add volume audit of host path /etc/kubernetes/audit-policy.yaml",
			"add volume audit-log of host path /var/log/kubernetes/audit/",
			"set annotation auditpatch/policy-sha256",
		}, nil},
		{"all there but the checksum", pod(allFlags, policyMount+logMount, volumes, ""), nil, []string{
			"set annotation auditpatch/policy-sha256",
		}, nil},
		{"own numbers stay", pod(strings.ReplaceAll(allFlags, "maxage=30", "maxage=7"), policyMount+logMount, volumes, ""), nil, []string{
			"set annotation auditpatch/policy-sha256",
		}, []string{"--audit-log-maxage=7"}},
		{"and are replaced when asked", pod(strings.ReplaceAll(allFlags, "maxage=30", "maxage=7"), policyMount+logMount, volumes, ""),
			map[string]string{"audit-log-maxage": "30"}, []string{
				"set flag --audit-log-maxage=30",
				"set annotation auditpatch/policy-sha256",
			}, nil},
		{"names that are taken get a number", pod("", "", "  - name: audit\n    emptyDir: {}\n  - name: audit-log\n    hostPath: {path: /srv}\n", ""), nil, []string{
			"set flag --audit-policy-file=/etc/kubernetes/audit-policy.yaml",
			"set flag --audit-log-path=/var/log/kubernetes/audit/audit.log",
			"set flag --audit-log-maxage=30",
			"set flag --audit-log-maxbackup=10",
			"set flag --audit-log-maxsize=100",
			"add mount /etc/kubernetes/audit-policy.yaml of volume audit-2",
			"add mount /var/log/kubernetes/audit/ of volume audit-log-2",
			"add volume audit-2 of host path /etc/kubernetes/audit-policy.yaml",
			"add volume audit-log-2 of host path /var/log/kubernetes/audit/",
			"set annotation auditpatch/policy-sha256",
		}, nil},
		{"a read-only mount of the log is made writable", pod(allFlags, policyMount+logMount+"      readOnly: true\n", volumes, ""), nil, []string{
			"make mount /var/log/kubernetes/audit/ writable",
			"set annotation auditpatch/policy-sha256",
		}, nil},
		{"another log path takes the old mount and volume out", pod(allFlags, policyMount+logMount, volumes, ""),
			map[string]string{"audit-log-path": "/var/log/k8s/a.log"}, []string{
				"set flag --audit-log-path=/var/log/k8s/a.log",
				"drop mount /var/log/kubernetes/audit/",
				"drop volume audit-log",
				"add mount /var/log/k8s/ of volume audit-log-2",
				"add volume audit-log-2 of host path /var/log/k8s/",
				"set annotation auditpatch/policy-sha256",
			}, nil},
		{"a path that a mount covers needs none", pod("", "", "", ""),
			map[string]string{"audit-policy-file": "/etc/kubernetes/pki/policy.yaml"}, []string{
				"set flag --audit-policy-file=/etc/kubernetes/pki/policy.yaml",
				"set flag --audit-log-path=/var/log/kubernetes/audit/audit.log",
				"set flag --audit-log-maxage=30",
				"set flag --audit-log-maxbackup=10",
				"set flag --audit-log-maxsize=100",
				"add mount /var/log/kubernetes/audit/ of volume audit-log",
				"add volume audit-log of host path /var/log/kubernetes/audit/",
				"set annotation auditpatch/policy-sha256",
			}, nil},
		{"standard output needs neither mount nor rotation", pod("", "", "", ""),
			map[string]string{"audit-log-path": "-"}, []string{
				"set flag --audit-policy-file=/etc/kubernetes/audit-policy.yaml",
				"set flag --audit-log-path=-",
				"add mount /etc/kubernetes/audit-policy.yaml of volume audit",
				"add volume audit of host path /etc/kubernetes/audit-policy.yaml",
				"set annotation auditpatch/policy-sha256",
			}, nil},
		{"underscores and repeats count as the API server counts them", pod("    - --audit_log_maxage=5\n    - --audit-log-maxage=6\n"+allFlags[:strings.Index(allFlags, "    - --audit-log-maxage")], policyMount+logMount, volumes, ""),
			map[string]string{"audit-log-maxage": "6"}, []string{
				"set flag --audit-log-maxbackup=10",
				"set flag --audit-log-maxsize=100",
				"set annotation auditpatch/policy-sha256",
			}, nil},
		{"leftovers are remembered", pod("    - --audit-log-maxage=5\n", "", "", ""), nil, []string{
			"set flag --audit-policy-file=/etc/kubernetes/audit-policy.yaml",
			"set flag --audit-log-path=/var/log/kubernetes/audit/audit.log",
			"set flag --audit-log-maxbackup=10",
			"set flag --audit-log-maxsize=100",
			"add mount /etc/kubernetes/audit-policy.yaml of volume audit",
			"add mount /var/log/kubernetes/audit/ of volume audit-log",
			"add volume audit of host path /etc/kubernetes/audit-policy.yaml",
			"add volume audit-log of host path /var/log/kubernetes/audit/",
			"set annotation auditpatch/policy-sha256",
			"set annotation auditpatch/before=--audit-log-maxage=5",
		}, []string{"--audit-log-maxage=5"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			plan, err := patch.Enable(plain([]byte(tc.manifest)), patch.Options{Policy: anyPolicy, Flags: tc.flags})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, edits(plan)); d != "" {
				t.Errorf("edits (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tc.kept, plan.Kept); d != "" {
				t.Errorf("kept (-want +got):\n%s", d)
			}
			checkThereAndBack(t, tc.manifest, plan)
		})
	}
}

// checkThereAndBack disables what a plan enabled, where auditing was off.
func checkThereAndBack(t *testing.T, input string, plan *patch.Plan) {
	t.Helper()
	if plan.Before.Enabled() {
		return
	}
	off, err := patch.Disable(plain(after(t, plan)), false)
	if err != nil {
		t.Fatal(err)
	}
	if got := after(t, off); string(got) != input {
		t.Errorf("disable does not give back the input:\n%s", diff.Diff("input", []byte(input), "disabled", got))
	}
}

// TestEnableRefuses has the whole text of each refusal.
func TestEnableRefuses(t *testing.T) {
	const path = "/etc/kubernetes/manifests/kube-apiserver.yaml"
	for _, tc := range []struct {
		name, manifest string
		flags          map[string]string
		state          func(s *patch.State)
		want, hint     string
	}{
		{"policy in an emptyDir", pod("", "    - mountPath: /etc/audit\n      name: tmp\n", "  - name: tmp\n    emptyDir: {}\n", ""),
			map[string]string{"audit-policy-file": "/etc/audit/policy.yaml"}, nil,
			path + `:17:7: --audit-policy-file: the mount /etc/audit covers it, and its volume "tmp" is not a hostPath: the file would not be on the node`,
			"--audit-policy-file=/etc/kubernetes/audit-policy.yaml"},
		{"log below a read-only mount", pod("", "    - {mountPath: /srv/data, name: data, readOnly: true}\n", "  - {name: data, hostPath: {path: /srv/data}}\n", ""),
			map[string]string{"audit-log-path": "/srv/data/logs/audit.log"}, nil,
			path + ":17:7: --audit-log-path: the mount /srv/data covers it, and is read-only",
			"--audit-log-path=/var/log/kubernetes/audit/audit.log"},
		{"log in the root directory", pod("", "", "", ""),
			map[string]string{"audit-log-path": "/audit.log"}, nil,
			"--audit-log-path=/audit.log: the log needs a directory of its own", "--audit-log-path=/var/log/kubernetes/audit/audit.log"},
		{"a value that the kubelet would expand", pod("", "", "", ""),
			map[string]string{"audit-log-path": "/var/$(HOSTNAME)/audit.log"}, nil,
			`--audit-log-path "/var/$(HOSTNAME)/audit.log": the kubelet would expand $( ) in it`, ""},
		{"a bad value of the manifest has its line", pod("    - --audit-log-maxage=ten\n", "", "", ""), nil, nil,
			path + `:11: --audit-log-maxage "ten": not a whole number`, ""},
		{"log directory of another user", pod("", "", "", "  securityContext:\n    runAsUser: 998\n    runAsGroup: 997\n"), nil,
			func(s *patch.State) {
				s.Files["/var/log/kubernetes/audit"] = patch.File{Path: "/var/log/kubernetes/audit", Exists: true, Dir: true, Mode: 0o700}
			},
			"/var/log/kubernetes/audit cannot be written by the API server, which runs as user 998 (it is 0700 0:0)",
			"chown 998:997 /var/log/kubernetes/audit"},
		{"another file with the same pod", pod("", "", "", ""), nil,
			func(s *patch.State) {
				s.Siblings = []patch.File{{Path: "/etc/kubernetes/manifests/old", Data: []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\n")}}
			},
			`/etc/kubernetes/manifests/old defines the same Pod "kube-system/kube-apiserver" as ` + path + `: the kubelet reads every file of that directory whatever its extension, and the last one by name wins`,
			"mv /etc/kubernetes/manifests/old /root/"},
		{"no name, on a node", strings.Replace(pod("", "", "", ""), "    name: kube-apiserver\n    volumeMounts", "    volumeMounts", 1), nil,
			func(s *patch.State) { s.Offline = false },
			path + ":8:5: the kubelet would refuse this Pod: a container has no name",
			"mend the manifest first: the kubelet stops an API server whose manifest it refuses"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := plain([]byte(tc.manifest))
			if tc.state != nil {
				tc.state(&s)
			}
			_, err := patch.Enable(s, patch.Options{Policy: anyPolicy, Flags: tc.flags})
			if err == nil || err.Error() != tc.want {
				t.Errorf("got  %v\nwant %s", err, tc.want)
			}
			if pe, ok := err.(*patch.Error); ok && tc.hint != "" && pe.Hint.String() != tc.hint {
				t.Errorf("hint %q, want %q", pe.Hint, tc.hint)
			}
		})
	}
}

// TestFiles says what is written for a Pod that runs as another user, and in
// which order.
func TestFiles(t *testing.T) {
	group := 4
	s := plain([]byte(pod("", "", "", "  securityContext:\n    runAsUser: 998\n    runAsGroup: 997\n")))
	plan, err := patch.Enable(s, patch.Options{
		Policy: anyPolicy, LogGroup: &group,
		Webhook: &patch.Content{Origin: "w", Data: []byte("kind: Config\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range plan.Changes {
		got = append(got, fmt.Sprintf("%s %s %04o %d:%d", c.Kind, c.Path, c.Mode, c.UID, c.GID))
	}
	want := []string{
		"mkdir /var/log/kubernetes/audit 0750 998:4",
		"write /etc/kubernetes/audit-policy.yaml 0600 998:997",
		"write /etc/kubernetes/audit-webhook.yaml 0600 998:997",
		"ensure /var/log/kubernetes/audit/audit.log 0640 998:4",
		"write /etc/kubernetes/manifests/kube-apiserver.yaml 0600 0:0",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestRestoreOrder puts the files that the manifest names back before it, and
// removes files after it.
func TestRestoreOrder(t *testing.T) {
	on := pod(allFlags, policyMount+logMount, volumes, "")
	s := plain([]byte(pod("", "", "", "")))
	for _, name := range []string{"/etc/kubernetes/audit-policy.yaml", "/etc/kubernetes/audit-webhook.yaml"} {
		s.Files[name] = patch.File{Path: name, Exists: true, Data: anyPolicy.Data, Mode: 0o600}
	}
	plan, err := patch.Restore(s, patch.Backup{Origin: "backup X", Ours: true, Files: []patch.File{
		{Path: s.Manifest.Path, Exists: true, Data: []byte(on), Mode: 0o600},
		{Path: "/etc/kubernetes/audit-webhook.yaml"},
		{Path: "/etc/kubernetes/audit-policy.yaml", Exists: true, Data: append([]byte("# then\n"), anyPolicy.Data...), Mode: 0o640},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range plan.Changes {
		got = append(got, fmt.Sprintf("%s %s %04o", c.Kind, c.Path, c.Mode))
	}
	want := []string{
		"write /etc/kubernetes/audit-policy.yaml 0640",
		"write /etc/kubernetes/manifests/kube-apiserver.yaml 0600",
		"remove /etc/kubernetes/audit-webhook.yaml 0000",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestSeed holds the result against the page that the project began from. The
// page does not ship with the project.
func TestSeed(t *testing.T) {
	file := os.Getenv("AUDITPATCH_SEED")
	if file == "" {
		file = filepath.Join("..", "..", "shared", "seed", "audit-logging.txt")
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Skipf("no page: set AUDITPATCH_SEED (%v)", err)
	}
	_, text, _ := strings.Cut(string(page), "\nkube-apiserver.yaml\n")
	want, _, _ := strings.Cut(text, "\n\n")
	want += "\n"
	var input []string
	for _, line := range strings.SplitAfter(want[:strings.Index(want, "      volumeMounts:")], "\n") {
		if !strings.Contains(line, "--audit-") {
			input = append(input, line)
		}
	}
	plan, err := patch.Enable(plain([]byte(strings.Join(input, ""))), patch.Options{
		Policy: anyPolicy,
		Flags:  map[string]string{"audit-log-maxage": "10", "audit-log-maxbackup": "5", "audit-log-maxsize": "100"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range strings.SplitAfter(string(after(t, plan)), "\n") {
		if !strings.Contains(line, "annotations:") && !strings.Contains(line, patch.PolicyAnnotation) {
			got = append(got, line)
		}
	}
	if d := cmp.Diff(want, strings.Join(got, "")); d != "" {
		t.Errorf("(-page +got):\n%s", d)
	}
}
