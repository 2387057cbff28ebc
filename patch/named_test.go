package patch_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/patch"
	"auditpatch/patch/webhookconfig"
)

// TestNamedFiles finds what any container of a Pod names on the node.
func TestNamedFiles(t *testing.T) {
	const text = `apiVersion: v1
kind: Pod
spec:
  initContainers:
  - {name: i, command: [cp, /in/a, "--to=/out/b,/in/c:x"], volumeMounts: [{name: in, mountPath: /in}]}
  containers:
  - name: c
    args: [--file, $(DIR)/d, --in=/deep/er/e, --image=/usr/bin/x, --none=/tmp/y]
    env: [{name: DIR, value: /in}, {name: KUBECONFIG, value: /in/f}]
    volumeMounts:
    - {name: in, mountPath: /in/}
    - {name: one, mountPath: /deep}
    - {name: sub, mountPath: /deep/er, subPath: s}
    - {name: tmp, mountPath: /tmp}
  volumes:
  - {name: in, hostPath: {path: /etc/in/}}
  - {name: one, hostPath: {path: /etc/one}}
  - {name: sub, hostPath: {path: /etc/sub}}
  - {name: tmp, emptyDir: {}}
`
	got, ok := patch.NamedFiles([]byte(text))
	want := []string{"/etc/in", "/etc/in/a", "/etc/in/c", "/etc/in/d", "/etc/in/f", "/etc/one", "/etc/sub", "/etc/sub/s", "/etc/sub/s/e"}
	if d := cmp.Diff(want, got); d != "" || !ok {
		t.Errorf("ok %v (-want +got):\n%s", ok, d)
	}
	for _, none := range []string{"", "a: [", "kind: Config\n", "x"} {
		if _, ok := patch.NamedFiles([]byte(none)); ok {
			t.Errorf("%q is no Pod", none)
		}
	}
}

// TestShown lets nothing out that is not known to be harmless.
func TestShown(t *testing.T) {
	const good = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"
	for text, want := range map[string]bool{
		"": true, " \n": true, good: true, "# a comment\n" + good: true,
		strings.Replace(good, "v1", "v1beta1", 1):          true,
		`{"apiVersion":"audit.k8s.io/v1","kind":"Policy"}`: true,
		good + "---\n" + good:                              false,
		good + "token: x\n":                                false,
		good + "--- [\n":                                   false,
		strings.Replace(good, "Policy", "Config", 1):       false,
		strings.Replace(good, "audit.k8s.io/", "", 1):      false,
		"a token":    false,
		"rules: [\n": false,
		"# token\n":  false,
	} {
		if got := patch.IsPolicy([]byte(text)); got != want {
			t.Errorf("IsPolicy(%q) = %v", text, got)
		}
	}
	s := plain([]byte(pod("", "", "", "")))
	s.WebhookConfigs = []string{"/etc/kubernetes/noted.yaml"}
	var files []patch.File
	for _, name := range []string{"/etc/kubernetes/audit-policy.yaml", "/etc/kubernetes/audit-webhook.yaml", "/etc/kubernetes/noted.yaml"} {
		s.Files[name] = patch.File{Path: name, Exists: true, Data: []byte(good), Mode: 0o600}
		files = append(files, patch.File{Path: name, Exists: true, Data: []byte("# new\n" + good), Mode: 0o600})
	}
	plan, err := patch.Restore(s, patch.Backup{Origin: "backup X", Files: files})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, c := range plan.Changes {
		got[c.Path] = c.Shown
	}
	want := map[string]bool{"/etc/kubernetes/audit-policy.yaml": true, "/etc/kubernetes/audit-webhook.yaml": false, "/etc/kubernetes/noted.yaml": false}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("shown (-want +got):\n%s", d)
	}
}

// TestPublicURL keeps what may be a credential out of a URL.
func TestPublicURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://192.0.2.7:9765":            "https://192.0.2.7:9765",
		"https://192.0.2.7:9765/":           "https://192.0.2.7:9765",
		"https://u:p@192.0.2.7/hooks/token": "https://192.0.2.7/...",
		"https://h?token=x":                 "https://h/...",
		"https://h#x":                       "https://h/...",
		"token@h:80":                        "",
		"https://u:p@h/%zz":                 "",
		"https://h:token":                   "",
		"":                                  "",
	} {
		if got := webhookconfig.PublicURL(url); got != want {
			t.Errorf("PublicURL(%q) = %q, want %q", url, got, want)
		}
	}
}
