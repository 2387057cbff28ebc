//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/rest"

	"auditpatch/e2e/cluster"
	"auditpatch/e2e/load"
)

// way is a way to restart the API server with another audit setting.
type way struct {
	name string
	// writes is how often the manifest is written. auditpatch writes it a second time when the
	// old pod is completely gone: the kubelet starts a pod that is new to it at once, but lets
	// one that came while it still knew another of the same name wait for 10 to 15 s.
	writes int
	change func(l *lab, maxage string)
}

var (
	byHand   = way{"by hand", 1, (*lab).setByHand}
	graceful = way{"graceful", 2, func(l *lab, maxage string) { l.setMaxage("graceful", maxage) }}
	quick    = way{"quick", 2, func(l *lab, maxage string) { l.setMaxage("quick", maxage) }}
)

func (l *lab) setMaxage(restart, maxage string) {
	l.Helper()
	l.auditpatch(0, "enable", "--restart="+restart, "--audit-log-maxage="+maxage)
}

// setByHand edits the manifest as a careful administrator does without auditpatch: beside it,
// under a name that the kubelet does not read, and then moved over it. Not by sed -i: its own
// temporary file has no dot before its name, and the kubelet takes it for a pod.
func (l *lab) setByHand(maxage string) {
	l.Helper()
	l.exec("sh", "-c", `umask 077; cd "$1" &&
		sed "s/--audit-log-maxage=.*/--audit-log-maxage=$2/" kube-apiserver.yaml >.edited &&
		mv .edited kube-apiserver.yaml`,
		"sh", cluster.ManifestDir, maxage)
}

// other is the one of two settings that is not set: going to and fro between them, each
// change is as large as any other.
func other(maxage string) string {
	if maxage == "30" {
		return "31"
	}
	return "30"
}

// repeats is how often a test does something: a variable's value, or else its default.
func repeats(t *testing.T, variable string, fallback int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		t.Fatalf("%s is %q, want a number", variable, text)
	}
	return n
}

// outage is what a change of the manifest did, in time since it was first written.
type outage struct {
	listenerGone, processDead, processStarted, ready time.Duration
	seen                                             time.Duration // from the first bad answer to the last return of good ones
}

// TestOutage prints how long the ways take, with audit logging on and the same change.
func TestOutage(t *testing.T) {
	runs := repeats(t, "E2E_OUTAGE", 0)
	if runs == 0 {
		t.Skip("a measurement: E2E_OUTAGE says how many runs of each way")
	}
	l := begin(t)
	l.rollsOut(func() { l.auditpatch(0, "enable", "--audit-log-maxage=30") })
	config, maxage := l.loadConfig(), "30"
	defer l.removeLoad()
	ways, all := []way{byHand, graceful, quick}, map[string][]outage{}
	for range runs {
		for _, w := range ways {
			maxage = other(maxage)
			o := l.outage(w, maxage, config)
			l.Logf("%s: %+v", w.name, o)
			all[w.name] = append(all[w.name], o)
		}
	}
	l.Logf("%d runs each, seconds after the manifest was written: median (least-most)\n%s", runs, outageTable(ways, all))
}

// outage makes the change and watches, until the new API server is ready. Some watches are
// open, as in every cluster: they are what keeps the old API server from ending by itself.
// Those of the control plane are no measure, for after a few outages its other parts wait in
// a CrashLoopBackOff.
func (l *lab) outage(w way, maxage string, config *rest.Config) outage {
	l.Helper()
	defer l.startLoad(config, load.Options{Rate: 1}).Stop()
	old, from := l.server(), time.Now()
	ctx, cancel := context.WithTimeout(l.ctx, restartTimeout)
	defer cancel()
	watch := l.node.Watch()
	defer watch.Stop()
	moments := l.moments(ctx, old.PID)
	w.change(l, maxage)
	l.node.Intend(w.writes)
	server, err := l.node.WaitServer(ctx, old.PID)
	if err != nil {
		l.Fatal(err)
	}
	l.wantUpdates(from, cluster.Updates{Add: w.writes, Remove: w.writes})
	l.wantFlag(server, "--audit-log-maxage="+maxage)
	return l.measure(<-moments, watch)
}

// measure waits until the watch has seen the return too, and works out the times.
func (l *lab) measure(at map[string]time.Time, watch *cluster.Watch) outage {
	l.Helper()
	ctx, cancel := context.WithTimeout(l.ctx, restartTimeout)
	defer cancel()
	for _, moment := range []string{"written", "ended", "started"} {
		if at[moment].IsZero() {
			l.Fatalf("the manifest was not seen to be %s: %v", moment, at)
		}
	}
	closed, err := watch.Await(ctx, cluster.Listener, cluster.Refused, at["written"])
	if err != nil {
		l.Fatal(err)
	}
	if _, err := watch.Await(ctx, cluster.Readyz, "200", at["started"]); err != nil {
		l.Fatal(err)
	}
	time.Sleep(time.Second) // readiness may go once more
	changes := watch.Stop()
	seen, whole := cluster.Outage(changes, cluster.Readyz, "200", at["written"])
	if !whole {
		l.Fatalf("/readyz is not 200 any more: %v", changes)
	}
	return outage{
		listenerGone:   closed.At.Sub(at["written"]),
		processDead:    at["ended"].Sub(at["written"]),
		processStarted: at["started"].Sub(at["written"]),
		ready:          lastReady(changes).Sub(at["written"]),
		seen:           seen,
	}
}

func lastReady(changes []cluster.Change) time.Time {
	for _, c := range slices.Backward(changes) {
		if c.Probe == cluster.Readyz && c.State == "200" {
			return c.At
		}
	}
	return time.Time{}
}

func (l *lab) wantFlag(server cluster.Process, flag string) {
	l.Helper()
	if !slices.Contains(server.Args, flag) {
		l.Fatalf("kube-apiserver runs without %s: %q", flag, server.Args)
	}
}

// momentsScript prints when the manifest is replaced for the first time, when process $1 has
// ended, and when another kube-apiserver runs. It looks 50 times a second and forks only
// while there is no kube-apiserver, so as not to be what the API server waits for.
const momentsScript = `
exec 3<"$2" 4<> <(:)
look() { until "$@"; do read -rt 0.02 -u 4; done; }
replaced() { [ "$1" -ef /dev/fd/3 ] && return 1 || return 0; }
ended() { [ ! -e "/proc/$1" ]; }
started() { pgrep -x kube-apiserver >/dev/null; }
echo watching
look replaced "$2"; echo "written $EPOCHREALTIME"
look ended "$1"; echo "ended $EPOCHREALTIME"
look started; echo "started $EPOCHREALTIME"`

// moments starts to look in the node, and gives out what it saw when all is over.
func (l *lab) moments(ctx context.Context, old int) <-chan map[string]time.Time {
	result := make(chan map[string]time.Time, 1)
	go func() {
		stdout, _, _ := l.node.Exec(ctx, "timeout", fmt.Sprint(restartTimeout.Seconds()),
			"bash", "-c", momentsScript, "bash", strconv.Itoa(old), cluster.Manifest)
		at := map[string]time.Time{}
		for line := range strings.Lines(stdout) {
			if name, seconds, found := strings.Cut(strings.TrimSpace(line), " "); found {
				at[name] = epoch(seconds)
			}
		}
		result <- at
	}()
	time.Sleep(time.Second) // until the script looks
	return result
}

// epoch is bash's EPOCHREALTIME: seconds, a point, six digits.
func epoch(text string) time.Time {
	micros, err := strconv.ParseInt(strings.Replace(text, ".", "", 1), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}

func outageTable(ways []way, all map[string][]outage) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, w := range ways {
		fmt.Fprintf(table, "\t%s", w.name)
	}
	for _, row := range []struct {
		name  string
		value func(outage) time.Duration
	}{
		{"listener gone", func(o outage) time.Duration { return o.listenerGone }},
		{"old process dead", func(o outage) time.Duration { return o.processDead }},
		{"new process started", func(o outage) time.Duration { return o.processStarted }},
		{"/readyz 200 again", func(o outage) time.Duration { return o.ready }},
		{"outage for a client", func(o outage) time.Duration { return o.seen }},
	} {
		fmt.Fprintf(table, "\n%s", row.name)
		for _, w := range ways {
			var values []time.Duration
			for _, o := range all[w.name] {
				values = append(values, row.value(o))
			}
			fmt.Fprintf(table, "\t%s", spread(values))
		}
	}
	fmt.Fprintln(table)
	table.Flush()
	return text.String()
}

// spread is the median of times in seconds, with the least and the most.
func spread(values []time.Duration) string {
	if len(values) == 0 {
		return "-"
	}
	sorted := slices.Sorted(slices.Values(values))
	return fmt.Sprintf("%.1f (%.1f-%.1f)", median(sorted).Seconds(), sorted[0].Seconds(), sorted[len(sorted)-1].Seconds())
}

// median is the middle of sorted values, of an even number the mean of the middle two.
func median(sorted []time.Duration) time.Duration {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
