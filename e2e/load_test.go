//go:build e2e

package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"auditpatch/e2e/cluster"
	"auditpatch/e2e/load"
)

// everyRequest is a policy that records every request once, when it is complete.
const everyRequest = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
`

const loadNamespace = "load"

// kubeletGrace is what the kubelet gives an API server to end, and what one uses up that has
// watches open, as it has under the load.
const kubeletGrace = 30 * time.Second

// restartLoad is a load during which the API server was restarted.
type restartLoad struct {
	*load.Run
	way     string
	changed time.Time     // when the change was asked for
	closed  time.Time     // when the old API server was first seen not to listen
	ready   time.Duration // the outage of /readyz
}

// TestLoad restarts the API server under a steady load, quickly and gracefully, and wants
// that nothing that was acknowledged is lost, that all of it is in the audit log, and that a
// quick restart fails no request that a graceful one would not have failed.
func TestLoad(t *testing.T) {
	l := begin(t)
	l.recordsEverything()
	config := l.loadConfig()
	defer l.removeLoad()
	maxage := "30"
	var runs []restartLoad
	for _, part := range []struct {
		way
		runs int
	}{
		{graceful, repeats(t, "E2E_LOAD_GRACEFUL", 1)},
		{quick, repeats(t, "E2E_LOAD_QUICK", 2)},
	} {
		for range part.runs {
			maxage = other(maxage)
			r := l.restartUnderLoad(config, part.way, maxage)
			l.Logf("%s", r)
			runs = append(runs, r)
		}
	}
	l.Logf("medians\n%s", loadTable(runs))
	l.failsNoMore(runs)
}

// removeLoad leaves nothing of the load but its namespace: it would be half deleted for
// minutes, for the controller manager does not live through many outages unharmed, and the
// next load could not use it.
func (l *lab) removeLoad() {
	l.node.Kubectl(l.ctx, "-n", loadNamespace, "delete", "configmaps,secrets", "-l", load.Label)
}

// recordsEverything turns audit logging on so that every request is recorded, in a file that
// is large enough for all runs.
func (l *lab) recordsEverything() {
	l.Helper()
	const policy = "/etc/kubernetes/audit-every-request.yaml" // a reset of the node removes it
	if err := l.node.WriteFileAtomically(l.ctx, policy, []byte(everyRequest)); err != nil {
		l.Fatal(err)
	}
	l.rollsOut(func() {
		l.auditpatch(0, "enable", "--policy", policy, "--audit-log-maxage=30", "--audit-log-maxsize=4000")
	})
}

// loadConfig has the administrator's certificate for the node's own address: Docker's proxy
// for published ports takes connections that nobody listens for, and a client could not tell
// a refused connection from one that was cut off.
func (l *lab) loadConfig() *rest.Config {
	l.Helper()
	path := filepath.Join(os.Getenv("E2E_CACHE"), os.Getenv("E2E_CLUSTER")+".kubeconfig")
	config, err := clientcmd.BuildConfigFromFlags("https://"+l.node.Endpoint(), path)
	if err != nil {
		l.Fatal(err)
	}
	return config
}

// restartUnderLoad restarts the API server under a load of its own, and checks what became of
// every acknowledged request.
func (l *lab) restartUnderLoad(config *rest.Config, w way, maxage string) restartLoad {
	l.Helper()
	log := l.logPosition()
	loading := l.startLoad(config, load.Options{
		Rate: repeats(l.T, "E2E_LOAD_RATE", 500),
		Slow: time.Duration(repeats(l.T, "E2E_LOAD_SLOW", 0)) * time.Second,
	})
	watch := l.node.Watch()
	defer watch.Stop()
	time.Sleep(3 * time.Second) // the load before, and after, shows what is normal
	from := time.Now()
	l.changeUnderLoad(w, maxage)
	time.Sleep(3 * time.Second)
	r := restartLoad{Run: loading.Stop(), way: w.name, changed: from}
	changes := watch.Stop()
	var whole bool
	if r.ready, whole = cluster.Outage(changes, cluster.Readyz, "200", from); !whole {
		l.Fatalf("/readyz is not 200 any more: %v", changes)
	}
	if w.name == graceful.name && r.ready < kubeletGrace {
		l.Errorf("%s: the old API server was not left its %s: the outage was %s", w.name, kubeletGrace, r.ready)
	}
	if r.closed = firstRefused(changes, from); r.closed.IsZero() {
		l.Fatalf("the old API server was never seen to close its listener: %v", changes)
	}
	l.nothingLost(loading, r.Run, log)
	return r
}

// startLoad starts a load and waits until its watches are open.
func (l *lab) startLoad(config *rest.Config, o load.Options) *load.Load {
	l.Helper()
	o.Config, o.Namespace = config, loadNamespace
	loading, err := load.Start(l.ctx, o)
	if err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.ctx, restartTimeout)
	defer cancel()
	if err := loading.AwaitWatches(ctx); err != nil {
		l.Fatal(err)
	}
	return loading
}

func (l *lab) changeUnderLoad(w way, maxage string) {
	l.Helper()
	old, from := l.server(), time.Now()
	w.change(l, maxage)
	l.node.Intend(w.writes)
	server, err := l.node.WaitServer(l.ctx, old.PID)
	if err != nil {
		l.Fatal(err)
	}
	l.wantUpdates(from, cluster.Updates{Add: w.writes, Remove: w.writes})
	l.wantFlag(server, "--audit-log-maxage="+maxage)
}

func firstRefused(changes []cluster.Change, after time.Time) time.Time {
	for _, c := range changes {
		if c.Probe == cluster.Listener && c.State == cluster.Refused && !c.At.Before(after) {
			return c.At
		}
	}
	return time.Time{}
}

// nothingLost wants every acknowledged write in the API server and every acknowledged request
// in the audit log.
func (l *lab) nothingLost(loading *load.Load, run *load.Run, log position) {
	l.Helper()
	lost, err := loading.Lost(l.ctx)
	if err != nil {
		l.Fatal(err)
	}
	recorded := l.recordedSince(log)
	missing := run.Missing(recorded)
	for _, fault := range firstFew(lost) {
		l.Logf("lost: %s", fault)
	}
	for _, request := range firstFew(missing) {
		l.Logf("not in the audit log: %+v", request)
	}
	if len(lost)+len(missing) > 0 {
		l.Fatalf("%d acknowledged writes are lost, %d of %d acknowledged requests are not in the audit log",
			len(lost), len(missing), run.Counts()[load.Acknowledged])
	}
	l.Logf("0 acknowledged writes lost, 0 of %d acknowledged requests missing from the audit log", run.Counts()[load.Acknowledged])
}

// recordedSince are the audit IDs in the log since a position. Each event has to be there once,
// and whole.
func (l *lab) recordedSince(p position) map[string]bool {
	l.Helper()
	log := l.logSince(p)
	if len(log.Twice)+len(log.Torn) > 0 {
		l.Fatalf("the audit log has %d events twice, %q, and %d lines that are none, %q",
			len(log.Twice), firstFew(log.Twice), len(log.Torn), firstFew(log.Torn))
	}
	return log.Recorded
}

// firstFew keeps a log readable where thousands have the same fault.
func firstFew[T any](all []T) []T { return all[:min(len(all), 10)] }

// position is a place in the audit log: a file is known by its inode, which it keeps when it
// is rotated.
type position struct {
	inode, size string
	at          time.Time
}

func (l *lab) logPosition() position {
	l.Helper()
	stdout, stderr, exit := l.node.Exec(l.ctx, "stat", "-c", "%i %s", auditLog)
	if exit != 0 {
		l.Fatal(stderr)
	}
	inode, size, _ := strings.Cut(strings.TrimSpace(stdout), " ")
	return position{inode, size, time.Now()}
}

// logSince is what was written to the audit log since a position, rotated files first.
func (l *lab) logSince(p position) *load.Log {
	l.Helper()
	const script = `cd "$1" && find . -name 'audit*.log' -newermt "@$2" | sort | while read -r f; do
		if [ "$(stat -c %i "$f")" = "$3" ]; then tail -c "+$(($4 + 1))" "$f"; else cat "$f"; fi; done`
	cmd := exec.CommandContext(l.ctx, "docker", "exec", l.node.Name(), "sh", "-c", script, "sh",
		filepath.Dir(auditLog), fmt.Sprint(p.at.Unix()-1), p.inode, p.size)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		l.Fatal(err)
	}
	log, err := load.ReadLog(out)
	if err := cmp.Or(err, cmd.Wait()); err != nil {
		l.Fatalf("read the audit log: %v", err)
	}
	return log
}

// String is the line of a run.
func (r restartLoad) String() string {
	from, to := r.Outage()
	first, last := r.Troubled()
	before := r.Between(r.Began.Add(time.Second), r.changed)
	all := len(r.Requests) + r.Crowded + r.Late
	return fmt.Sprintf("%s: no answer for %.2f s, first to last failure %.2f s, /readyz not 200 for %.1f s\n"+
		"before: %.0f requests/s, median %s, 99%% %s; in all: %.0f/s due, %d sent, %d acknowledged, failed: %s\n"+
		"not sent: %d because %d were under way, %d for want of processor time; the load used %.0f%% of a processor; "+
		"%d watches opened, %d events",
		r.way, to.Sub(from).Seconds(), last.Sub(first).Seconds(), r.ready.Seconds(),
		before.Rate(), tenths(before.Latency(0.5)), tenths(before.Latency(0.99)),
		float64(all)/r.Ended.Sub(r.Began).Seconds(), len(r.Requests), r.Counts()[load.Acknowledged], r.failed(),
		r.Crowded, load.MostUnderWay, r.Late, 100*r.CPU.Seconds()/r.Ended.Sub(r.Began).Seconds(),
		r.Watches.Opened, r.Watches.Events)
}

func tenths(d time.Duration) time.Duration { return d.Round(100 * time.Microsecond) }

// failure is a way in which a request fails, as far as the way of the restart may matter.
type failure struct {
	server string // which one had the connection: the old, none, the new
	class  load.Class
}

func (f failure) String() string { return fmt.Sprintf("%s (%s API server)", f.class, f.server) }

// plainRestart are the failures that belong to any restart, and why. A short test may not see
// all of them in a graceful one.
var plainRestart = map[failure]string{
	{"no", load.Refused}:      "nobody listens",
	{"no", load.Unsent}:       "a connection that was not accepted yet when the listener closed, or that a starting API server does not get round to",
	{"old", load.Cut}:         "sent over a kept connection just when the API server closed it",
	{"old", load.Unavailable}: "came when the API server had been told to end",
	{"new", load.Forbidden}:   "RBAC is not loaded yet",
	{"new", load.Throttled}:   "all that waited comes at once",
	{"new", load.Unavailable}: "not everything has started",
	{"new", load.Broken}:      "not everything has started",
	{"new", load.TimedOut}:    "not everything has started",
}

// server is the one that had the request's connection: the old one when that was made before
// the old one stopped to listen.
func (r restartLoad) server(request load.Request) string {
	switch {
	case request.Connected.IsZero():
		return "no"
	case request.Connected.Before(r.closed):
		return "old"
	}
	return "new"
}

// failures of a run, since the change was asked for.
func (r restartLoad) failures() map[failure]int {
	counts := map[failure]int{}
	for _, request := range r.Requests {
		if request.Class != load.Acknowledged && request.Ended.After(r.changed) {
			counts[failure{r.server(request), request.Class}]++
		}
	}
	return counts
}

// failed says how many requests failed in which way.
func (r restartLoad) failed() string {
	var parts []string
	for f, n := range r.failures() {
		parts = append(parts, fmt.Sprintf("%d %s", n, f))
	}
	slices.Sort(parts)
	return cmp.Or(strings.Join(parts, ", "), "none")
}

// closing is how long after the old listener was seen to be closed an HTTP/1.1 connection may
// still be cut as part of that. The old API server is not ended before a second has passed.
const closing = 700 * time.Millisecond

// cutOff are the requests that the old API server had accepted and did not get to answer. An
// API server that ends by itself answers them all. What it may cut off is a request that it
// has not read yet, sent over a kept HTTP/1.1 connection just when it closes those that are
// idle; over HTTP/2 it says which ones it has not read, and they are sent elsewhere.
func (r restartLoad) cutOff() []load.Request {
	var all []load.Request
	for _, request := range r.Requests {
		unanswered := request.Class == load.Cut || request.Class == load.TimedOut
		if !unanswered || r.server(request) != "old" || request.Ended.Before(r.changed) {
			continue
		}
		if request.Protocol == "h2" || request.Ended.After(r.closed.Add(closing)) {
			all = append(all, request)
		}
	}
	return all
}

// failsNoMore compares the failed requests of the two ways. The numbers depend on the length
// of the outage and on chance; which server fails a request, and how, does not. In both ways
// the old one gets the same signal and closes its listener and its idle connections in the
// same manner. What only the quick way could do is to end it while it still works: so a quick
// restart must cut off nothing that was accepted, and add no kind of failure.
func (l *lab) failsNoMore(runs []restartLoad) {
	l.Helper()
	plain := map[failure]int{}
	for _, r := range runs {
		if r.way == graceful.name {
			for f, n := range r.failures() {
				plain[f] += n
			}
		}
	}
	for _, r := range runs {
		cut := r.cutOff()
		for _, request := range firstFew(cut) {
			l.Logf("%s: accepted and not answered, ended %.2f s after the listener was closed: %+v",
				r.way, request.Ended.Sub(r.closed).Seconds(), request)
		}
		if r.way != quick.name {
			continue
		}
		if len(cut) > 0 {
			l.Errorf("a quick restart cut off %d requests that the old API server had accepted", len(cut))
		}
		for f, n := range r.failures() {
			if plain[f] == 0 && plainRestart[f] == "" {
				l.Errorf("a quick restart failed %d requests as %s, a graceful one none", n, f)
			}
		}
	}
}

func loadTable(runs []restartLoad) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprint(table, "\truns\tno answer\t/readyz")
	for _, class := range load.Failures {
		fmt.Fprintf(table, "\t%s", class)
	}
	for _, name := range []string{graceful.name, quick.name} {
		var silent, ready []time.Duration
		classes := map[load.Class][]int{}
		for _, r := range runs {
			if r.way != name {
				continue
			}
			from, to := r.Outage()
			silent, ready = append(silent, to.Sub(from)), append(ready, r.ready)
			for _, class := range load.Failures {
				classes[class] = append(classes[class], r.Counts()[class])
			}
		}
		fmt.Fprintf(table, "\n%s\t%d\t%s\t%s", name, len(silent), spread(silent), spread(ready))
		for _, class := range load.Failures {
			fmt.Fprintf(table, "\t%s", middle(classes[class]))
		}
	}
	fmt.Fprintln(table)
	table.Flush()
	return text.String()
}

func middle(values []int) string {
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprint(slices.Sorted(slices.Values(values))[len(values)/2])
}
