package patch_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/patch"
)

var anyHook = &patch.Content{Origin: "hook", Data: []byte("apiVersion: v1\nkind: Config\nclusters: [{name: a, cluster: {server: https://example.test}}]\ncontexts: []\n")}

const (
	otherConfig = "apiVersion: v1\nkind: Config\nclusters:\n- name: kubernetes\ncontexts: []\n"
	pemKey      = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	encryption  = "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources: []\n"
	event       = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata"}` + "\n"
	ownHook     = "# Where kube-apiserver posts audit events. Written by auditpatch.\napiVersion: v1\nkind: Config\n"
)

// TestReplace says which files enable overwrites.
func TestReplace(t *testing.T) {
	const policy, hook, policyAt, hookAt = "audit-policy-file", "audit-webhook-config-file", "/etc/kubernetes/audit-policy.yaml", "/etc/kubernetes/audit-webhook.yaml"
	const noPolicy, noHook = "it is not an audit policy", "it is not recognised as a config of the audit webhook"
	namesHook := "    - --audit-webhook-config-file=/etc/kubernetes/hook.yaml\n"
	const admin = "/etc/kubernetes/admin.conf"
	const namesAdmin = "    - --audit-webhook-config-file=" + admin + "\n"
	for _, tc := range []struct{ name, flag, file, content, flags, why string }{
		{"a policy", policy, policyAt, "apiVersion: audit.k8s.io/v1\nkind: Policy\n", "", ""},
		{"a faulty policy", policy, policyAt, "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n\t- level: Metadata\n", "", ""},
		{"an old policy", policy, policyAt, "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: []\n", "", ""},
		{"a policy in JSON", policy, policyAt, `{"kind":"Policy","apiVersion":"audit.k8s.io/v1","rules":"x"}`, "", ""},
		{"rules alone", policy, policyAt, "rules:\n- level: None\n", "", ""},
		{"a policy among the keys", policy, "/etc/kubernetes/pki/policy.yaml", string(anyPolicy.Data) + "#\n", "", ""},
		{"an empty file", policy, policyAt, " \n", "", ""},
		{"text", policy, policyAt, "hello\n", "", noPolicy},
		{"text that the manifest names", policy, policyAt, "hello\n", "    - --audit-policy-file=" + policyAt + "\n", ""},
		{"a key that the manifest names", policy, policyAt, pemKey, "    - --audit-policy-file=" + policyAt + "\n", noPolicy},
		{"a key", policy, "/etc/kubernetes/pki/sa.key", pemKey, "", "it is among the cluster's keys"},
		{"an empty key", policy, "/etc/kubernetes/pki/sa.key", "", "", "it is among the cluster's keys"},
		{"a key elsewhere", policy, "/srv/x.key", pemKey, "", noPolicy},
		{"the log", policy, "/srv/a.log", event, "", noPolicy},
		{"an encryption config", policy, "/srv/enc.yaml", encryption, "", noPolicy},
		{"another kind of policy", policy, policyAt, "apiVersion: kyverno.io/v1\nkind: Policy\nrules: [{}]\n", "", noPolicy},
		{"a kubeconfig", policy, "/srv/kubeconfig", otherConfig, "", noPolicy},
		{"a webhook config of ours", hook, hookAt, ownHook, "", ""},
		{"a webhook config of ours elsewhere", hook, "/srv/hook.yaml", ownHook, "", ""},
		{"a kubeconfig in the usual place", hook, hookAt, otherConfig, "", ""},
		{"text in the usual place", hook, hookAt, "hello\n", "", noHook},
		{"what the manifest names", hook, "/etc/kubernetes/hook.yaml", otherConfig, namesHook, ""},
		{"and is spoilt", hook, "/etc/kubernetes/hook.yaml", "hello\n", namesHook, ""},
		{"and another flag names too", hook, "/etc/kubernetes/hook.yaml", otherConfig, namesHook + "    - --authorization-webhook-config-file=/etc/kubernetes/hook.yaml\n", manifestPath + ":11: --audit-webhook-config-file=/etc/kubernetes/hook.yaml: /etc/kubernetes/hook.yaml of --authorization-webhook-config-file lies there"},
		{"another kubeconfig", hook, "/srv/kubeconfig", otherConfig, "", noHook},
		{"the administrator's, mounted and named already", hook, admin, otherConfig, namesAdmin, "it is a kubeconfig of the cluster"},
		{"a policy", hook, hookAt, string(anyPolicy.Data), "", noHook},
	} {
		t.Run(tc.name, func(t *testing.T) {
			mount, volume := "", ""
			if tc.flags == namesAdmin {
				mount = "    - {mountPath: " + admin + ", name: adm, readOnly: true}\n"
				volume = "  - {name: adm, hostPath: {path: " + admin + "}}\n"
			}
			s := plain([]byte(pod(tc.flags, mount, volume, "")))
			s.Files[tc.file] = patch.File{Path: tc.file, Exists: true, Data: []byte(tc.content), Mode: 0o600}
			opts := patch.Options{Policy: anyPolicy, Webhook: anyHook, Flags: map[string]string{tc.flag: tc.file}}
			if tc.why == "" {
				if plan, err := patch.Enable(s, opts); err != nil {
					t.Error(err)
				} else if _, written := plan.Text(tc.file); !written {
					t.Error("it is not written")
				}
				return
			}
			_, err := patch.Enable(s, opts)
			want := "--" + tc.flag + ": " + tc.file + " exists and is not overwritten: " + tc.why
			if strings.HasPrefix(tc.why, manifestPath) { // refused for its place, before its content counts
				want = tc.why
			}
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestReplaceLinked: what counts is where a symlink leads.
func TestReplaceLinked(t *testing.T) {
	s := plain([]byte(pod("", "", "", "")))
	s.Files["/etc/kubernetes/audit-webhook.yaml"] = patch.File{Path: "/etc/kubernetes/audit-webhook.yaml", Real: "/etc/kubernetes/admin.conf", Exists: true, Data: []byte(otherConfig)}
	refused(t, s, patch.Options{Policy: anyPolicy, Webhook: anyHook},
		"--audit-webhook-config-file=/etc/kubernetes/audit-webhook.yaml: /etc/kubernetes/audit-webhook.yaml is a symlink to /etc/kubernetes/admin.conf: it is a kubeconfig of the cluster, and events would be posted where it leads, with its rights",
		"--audit-webhook-config-file=/etc/kubernetes/auditpatch-webhook.yaml")
}

// TestManifestLinked: a symlink leads no new file among those that the kubelet runs.
func TestManifestLinked(t *testing.T) {
	s := plain([]byte(pod("", "", "", "")))
	at := "/etc/kubernetes/audit-policy.yaml"
	s.Files[at] = patch.File{Path: at, Real: "/etc/kubernetes/manifests/x.yaml"}
	_, err := patch.Enable(s, patch.Options{Policy: anyPolicy})
	if want := "--audit-policy-file: " + at + " is a symlink to /etc/kubernetes/manifests/x.yaml, where the kubelet runs every file as a pod"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestPurge says what disable --purge removes and what it leaves, with a warning.
func TestPurge(t *testing.T) {
	for _, tc := range []struct {
		name, policy, hook, hookData string
		removed, warned              []string
	}{
		{"ours", string(anyPolicy.Data), "/etc/kubernetes/audit-webhook.yaml", ownHook,
			[]string{"/etc/kubernetes/audit-policy.yaml", "/etc/kubernetes/audit-webhook.yaml"}, nil},
		{"the administrator's", string(anyPolicy.Data), "/etc/kubernetes/admin.conf", otherConfig,
			[]string{"/etc/kubernetes/audit-policy.yaml"}, []string{"/etc/kubernetes/admin.conf stays: it is a kubeconfig of the cluster"}},
		{"a user's", string(anyPolicy.Data), "/root/.kube/config", otherConfig,
			[]string{"/etc/kubernetes/audit-policy.yaml"}, []string{"/root/.kube/config stays: it holds home directories"}},
		{"a key", encryption, "/etc/kubernetes/pki/sa.key", pemKey,
			nil, []string{"/etc/kubernetes/audit-policy.yaml stays: it is neither an audit policy nor a webhook config", "/etc/kubernetes/pki/sa.key stays: it is among the cluster's keys"}},
	} {
		s := plain([]byte(pod(allFlags+"    - --audit-webhook-config-file="+tc.hook+"\n", policyMount+logMount+"    - {mountPath: "+tc.hook+", name: hook}\n", volumes+"  - {name: hook, hostPath: {path: "+tc.hook+"}}\n", "")))
		for name, data := range map[string]string{"/etc/kubernetes/audit-policy.yaml": tc.policy, tc.hook: tc.hookData} {
			s.Files[name] = patch.File{Path: name, Exists: true, Data: []byte(data)}
		}
		plan, err := patch.Disable(s, true)
		if err != nil {
			t.Fatal(err)
		}
		var removed, warned []string
		for _, c := range plan.Changes {
			if c.Kind == patch.RemoveFile {
				removed = append(removed, c.Path)
			}
		}
		for _, w := range plan.Warnings {
			warned = append(warned, w.Message)
		}
		if d := cmp.Diff(tc.removed, removed) + cmp.Diff(tc.warned, warned); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
	}
}

// TestRestoreSpares: a backup is no licence to overwrite or remove what is not
// auditing's.
func TestRestoreSpares(t *testing.T) {
	s := plain([]byte(pod("", "", "", "")))
	for name, data := range map[string]string{"/etc/kubernetes/pki/sa.key": pemKey, "/etc/kubernetes/admin.conf": otherConfig} {
		s.Files[name] = patch.File{Path: name, Exists: true, Data: []byte(data)}
	}
	plan, err := patch.Restore(s, patch.Backup{Origin: "backup X", Files: []patch.File{{Path: "/etc/kubernetes/pki/sa.key"}}})
	if err != nil || !plan.Empty() || len(plan.Warnings) != 1 || plan.Warnings[0].Message != "/etc/kubernetes/pki/sa.key stays: it is among the cluster's keys" {
		t.Errorf("%v %v", plan, err)
	}
	_, err = patch.Restore(s, patch.Backup{Origin: "backup X", Files: []patch.File{{Path: "/etc/kubernetes/admin.conf", Exists: true, Data: anyHook.Data}}})
	if want := "/etc/kubernetes/admin.conf exists and is not overwritten: it is a kubeconfig of the cluster"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
