package rehearsal

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/node"
	"auditpatch/internal/standin"
	"auditpatch/patch"
)

// TestPlain wants the API server's own words without what is for programs.
func TestPlain(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`E1127 15:47:14.558995       1 run.go:72] "command failed" err="ensureLogFile: open /x: is a \"directory\""`: `ensureLogFile: open /x: is a "directory"`,
		"Error: unknown flag: --no-such-flag":                 "unknown flag: --no-such-flag",
		"panic: runtime error":                                "panic: runtime error",
		`E1127 15:47:14.558995       1 hooks.go:1] timed out`: "timed out",
		"": "",
	} {
		if got := plain(line); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// TestRemedy wants something to type for each kind of last words.
func TestRemedy(t *testing.T) {
	t.Parallel()
	r := Rehearsal{New: patch.Settings{
		Policy:  &patch.Location{Path: "/etc/p.yaml", Host: "/host/p.yaml"},
		Log:     &patch.Location{Path: "/log/audit.log", Host: "/host/log/audit.log"},
		Webhook: &patch.Location{Path: "/etc/hook.yaml", Host: "/host/hook.yaml"},
	}}
	for words, want := range map[string]string{
		`invalid argument "10x" for "--audit-log-mode" flag`:                            "--audit-log-mode=blocking",
		"unknown flag: --audit-log-compress":                                            "auditpatch disable and enable without --audit-log-compress",
		"ensureLogFile: open /log/audit.log: is a directory":                            "ls -la /host/log; findmnt -T /host/log",
		"loading audit policy file: failed to read":                                     "auditpatch policy lint --policy /host/p.yaml",
		"initializing audit webhook: invalid configuration: unable to read certificate": "kubectl config view --raw --flatten --kubeconfig FILE",
		"unknown flag: --no-such-flag":                                                  "",
	} {
		if got := r.remedy(words).String(); got != want {
			t.Errorf("%s: got %q, want %q", words, got, want)
		}
	}
}

// TestLeaseName compares with a Lease that a kube-apiserver has made.
func TestLeaseName(t *testing.T) {
	t.Parallel()
	if got, want := leaseName("lab-control-plane"), "apiserver-55kg5nn6wbzocjpo7s4jkzs2um"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := strings.Repeat("x", 63)
	if a, b := hostName(long+"a"), hostName(long+"b"); len(a) > 64 || a == b || !strings.HasSuffix(a, ".auditpatch") {
		t.Errorf("%s and %s are no host names of their own", a, b)
	}
}

// TestEnviron wants the manifest's own variables to be those of the new one, and the others
// to stay.
func TestEnviron(t *testing.T) {
	t.Parallel()
	r := Rehearsal{
		Server: &apiserver.Server{Spec: patch.Server{Env: map[string]string{"OLD": "1", "BOTH": "1"}}},
		New:    patch.Settings{Server: patch.Server{Env: map[string]string{"NEW": "2", "BOTH": "2"}}},
	}
	got := r.environ([]string{"PATH=/bin", "OLD=1", "BOTH=1", "HOST_IP=192.0.2.1"})
	if diff := cmp.Diff([]string{"BOTH=2", "HOST_IP=192.0.2.1", "NEW=2", "PATH=/bin"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestOverrides wants a log of its own only where there is one.
func TestOverrides(t *testing.T) {
	t.Parallel()
	r := Rehearsal{New: patch.Settings{}}
	if all := strings.Join(r.overrides(7), " "); strings.Contains(all, "audit") || !strings.Contains(all, "--secure-port=7") {
		t.Errorf("without a log: %s", all)
	}
	r.New.Policy, r.New.Log = &patch.Location{}, &patch.Location{Path: "/var/log/a/audit.log"}
	if all := strings.Join(r.overrides(7), " "); !strings.Contains(all, "--audit-log-path=/auditpatch-rehearsal-log/audit.log") {
		t.Errorf("with a log: %s", all)
	}
}

// TestMounts wants the second API server to find what the change writes, wherever the new Pod
// has it, and what lies on the node otherwise.
func TestMounts(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	tree := standin.Tree{T: t, Root: root}
	tree.Write("etc/pki/ca.crt", "ca")
	tree.Write("srv/conf/other", "")
	old := []patch.Mount{{Path: "/etc/pki", Host: "/etc/pki", ReadOnly: true}, {Path: "/tmp/scratch"}}
	r := Rehearsal{
		Server: &apiserver.Server{Node: node.New(root, ""), Spec: patch.Server{Mounts: old}},
		New: patch.Settings{Server: patch.Server{Mounts: append(old,
			patch.Mount{Path: "/etc/policy.yaml", Host: "/etc/kubernetes/policy.yaml", Type: "File", ReadOnly: true},
			patch.Mount{Path: "/log", Host: "/var/log/audit", Type: "DirectoryOrCreate"},
			patch.Mount{Path: "/conf", Host: "/srv/conf"},
			patch.Mount{Path: "/conf/inner", Host: "/srv/other", Type: "DirectoryOrCreate"},
		)}},
		Changes: []patch.Change{
			{Path: "/etc/kubernetes/policy.yaml", Kind: patch.WriteFile, Data: []byte("p"), Mode: 0o600},
			{Path: "/var/log/audit", Kind: patch.MakeDir, Mode: 0o700, UID: 7},
			{Path: "/srv/conf/hook.yaml", Kind: patch.WriteFile, Data: []byte("h"), Mode: 0o600},
			{Path: "/srv/conf/inner/hidden", Kind: patch.WriteFile, Data: []byte("x")},
			{Path: "/srv/confetti", Kind: patch.WriteFile},
			{Path: "/etc/pki/gone", Kind: patch.RemoveFile},
		},
	}
	var s spec
	if err := r.addMounts(&s); err != nil {
		t.Fatal(err)
	}
	want := spec{
		Hidden: []string{"/etc/pki"},
		Mounts: []mount{
			{Path: "/etc/pki", Host: "/etc/pki", ReadOnly: true, Stand: file{Mode: 0o755}},
			{Path: "/etc/policy.yaml", Host: "/etc/kubernetes/policy.yaml", ReadOnly: true, File: &file{Path: "/etc/policy.yaml", Data: []byte("p"), Mode: 0o600}, Stand: file{Mode: 0o755}},
			{Path: "/log", Stand: file{Mode: 0o700, UID: 7}},
			{Path: "/conf", Host: "/srv/conf", Stand: file{Mode: 0o755}},
			{Path: "/conf/inner", Stand: file{Mode: 0o755}},
		},
		Files: []file{{Path: "/conf/hook.yaml", Data: []byte("h"), Mode: 0o600}},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}

	r.New.Server.Mounts = append(r.New.Server.Mounts, patch.Mount{Path: "/new"})
	if err := r.addMounts(&spec{}); err == nil || !strings.Contains(err.Error(), "the mount /new is new") {
		t.Errorf("a new volume that is no hostPath: %v", err)
	}
	r.New.Server.Mounts = []patch.Mount{{Path: "/x", Host: "/none", Type: "Directory"}}
	if err := r.addMounts(&spec{}); err == nil || !strings.Contains(err.Error(), "/none is missing") {
		t.Errorf("a hostPath that is missing: %v", err)
	}
}

// TestServes wants what an API server needs that other clients are to use.
func TestServes(t *testing.T) {
	t.Parallel()
	located := &patch.Location{Path: "/x", Host: "/x"}
	r := Rehearsal{Server: &apiserver.Server{}, New: patch.Settings{Policy: located, Log: located}, Serve: &Serve{Log: "/spool", IPv6: true}}
	all := strings.Join(r.overrides(7), " ")
	for _, flag := range []string{"--bind-address=::1", "--audit-log-path=" + r.logPath(), "--audit-log-maxsize=", "--goaway-chance="} {
		if !strings.Contains(all, flag) {
			t.Errorf("%s is missing in %s", flag, all)
		}
	}
	// A flag that a release does not know would refuse every change of it.
	for version, knows := range map[patch.Version]bool{{}: false, {Major: 1, Minor: 27}: false, {Major: 1, Minor: 28}: true, {Major: 1, Minor: 37}: true} {
		r.Serve.Version = version
		if got := strings.Contains(strings.Join(r.overrides(7), " "), "--shutdown-watch-termination-grace-period"); got != knows {
			t.Errorf("%s: %v, want %v", version, got, knows)
		}
	}
	if strings.Contains(all, "--watch-cache=false") {
		t.Errorf("it has no watch cache: %s", all)
	}
	for env, want := range map[string]string{"": "GODEBUG=multipathtcp=0", "GODEBUG=": "GODEBUG=multipathtcp=0", "GODEBUG=x=1": "GODEBUG=x=1,multipathtcp=0"} {
		if got := withGodebug([]string{"A=1", env}, "multipathtcp=0"); got[len(got)-1] != want {
			t.Errorf("%q: %v, want %s", env, got, want)
		}
	}
}
