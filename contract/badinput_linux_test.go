package contract

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBadInput lets the machine be in the way: each time exit status 2, one
// clear sentence, and nothing changed.
func TestBadInput(t *testing.T) {
	for _, tc := range []struct {
		name    string
		root    bool   // needs root, for mounts
		prepare string // shell, in the node's root directory, in a mount namespace of its own
		args    []string
		want    string // the error, with ROOT for the root directory
	}{
		{"disk full", true, "mount -t tmpfs -o size=40k tmpfs etc/kubernetes && cp -a ../saved/. etc/kubernetes && { dd if=/dev/zero of=etc/kubernetes/fill bs=1k 2>/dev/null; true; }", nil,
			"auditpatch: error: write /etc/kubernetes/audit-policy.yaml: no space left on device"},
		{"disk full where backups go", true, "mkdir -p var/lib && mount -t tmpfs -o size=4k tmpfs var/lib && { dd if=/dev/zero of=var/lib/fill bs=1k 2>/dev/null; true; }", nil,
			"auditpatch: error: write /var/lib/auditpatch: no space left on device"},
		{"read-only file system", true, "mount --bind etc etc && mount -o remount,bind,ro etc", nil,
			"auditpatch: error: write /etc/kubernetes/audit-policy.yaml: read-only file system"},
		{"no manifest", false, "mv etc/kubernetes/manifests/kube-apiserver.yaml etc/kubernetes/manifests/kube-controller-manager.yaml", nil,
			"auditpatch: error: there is no manifest /etc/kubernetes/manifests/kube-apiserver.yaml, and that of kube-controller-manager lies beside it"},
		{"not a node's file system", false, "rm -r etc", nil,
			"auditpatch: error: there is no /etc below --root *: is it the file system of a node?"},
		{"directory as manifest", false, "rm etc/kubernetes/manifests/kube-apiserver.yaml && mkdir etc/kubernetes/manifests/kube-apiserver.yaml", nil,
			"auditpatch: error: read /etc/kubernetes/manifests/kube-apiserver.yaml: is a directory"},
		{"directory as policy", false, "mkdir etc/kubernetes/audit-policy.yaml && echo x > etc/kubernetes/audit-policy.yaml/mine", nil,
			"auditpatch: error: /etc/kubernetes/audit-policy.yaml is a directory, not a file"},
		{"file as log directory", false, "mkdir -p var/log/kubernetes && echo x > var/log/kubernetes/audit", nil,
			"auditpatch: error: /var/log/kubernetes/audit is a file, but the log needs a directory there"},
		{"file above the log directory", false, "mkdir -p var/log && echo x > var/log/kubernetes", nil,
			"auditpatch: error: read /var/log/kubernetes/audit: not a directory"},
		{"file as state directory", false, "mkdir -p var/lib && echo x > var/lib/auditpatch", nil,
			"auditpatch: error: * /var/lib/auditpatch: not a directory"},
		{"pipe as manifest", false, "rm etc/kubernetes/manifests/kube-apiserver.yaml && mkfifo etc/kubernetes/manifests/kube-apiserver.yaml", nil,
			"auditpatch: error: read /etc/kubernetes/manifests/kube-apiserver.yaml: a named pipe, not a file"},
		{"second file with the same pod", false, "cp etc/kubernetes/manifests/kube-apiserver.yaml etc/kubernetes/manifests/kube-apiserver.yaml.bak", nil,
			`auditpatch: error: /etc/kubernetes/manifests/kube-apiserver.yaml.bak defines the same Pod "kube-system/kube-apiserver" as /etc/kubernetes/manifests/kube-apiserver.yaml: *`},
		{"policy among the manifests", false, "true", []string{"--audit-policy-file=/etc/kubernetes/manifests/policy.yaml"},
			"auditpatch: error: --audit-policy-file: /etc/kubernetes/manifests/policy.yaml lies in /etc/kubernetes/manifests, where the kubelet runs every file as a pod"},
		{"log among the manifests", false, "true", []string{"--audit-log-path=/etc/kubernetes/manifests/audit.log"},
			"auditpatch: error: --audit-log-path *static pod"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.root && os.Getuid() != 0 {
				t.Skip("mounting needs root")
			}
			dir := newNode(t)
			saved := filepath.Join(filepath.Dir(dir), "saved")
			shell(t, dir, "rm -rf ../saved; cp -a etc/kubernetes ../saved")
			defer func() { _ = os.RemoveAll(saved) }()
			args := append([]string{"enable", "--no-wait", "--root", dir}, tc.args...)
			script := tc.prepare + " || exit 99; find . -path ./var/lib -prune -o -type f -exec cksum {} + | sort > ../before; " +
				`"$@" > ../out 2>&1; code=$?; find . -path ./var/lib -prune -o -type f -exec cksum {} + | sort > ../after; cmp ../before ../after || exit 98; exit $code`
			cmd := program(t, args...)
			runInOwnMounts(cmd, dir, script, tc.root)
			err := cmd.Run()
			out, _ := os.ReadFile(filepath.Join(filepath.Dir(dir), "out"))
			if code := cmd.ProcessState.ExitCode(); code != exitRefused {
				t.Fatalf("exit status %d (%v), want %d\n%s", code, err, exitRefused, out)
			}
			checkError(t, string(out), tc.want)
		})
	}
}

// runInOwnMounts wraps cmd into a shell script that runs before it, in dir, as
// "$@"; with mounts in a mount namespace that ends with it.
func runInOwnMounts(cmd *exec.Cmd, dir, script string, mounts bool) {
	cmd.Args = append([]string{"sh", "-c", script, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path, _ = exec.LookPath("sh")
	cmd.Dir = dir
	if mounts {
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	}
}

func shell(t *testing.T, dir, script string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
}

// checkError wants exactly one error line; * in want stands for anything.
func checkError(t *testing.T, out, want string) {
	t.Helper()
	var errs []string
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "auditpatch: error: ") {
			errs = append(errs, line)
		}
	}
	if len(errs) != 1 || !matches(errs[0], want) {
		t.Errorf("got:\n%s\nwant one error:\n%s", out, want)
	}
}

func matches(s, pattern string) bool {
	parts := strings.Split(pattern, "*")
	if !strings.HasPrefix(s, parts[0]) {
		return false
	}
	s = s[len(parts[0]):]
	for _, p := range parts[1:] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return len(parts) > 1 || s == ""
}

// TestNotRoot runs auditpatch as a user who may read but not write.
func TestNotRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("changing the user needs root")
	}
	root := newNode(t)
	shell(t, root, "chmod -R go+rX .")
	for dir := root; dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode()&0o001 == 0 {
			if err := os.Chmod(dir, info.Mode()|0o055); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := snapshot(t, root)
	cmd := program(t, "enable", "--no-wait", "--root", root)
	self, err := os.ReadFile(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	// The test binary lies where only its owner may look.
	cmd.Path = filepath.Join(t.TempDir(), "auditpatch")
	if err := os.WriteFile(cmd.Path, self, 0o755); err != nil {
		t.Fatal(err)
	}
	shell(t, filepath.Dir(cmd.Path), "chmod a+rx . .. ../..")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitRefused {
		t.Fatalf("exit status %d (%v)\n%s", code, err, out)
	}
	checkError(t, string(out), "auditpatch: error: *permission denied")
	if !strings.Contains(string(out), "auditpatch: hint: ") {
		t.Errorf("no hint in:\n%s", out)
	}
	if d := cmp.Diff(before, snapshot(t, root)); d != "" {
		t.Errorf("something changed:\n%s", d)
	}
}

// TestVanished removes, or changes, the manifest when auditpatch has just read it.
// The policy is long, so that the plan is not ready by then.
func TestVanished(t *testing.T) {
	long := "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n" + strings.Repeat("- level: Metadata\n  users: [somebody]\n", 6_000)
	policy := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(policy, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, meddle := range map[string]func(path string) error{
		"removed": os.Remove,
		"changed": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("# somebody was here\n")
			return errors.Join(err, f.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := newNode(t)
			read := closed(t, filepath.Join(root, manifestPath))
			cmd := program(t, "enable", "--no-wait", "--root", root, "--policy", policy)
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			read()
			if err := meddle(filepath.Join(root, manifestPath)); err != nil {
				t.Fatal(err)
			}
			before := snapshot(t, root)
			err := cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitRefused {
				t.Fatalf("exit status %d (%v)\n%s", code, err, out.String())
			}
			checkError(t, out.String(), "auditpatch: error: /etc/kubernetes/manifests/kube-apiserver.yaml changed since it was read")
			if d := cmp.Diff(before, snapshot(t, root)); d != "" {
				t.Errorf("something changed:\n%s", d)
			}
		})
	}
}

// closed waits until somebody has read a file and closed it.
func closed(t *testing.T, name string) (wait func()) {
	t.Helper()
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
	if err == nil {
		_, err = syscall.InotifyAddWatch(fd, name, syscall.IN_CLOSE_NOWRITE)
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		defer syscall.Close(fd)
		if _, err := syscall.Read(fd, make([]byte, 4096)); err != nil {
			t.Fatal(err)
		}
	}
}
