//go:build e2e

package policies

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// TestExplainAgrees sends the same requests under many policies, and wants of each request
// that the audit log has exactly the stages and the level that explain says: asked about
// the request, and asked about the events. Every request has an Audit-ID of its own.
//
// kube-apiserver ends before its log is read, so what is not there was not recorded.
func TestExplainAgrees(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	bed := start(t, bob, alice, operator, scheduler, odd)
	furnish(t, bed)
	a := &agreement{bed: bed, late: map[string]bool{}}
	t.Run(everything.name, func(t *testing.T) {
		a.full = a.compare(t, named{everything.name, head + everything.text})
	})
	if a.full == nil {
		t.FailNow()
	}
	for _, p := range compared(t, os.Getenv("E2E_QUICK") == "1") {
		t.Run(p.name, func(t *testing.T) { a.compare(t, p) })
	}
	t.Logf("%d requests under each of %d policies: %d answers of explain about requests and %d about events compared, %d requests of which it gives none; of all requests %d had events and %d had none; %d mismatches; %.0f s",
		a.requests, a.policies, a.answers, a.ofEvents, a.refused, a.recorded, a.absent, a.mismatches, time.Since(begun).Seconds())
}

// agreement counts over all policies.
type agreement struct {
	bed                          *apiserver.Bed
	full                         []byte          // the log of the policy that records everything
	late                         map[string]bool // requests by Audit-ID
	builder                      string          // a token
	requests, policies           int
	answers, ofEvents, refused   int
	recorded, absent, mismatches int
}

// compare sends all requests under one policy, and returns the log.
func (a *agreement) compare(t *testing.T, n named) []byte {
	p := n.load(t)
	understands(t, p)
	server := serve(t, a.bed, []byte(n.text))
	client := server.Client()
	defer client.Close()
	if a.builder == "" {
		a.builder = tokenOfBuilder(t, client)
	}
	all := requests(t, a.builder)
	for _, q := range all {
		a.late[q.id] = q.late() // it may take another course under each policy
		if _, err := client.Do(q.Request); err != nil && !q.late() {
			t.Errorf("%s %s", err, q.id)
		}
	}
	marked := a.mark(t, p, client, all)
	log := end(t, server)
	of := byID(events(t, log))
	if marked && len(of[markerID]) == 0 {
		t.Errorf("the marker is not in the log: what is missing there proves nothing")
	}
	for _, q := range all {
		a.request(t, p, q, of[q.id])
	}
	a.events(t, p, log)
	if a.full != nil {
		a.predicted(t, p, of)
	}
	a.requests, a.policies = len(all), a.policies+1
	return log
}

// markerID is that of a request which comes after all others and is recorded.
const markerID = "marker"

// mark sends a request that the policy records once more, after all others. It reports
// false when the policy records none of them.
func (a *agreement) mark(t *testing.T, p *policy.Policy, client *apiserver.Client, all []sent) bool {
	t.Helper()
	for _, q := range all {
		r, err := explain.FromURL(q.Method, q.Target, who(q.As))
		if err != nil || q.Hold {
			continue
		}
		e, err := explain.Explain(p, r.Request)
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Stages) == 0 {
			continue
		}
		q.Header = maps.Clone(q.Header)
		q.Header["Audit-ID"] = markerID
		if _, err := client.Do(q.Request); err != nil {
			t.Error(err)
		}
		return true
	}
	t.Logf("%s records none of the requests", p.Name())
	return false
}

func tokenOfBuilder(t *testing.T, client *apiserver.Client) string {
	t.Helper()
	answer, err := client.Do(request(http.MethodPost, "/api/v1/namespaces/prod/serviceaccounts/builder/token", body(t, "token"), "Content-Type", asJSON))
	if err != nil || answer.Status != http.StatusCreated {
		t.Fatalf("token: %d (%v) %s", answer.Status, err, answer.Body)
	}
	r := trial{T: t}
	return r.text(answer, "status", "token")
}

// mismatch reports a difference; of many, the first ones will do.
func (a *agreement) mismatch(t *testing.T, format string, args ...any) {
	t.Helper()
	if a.mismatches++; a.mismatches <= 100 {
		t.Errorf(format, args...)
	} else {
		t.Fail()
	}
}

// outcome is what a log has of a request, or what explain says.
type outcome struct {
	level  audit.Level
	stages []audit.Stage
}

func (o outcome) String() string { return fmt.Sprintf("%s %v", o.level, o.stages) }

// said makes one of an answer. Without stages there is no event, and no level.
func said(answer explain.Answer) outcome {
	if len(answer.Stages) == 0 {
		return outcome{level: audit.LevelNone}
	}
	return outcome{answer.Level, answer.Stages}
}

// found makes one of a request's events.
func found(all []event) outcome {
	o := outcome{level: audit.LevelNone}
	for _, e := range all {
		o.level, o.stages = audit.Level(e.Level), append(o.stages, audit.Stage(e.Stage))
	}
	return o
}

func (o outcome) equal(to outcome) bool {
	return o.level == to.level && slices.Equal(o.stages, to.stages)
}

// request compares what explain says of a request by its URL, method and user.
func (a *agreement) request(t *testing.T, p *policy.Policy, q sent, all []event) {
	t.Helper()
	got := found(all)
	if len(all) > 0 {
		a.recorded++
	} else {
		a.absent++
	}
	r, err := explain.FromURL(q.Method, q.Target, who(q.As))
	if err != nil {
		a.refused++
		// Of a URL with a slash too many explain gives no answer; of its event it does.
		if len(all) > 0 && !strings.Contains(err.Error(), "names no resource") {
			a.mismatch(t, "%s %s %.200s of %q: explain says %q, the log has %s", q.id, q.Method, q.Target, q.As.Name, err, got)
		}
		return
	}
	e, err := explain.Explain(p, r.Request)
	if err != nil {
		t.Fatal(err)
	}
	if q.late() && a.failedLogin(t, p, r.Request, got) {
		return
	}
	a.answers++
	if want := said(e.Answer); !got.equal(want) {
		a.mismatch(t, "%s %s %.200s of %q: the log has %s, explain says %s (rule %d)", q.id, q.Method, q.Target, q.As.Name, got, want, e.Rule)
	}
	for _, event := range all {
		if groups := r.Groups; event.User.Username != r.User || !sameSet(event.User.Groups, groups) {
			a.mismatch(t, "%s: the log has user %q of %q, explain took %q of %q", q.id, event.User.Username, event.User.Groups, r.User, groups)
		}
	}
}

// failedLogin reports whether this is what explain says of the same request without a login.
func (a *agreement) failedLogin(t *testing.T, p *policy.Policy, r policy.Request, got outcome) bool {
	t.Helper()
	r.User, r.Groups = "", nil
	e, err := explain.Explain(p, r)
	if err != nil {
		t.Fatal(err)
	}
	return got.equal(said(e.Answer))
}

// who is what somebody who knows the users tells explain.
func who(u apiserver.User) explain.Who {
	if u.Token == "" && !u.Certificate {
		return explain.Who{User: "system:anonymous"}
	}
	return explain.Who{User: u.Name, Groups: u.Groups}
}

func sameSet(a, b []string) bool {
	sorted := func(list []string) string {
		return strings.Join(slices.Compact(slices.Sorted(slices.Values(list))), "\n")
	}
	return sorted(a) == sorted(b)
}

// events compares what explain says of each event of a log, those of kube-apiserver's own
// requests included, with the event itself.
func (a *agreement) events(t *testing.T, p *policy.Policy, log []byte) {
	t.Helper()
	total, err := explain.Events(t.Context(), p, bytes.NewReader(log), func(e explain.Event, answer explain.Answer) error {
		a.ofEvents++
		if answer.Level != e.Level || !slices.Contains(answer.Stages, e.Stage) {
			a.mismatch(t, "line %d, %s: the event is %s at %s, explain says %s", e.Line, explain.Describe(e.Request), e.Level, e.Stage, said(answer))
		}
		return nil
	})
	if err != nil || total.Unreadable > 0 {
		t.Errorf("%d events cannot be read: %v (%v)", total.Unreadable, total.First, err)
	}
}

// predicted compares what explain says, from the log that has everything, with what was
// recorded under another policy of the same requests.
func (a *agreement) predicted(t *testing.T, p *policy.Policy, of map[string][]event) {
	t.Helper()
	_, err := explain.Events(t.Context(), p, bytes.NewReader(a.full), func(e explain.Event, answer explain.Answer) error {
		if !strings.HasPrefix(e.AuditID, "request-") || a.late[e.AuditID] {
			return nil
		}
		a.ofEvents++
		if got, want := found(of[e.AuditID]), said(answer); !got.equal(want) {
			a.mismatch(t, "%s %s: the log has %s, explain says of the event in another log %s", e.AuditID, explain.Describe(e.Request), got, want)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
