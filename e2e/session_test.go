//go:build e2e

package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"auditpatch/contract/page"
	"auditpatch/e2e/cast"
)

const (
	sessionInput = "session.commands"
	sessionCast  = "../docs/session.cast"
)

// TestSession types the commands of session.commands into a node and compares what they say
// with the recording that the README shows. UPDATE_README=1 records it anew.
func TestSession(t *testing.T) {
	l := begin(t)
	input, err := os.ReadFile(sessionInput)
	if err != nil {
		l.Fatal(err)
	}
	var now cast.Recording
	// enable and disable restart the API server once each, and write the manifest twice for it.
	l.restartsWith(4, func() { now = l.record(strings.Split(strings.TrimSpace(string(input)), "\n")) })
	if os.Getenv("UPDATE_README") != "" {
		if err := now.Write(sessionCast); err != nil {
			l.Fatal(err)
		}
		return
	}
	before, err := cast.Read(sessionCast)
	if err != nil {
		l.Fatal(err)
	}
	if missing, ok := page.InOrder(before.Text(), now.Text()); !ok {
		l.Fatalf("%s: %q is not what a node says:\n%s", sessionCast, missing, now.Text())
	}
}

// record runs commands in the node, and keeps each line with the moment at which it came.
func (l *lab) record(commands []string) (r cast.Recording) {
	l.Helper()
	start := time.Now()
	for _, command := range commands {
		r.Add(time.Since(start), "# "+command)
		cmd := exec.CommandContext(l.ctx, "docker", "exec", "-e", "KUBECONFIG=/etc/kubernetes/admin.conf", "-w", "/tmp", l.node.Name(),
			"sh", "-c", "exec 2>&1; "+command)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			l.Fatal(err)
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			l.Logf("%s", lines.Text())
			r.Add(time.Since(start), lines.Text())
		}
		_ = cmd.Wait() // a command that is refused belongs to the session
	}
	return r
}
