//go:build e2e

package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"auditpatch/e2e/cluster"
)

// machineMoments are moments at which TestMachineKilled takes the machine away.
var machineMoments = struct{ good, bad []disruption }{
	good: []disruption{{"between the writes", `said "old kube-apiserver"; read -rt 0.3 -u 3`}},
	bad:  []disruption{{"the new process has ended", `said "kube-apiserver exited"`}},
}

// TestMachineKilled kills every process of the node at once, by killing its container, and
// starts it again: auditpatch, kubelet, containerd and all Pods. Each time the API server has
// to be healthy within 60 s, and auditpatch recover, or nothing where no run is unfinished, to
// make the node whole. In every second round recover is typed before the node is up, else
// when it is healthy. E2E_MACHINE_KILLS says how many moments. The machine's memory survives, so
// nothing is proven of what the disk has.
func TestMachineKilled(t *testing.T) {
	l := begin(t)
	d := &disruptions{lab: l, original: l.read(cluster.Manifest)}
	d.enabled = l.filtered()
	more := max(0, number("E2E_MACHINE_KILLS", 0)-len(machineMoments.good)-len(machineMoments.bad))
	for _, fails := range []bool{false, true} {
		d.fails = fails
		moments, n := machineMoments.good, (more+1)/2
		if fails {
			moments, n = machineMoments.bad, more/2
		}
		for i, m := range append(moments, d.spread(n)...) {
			d.Logf("%s", d.title(m))
			l.uncounted(func() { d.crash(m, i%2 == 0) })
		}
	}
	d.report()
}

// crash is one change that ends with the machine.
func (d *disruptions) crash(m disruption, early bool) {
	d.Helper()
	if err := d.node.ResetManifest(d.ctx); err != nil {
		d.Fatal(err)
	}
	if d.fails {
		d.unwritableLog() // gone after a reboot
	}
	before := d.status().LastChange.ID
	d.runUntil(m, func() {
		if err := d.node.Crash(d.ctx); err != nil {
			d.Fatal(err)
		}
	})
	from := time.Now()
	watch := d.node.Watch()
	defer watch.Stop()
	row := fmt.Sprintf("%-44s", d.title(m))
	if early {
		row += d.recover(m, from)
	}
	healthy, err := d.ready(watch, from)
	if err != nil {
		d.rows = append(d.rows, row+", NOT HEALTHY")
		d.problem(m, "%v", err)
		return
	}
	row += fmt.Sprintf(", healthy %4.1f s after the start", healthy.Sub(from).Seconds())
	if status := d.status(); status.Unfinished != "" {
		stdout, _, exit := d.node.Auditpatch(d.ctx, "status", "--check")
		if exit == 0 || !strings.Contains(stdout, "auditpatch recover") {
			d.problem(m, "status --check is %d, and does not say what to type:\n%s", exit, stdout)
		}
		row += d.recover(m, time.Now())
	}
	d.rows = append(d.rows, row)
	d.whole(m, before)
}

// recover types it, and says how it went.
func (d *disruptions) recover(m disruption, from time.Time) string {
	d.Helper()
	run := d.timed("", "recover")
	if gap, after := run.silence(); gap > silentAtMost {
		d.problem(m, "recover said nothing for %.1f s after: %s", gap.Seconds(), after)
	}
	if run.exit != 0 && !strings.Contains(run.text(), "hint:") {
		d.problem(m, "recover: exit status %d without a hint:\n%s", run.exit, run.text())
	}
	return fmt.Sprintf(", recover: exit %d after %.1f s", run.exit, run.ended.Sub(from).Seconds())
}

// ready waits until the API server answers and nothing else ails it; the manifest may be the
// interim one.
func (d *disruptions) ready(watch *cluster.Watch, from time.Time) (time.Time, error) {
	d.Helper()
	ctx, cancel := context.WithDeadline(d.ctx, from.Add(healthyWithin))
	defer cancel()
	if _, err := d.node.WaitServer(ctx, 0); err != nil {
		return time.Time{}, err
	}
	at := lastChange(watch.Changes(), cluster.Readyz, "200")
	if at.IsZero() { // the watch has not looked since
		at = time.Now()
	}
	return at, nil
}

// whole wants the node to be as before the change or as after it, with nothing left to do.
func (d *disruptions) whole(m disruption, before string) {
	d.Helper()
	last := d.status()
	stdout, stderr, check := d.node.Auditpatch(d.ctx, "status", "--check")
	now := d.read(cluster.Manifest)
	switch {
	case last.Unfinished != "":
		d.problem(m, "run %s is unfinished", last.Unfinished)
	case now == d.enabled && check != 0:
		d.problem(m, "status --check: exit status %d\n%s%s", check, stdout, stderr)
	case now != d.enabled && now != d.original:
		d.problem(m, "the manifest is neither the earlier nor the new one:\n%s", now)
	case !last.Server.AsManifest || !last.Server.Ready:
		d.problem(m, "the API server is not as the manifest: %+v", last.Server)
	case last.LastChange.ID == before:
		d.problem(m, "status does not know of the change: %+v", last.LastChange)
	}
	stray, _, _ := d.node.Exec(d.ctx, "find", "/etc/kubernetes", "-mindepth", "1", "-name", ".*")
	if stray != "" {
		d.problem(m, "left behind: %s", stray)
	}
}

// runUntil runs enable until a moment, and then something that ends it.
func (d *disruptions) runUntil(m disruption, end func()) {
	d.Helper()
	const now = "the moment has come"
	args := []string{"exec", d.node.Name(), "bash", "-c", whileScript, "bash", momentScript + m.wait + "\necho " + now, "enable"}
	if d.fails {
		args = append(args, "--force", "--rehearse=never")
	}
	cmd := exec.CommandContext(d.ctx, "docker", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		d.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		d.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == now {
			end()
			_ = cmd.Wait() // the machine died below it
			return
		}
		d.Logf("%s", lines.Text())
	}
	_ = cmd.Wait()
	d.Fatalf("enable has ended before: %s", m.name)
}
