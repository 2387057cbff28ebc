//go:build e2e

package policies

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/internal/simulate"
)

// metadata records everything at Metadata.
var metadata = named{"everything at Metadata", "\n- {level: Metadata}\n"}

// TestSimulateAgrees records requests once at Metadata for everything, and sends the same
// with the same Audit-ID under other policies. What simulate makes of the first log is, event
// for event, what these record: stages and levels of all, and the bytes of those at Metadata.
func TestSimulateAgrees(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	s := &simulation{bed: start(t, bob, alice, operator, scheduler, odd), late: map[string]bool{}}
	furnish(t, s.bed)
	s.recorded = filepath.Join(t.TempDir(), "audit.log")
	if err := os.WriteFile(s.recorded, s.send(t, head+metadata.text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, p := range compared(t, os.Getenv("E2E_QUICK") == "1") {
		t.Run(p.name, func(t *testing.T) { s.compare(t, p) })
	}
	t.Logf("%d requests under each of %d policies: %d events compared, %d requests without one; %d of %d events at Metadata have the very bytes; %d mismatches; %.0f s",
		s.requests, s.policies, s.events, s.absent, s.exact, s.atMetadata, s.mismatches, time.Since(begun).Seconds())
	if s.requests < 500 || s.policies < 5 {
		t.Errorf("that is too few")
	}
	if s.exact*100 < s.atMetadata*95 {
		t.Errorf("the bytes of only %d of %d events at Metadata are exact", s.exact, s.atMetadata)
	}
}

// simulation counts over all policies.
type simulation struct {
	bed                        *apiserver.Bed
	recorded                   string // the log with everything, a file
	builder                    string // a token
	late                       map[string]bool
	requests, policies         int
	events, absent, mismatches int
	exact, atMetadata          int
}

// send sends all requests under a policy, and returns the log.
func (s *simulation) send(t *testing.T, text string) []byte {
	server := serve(t, s.bed, []byte(text))
	client := server.Client()
	defer client.Close()
	if s.builder == "" {
		s.builder = tokenOfBuilder(t, client)
	}
	all := requests(t, s.builder)
	s.requests = len(all)
	for _, q := range all {
		s.late[q.id] = q.late() // it may take another course under each policy
		if _, err := client.Do(q.Request); err != nil && !q.late() {
			t.Errorf("%s %s", err, q.id)
		}
	}
	return end(t, server)
}

// compare compares what is simulated with what is recorded.
func (s *simulation) compare(t *testing.T, n named) {
	p := n.load(t)
	understands(t, p)
	simulated := s.simulate(t, p)
	got := byID(events(t, s.send(t, n.text)))
	s.policies++
	for i := range s.requests {
		id := requestID(i)
		if s.late[id] {
			continue
		}
		var want outcome
		want.level = audit.LevelNone
		for _, o := range simulated[id] {
			want.level, want.stages = o.Level, append(want.stages, o.Stage)
		}
		if is := found(got[id]); !is.equal(want) {
			s.mismatches++
			t.Errorf("%s: the log has %s, simulate says %s", id, is, want)
			continue
		}
		s.events += len(got[id])
		if len(got[id]) == 0 {
			s.absent++
		}
		s.bytes(t, got[id], simulated[id])
	}
}

// bytes compares lengths of events at Metadata. Few differ: by what counts on in the
// cluster, and by annotations of requests that took long.
func (s *simulation) bytes(t *testing.T, got []event, want []simulate.Outcome) {
	for i, o := range want {
		if o.Level != audit.LevelMetadata {
			continue
		}
		if o.Estimated != 0 {
			t.Errorf("%s %s: %d bytes are estimated at Metadata", o.AuditID, o.Stage, o.Estimated)
		}
		s.atMetadata++
		if int64(len(got[i].line)) == o.Bytes {
			s.exact++
		}
	}
}

// simulate is what simulate says that the policy writes, by request.
func (s *simulation) simulate(t *testing.T, p *policy.Policy) map[string][]simulate.Outcome {
	t.Helper()
	logs, err := read.Find([]string{s.recorded}, nil)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string][]simulate.Outcome{}
	report, err := simulate.Run(t.Context(), simulate.Request{Logs: logs, New: p, Each: func(o simulate.Outcome) error {
		if o.Derived && strings.HasPrefix(o.AuditID, "request-") {
			t.Errorf("%s: %s is derived, though the log has all stages", o.AuditID, o.Stage)
		}
		if o.Written {
			of[strings.Clone(o.AuditID)] = append(of[strings.Clone(o.AuditID)], o)
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if n := report.Read.Unreadable + report.Undecided; n > 0 {
		t.Errorf("%d events cannot be read", n)
	}
	return of
}
