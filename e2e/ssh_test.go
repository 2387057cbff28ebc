//go:build e2e

package e2e

import (
	"context"
	"os/exec"
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

// shell runs a script of this machine, in a folder, with the programs ssh, scp and sftp that
// reach the nodes, wants its exit status and returns what it said.
func (l *lab) shell(s *cluster.SSH, dir string, want int, script string) string {
	l.Helper()
	cmd := exec.CommandContext(l.ctx, "bash", "-c", script)
	cmd.Dir, cmd.Env = dir, s.Env()
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
	said := l.shell(s, t.TempDir(), 0, `set -e
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
