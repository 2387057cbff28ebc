//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// lab is what a test works with: a node as it was made, and a folder for what explains a
// failure. Its methods end the test when something is not as they say.
type lab struct {
	*testing.T
	ctx  context.Context
	node *cluster.Node
	log  *os.File
}

// restartTimeout is for one change of the manifest; the slowest seen without help is 46 s.
const restartTimeout = 3 * time.Minute

// begin resets a node of the one-node cluster.
func begin(t *testing.T) *lab {
	t.Helper()
	return beginOn(t, oneNode)
}

// beginOn resets all nodes of a cluster; the lab's is the first.
func beginOn(t *testing.T, c *cluster.Cluster) *lab {
	t.Helper()
	l := enter(t, c)
	for _, n := range c.Nodes() {
		if err := n.ResetManifest(l.ctx); err != nil {
			l.Fatal(err)
		}
	}
	return l
}

// enter takes a cluster as it is; the lab's node is the first. A failed test's folder is
// out/NAME; it is removed when the test passes.
func enter(t *testing.T, c *cluster.Cluster) *lab {
	t.Helper()
	dir := filepath.Join("out", strings.ReplaceAll(t.Name(), "/", "_"))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "test.log"))
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{T: t, ctx: t.Context(), node: c.Nodes()[0], log: log}
	t.Cleanup(func() { l.end(c, dir) })
	return l
}

func (l *lab) end(c *cluster.Cluster, dir string) {
	if err := l.log.Close(); err != nil {
		l.Error(err)
	}
	if !l.Failed() {
		if err := os.RemoveAll(dir); err != nil {
			l.T.Log(err)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // the test's own is over
	defer cancel()
	if err := c.Collect(ctx, dir); err != nil {
		l.T.Log(err)
	}
	l.T.Logf("logs in e2e/%s", dir)
}

// Logf, Fatal and Fatalf write to the failure's folder too.
func (l *lab) Logf(format string, args ...any) {
	l.Helper()
	line := fmt.Sprintf(format, args...)
	l.note(time.Now().Format("15:04:05.000"), line)
	l.T.Log(line)
}

// note writes a line into the failure's folder.
func (l *lab) note(words ...any) {
	l.Helper()
	if _, err := fmt.Fprintln(l.log, words...); err != nil {
		l.T.Log(err)
	}
}

func (l *lab) Fatal(args ...any) {
	l.Helper()
	l.Fatalf("%s", fmt.Sprint(args...))
}

func (l *lab) Fatalf(format string, args ...any) {
	l.Helper()
	l.note("FAIL:", fmt.Sprintf(format, args...))
	l.T.Fatalf(format, args...)
}

// auditpatch runs it in the node, wants the exit status, and returns what it said: standard
// output, then standard error.
func (l *lab) auditpatch(want int, args ...string) string {
	l.Helper()
	stdout, stderr, exit := l.node.Auditpatch(l.ctx, args...)
	l.Logf("auditpatch %s: exit status %d\n%s%s", strings.Join(args, " "), exit, stdout, stderr)
	if exit != want {
		l.Fatalf("auditpatch %s: exit status %d, want %d", strings.Join(args, " "), exit, want)
	}
	return stdout + stderr
}

// kubectl runs it in the node and wants it to succeed.
func (l *lab) kubectl(args ...string) string {
	l.Helper()
	stdout, stderr, exit := l.node.Kubectl(l.ctx, args...)
	if exit != 0 {
		l.Fatalf("kubectl %s: exit status %d\n%s", strings.Join(args, " "), exit, stderr)
	}
	return stdout
}

// read is a file of the node.
func (l *lab) read(path string) string {
	l.Helper()
	data, err := l.node.ReadFile(l.ctx, path)
	if err != nil {
		l.Fatal(err)
	}
	return string(data)
}

// server is the one kube-apiserver of the node.
func (l *lab) server() cluster.Process {
	l.Helper()
	servers, err := l.node.Servers(l.ctx)
	if err != nil || len(servers) != 1 {
		l.Fatalf("want one kube-apiserver, have %v, %v", servers, err)
	}
	return servers[0]
}

// restarts wants a step to restart the API server with exactly one change of its manifest,
// and returns the new process.
func (l *lab) restarts(step func()) cluster.Process {
	l.Helper()
	return l.restartsWith(1, func() {
		step()
		// The kubelet's way takes 40 s, of which the old API server spends 30 on its watches.
		const end = `sleep 1; ss --kill state established 'sport = 6443' >/dev/null 2>&1; true`
		l.exec("sh", "-c", end)
	})
}

// rollsOut wants a step to restart the API server once, as auditpatch does when it waits: it
// writes the manifest with a passing annotation, and without it when the old Pod is gone.
func (l *lab) rollsOut(step func()) cluster.Process {
	l.Helper()
	return l.restartsWith(2, step)
}

// restartsWith wants one new process after so many changes of the manifest.
func (l *lab) restartsWith(changes int, step func()) cluster.Process {
	l.Helper()
	old, from := l.server(), time.Now()
	watch := l.node.Watch()
	defer watch.Stop()
	step()
	ctx, cancel := context.WithTimeout(l.ctx, restartTimeout)
	defer cancel()
	l.node.Intend(changes)
	server, err := l.node.WaitServer(ctx, old.PID)
	if err != nil {
		l.Fatalf("%v; seen: %v", err, watch.Stop())
	}
	l.wantUpdates(from, cluster.Updates{Add: changes, Remove: changes})
	outage, _ := cluster.Outage(watch.Stop(), cluster.Readyz, "200", from)
	l.Logf("pid %d after pid %d, /readyz was not 200 for %.1f s", server.PID, old.PID, outage.Seconds())
	return server
}

// stays wants a step to leave the running API server alone.
func (l *lab) stays(step func()) {
	l.Helper()
	old, from := l.server(), time.Now()
	step()
	time.Sleep(time.Second) // the kubelet hears of a changed manifest at once
	if now := l.server(); now.PID != old.PID {
		l.Fatalf("kube-apiserver was pid %d and is %d now", old.PID, now.PID)
	}
	l.wantUpdates(from, cluster.Updates{})
}

// wantUpdates compares what the kubelet saw of the API server's manifest since an instant.
func (l *lab) wantUpdates(from time.Time, want cluster.Updates) {
	l.Helper()
	got, err := l.node.Updates(l.ctx, from, time.Now())
	if err != nil {
		l.Fatal(err)
	}
	if got != want {
		l.Fatalf("the kubelet saw %+v of the manifest, want %+v", got, want)
	}
}

// waitUpdates waits until the kubelet has seen exactly this of the manifest since an instant.
func (l *lab) waitUpdates(from time.Time, want cluster.Updates) {
	l.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if got, err := l.node.Updates(l.ctx, from, time.Now()); err == nil && got == want {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	l.wantUpdates(from, want)
}

// exec runs a command in the node and wants it to succeed.
func (l *lab) exec(args ...string) {
	l.Helper()
	if _, stderr, exit := l.node.Exec(l.ctx, args...); exit != 0 {
		l.Fatalf("%s: exit status %d: %s", strings.Join(args, " "), exit, stderr)
	}
}
