//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// whileScript runs auditpatch in the background and, beside it, the test's own lines of bash,
// which may wait for a moment: said TEXT waits until auditpatch has printed it, look COMMAND
// until a command succeeds. Job control is on because bash otherwise lets what runs in the
// background ignore SIGINT.
const whileScript = `
set -m
exec 3<> <(:) 4<&0
lines=$1 out=$(mktemp); shift
auditpatch "$@" >"$out" 2>&1 & pid=$!
finish() { wait $pid 2>/dev/null; status=$?; cat "$out"; rm "$out"; exit $status; }
look() {
	until "$@"; do
		kill -0 $pid 2>/dev/null || { echo "auditpatch ended before: $*"; finish; }
		read -rt 0.01 -u 3
	done
}
says() { mapfile -d '' text <"$out"; [[ $text == *"$1"* ]]; }
said() { look says "$1"; }
eval "$lines"
finish`

// auditpatchWhile runs auditpatch and lines of [whileScript], wants its exit status, and
// returns all that it said.
func (l *lab) auditpatchWhile(lines string, want int, args ...string) string {
	l.Helper()
	from := time.Now()
	stdout, stderr, exit := l.node.Exec(l.ctx, append([]string{"bash", "-c", whileScript, "bash", lines}, args...)...)
	l.Logf("auditpatch %s: exit status %d after %.1f s, meanwhile: %s\n%s%s",
		strings.Join(args, " "), exit, time.Since(from).Seconds(), lines, stdout, stderr)
	if exit != want {
		l.Fatalf("auditpatch %s: exit status %d, want %d", strings.Join(args, " "), exit, want)
	}
	return stdout
}

// wantWhole wants the node whole: the API server healthy now and as the manifest has it, the
// manifest with these bytes, no run unfinished, and nothing of auditpatch's lying about.
func (l *lab) wantWhole(manifest string) {
	l.Helper()
	l.kubectl("get", "nodes")
	l.server()
	l.wantManifest(manifest)
	status := l.status()
	if !status.Server.AsManifest || !status.Server.Ready {
		l.Fatalf("auditpatch status says of the API server: %+v", status.Server)
	}
}

// wantManifest wants the manifest to have these bytes, no run unfinished, and nothing of
// auditpatch's lying about.
func (l *lab) wantManifest(want string) {
	l.Helper()
	if now := l.read(cluster.Manifest); now != want {
		l.Fatalf("want the manifest\n%s\nhave\n%s", want, now)
	}
	stdout, stderr, exit := l.node.Exec(l.ctx, "find", "/etc/kubernetes", "-mindepth", "1", "-name", ".*")
	if exit != 0 || stdout != "" {
		l.Fatalf("left behind: %s%s", stdout, stderr)
	}
	if status := l.status(); status.Unfinished != "" {
		l.Fatalf("run %s is unfinished", status.Unfinished)
	}
}

// status is what the tests read of auditpatch's own report.
type status struct {
	Enabled    bool
	Unfinished string
	LastChange change
	Server     struct{ AsManifest, Ready bool }
	Drift      []string
}

type change struct{ ID, Command, Result, Reason string }

func (l *lab) status() (s status) {
	l.Helper()
	stdout, stderr, exit := l.node.Auditpatch(l.ctx, "status", "-o", "json")
	if err := json.Unmarshal([]byte(stdout), &s); exit != 0 || err != nil {
		l.Fatalf("auditpatch status: exit status %d, %v\n%s%s", exit, err, stdout, stderr)
	}
	return s
}

// writes wants a step to change the manifest so many times.
func (l *lab) writes(changes int, step func()) {
	l.Helper()
	from := time.Now()
	l.node.Intend(changes)
	step()
	l.waitUpdates(from, cluster.Updates{Add: changes, Remove: changes})
}

// rollsBack wants enable to be undone, with the texts as its cause, and the node to be as
// before, after so many writes of the manifest.
func (l *lab) rollsBack(writes int, lines string, flags []string, causes ...string) {
	l.Helper()
	original := l.read(cluster.Manifest)
	l.writes(writes, func() {
		said := l.auditpatchWhile(lines, 3, append([]string{"enable"}, flags...)...)
		l.wantSaid(said, append(causes, "the earlier settings are back and healthy")...)
		l.wantWhole(original)
	})
	if status := l.status(); status.Enabled {
		l.Fatalf("audit logging is still on: %+v", status)
	}
}

// swapScript puts a manifest ($1, base64) in the place of the one that runs, by way of none at
// all: the kubelet starts a Pod at once when it does not know one of the same name.
const swapScript = `
set -e
cd ` + cluster.ManifestDir + `
old=$(pgrep -x kube-apiserver)
uid=$(grep -o 'pod[0-9a-f]\{32\}' /proc/$old/cgroup | head -n 1)
rm kube-apiserver.yaml
while ss -Hltn 'sport = 6443' | grep -q .; do sleep 0.1; done
kill -KILL $old
while find /sys/fs/cgroup -maxdepth 6 -name "*$uid*" 2>/dev/null | grep -q .; do sleep 0.1; done
sleep 0.6
umask 077
cat >.swapped
mv .swapped kube-apiserver.yaml`

// swap makes the kubelet run another manifest. It counts as one change.
func (l *lab) swap(manifest string) {
	l.Helper()
	l.node.Intend(1)
	if _, stderr, exit := l.node.ExecInput(l.ctx, []byte(manifest), "bash", "-c", swapScript); exit != 0 {
		l.Fatalf("swap the manifest: %s", stderr)
	}
}

// withFlag is a manifest with one more flag of kube-apiserver.
func withFlag(manifest, flag string) string {
	const last = "    - --tls-private-key-file="
	return strings.Replace(manifest, last, "    - "+flag+"\n"+last, 1)
}

// TestFaultUnknownFlag finds an API server that somebody had broken before: enable refuses,
// and when it is forced it puts everything back as it was, which is broken.
func TestFaultUnknownFlag(t *testing.T) {
	l := begin(t)
	broken := withFlag(l.read(cluster.Manifest), "--no-such-flag=1")
	l.swap(broken)
	l.awaitWords("unknown flag: --no-such-flag")

	l.writes(0, func() {
		l.wantSaid(l.auditpatch(1, "doctor"), "unknown flag: --no-such-flag")
		l.wantSaid(l.auditpatch(2, "enable"), "unknown flag: --no-such-flag", "--force")
		l.wantManifest(broken)
	})
	l.writes(4, func() {
		said := l.auditpatch(3, "enable", "--force", "--timeout=60s")
		l.wantSaid(said, "kube-apiserver does not start with these settings: Error: unknown flag: --no-such-flag",
			"the earlier settings are back, which were not healthy either: no kube-apiserver runs")
		l.wantManifest(broken)
	})
	if _, _, exit := l.node.Exec(l.ctx, "test", "-e", "/etc/kubernetes/audit-policy.yaml"); exit == 0 {
		l.Fatal("put back, and yet there is a policy")
	}
}

// awaitWords waits until a container of the API server has written the text.
func (l *lab) awaitWords(text string) {
	l.Helper()
	const script = `until grep -qFs -- "$1" /var/log/pods/kube-system_kube-apiserver-*/*/*.log; do sleep 0.2; done`
	if _, _, exit := l.node.Exec(l.ctx, "timeout", "60", "bash", "-c", script, "bash", text); exit != 0 {
		l.Fatalf("the API server does not say %q", text)
	}
}

const oldPolicy = `apiVersion: audit.k8s.io/v1beta1
kind: Policy
rules:
- level: Metadata
`

// TestFaultOldPolicy wants a policy that only API servers before 1.24 took to be refused, and
// doctor to see one that lies on the node already.
func TestFaultOldPolicy(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	const policy = "/etc/kubernetes/audit-policy.yaml"
	l.stays(func() {
		l.write("/root/old-policy.yaml", oldPolicy)
		l.wantSaid(l.auditpatch(2, "enable", "--policy", "/root/old-policy.yaml"), "/root/old-policy.yaml:1:13: ", "v1beta1")
		l.wantWhole(original)

		l.exec("mv", "/root/old-policy.yaml", policy)
		l.wantSaid(l.auditpatch(2, "enable"), policy+":1:13: ", "v1beta1")
		l.wantSaid(l.auditpatch(1, "doctor"), policy+":1:13: ", "v1beta1")
		l.wantWhole(original)
	})
}

// TestFaultPolicyDeleted takes the policy away before the new Pod can mount it.
func TestFaultPolicyDeleted(t *testing.T) {
	l := begin(t)
	l.rollsBack(3, `
		said "backup "; rm /etc/kubernetes/audit-policy.yaml`,
		nil, "/etc/kubernetes/audit-policy.yaml is missing, but volume \"audit\" has the type File: the kubelet does not start the container without it")
}

// TestFaultPortTaken lets somebody else listen where the API server would.
func TestFaultPortTaken(t *testing.T) {
	l := begin(t)
	l.rollsBack(4, `
		said "backup "
		while ss -Hltn 'sport = 6443' | grep -q .; do read -rt 0.05 -u 3; done
		systemd-socket-activate --accept --listen=6443 true 2>/dev/null & thief=$!
		said "undo "; kill $thief`,
		nil, "6443: bind: address already in use")
}

// TestFaultForeignEdit lets somebody else change the manifest during the wait: it is theirs
// then, and stays.
func TestFaultForeignEdit(t *testing.T) {
	l := begin(t)
	theirs := strings.Replace(l.read(cluster.Manifest), "metadata:\n", "metadata:\n  # Mine.\n", 1)
	theirs = withFlag(theirs, "--profiling=false")
	l.write("/root/theirs.yaml", theirs)
	l.writes(2, func() {
		said := l.auditpatchWhile(`
			said "old kube-apiserver"; mv /root/theirs.yaml `+cluster.Manifest, 4, "enable")
		l.wantSaid(said, cluster.Manifest+": changed by someone else in the meantime, left as it is")
		if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
			l.Fatal(err)
		}
		l.wantWhole(theirs)
	})
}

// etcd goes away, as a machine does that is cut off, and comes back: lines of [whileScript].
const (
	etcdAway = "iptables -w -I OUTPUT -o lo -p tcp --dport 2379 -j DROP"
	etcdBack = "iptables -w -D OUTPUT -o lo -p tcp --dport 2379 -j DROP"
)

// TestFaultDiesLater lets the new API server die of what takes it 20 s to find out. Whether the
// kubelet has started it once more when the time is over depends on its back-off.
func TestFaultDiesLater(t *testing.T) {
	l := begin(t)
	defer l.node.Exec(l.ctx, "sh", "-c", etcdBack)
	l.rollsBack(4, `
		said "old kube-apiserver"; `+etcdAway+`
		said "undo "; `+etcdBack,
		[]string{"--restart=quick", "--timeout=40s"}, "exited 20", "etcd (https://127.0.0.1:2379) does not answer", "context deadline exceeded")
}

// TestFaultStandbyHangs takes etcd from the API server that serves meanwhile too. The kubelet
// would wait for its answers, and so the new one would start half a minute later: nobody must
// be asked any more.
func TestFaultStandbyHangs(t *testing.T) {
	l := begin(t)
	defer l.node.Exec(l.ctx, "sh", "-c", etcdBack)
	var run *timedRun
	l.rollsOut(func() {
		run = l.timed(`
			said "old kube-apiserver"; `+etcdAway+`
			said "restart   the rehearsed kube-apiserver does not serve any more"; sleep 1; `+etcdBack, "enable")
	})
	if run.exit != 0 {
		l.Fatalf("exit status %d", run.exit)
	}
	ended, started := run.at("restart   old kube-apiserver"), run.at("restart   new kube-apiserver started")
	if took := started.Sub(ended); ended.IsZero() || started.IsZero() || took > 20*time.Second {
		l.Errorf("the new API server was started %.1f s after the end of the old one", took.Seconds())
	}
	l.nothingLeft()
}

// TestFaultNeverReady lets the new API server lose etcd as soon as it answers: it goes on
// trying for longer than it is given.
func TestFaultNeverReady(t *testing.T) {
	l := begin(t)
	defer l.node.Exec(l.ctx, "sh", "-c", etcdBack)
	l.rollsBack(4, `
		answers() { [[ $(curl -sko /dev/null -w '%{http_code}' --max-time 1 https://127.0.0.1:6443/readyz) == [25]00 ]]; }
		said "new kube-apiserver started"; look answers; `+etcdAway+`
		said "undo "; `+etcdBack,
		[]string{"--restart=quick", "--timeout=15s"}, "kube-apiserver runs but was not ready within 15s: /readyz says 500: etcd")
}

// TestFaultKubeletStopped wants enable not to begin when nobody would act on the manifest, and
// to say so when that becomes so later, with the earlier files back for a kubelet to find.
func TestFaultKubeletStopped(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	defer l.node.Exec(l.ctx, "systemctl", "start", "kubelet")
	l.exec("systemctl", "stop", "kubelet")
	l.wantSaid(l.auditpatch(2, "enable"), "the kubelet does not run")
	l.wantWhole(original)
	from := time.Now()
	l.exec("systemctl", "start", "kubelet")
	l.waitUpdates(from, cluster.Updates{Add: 1})

	// It has acted on the first write, so there is no API server now.
	l.node.Intend(1)
	said := l.auditpatchWhile(`said "old kube-apiserver"; systemctl stop kubelet`, 4, "enable")
	l.wantSaid(said, "error: the kubelet does not run", "the earlier files are back, but the kubelet does not run",
		"hint: systemctl start kubelet")
	l.wantManifest(original)
	l.exec("systemctl", "start", "kubelet")
	if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
		l.Fatal(err)
	}
	l.wantWhole(original)
}

// TestFaultDoctor wants doctor to name what is wrong. The kubelet is stopped meanwhile, or it
// would act on it.
func TestFaultDoctor(t *testing.T) {
	l := begin(t)
	const elsewhere = "/root/manifests/kube-apiserver.yaml"
	original := l.read(cluster.Manifest)
	enabled := l.filtered()
	l.exec("mkdir", "-p", "/root/manifests")
	defer l.exec("rm", "-r", "/root/manifests")
	l.write(elsewhere, original)
	for _, command := range []string{"enable", "doctor"} {
		status := map[string]int{"enable": 2, "doctor": 1}[command]
		l.wantSaid(l.auditpatch(status, command, "--manifest", elsewhere), cluster.ManifestDir, "not from /root/manifests")
	}

	defer l.node.Exec(l.ctx, "systemctl", "start", "kubelet")
	l.exec("systemctl", "stop", "kubelet")
	for _, fault := range []struct {
		path, text string
		says       []string
	}{
		{cluster.Manifest + ".bak", original, []string{cluster.Manifest + ".bak", "hint: mv " + cluster.Manifest + ".bak"}},
		{cluster.Manifest, original + "  - hostPath: [\n", []string{cluster.Manifest + ":", "wrong  manifest"}},
		{cluster.Manifest, strings.Replace(enabled, "--audit-log-path=/var/log/", "--audit-log-path=/srv/", 1),
			[]string{"/srv/kubernetes/audit/audit.log"}},
	} {
		l.write(fault.path, fault.text)
		l.wantSaid(l.auditpatch(1, "doctor"), fault.says...)
		if fault.path != cluster.Manifest {
			l.exec("rm", fault.path)
		}
	}

	// As after a restart of the machine: there is no policy to mount, so no API server either.
	l.write(cluster.Manifest, enabled)
	l.exec("kill", "-KILL", fmt.Sprint(l.server().PID))
	l.wantSaid(l.auditpatch(1, "doctor"), "there is no policy at /etc/kubernetes/audit-policy.yaml: the API server would not start", "no kube-apiserver runs on this node")

	l.write(cluster.Manifest, original)
	l.exec("systemctl", "start", "kubelet")
	if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
		l.Fatal(err)
	}
	l.wantWhole(original)
	l.auditpatch(0, "doctor")
}

// write replaces a file of the node.
func (l *lab) write(path, text string) {
	l.Helper()
	if err := l.node.WriteFileAtomically(l.ctx, path, []byte(text)); err != nil {
		l.Fatal(err)
	}
}
