//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// kubeletMoments are moments at which TestKubeletRestarts restarts the kubelet: lines of
// [whileScript], in an enable that goes well and in one that is rolled back. The kubelet that
// starts between the two writes of the manifest is the dangerous one: it reads the interim
// manifest, and hears from no API server.
var kubeletMoments = struct{ good, bad []disruption }{
	good: []disruption{
		{"just after the interim write", `said "backup "`},
		{"just before the final write", `said "old kube-apiserver"; read -rt 0.9 -u 3`},
		{"the new process has started", `said "new kube-apiserver started"`},
	},
	bad: []disruption{
		{"just before the final write", `said "old kube-apiserver"; read -rt 0.9 -u 3`},
		{"the new process has ended", `said "kube-apiserver exited"`},
		{"the earlier files are back", `said "undo "`},
	},
}

// disruption is a moment of a change, and the lines of [whileScript] that wait for it.
type disruption struct{ name, wait string }

// restartScript restarts the kubelet, and restarts it once more when auditpatch says that this
// is what to type; not at once, since nobody does.
const restartScript = `
mark "the kubelet is restarted"; systemctl restart kubelet
types() { says "systemctl restart kubelet"; }
until types || ! kill -0 $pid 2>/dev/null; do read -rt 0.05 -u 3; done
if types; then
	mark "auditpatch says what to type"; read -rt 3 -u 3
	mark "typed"; systemctl restart kubelet
fi`

// TestKubeletRestarts restarts the kubelet at moments of enable. Each time the node has to be
// healthy within 60 s, or auditpatch to say within 10 s what to type, and the node to be healthy
// within 60 s of that. E2E_KUBELET_RESTARTS says how many moments; the additional ones are spread
// evenly over the time that the same change takes otherwise.
func TestKubeletRestarts(t *testing.T) {
	l := begin(t)
	k := &disruptions{lab: l, script: restartScript, original: l.read(cluster.Manifest)}
	k.enabled = l.filtered()
	more := max(0, number("E2E_KUBELET_RESTARTS", 0)-len(kubeletMoments.good)-len(kubeletMoments.bad))
	k.fails = false
	k.each(append(kubeletMoments.good, k.spread((more+1)/2)...))
	k.fails = true
	k.each(append(kubeletMoments.bad, k.spread(more/2)...))
	k.report()
}

// disruptions are changes that something happens to.
type disruptions struct {
	*lab
	script            string // what happens
	original, enabled string // manifests
	fails             bool   // the change is to be rolled back
	rows              []string
	problems          []string
}

// spread are so many moments between the first write and the end of an undisturbed change.
func (d *disruptions) spread(n int) (out []disruption) {
	if n == 0 {
		return nil
	}
	var run *timedRun
	d.uncounted(func() { run = d.change("") })
	length := run.ended.Sub(run.at("backup "))
	for i := range n {
		after := length.Seconds() * float64(i) / float64(n)
		wait := fmt.Sprintf(`said "backup "; read -rt %.2f -u 3`, max(after, 0.01))
		out = append(out, disruption{fmt.Sprintf("%.1f s of %.1f s", after, length.Seconds()), wait})
	}
	return out
}

func (d *disruptions) each(moments []disruption) {
	for _, m := range moments {
		d.Logf("%s", d.title(m))
		d.uncounted(func() { d.round(m) })
	}
}

func (d *disruptions) title(m disruption) string {
	kind := "enable"
	if d.fails {
		kind = "rolled back"
	}
	return kind + ": " + m.name
}

// change is one enable on a fresh node, with lines of [whileScript].
func (d *disruptions) change(lines string) *timedRun {
	d.Helper()
	if err := d.node.ResetManifest(d.ctx); err != nil {
		d.Fatal(err)
	}
	if d.fails {
		d.unwritableLog()
		defer d.exec("umount", "/var/log/kubernetes/audit")
		return d.timed(lines, "enable", "--force", "--rehearse=never")
	}
	return d.timed(lines, "enable")
}

// unwritableLog mounts a file system over the log's folder that takes nothing: the API server
// does not start then. auditpatch refuses it, so enable needs --force, and --rehearse=never.
func (l *lab) unwritableLog() {
	l.Helper()
	l.exec("mkdir", "-p", "/var/log/kubernetes/audit")
	l.exec("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", "/var/log/kubernetes/audit")
}

// Within these times a node has to be healthy, or auditpatch to say what to type. Its own
// measure is 8 s; the machine may be busy.
const (
	healthyWithin = 60 * time.Second
	sayWithin     = 10 * time.Second
	silentAtMost  = 10 * time.Second
)

// round is one change, and what came of it.
func (d *disruptions) round(m disruption) {
	d.Helper()
	watch := d.node.Watch()
	defer watch.Stop()
	run := d.change(momentScript + m.wait + "\n" + d.script)
	row := fmt.Sprintf("%-44s exit %d after %5.1f s", d.title(m), run.exit, run.ended.Sub(run.began).Seconds())
	restarted, typed := run.at("mark the kubelet is restarted"), run.at("mark typed")
	if restarted.IsZero() {
		d.problem(m, "auditpatch had ended before")
		return
	}
	from := restarted
	if !typed.IsZero() {
		// What the kubelet has to do again after an undo begins there.
		effect := latest(restarted, run.at("undo"))
		after := run.at("mark auditpatch says what to type").Sub(effect)
		row += fmt.Sprintf(", said what to type after %4.1f s", after.Seconds())
		if after > sayWithin {
			d.problem(m, "said what to type only after %.1f s", after.Seconds())
		}
		from = typed
	}
	of := "the restart"
	if !typed.IsZero() {
		of = "that was typed"
	}
	healthy, err := d.settled(watch, from)
	if err != nil {
		d.rows = append(d.rows, row+", NOT HEALTHY")
		d.problem(m, "%v", err)
		return
	}
	d.rows = append(d.rows, fmt.Sprintf("%s, healthy %4.1f s after %s", row, healthy.Sub(from).Seconds(), of))
	if took := healthy.Sub(from); took > healthyWithin {
		d.problem(m, "healthy only %.1f s after %s", took.Seconds(), of)
	}
	if gap, after := run.silence(); gap > silentAtMost {
		d.problem(m, "said nothing for %.1f s after: %s", gap.Seconds(), after)
	}
	d.judge(m, run)
}

// settled waits until the API server is healthy as the manifest has it, and stays so for a
// while, and returns since when.
func (d *disruptions) settled(watch *cluster.Watch, from time.Time) (time.Time, error) {
	d.Helper()
	var since time.Time
	for ; ; time.Sleep(500 * time.Millisecond) {
		status := d.status()
		servers, err := d.node.Servers(d.ctx)
		last := fmt.Sprintf("API servers %v, %v, status says %+v", pids(servers), err, status.Server)
		switch {
		case err != nil || len(servers) != 1 || !status.Server.AsManifest || !status.Server.Ready:
			since = time.Time{}
		case since.IsZero():
			since = time.Now()
		case time.Since(since) > 4*time.Second:
			return latest(from, lastChange(watch.Changes(), cluster.Readyz, "200")), nil
		}
		if time.Since(from) > healthyWithin && since.IsZero() {
			return time.Time{}, fmt.Errorf("not healthy %s after: %s", healthyWithin, last)
		}
	}
}

func pids(servers []cluster.Process) (out []int) {
	for _, s := range servers {
		out = append(out, s.PID)
	}
	return out
}

// judge wants exit status and node to agree, and a command wherever something is not right.
func (d *disruptions) judge(m disruption, run *timedRun) {
	d.Helper()
	now := d.read(cluster.Manifest)
	stdout, stderr, check := d.node.Auditpatch(d.ctx, "status", "--check")
	switch {
	case run.exit == 0 && (now != d.enabled || check != 0):
		d.problem(m, "exit status 0, and status --check is %d:\n%s%s\n%s", check, stdout, stderr, now)
	case run.exit != 0 && now != d.original:
		d.problem(m, "exit status %d, and the manifest is not as it was:\n%s", run.exit, now)
	case run.exit != 0 && run.exit != 3 && run.exit != 4, run.exit == 0 && d.fails:
		d.problem(m, "exit status %d", run.exit)
	case run.exit == 4 && !strings.Contains(run.text(), "systemctl restart kubelet"):
		d.problem(m, "exit status 4, and nothing to type")
	}
	if status := d.status(); status.Unfinished != "" {
		d.problem(m, "run %s is unfinished", status.Unfinished)
	}
	stray, _, _ := d.node.Exec(d.ctx, "find", "/etc/kubernetes", "-mindepth", "1", "-name", ".*")
	if stray != "" {
		d.problem(m, "left behind: %s", stray)
	}
	if _, _, exit := d.node.Exec(d.ctx, "test", "-e", "/etc/kubernetes/audit-policy.yaml"); run.exit != 0 && exit == 0 {
		d.problem(m, "exit status %d, and yet there is a policy", run.exit)
	}
}

func (d *disruptions) problem(m disruption, format string, args ...any) {
	text := d.title(m) + ": " + fmt.Sprintf(format, args...)
	d.Logf("PROBLEM: %s", text)
	d.problems = append(d.problems, text)
}

// report prints the table, and fails when there were problems.
func (d *disruptions) report() {
	d.Helper()
	d.Logf("%d moments:\n%s", len(d.rows), strings.Join(d.rows, "\n"))
	if len(d.problems) > 0 {
		d.Fatalf("%d problems:\n%s", len(d.problems), strings.Join(d.problems, "\n"))
	}
}
