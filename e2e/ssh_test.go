//go:build e2e

package e2e

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// reachable starts sshd in the nodes of a cluster, for as long as the test runs.
func (l *lab) reachable(c *cluster.Cluster) *cluster.SSH {
	l.Helper()
	s, err := c.SSH(l.ctx, l.TempDir())
	if err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own is over
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			l.T.Error(err)
		}
	})
	return s
}

// shell runs a script of this machine in a folder, wants its exit status and returns what it
// said. With the environment of a [cluster.SSH], ssh, scp and sftp reach the nodes.
func (l *lab) shell(env []string, dir string, want int, script string) string {
	l.Helper()
	cmd := exec.CommandContext(l.ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = dir, env
	out, _ := cmd.CombinedOutput()
	exit := cmd.ProcessState.ExitCode()
	l.Logf("%s\nexit status %d\n%s", strings.TrimSpace(script), exit, out)
	if exit != want {
		l.Fatalf("exit status %d, want %d, of: %s", exit, want, script)
	}
	return string(out)
}

// TestSSHReaches wants both users and the way over another host to work.
func TestSSHReaches(t *testing.T) {
	l := begin(t)
	s := l.reachable(oneNode)
	said := l.shell(s.Env(), t.TempDir(), 0, `set -e
ssh root@cp1 id -un
ssh admin@`+l.node.Name()+` sudo -n id -un
ssh -J admin@`+cluster.Bastion+` admin@cp1 id -un
echo hello >hello
scp -q hello admin@cp1:
echo 'get hello back' | sftp -q -b - admin@cp1 >sftp.log
cat back`)
	if said != "root\nroot\nadmin\nhello\n" {
		l.Fatalf("said: %q", said)
	}
}

// TestSSHReadme runs the README's commands over SSH as they stand there. On one node, cp2 and
// cp3 are other names of cp1.
func TestSSHReadme(t *testing.T) {
	l := begin(t)
	s := l.reachable(oneNode)
	dir := checkout(t)
	l.rollsOut(func() {
		l.wantSaid(l.shell(s.Env(), dir, 0, "set -e\n"+pageScript(t, "ssh")), "audit logging is on", ": done")
	})
	l.stays(func() {
		l.wantSaid(l.shell(s.Env(), dir, 1, pageScript(t, "ssh-jump")), "preset metadata")
		l.writeFile(dir, "policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata, verb: [get]}]\n")
		l.wantSaid(l.shell(s.Env(), dir, 2, pageScript(t, "ssh-policy")), `unknown field "verb"`)
		l.wantSaid(l.shell(s.Env(), dir, 0, pageScript(t, "ssh-lost")), "last change", ": done")
	})
	l.writeFile(dir, "policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: Metadata}]\n")
	l.rollsOut(func() { l.shell(s.Env(), dir, 0, pageScript(t, "ssh-policy")) })
	loop := pageScript(t, "ssh-loop")
	l.stays(func() {
		defer l.locked()()
		if said := l.shell(s.Env(), dir, 2, loop); strings.Contains(said, "cp2") {
			l.Fatal("cp1 has failed, and the loop went on")
		}
	})
	l.rollsOut(func() {
		said := l.shell(s.Env(), dir, 0, loop)
		l.wantSaid(said, "== cp1", "audit logging is on\n== cp2\n", "nothing changed\n== cp3\n")
	})
}

// locked lets somebody else change the node until the returned function is called: enable is
// refused.
func (l *lab) locked() (release func()) {
	l.Helper()
	const hold = `mkdir -p /var/lib/auditpatch
		flock -o /var/lib/auditpatch/lock sleep 60 >/dev/null 2>&1 & echo $!; sleep 0.2`
	pid, stderr, exit := l.node.Exec(l.ctx, "sh", "-c", hold)
	if exit != 0 {
		l.Fatalf("take the lock: %s", stderr)
	}
	return func() { l.exec("kill", strings.TrimSpace(pid)) }
}

// TestSSHInterrupt types Ctrl-C into a session with a terminal: everything is put back, and the
// exit status says so.
func TestSSHInterrupt(t *testing.T) {
	l := begin(t)
	s := l.reachable(oneNode)
	original := l.read(cluster.Manifest)
	l.writes(2, func() {
		c := l.dial(s, "-tt admin@cp1 sudo auditpatch enable")
		c.await("backup ")
		if _, err := io.WriteString(c.keys, "\x03"); err != nil {
			l.Fatal(err)
		}
		_ = c.cmd.Wait() // the status is what counts
		if exit := c.cmd.ProcessState.ExitCode(); exit != 3 {
			l.Fatalf("exit status %d of ssh, want 3\n%s", exit, c.shown())
		}
		l.wantWhole(original)
		l.wantSaid(l.auditpatch(0, "status"), "put back: interrupted")
	})
}

// checkout is a folder in which the README's commands find what make dist makes; under each
// name it is the program for this machine.
func checkout(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	program, err := os.ReadFile("../auditpatch")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "dist"), 0o755)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		if err == nil { // no links: docker cp does not follow them
			err = os.WriteFile(filepath.Join(dir, "dist", "auditpatch-linux-"+arch), program, 0o755)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (l *lab) writeFile(dir, name, text string) {
	l.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

// TestSSHThree runs the README's loop over three control planes. The second is locked at first:
// the third must not be touched then.
func TestSSHThree(t *testing.T) {
	if testing.Short() {
		t.Skip("makes a second cluster")
	}
	c, err := threeNodes()
	if err != nil {
		t.Fatal(err)
	}
	l := beginOn(t, c)
	s, dir, loop := l.reachable(c), checkout(t), pageScript(t, "ssh-loop")
	on := func(i int) *lab {
		there := *l
		there.node = c.Nodes()[i]
		return &there
	}
	on(0).rollsOut(func() {
		defer on(1).locked()()
		said := l.shell(s.Env(), dir, 2, loop)
		l.wantSaid(said, "== cp1", "audit logging is on\n== cp2\n", "locked by")
		if strings.Contains(said, "cp3") {
			l.Fatal("cp2 has failed, and the loop went on")
		}
	})
	on(1).rollsOut(func() {
		on(2).rollsOut(func() {
			l.wantSaid(l.shell(s.Env(), dir, 0, loop), "nothing changed\n== cp2\n", "is on\n== cp3\n")
		})
	})
	said := l.shell(kindEnv(l.node), dir, 0, pageScript(t, "kind"))
	if n := strings.Count(said, "nothing changed\n"); n != len(c.Nodes()) {
		l.Fatalf("the script for kind left %d nodes as they were, want all", n)
	}
}
