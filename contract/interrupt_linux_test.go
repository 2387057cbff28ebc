package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// captured is a command line of auditpatch, with what it prints and says.
func captured(t *testing.T, args ...string) (cmd *exec.Cmd, out, said *bytes.Buffer) {
	t.Helper()
	cmd, out, said = program(t, args...), &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, said
	return cmd, out, said
}

// TestInterruptedParse sends SIGTERM, SIGINT and SIGQUIT to a program that reads a manifest
// of 10 MiB, which takes it seconds, and to one that waits for its input.
func TestInterruptedParse(t *testing.T) {
	text := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n  - name: kube-apiserver\n    image: registry.k8s.io/kube-apiserver:v1.36.0\n    command:\n    - kube-apiserver\n    x:\n"
	text += strings.Repeat("    - {a: [b], ? c}\n", (10<<20-len(text))/20)
	name := filepath.Join(t.TempDir(), "long.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		for _, what := range []string{"parse", "input"} {
			t.Run(fmt.Sprint(what, " ", sig), func(t *testing.T) {
				if signal.Ignored(sig) { // as in a job that a shell has put into the background
					t.Skip("ignored here, and so in the program")
				}
				cmd, out, said := captured(t, "enable", "--manifest", "-", "-o", "json")
				in, err := os.Open(name)
				if err != nil {
					t.Fatal(err)
				}
				defer in.Close()
				cmd.Stdin = in
				if what == "input" {
					cmd.Stdin = nil
					if _, err := cmd.StdinPipe(); err != nil {
						t.Fatal(err)
					}
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ready := func() bool { return offset(t, in) == int64(len(text)) }
				if what == "input" {
					ready = func() bool { return handles(t, cmd.Process.Pid, sig) }
				}
				for limit := time.Now().Add(time.Minute); !ready(); time.Sleep(time.Millisecond) {
					if time.Now().After(limit) {
						_ = cmd.Process.Kill()
						t.Fatalf("not ready after a minute: %v\n%s", cmd.Wait(), said)
					}
				}
				time.Sleep(200 * time.Millisecond) // it goes on with what it does
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				_ = cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 2 {
					t.Errorf("exit status %d", code)
				}
				if said.String() != "auditpatch: error: interrupted; nothing was changed\n" || !strings.Contains(out.String(), `"error": "interrupted; nothing was changed"`) {
					t.Errorf("%s%s", said, out)
				}
			})
		}
	}
}

// TestFixInterrupted interrupts the fix of a policy, at any time and when a file stands beside it:
// either it says that nothing was changed, and nothing is, or it is done. Nothing is left beside it.
func TestFixInterrupted(t *testing.T) {
	const before = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n  verbs: [GET]\n"
	runs, changed := 60, 0
	if testing.Short() {
		runs = 20
	}
	for i := range runs {
		dir := t.TempDir()
		name := filepath.Join(dir, "p.yaml")
		if err := os.WriteFile(name, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd, out, _ := captured(t, "policy", "lint", "--fix", "--policy", name, "-o", "json")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for limit := time.Now().Add(time.Minute); !handles(t, cmd.Process.Pid, syscall.SIGINT) && time.Now().Before(limit); {
			time.Sleep(100 * time.Microsecond)
		}
		after := time.Now().Add(time.Duration(i) * 300 * time.Microsecond)
		for beside := 1; beside == 1 && (i%2 == 0 || time.Now().Before(after)) && time.Now().Before(after.Add(100*time.Millisecond)); {
			files, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			beside = len(files)
		}
		_ = cmd.Process.Signal(syscall.SIGINT) // it may have ended
		_ = cmd.Wait()
		text, err := os.ReadFile(name)
		files, again := os.ReadDir(dir)
		var said struct{ Changed bool }
		if err := errors.Join(err, again, json.Unmarshal(out.Bytes(), &said)); err != nil {
			t.Fatal(err)
		}
		status := cmd.ProcessState.ExitCode()
		if is := string(text) != before; is != said.Changed || is == (status == exitRefused) || len(files) != 1 {
			t.Errorf("exit status %d, changed %v, %v, and it said %s", status, is, files, out)
		} else if is {
			changed++
		}
	}
	t.Logf("changed in %d of %d", changed, runs)
}

// offset is how much of a file that both have open the program has read.
func offset(t *testing.T, f *os.File) int64 {
	t.Helper()
	at, err := f.Seek(0, 1)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// handles tells whether main runs in a process, which ignores SIGHUP and SIGPIPE by then,
// and handles a signal. What else is ignored comes from the parent: make's children
// ignore 32 and 33.
func handles(t *testing.T, pid int, sig syscall.Signal) bool {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	bit := func(sig syscall.Signal) uint64 { return 1 << (sig - 1) }
	ignored := bit(syscall.SIGHUP) | bit(syscall.SIGPIPE)
	return mask(t, status, "SigIgn")&ignored == ignored && mask(t, status, "SigCgt")&bit(sig) != 0
}

// mask is one of the sets of signals in /proc/PID/status.
func mask(t *testing.T, status []byte, name string) uint64 {
	t.Helper()
	_, rest, _ := strings.Cut(string(status), name+":\t")
	line, _, _ := strings.Cut(rest, "\n")
	set, err := strconv.ParseUint(line, 16, 64)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return set
}

// TestOwnRoot refuses --root where it leads to the root of a machine whose kubelet
// runs, by whatever way; a stand-in that sleeps is the kubelet.
func TestOwnRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a kubelet that counts is root's")
	}
	dir := t.TempDir()
	manifest := filepath.Join(dir, "manifests/kube-apiserver.yaml")
	src, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(manifest), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(manifest, src, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("/", link); err != nil {
		t.Fatal(err)
	}
	kubelet := exec.Command("sleep", "300")
	kubelet.Args[0] = "/usr/bin/kubelet"
	if err := kubelet.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = kubelet.Process.Kill(); _ = kubelet.Wait() }()
	for _, root := range []string{"/", "/../", "//", link, fmt.Sprintf("/proc/%d/root", kubelet.Process.Pid), "/proc/self/root"} {
		for _, words := range []string{"enable", "enable --dry-run", "disable", "restore", "recover"} {
			args := strings.Fields(words)
			command := args[0]
			cmd, _, said := captured(t, append(args, "--root", root, "--manifest", manifest, "--state-dir", filepath.Join(dir, "state"))...)
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != 2 ||
				!strings.Contains(said.String(), "is this machine itself, where a kubelet runs (pid ") ||
				!strings.Contains(said.String(), "\nauditpatch: hint: auditpatch "+command+", with the same flags but without --root\n") {
				t.Errorf("%s --root %s: exit status %d\n%s", words, root, code, said)
			}
		}
	}
	if now, err := os.ReadFile(manifest); err != nil || !bytes.Equal(now, src) {
		t.Errorf("the manifest was changed: %v", err)
	}
	// Looking changes nothing, and a node without a manifest is still to be made.
	for exit, args := range [][]string{{"status"}, {"diff", "--audit-policy-file", filepath.Join(dir, "policy.yaml")}} {
		cmd, _, said := captured(t, append(args, "--root", "/", "--manifest", manifest, "--state-dir", filepath.Join(dir, "state"))...)
		if _ = cmd.Run(); cmd.ProcessState.ExitCode() != exit {
			t.Errorf("%v: exit status %d\n%s", args, cmd.ProcessState.ExitCode(), said)
		}
	}
	cmd, _, said := captured(t, "recover", "--root", "/", "--manifest", filepath.Join(dir, "none/kube-apiserver.yaml"), "--state-dir", filepath.Join(dir, "state"))
	if err := cmd.Run(); err != nil {
		t.Errorf("before kubeadm: %v\n%s", err, said)
	}
}
