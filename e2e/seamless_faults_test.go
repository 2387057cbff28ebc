//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"auditpatch/e2e/cluster"
	"auditpatch/e2e/load"
)

// spoilLog has the new API server find a log that it cannot write, which the rehearsed one has
// not seen: the log of that one is another file. The old API server is gone by then, and the
// earlier one, which needs the log too, has not been started.
const spoilLog = momentScript + `
	said "old kube-apiserver"; mount -t tmpfs -o ro tmpfs /var/log/kubernetes/audit; trap show EXIT
	said "undo "; show; trap - EXIT`

// TestSeamlessRollback has the new API server fail although it was rehearsed: clients must be
// served until the earlier one is back.
func TestSeamlessRollback(t *testing.T) {
	l := begin(t)
	l.installProber()
	l.recordsAll()
	config := l.loadConfig()
	defer l.removeLoad()
	var all []*service
	for range repeats(t, "E2E_SEAMLESS_ROLLBACKS", 1) {
		s := l.rollsBackUnnoticed(config)
		l.unnoticed(s)
		all = append(all, s)
	}
	l.wholeLog()
	l.Logf("what clients noticed of a rollback\n%s", serviceTable(serviceRow{"rolled back", all}))
}

func (l *lab) rollsBackUnnoticed(config *rest.Config) *service {
	l.Helper()
	original := l.read(cluster.Manifest)
	a := alteration{"rolled back", []string{"enable", "--audit-log-maxage=31"}, true, true}
	c := l.startClients(config)
	defer c.stop()
	time.Sleep(normalFor)
	from := time.Now()
	l.node.Intend(4)
	said := l.auditpatchWhile(spoilLog, 3, a.args...)
	to := time.Now()
	l.wantUpdates(from, cluster.Updates{Add: 4, Remove: 4})
	l.wantSaid(said, takesConnections, "read-only file system", "the earlier settings are back and healthy", secondHasEnded)
	time.Sleep(normalFor)
	s := c.served(a, from, to)
	l.wantWhole(original)
	l.handedBack()
	return s
}

// servingMoments are moments between the start of a rehearsal and the end of the API server
// that was rehearsed, as lines of [whileScript] that wait for them.
var servingMoments = []disruption{
	{"the rehearsal begins", `look rehearses`},
	{"the rehearsal goes on", `look rehearses; read -rt 1 -u 3`},
	{"it takes connections", `said "takes connections"`},
	{"first write", `said "backup "`},
	{"the old listener is closed", `said "backup "; look closed`},
	{"the old process has ended", `said "old kube-apiserver"`},
	{"second write", `said "backup "; look interim; look final`},
	{"the new process has started", `said "new kube-apiserver started"`},
	{"the new one listens", `said "new kube-apiserver started"; look listens`},
	{"the new one is ready", `said "/readyz"`},
	{"the proof is found", `said "found in the log"`},
	{"the second one drains", `said "found in the log"; read -rt 2.2 -u 3`},
}

// secondMoments are moments at which the second API server serves, and what it does then is
// missed by somebody.
var secondMoments = []disruption{
	{"first write", `said "backup "`},
	{"the old process has ended", `said "old kube-apiserver"`},
	{"it takes connections", `said "takes connections"`},
	{"the new process has started", `said "new kube-apiserver started"`},
}

// killScript is what the lines of these moments call besides.
const killScript = momentScript + `
rehearses() { pgrep -x auditpatch-rehe >/dev/null; }
`

// backWithin is how long clients may be without an API server when the one that serves
// meanwhile dies: as long as a quick restart takes.
const backWithin = 20 * time.Second

// TestSeamlessKilled kills auditpatch, and with it the API server that serves meanwhile, at
// moments of a seamless change, and at others that API server alone. The node's own has to be
// back soon, the next command to end what is unfinished, and nothing to be left or lost.
//
// Not one acknowledged request may be missing from the log, whatever was under way when the
// server was killed. In the blocking mode, which is the default, kube-apiserver hands an event to
// the kernel before the handler returns (k8s.io/apiserver/pkg/endpoints/filters/audit.go), and
// net/http ends the answer only after that: with END_STREAM, with the last chunk, or with all of
// a short answer. A request counts as acknowledged when the client has read that end. What the
// kernel has been given survives SIGKILL. So a request whose event is lost has no whole answer.
func TestSeamlessKilled(t *testing.T) {
	l := begin(t)
	l.installProber()
	l.recordsAll()
	config := l.loadConfig()
	defer l.removeLoad()
	kills := repeats(t, "E2E_SEAMLESS_KILLS", 3)
	k := &killing{lab: l, config: config, maxage: 30}
	for _, m := range some(servingMoments, kills) {
		k.uncounted(func() { k.killProgram(m) })
	}
	for _, m := range some(secondMoments, (kills+2)/3) {
		k.uncounted(func() { k.killSecond(m) })
	}
	l.wholeLog()
	l.Logf("killed: the longest time without success for new connections from elsewhere\n%s", strings.Join(k.rows, "\n"))
}

// some are n of the moments, spread evenly over all of them.
func some(moments []disruption, n int) (out []disruption) {
	n = min(n, len(moments))
	for i := range n {
		out = append(out, moments[(2*i+1)*len(moments)/(2*n)])
	}
	return out
}

// killing is a test that kills.
type killing struct {
	*lab
	config *rest.Config
	maxage int
	rows   []string
}

// next is another change than the last one, and the manifests before and after it.
func (k *killing) next(name string) (a alteration, before, after string) {
	k.Helper()
	k.maxage++
	flag := fmt.Sprintf("--audit-log-maxage=%d", k.maxage)
	before = k.read(cluster.Manifest)
	_, rest, _ := strings.Cut(before, "--audit-log-maxage=")
	old, _, _ := strings.Cut(rest, "\n")
	after = strings.Replace(before, "--audit-log-maxage="+old, flag, 1)
	return alteration{name, []string{"enable", flag}, true, true}, before, after
}

// killProgram kills auditpatch, and types at once what ends the change: each time another
// command.
func (k *killing) killProgram(m disruption) {
	k.Helper()
	k.Logf("auditpatch is killed: %s", m.name)
	a, before, after := k.next("auditpatch killed, " + m.name)
	c := k.startClients(k.config)
	defer c.stop()
	time.Sleep(normalFor)
	from := time.Now()
	k.auditpatchWhile(killScript+m.wait+"; kill -KILL $pid", 128+9, a.args...)
	next := []string{"recover"}
	if k.maxage%2 == 0 {
		next, before = a.args, after
	}
	k.auditpatch(0, next...)
	k.over(c, a, from)
	if now := k.read(cluster.Manifest); now != before && now != after {
		k.Fatalf("the manifest is neither the earlier nor the new one:\n%s", now)
	}
}

// killSecond kills the API server that serves meanwhile: the change goes on as a quick one.
func (k *killing) killSecond(m disruption) {
	k.Helper()
	k.Logf("the second API server is killed: %s", m.name)
	a, _, after := k.next("second killed, " + m.name)
	c := k.startClients(k.config)
	defer c.stop()
	time.Sleep(normalFor)
	from := time.Now()
	said := k.auditpatchWhile(killScript+m.wait+"; kill -KILL $(pgrep -x auditpatch-rehe)", 0, a.args...)
	k.wantSaid(said, takesConnections, "the rehearsed kube-apiserver does not serve any more", "found in the log")
	k.wantNotSaid(said, servedThroughout)
	s := k.over(c, a, from)
	k.wantManifest(after)
	// A listener that outlives the server would take connections that nobody answers.
	if n := s.hung(); n > hungAtMost {
		k.Errorf("%s: %d requests had a connection that nobody answered", s.name, n)
	}
}

// hungAtMost is what a starting API server does not get round to.
const hungAtMost = 100

// hung counts the requests whose connection was neither made nor refused for a long time.
func (s *service) hung() (n int) {
	for _, r := range s.Requests {
		if r.Class == load.Unsent && r.Ended.Sub(r.Began) > 1500*time.Millisecond {
			n++
		}
	}
	return n
}

// over wants the API server to have come back soon, and nothing to be left, lost or missing.
func (k *killing) over(c *clients, a alteration, from time.Time) *service {
	k.Helper()
	to := time.Now()
	if _, err := k.node.WaitServer(k.ctx, 0); err != nil {
		k.Fatal(err)
	}
	time.Sleep(normalFor)
	s := c.served(a, from, to)
	k.rows = append(k.rows, fmt.Sprintf("%5.1f s  %s", s.node.Seconds(), s.name))
	if s.node > backWithin {
		k.Errorf("%s: no success for %.1f s", s.name, s.node.Seconds())
	}
	k.wantWhole(k.read(cluster.Manifest))
	k.handedBack()
	return s
}
