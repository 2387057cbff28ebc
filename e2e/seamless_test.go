//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"k8s.io/client-go/rest"

	"auditpatch/e2e/cluster"
	"auditpatch/e2e/load"
)

// What clients may notice of a seamless restart. A kept connection may be closed just as
// somebody sends a request over it, and whoever waits for that to be tried again waits.
const (
	failedAtMost      = 0.2 // % of the requests sent while the changes went on
	failedAtMostOnce  = 0.5 // % of those in one change: a dozen that meet one closing more or less
	silentMedian      = 500 * time.Millisecond
	silentAtMostOnce  = time.Second
	probedAnewEvery   = 20 * time.Millisecond
	normalFor         = 3 * time.Second // the load before a change and after it
	takesConnections  = "the rehearsed kube-apiserver takes connections"
	secondHasEnded    = "the rehearsed kube-apiserver has ended"
	servedThroughout  = "; clients were served throughout"
	everyRequestFile  = "/etc/kubernetes/audit-every-request.yaml"
	otherWordsFile    = "/etc/kubernetes/audit-other-words.yaml"
	managedFieldsFile = "/etc/kubernetes/audit-managed-fields.yaml"
)

// alteration is a change of the settings.
type alteration struct {
	name string
	args []string
	// logs tells whether requests are recorded before the change, and after it.
	before, after bool
}

// alterations come one after the other and lead back to the first one's beginning. The policies
// differ in what records nothing else.
var alterations = []alteration{
	{"policy", []string{"enable", "--policy", otherWordsFile}, true, true},
	{"flag", []string{"enable", "--audit-log-maxage=31"}, true, true},
	{"restore", []string{"restore"}, true, true},
	{"policy field", []string{"enable", "--policy", managedFieldsFile}, true, true},
	{"disable", []string{"disable"}, true, false},
	{"enable", append([]string{"enable", "--policy", everyRequestFile}, everyRequestFlags...), false, true},
}

// everyRequestFlags have the log rotated now and then, and nothing of it removed.
var everyRequestFlags = []string{"--audit-log-maxage=30", "--audit-log-maxsize=30", "--audit-log-maxbackup=1000"}

// quickly is the n-th change with a quick restart.
func quickly(n int) alteration {
	return alteration{"quick", []string{"enable", "--restart=quick", fmt.Sprintf("--audit-log-maxage=%d", 32+n%2)}, true, true}
}

// TestSeamless changes settings of many kinds under a steady load. Clients must hardly notice,
// nothing that was acknowledged may be lost, and all of it has to be in the audit log, once and
// whole. A quick restart is measured beside it.
func TestSeamless(t *testing.T) {
	l := begin(t)
	l.installProber()
	l.recordsAll()
	config := l.loadConfig()
	defer l.removeLoad()
	var quick, seamless []*service
	for n := range repeats(t, "E2E_SEAMLESS_QUICK", 1) {
		quick = append(quick, l.alter(config, quickly(n)))
	}
	for n := range repeats(t, "E2E_SEAMLESS", 4) {
		s := l.alter(config, alterations[n%len(alterations)])
		l.unnoticed(s)
		seamless = append(seamless, s)
	}
	l.wholeLog()
	rows := []serviceRow{{"quick", quick}, {"seamless", seamless}}
	for _, a := range alterations {
		rows = append(rows, serviceRow{"  " + a.name, slices.DeleteFunc(slices.Clone(seamless), func(s *service) bool { return s.name != a.name })})
	}
	l.Logf("what clients noticed\n%s", serviceTable(rows...))
	if sent, failed := (serviceRow{"", seamless}).requests(); percent(failed, sent) > failedAtMost {
		l.Errorf("%.2f %% of all requests failed, at most %.1f %% may", percent(failed, sent), failedAtMost)
	}
	if typical := median(sortedBy(seamless, (*service).silence)); typical > silentMedian {
		l.Errorf("the median of the times without success is %.2f s, at most %.2f s are wanted", typical.Seconds(), silentMedian.Seconds())
	}
}

// recordsAll turns audit logging on so that every request is recorded, in a log that is rotated.
func (l *lab) recordsAll() {
	l.Helper()
	l.write(everyRequestFile, everyRequest)
	l.write(otherWordsFile, "# The same in other words.\n"+everyRequest)
	l.write(managedFieldsFile, everyRequest+"  omitManagedFields: true\n")
	l.rollsOut(func() {
		l.auditpatch(0, append([]string{"enable", "--policy", everyRequestFile}, everyRequestFlags...)...)
	})
}

// alter makes a change under a load of its own, and returns what clients noticed.
func (l *lab) alter(config *rest.Config, a alteration) *service {
	l.Helper()
	old, c := l.server(), l.startClients(config)
	defer c.stop()
	time.Sleep(normalFor)
	from := time.Now()
	said := l.auditpatch(0, a.args...)
	to := time.Now()
	l.node.Intend(2)
	l.wantUpdates(from, cluster.Updates{Add: 2, Remove: 2})
	if server := l.server(); server.PID == old.PID {
		l.Fatalf("kube-apiserver is still pid %d", old.PID)
	}
	time.Sleep(normalFor)
	s := c.served(a, from, to)
	if a.name == quick.name {
		l.wantNotSaid(said, takesConnections)
	} else {
		l.wantSaid(said, takesConnections, secondHasEnded, servedThroughout)
	}
	l.handedBack()
	return s
}

// unnoticed wants clients to have been served as a seamless restart serves them.
func (l *lab) unnoticed(s *service) {
	l.Helper()
	if failed := s.failedPercent(); failed > failedAtMostOnce {
		l.Errorf("%s: %.2f %% of the requests failed, at most %.1f %% may", s.name, failed, failedAtMostOnce)
	}
	if s.silence() > silentAtMostOnce {
		l.Errorf("%s: no success for %.2f s, at most %.0f s are wanted", s.name, s.silence().Seconds(), silentAtMostOnce.Seconds())
	}
}

// wholeLog reads all files of the log, in which each event has to be once.
func (l *lab) wholeLog() {
	l.Helper()
	recorded := l.recordedSince(position{at: time.Unix(1, 0)})
	l.Logf("%d requests in all files of the log, none twice", len(recorded))
}

// serviceRow is a row of a table.
type serviceRow struct {
	name string
	runs []*service
}

// serviceTable compares what clients noticed. The times are the median and the longest.
func serviceTable(rows ...serviceRow) string {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, column := range []string{
		"", "runs", "requests", "failed", "failed %", "no success", "new connections", "on 127.0.0.1", "endpoints empty", "seconds", "lost", "missing", "twice", "torn",
	} {
		fmt.Fprintf(table, "%s\t", column)
	}
	for _, row := range rows {
		if len(row.runs) > 0 {
			row.print(table)
		}
	}
	fmt.Fprintln(table)
	_ = table.Flush()
	return text.String()
}

// requests are those that were sent while the changes went on, and those of them that failed.
func (r serviceRow) requests() (sent, failed int) {
	for _, s := range r.runs {
		part := s.during()
		sent, failed = sent+len(part.Requests), failed+len(part.Requests)-part.Counts()[load.Acknowledged]
	}
	return sent, failed
}

func percent(part, of int) float64 { return 100 * float64(part) / float64(max(of, 1)) }

func (r serviceRow) print(table *tabwriter.Writer) {
	sent, failed := r.requests()
	fmt.Fprintf(table, "\n%s\t%d\t%d\t%d\t%.3f\t", r.name, len(r.runs), sent, failed, percent(failed, sent))
	for _, value := range []func(*service) time.Duration{
		func(s *service) time.Duration { return s.silent }, func(s *service) time.Duration { return s.node },
		func(s *service) time.Duration { return s.loopback }, (*service).empty, (*service).took,
	} {
		sorted := sortedBy(r.runs, value)
		fmt.Fprintf(table, "%.2f, %.2f\t", median(sorted).Seconds(), sorted[len(sorted)-1].Seconds())
	}
	for _, number := range []func(*service) int{
		func(s *service) int { return s.lost }, func(s *service) int { return s.missing },
		func(s *service) int { return s.twice }, func(s *service) int { return s.torn },
	} {
		sum := 0
		for _, s := range r.runs {
			sum += number(s)
		}
		fmt.Fprintf(table, "%d\t", sum)
	}
}

// sortedBy are values of runs, the least first.
func sortedBy(of []*service, value func(*service) time.Duration) (out []time.Duration) {
	for _, s := range of {
		out = append(out, value(s))
	}
	slices.Sort(out)
	return out
}
