//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// sedScript edits the manifest as people do, who type sed -i: its temporary file has no dot
// before its name, so the kubelet sees it too.
const sedScript = `
said "backup "; read -rt %s -u 3
mark "sed -i"; sed -i 's/^    - --secure-port=.*/&\n    - --profiling=false/' ` + cluster.Manifest

// writeBackScript is another program that owns the manifest and writes its own, the earlier one,
// every 2 s.
const writeBackScript = `
cp ` + cluster.Manifest + ` /root/theirs.yaml
said "backup "; read -rt 0.5 -u 3
mark "theirs again"
while kill -0 $pid 2>/dev/null; do
	cp /root/theirs.yaml ` + cluster.ManifestDir + `/.theirs; mv ` + cluster.ManifestDir + `/.theirs ` + cluster.Manifest + `
	read -rt 2 -u 3
done`

// TestForeignEdits lets others change the manifest during enable. It is theirs then: enable has
// to end, to leave nothing of its own in it, and to say how the API server is.
func TestForeignEdits(t *testing.T) {
	l := begin(t)
	for _, after := range []string{"0.5", "2"} {
		l.uncounted(func() { l.foreignSed(after) })
	}
	l.uncounted(l.foreignWriter)
}

// foreignSed edits the manifest once, so many seconds after the first write.
func (l *lab) foreignSed(after string) {
	l.Helper()
	if err := l.node.ResetManifest(l.ctx); err != nil {
		l.Fatal(err)
	}
	theirs := strings.Replace(l.filtered(), "    - --secure-port=6443\n", "    - --secure-port=6443\n    - --profiling=false\n", 1)
	run := l.timed(fmt.Sprintf(sedScript, after), "enable")
	l.wantExit(run, 4)
	l.wantSaid(run.text(), "changed by someone else in the meantime", "the API server is healthy with it")
	if strings.Contains(run.text(), "put back") {
		l.Fatal("it says that something was put back")
	}
	l.wantEnd(run, "mark sed -i", 90*time.Second)
	l.wantWhole(theirs)
	if last := l.status().LastChange; last.Result != "overridden" {
		l.Fatalf("the last change: %+v", last)
	}
	l.settles()
}

// foreignWriter writes the earlier manifest again and again.
func (l *lab) foreignWriter() {
	l.Helper()
	if err := l.node.ResetManifest(l.ctx); err != nil {
		l.Fatal(err)
	}
	original := l.read(cluster.Manifest)
	run := l.timed(writeBackScript, "enable")
	l.wantExit(run, 3)
	l.wantSaid(run.text(), "another program has put the earlier", "the earlier settings are back and healthy")
	if said := run.at("undo").Sub(run.at("mark theirs again")); said > sayWithin {
		l.Fatalf("noticed only after %.1f s", said.Seconds())
	}
	l.wantEnd(run, "mark theirs again", 90*time.Second)
	l.wantWhole(original)
	l.settles()
}

// wantExit wants the exit status of a run, and that it was never silent for long.
func (l *lab) wantExit(run *timedRun, want int) {
	l.Helper()
	if run.exit != want {
		l.Fatalf("exit status %d, want %d", run.exit, want)
	}
	if gap, after := run.silence(); gap > silentAtMost {
		l.Fatalf("it said nothing for %.1f s after: %s", gap.Seconds(), after)
	}
}

// wantEnd wants a run to end within a time after a line.
func (l *lab) wantEnd(run *timedRun, line string, within time.Duration) {
	l.Helper()
	if took := run.ended.Sub(run.at(line)); took > within {
		l.Fatalf("it ended only %.1f s after: %s", took.Seconds(), line)
	}
}

// settles wants the API server to be the same for longer than the kubelet takes to look at its
// directory again, which it does every 20 s.
func (l *lab) settles() {
	l.Helper()
	old := l.server()
	for deadline := time.Now().Add(25 * time.Second); time.Now().Before(deadline); time.Sleep(time.Second) {
		if now := l.server(); now.PID != old.PID {
			l.Fatalf("kube-apiserver was pid %d when all was said to be done, and is %d now", old.PID, now.PID)
		}
	}
}

// TestLeftoverAnnotation finds a manifest with the passing annotation of a change that is long
// over, as older versions could leave it. status has to name a command that mends it, and
// enable to take it out, whether or not audit logging is on.
func TestLeftoverAnnotation(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	for _, text := range []string{original, enabled} { // the first round makes policy and log folder
		l.swap(withAnnotation(text, "auditpatch/restart", "under way"))
		if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
			l.Fatal(err)
		}
		check := l.auditpatch(1, "status", "--check")
		l.wantSaid(check, "auditpatch/restart")
		if !strings.Contains(check, "auditpatch enable") && !strings.Contains(check, "auditpatch disable") {
			l.Fatal("status --check names no command")
		}
		l.changesOnce(func() { l.auditpatch(0, "enable") })
		l.wantWhole(enabled)
		l.auditpatch(0, "status", "--check")
	}
	l.rollsOut(func() { l.auditpatch(0, "disable") })
	l.wantWhole(original)
}

// withAnnotation is a manifest of kubeadm's with one more annotation.
func withAnnotation(manifest, key, value string) string {
	const annotations = "\n  annotations:\n"
	return strings.Replace(manifest, annotations, annotations+fmt.Sprintf("    %s: %q\n", key, value), 1)
}

// TestSymlinkedManifest has the manifest lie elsewhere. The kubelet watches its directory and
// not what a link in it names: it must not come upon the change again when it lists the
// directory, which it does every 20 s.
func TestSymlinkedManifest(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	const elsewhere = "/etc/kubernetes/elsewhere.yaml"
	l.exec("sh", "-c", "cp -p $1 $2 && ln -s $2 $3/.link && mv -T $3/.link $1", "sh", cluster.Manifest, elsewhere, cluster.ManifestDir)
	defer l.exec("sh", "-c", "cp -p $2 $3/.file && mv -T $3/.file $1 && rm $2", "sh", cluster.Manifest, elsewhere, cluster.ManifestDir)
	l.settles()
	for _, change := range []struct{ command, want string }{{"enable", enabled}, {"disable", original}} {
		l.changesOnce(func() { l.auditpatch(0, change.command) })
		l.stays(l.settles)
		l.wantWhole(change.want)
		if now := l.read(elsewhere); now != change.want {
			l.Fatalf("%s has\n%s", elsewhere, now)
		}
		l.exec("test", "-h", cluster.Manifest)
	}
}

// TestEmptyDirectory wants no directory to lie at the policy's path after an enable that is
// undone: containerd makes one where a mount of a container that it starts again has no
// source. And enable has to cope with one.
func TestEmptyDirectory(t *testing.T) {
	l := begin(t)
	original, enabled := l.read(cluster.Manifest), l.filtered()
	const policy = "/etc/kubernetes/audit-policy.yaml"
	for i := range number("E2E_EMPTY_DIRECTORY", 2) {
		// Each undo writes as soon as it may; the kubelet's back-off is at another point each time.
		l.unwritableLog()
		l.writes(4, func() { l.auditpatch(3, "enable", "--force", "--rehearse=never") })
		l.exec("umount", "/var/log/kubernetes/audit")
		l.wantWhole(original)
		for range 10 {
			if stdout, _, _ := l.node.Exec(l.ctx, "stat", "-c", "%F", policy); stdout != "" {
				l.Fatalf("round %d: %s is there, a %s", i, policy, stdout)
			}
			time.Sleep(time.Second)
		}
	}
	l.exec("mkdir", policy)
	l.rollsOut(func() { l.auditpatch(0, "enable") })
	l.wantWhole(enabled)
	l.auditpatch(0, "status", "--check")
	l.rollsOut(func() { l.auditpatch(0, "disable", "--purge") })
	l.wantWhole(original)
}

// TestWrongHostPathType has the policy's volume there already, with a type that makes a folder
// where the policy is to lie: enable has to make it fit, or the kubelet makes no container. And
// when a folder comes to lie there only after the manifest was written, the wait has to end
// before its time is over.
func TestWrongHostPathType(t *testing.T) {
	l := begin(t)
	original := l.read(cluster.Manifest)
	const policy = "/etc/kubernetes/audit-policy.yaml"
	l.swap(strings.NewReplacer(
		"    volumeMounts:\n", "    volumeMounts:\n    - {mountPath: "+policy+", name: policy, readOnly: true}\n",
		"  volumes:\n", "  volumes:\n  - {name: policy, hostPath: {path: "+policy+", type: DirectoryOrCreate}}\n",
	).Replace(original))
	if _, err := l.node.WaitServer(l.ctx, 0); err != nil {
		l.Fatal(err)
	}
	l.exec("test", "-d", policy) // the kubelet has made it
	l.changesOnce(func() { l.auditpatch(0, "enable") })
	l.auditpatch(0, "status", "--check")
	l.exec("test", "-f", policy)

	if err := l.node.ResetManifest(l.ctx); err != nil {
		l.Fatal(err)
	}
	l.uncounted(func() {
		run := l.timed(`said "backup "; rm `+policy+`; mkdir `+policy, "enable")
		l.wantExit(run, 3)
		l.wantSaid(run.text(), policy+" is a directory", "the kubelet does not start the container with it", "the earlier settings are back and healthy")
		l.wantEnd(run, "backup ", 90*time.Second)
		l.wantWhole(original)
	})
	l.exec("sh", "-c", "! test -e "+policy)
}
