//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// TestSecondServer has other programs of the API server's name on the node: a real one in a Pod
// of its own, as a hosted control plane has, with its data beside the cluster's; and two that
// have the command line of the real one, as root and as a user without rights. An enable that
// goes well, one that is undone, and disable must not touch them.
func TestSecondServer(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	own := l.server()
	others := map[string]string{
		"root's":        l.sleeper(own.Args, 0),
		"a user's":      l.sleeper(own.Args, 65534),
		"another Pod's": l.secondServer(original),
	}
	defer l.endSecond(others)
	wantAlive := func(after string) {
		l.Helper()
		for whose, pid := range others {
			if now := l.processStart(pid[:strings.Index(pid, " ")]); now != pid {
				l.Fatalf("after %s, %s process %q is %q", after, whose, pid, now)
			}
		}
	}
	wantAlive("their start")
	l.writes(2, func() { l.auditpatch(0, "enable") })
	wantAlive("enable")
	l.wantServed(enabled)
	l.writes(2, func() { l.auditpatch(0, "disable", "--purge") })
	wantAlive("disable")
	l.wantServed(original)

	l.unwritableLog()
	defer l.node.Exec(l.ctx, "umount", "/var/log/kubernetes/audit")
	l.writes(4, func() { l.auditpatch(3, "enable", "--force", "--rehearse=never") })
	wantAlive("an enable that was undone")
	l.wantServed(original)
}

// wantServed is [lab.wantWhole] where more than one process has the API server's name.
func (l *lab) wantServed(manifest string) {
	l.Helper()
	l.kubectl("get", "nodes")
	l.wantManifest(manifest)
	if status := l.status(); !status.Server.AsManifest || !status.Server.Ready {
		l.Fatalf("auditpatch status says of the API server: %+v", status.Server)
	}
}

const sleeperDir = "/var/tmp/e2e-second"

// sleeper starts a program named kube-apiserver with a command line, as a user, and returns
// what [lab.processStart] says of it.
func (l *lab) sleeper(args []string, user int) string {
	l.Helper()
	program := filepath.Join(l.TempDir(), "sleeper")
	build := exec.CommandContext(l.ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./sleeper")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.Fatalf("build the sleeper: %v\n%s", err, out)
	}
	l.exec("mkdir", "-p", "-m", "0755", sleeperDir)
	if err := l.node.CopyIn(l.ctx, program, sleeperDir+"/kube-apiserver"); err != nil {
		l.Fatal(err)
	}
	const script = `user=$1 dir=$2; shift 3
		setsid setpriv --reuid "$user" --regid "$user" --clear-groups \
			bash -c 'program=$1; shift; exec -a kube-apiserver "$program" "$@"' bash "$dir/kube-apiserver" "$@" </dev/null >/dev/null 2>&1 &
		echo $!`
	stdout, stderr, exit := l.node.Exec(l.ctx, append([]string{"bash", "-c", script, "bash", strconv.Itoa(user), sleeperDir}, args...)...)
	pid := strings.TrimSpace(stdout)
	if exit != 0 || pid == "" {
		l.Fatalf("start a sleeper: %s", stderr)
	}
	l.exec("timeout", "10", "bash", "-c", `until [ "$(cat /proc/$1/comm)" = kube-apiserver ]; do sleep 0.1; done`, "bash", pid)
	return l.processStart(pid)
}

// processStart is a process' id and when it was started, which no other process has.
func (l *lab) processStart(pid string) string {
	l.Helper()
	stdout, _, _ := l.node.Exec(l.ctx, "ps", "-o", "pid=,comm=,lstart=", "-p", pid)
	return strings.Join(strings.Fields(stdout), " ")
}

// secondServer makes a Pod through the API with the API server's own settings but for its port
// and its place in etcd, and waits until it is ready.
func (l *lab) secondServer(manifest string) string {
	l.Helper()
	pod := strings.NewReplacer(
		"name: kube-apiserver\n  namespace", "name: second\n  namespace",
		"component: kube-apiserver", "component: second",
		"6443", "16443",
		"    - --secure-port=", "    - --etcd-prefix=/other\n    - --endpoint-reconciler-type=none\n    - --secure-port=",
	).Replace(manifest)
	if _, stderr, exit := l.node.ExecInput(l.ctx, []byte(pod), "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "create", "-f", "-"); exit != 0 {
		l.Fatalf("create a second API server: %s", stderr)
	}
	const script = `for p in $(pgrep -x kube-apiserver); do tr '\0' '\n' </proc/$p/cmdline | grep -qx -- --secure-port=16443 && echo $p; done; true`
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) {
		stdout, _, _ := l.node.Exec(l.ctx, "sh", "-c", script)
		ready, _, exit := l.node.Exec(l.ctx, "kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf", "--server", "https://127.0.0.1:16443", "get", "--raw", "/readyz")
		if pid := strings.TrimSpace(stdout); pid != "" && exit == 0 && ready == "ok" {
			return l.processStart(pid)
		}
		if time.Now().After(deadline) {
			l.Fatalf("the second API server does not come up: %s", ready)
		}
	}
}

// endSecond takes away all that [TestSecondServer] has started.
func (l *lab) endSecond(others map[string]string) {
	l.node.Kubectl(l.ctx, "delete", "pod", "second", "-n", "kube-system", "--now", "--wait")
	for _, start := range others {
		pid, _, _ := strings.Cut(start, " ")
		if l.processStart(pid) == start {
			l.node.Exec(l.ctx, "kill", "-KILL", pid)
		}
	}
	l.node.Exec(l.ctx, "rm", "-rf", sleeperDir)
}
