//go:build e2e

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"auditpatch/e2e/cluster"
	"auditpatch/e2e/load"
)

// clients are all that use the API server while a test does something to it.
type clients struct {
	l         *lab
	log       position
	loading   *load.Load
	node      *cluster.Prober // the node's own address
	loopback  *loopback
	endpoints *load.Endpoints
}

// startClients starts a load, probes with new connections, and looks at the endpoints of the
// Service kubernetes.
func (l *lab) startClients(config *rest.Config) *clients {
	l.Helper()
	c := &clients{l: l, log: l.logPosition()}
	c.loading = l.startLoad(config, load.Options{Rate: repeats(l.T, "E2E_LOAD_RATE", 500)})
	c.node, c.loopback = l.node.Prober(probedAnewEvery), l.probeLoopback()
	var err error
	if c.endpoints, err = load.WatchEndpoints(config); err != nil {
		l.Fatal(err)
	}
	return c
}

// stop ends the clients of a test that has failed. It does nothing after served.
func (c *clients) stop() {
	if c.loading != nil {
		c.loading.Stop()
		c.node.Stop()
		c.endpoints.Stop()
		c.loopback.stop()
	}
}

// service is what clients had of the API server while something was done to it.
type service struct {
	*load.Run
	alteration
	from, to time.Time // what was done

	silent, node, loopback time.Duration // the longest time without success: load, new connections
	without                map[string]time.Duration

	lost, missing, needless, twice, torn int
}

// served ends the clients. It wants nothing to be lost that was acknowledged, and all of that
// to be in the log, as far as the log was on.
func (c *clients) served(a alteration, from, to time.Time) *service {
	c.l.Helper()
	s := &service{Run: c.loading.Stop(), alteration: a, from: from, to: to, without: c.endpoints.Stop()}
	loading := c.loading
	c.loading = nil
	began, ended := s.Began.Add(time.Second), s.Ended
	s.node = cluster.Silence(c.node.Stop(), began, ended)
	s.loopback = cluster.Silence(c.loopback.stop(), began, ended)
	first, last := s.Outage()
	s.silent = last.Sub(first)
	c.l.keptAll(loading, s)
	c.l.loggedAll(s, c.log)
	c.l.Logf("%s", s)
	return s
}

// keptAll wants every acknowledged write in the API server.
func (l *lab) keptAll(loading *load.Load, s *service) {
	l.Helper()
	lost, err := loading.Lost(l.ctx)
	if err != nil {
		l.Fatal(err)
	}
	if s.lost = len(lost); s.lost > 0 {
		l.Errorf("%s: %d acknowledged writes are lost: %q", s.name, s.lost, firstFew(lost))
	}
}

// loggedAll wants every acknowledged request in the audit log, once, as far as the log was on.
// While it is turned on or off a request may be there or not.
func (l *lab) loggedAll(s *service, p position) {
	l.Helper()
	log := l.logSince(p)
	var missing []load.Request
	for _, part := range s.logged() {
		absent := part.Missing(log.Recorded)
		if part.on {
			missing = append(missing, absent...)
		} else {
			s.needless += part.Counts()[load.Acknowledged] - len(absent)
		}
	}
	if s.missing = len(missing); s.missing > 0 {
		l.Errorf("%s: %d acknowledged requests are not in the audit log", s.name, s.missing)
		for _, r := range firstFew(missing) {
			l.Logf("not in the log: ended %.3f s after the begin: %+v", r.Ended.Sub(s.from).Seconds(), r)
		}
	}
	if s.needless > 0 {
		l.Errorf("%s: %d requests are in the audit log although it was off", s.name, s.needless)
	}
	if s.twice, s.torn = len(log.Twice), len(log.Torn); s.twice+s.torn > 0 {
		l.Errorf("%s: the audit log has %d events twice, %q, and %d lines that are none, %q",
			s.name, s.twice, firstFew(log.Twice), s.torn, firstFew(log.Torn))
	}
}

// logging is a part of a run during which the log was on or off.
type logging struct {
	*load.Run
	on bool
}

func (s *service) logged() []logging {
	if s.before && s.after {
		return []logging{{s.Run, true}}
	}
	return []logging{{s.Between(s.Began, s.from), s.before}, {s.Sent(s.to, s.Ended), s.after}}
}

func (s *service) took() time.Duration { return s.to.Sub(s.from) }

// during are the requests that were sent while the change went on.
func (s *service) during() *load.Run { return s.Sent(s.from, s.to) }

// silence is the longest time without success for any kind of clients.
func (s *service) silence() time.Duration { return max(s.silent, s.node, s.loopback) }

// empty is how long the Service kubernetes had no endpoints, in the form that was worse off.
func (s *service) empty() (longest time.Duration) {
	for _, d := range s.without {
		longest = max(longest, d)
	}
	return longest
}

func (s *service) failedPercent() float64 {
	sent, failed := (serviceRow{"", []*service{s}}).requests()
	return percent(failed, sent)
}

// String is what clients noticed.
func (s *service) String() string {
	part := s.during()
	var failed []string
	for _, class := range load.Failures {
		if n := part.Counts()[class]; n > 0 {
			failed = append(failed, fmt.Sprintf("%d %s", n, class))
		}
	}
	before := s.Between(s.Began.Add(time.Second), s.from)
	text := fmt.Sprintf("%s took %.1f s: %d requests sent meanwhile, failed: %s (%.3f %%)\n"+
		"no success for %.2f s, with new connections for %.2f s, on 127.0.0.1 for %.2f s; without endpoints: %v\n"+
		"before: %.0f requests/s, median %s, 99%% %s; meanwhile: median %s, 99%% %s; %d acknowledged in all, %d crowded, %d late; %d watches opened\n"+
		"%d lost, %d missing in the log, %d there twice, %d torn",
		s.name, s.took().Seconds(), len(part.Requests), cmp.Or(strings.Join(failed, ", "), "none"), s.failedPercent(),
		s.silent.Seconds(), s.node.Seconds(), s.loopback.Seconds(), s.without,
		before.Rate(), tenths(before.Latency(0.5)), tenths(before.Latency(0.99)), tenths(part.Latency(0.5)), tenths(part.Latency(0.99)),
		s.Counts()[load.Acknowledged], s.Crowded, s.Late, s.Watches.Opened, s.lost, s.missing, s.twice, s.torn)
	for _, r := range firstFew(s.failures()) {
		text += fmt.Sprintf("\n  %s: %s over %s, sent %.2f s after the begin, took %s", r.Class, r.Verb, r.Protocol,
			r.Began.Sub(s.from).Seconds(), tenths(r.Ended.Sub(r.Began)))
	}
	return text
}

// failures are the requests that were not acknowledged.
func (s *service) failures() []load.Request {
	return slices.DeleteFunc(slices.Clone(s.Requests), func(r load.Request) bool { return r.Class == load.Acknowledged })
}

// proberPath is the program in the folder prober, in the node.
const proberPath = "/root/e2e-prober"

// installProber puts it there until the test ends.
func (l *lab) installProber() {
	l.Helper()
	program := filepath.Join(l.TempDir(), "prober")
	build := exec.CommandContext(l.ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", program, "./prober")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		l.Fatalf("build the prober: %v\n%s", err, out)
	}
	if err := l.node.CopyIn(l.ctx, program, proberPath); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { l.node.Exec(context.Background(), "rm", "-f", proberPath) })
}

// loopback asks the API server on 127.0.0.1 in the node.
type loopback struct {
	l     *lab
	cmd   *exec.Cmd
	stdin io.Closer
	out   bytes.Buffer
}

func (l *lab) probeLoopback() *loopback {
	l.Helper()
	b := &loopback{l: l}
	b.cmd = exec.CommandContext(l.ctx, "docker", "exec", "-i", l.node.Name(), proberPath, "127.0.0.1:6443", probedAnewEvery.String())
	b.cmd.Stdout = &b.out
	var err error
	if b.stdin, err = b.cmd.StdinPipe(); err == nil {
		err = b.cmd.Start()
	}
	if err != nil {
		l.Fatal(err)
	}
	return b
}

// stop returns when there was a good answer.
func (b *loopback) stop() (good []time.Time) {
	b.l.Helper()
	_ = b.stdin.Close()
	if err := b.cmd.Wait(); err != nil {
		b.l.Fatalf("the prober in the node: %v", err)
	}
	for line := range strings.Lines(b.out.String()) {
		micros, err := strconv.ParseInt(strings.TrimSpace(line), 10, 64)
		if err != nil {
			b.l.Fatalf("the prober in the node: %v", err)
		}
		good = append(good, time.UnixMicro(micros))
	}
	return good
}
