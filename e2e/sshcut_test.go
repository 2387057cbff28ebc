//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// cuts are the ways in which a connection ends.
const (
	killed  = "the client is killed"
	silent  = "the network goes silent"              // the node does not notice for minutes
	stopped = "Ctrl-S, then the network goes silent" // so that its terminal takes nothing
)

// rounds are the moments of enable at which TestSSHCut cuts a connection: when the client has
// shown a text, and a command that [lab.await] knows succeeds in the node.
var rounds = []struct{ moment, said, look, login, cut string }{
	{"begin", "", "begun", "root@cp1", killed},
	{"plan", "manifest ", "", "-tt root@cp1", killed},
	{"first write", "backup ", "", "admin@cp1 sudo", killed},
	{"listener closed", "backup ", "closed", "-tt admin@cp1 sudo", killed},
	{"old process ended", "old kube-apiserver", "", "-tt root@cp1", stopped},
	{"between the writes", "old kube-apiserver", "waited", "admin@cp1 sudo", silent},
	{"second write", "old kube-apiserver", "final", "-tt admin@cp1 sudo", killed},
	{"new process started", "new kube-apiserver started", "", "-tt admin@cp1 sudo", stopped},
	{"before ready", "new kube-apiserver started", "listens", "-tt root@cp1", killed},
	{"ready", "/readyz", "", "admin@cp1 sudo", killed},
}

// The node hears nothing of a client any more, and is not heard.
const (
	networkGone = "iptables -w -I INPUT -p tcp --dport 22 -j DROP; iptables -w -I OUTPUT -p tcp --sport 22 -j DROP"
	networkBack = "iptables -w -D INPUT -p tcp --dport 22 -j DROP; iptables -w -D OUTPUT -p tcp --sport 22 -j DROP"
)

// TestSSHCut breaks the connection at ten moments of enable, with and without a terminal and
// sudo. The run has to go on to its end, proof included, and status to say so.
func TestSSHCut(t *testing.T) {
	l := begin(t)
	s := l.reachable(oneNode)
	defer l.node.Exec(context.WithoutCancel(l.ctx), "sh", "-c", networkBack)
	const settings = "--audit-log-maxage=%d"
	want, last := l.filtered(fmt.Sprintf(settings, 40)), change{}
	for i, r := range rounds {
		flag := fmt.Sprintf(settings, 40+i)
		want = strings.Replace(want, fmt.Sprintf(settings, 39+i), flag, 1)
		l.Logf("%s: %s, %s", r.moment, r.login, r.cut)
		from := time.Now()
		l.writes(2, func() {
			c := l.dial(s, r.login+" auditpatch enable "+flag)
			c.await(r.said)
			if r.look != "" {
				l.await(r.look)
			}
			c.cut(r.cut)
			last = l.nextChange(last)
			l.Logf("%.1f s: %+v; the client was shown:\n%s", time.Since(from).Seconds(), last, c.shown())
			if last.Command != "enable" || last.Result != "done" {
				l.Fatalf("the change ended otherwise: %+v", last)
			}
			l.exec("sh", "-c", networkBack+"; true")
			l.wantWhole(want)
			l.auditpatch(0, "status", "--check")
		})
		l.wantProof(from)
	}
}

// connection is a client of ssh.
type connection struct {
	*lab
	cmd  *exec.Cmd
	keys io.Writer

	mu  sync.Mutex
	out bytes.Buffer
}

// dial starts a client, whose arguments are those of ssh.
func (l *lab) dial(s *cluster.SSH, args string) *connection {
	l.Helper()
	c := &connection{lab: l, cmd: exec.Command("sh", "-c", "exec ssh "+args)}
	c.cmd.Env, c.cmd.Stdout, c.cmd.Stderr = s.Env(), c, c
	var err error
	if c.keys, err = c.cmd.StdinPipe(); err != nil {
		l.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = c.cmd.Process.Kill() })
	return c
}

// Write takes what the client shows.
func (c *connection) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.Write(b)
}

func (c *connection) shown() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.String()
}

// await waits until the client has shown a text.
func (c *connection) await(text string) {
	c.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(c.shown(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("ssh does not show %q, but:\n%s", text, c.shown())
		}
	}
}

// cut ends the connection, and the client with it.
func (c *connection) cut(way string) {
	c.Helper()
	if way == stopped {
		if _, err := io.WriteString(c.keys, "\x13"); err != nil {
			c.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // it has to arrive
	}
	if way != killed {
		c.exec("sh", "-c", networkGone)
	}
	if err := c.cmd.Process.Kill(); err != nil {
		c.Fatalf("ssh has ended before: %v\n%s", err, c.shown())
	}
	_ = c.cmd.Wait() // it was killed
}

// await waits until a command of [momentScript], or one of its own, succeeds in the node.
func (l *lab) await(look string) {
	l.Helper()
	const more = `
begun() { pgrep -x auditpatch >/dev/null; }
waited() { sleep 0.3; }
`
	l.exec("timeout", "30", "bash", "-c", momentScript+more+"until "+look+"; do sleep 0.02; done")
}

// nextChange waits until another change than the one before has ended, and returns what status
// says of it.
func (l *lab) nextChange(before change) change {
	l.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		last := l.status().LastChange
		if last.Result != "running" && last.ID != before.ID {
			return last
		}
		if time.Now().After(deadline) {
			l.Fatalf("no change has ended after %+v: %+v", before, last)
		}
	}
}

// wantProof wants the request by which enable proves itself to be in the log, since an instant.
func (l *lab) wantProof(since time.Time) {
	l.Helper()
	for _, e := range l.events() {
		if e.ObjectRef != nil && e.ObjectRef.Name == "auditpatch-proof" && e.RequestReceivedTimestamp.After(since) {
			return
		}
	}
	l.Fatalf("no proof in the log since %s", since)
}
