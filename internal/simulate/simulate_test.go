package simulate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
)

// with is a recorded event, and bare what is left of it at Metadata, both by hand.
const (
	with = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/pods","verb":"create",` +
		`"user":{"username":"alice","groups":["system:authenticated"]},"objectRef":{"resource":"pods","namespace":"prod","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},` +
		`"requestObject":{"kind":"Pod","metadata":{"name":"a","managedFields":[{"a":"]}"}]}},"responseObject":{"kind":"Pod","metadata":{"managedFields":[]},"spec":{"x":"\"}"}},` +
		`"requestReceivedTimestamp":"2026-11-22T11:00:00.000000Z","stageTimestamp":"2026-11-22T11:00:00.100000Z","annotations":{"authorization.k8s.io/decision":"allow","patch.webhook.admission.k8s.io/round_0_index_0":"{}"}}`
	bare = `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/prod/pods","verb":"create",` +
		`"user":{"username":"alice","groups":["system:authenticated"]},"objectRef":{"resource":"pods","namespace":"prod","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},` +
		`"requestReceivedTimestamp":"2026-11-22T11:00:00.000000Z","stageTimestamp":"2026-11-22T11:00:00.100000Z","annotations":{"authorization.k8s.io/decision":"allow"}}`
)

// TestLower wants the very bytes of an event at lower levels, and without managed fields.
func TestLower(t *testing.T) {
	without := func(parts ...string) string {
		out := with
		for _, p := range parts {
			if !strings.Contains(out, p) {
				t.Fatalf("%q is not there", p)
			}
			out = strings.Replace(out, p, "", 1)
		}
		return out
	}
	response := `"responseObject":{"kind":"Pod","metadata":{"managedFields":[]},"spec":{"x":"\"}"}},`
	for _, c := range []struct{ name, log, rule, want string }{
		{"as it is", with, "{level: RequestResponse}", with},
		{"Metadata", with, "{level: Metadata}", bare},
		{"Request", with, "{level: Request}", strings.Replace(without(response), "RequestResponse", "Request", 1)},
		{"no managed fields", with, "{level: RequestResponse, omitManagedFields: true}", without(`,"managedFields":[{"a":"]}"}]`, `"managedFields":[]`)},
		{"patches alone", strings.Replace(with, `"authorization.k8s.io/decision":"allow",`, "", 1), "{level: Metadata}", strings.Replace(bare, `,"annotations":{"authorization.k8s.io/decision":"allow"}`, "", 1)},
		{"blanks", strings.ReplaceAll(with, `,"`, ` , "`), "{level: Metadata}", bare},
		{"Metadata as it is", bare, "{level: Metadata}", bare},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, Request{Logs: logOf(t, c.log), New: load(t, "new", "omitStages: [RequestReceived]\nrules: ["+c.rule+"]\n")})
			want := Count{Events: 1, Size: Size{Bytes: int64(len(c.want) + 1)}}
			if r.New.All != want {
				t.Errorf("%+v, not %+v", r.New.All, want)
			}
		})
	}
}

// two are two stages of one request.
func two(t *testing.T, r policy.Request, id string, at time.Time) (lines []string) {
	for _, stage := range []audit.Stage{audit.StageRequestReceived, audit.StageResponseComplete} {
		lines = append(lines, text(t, made(r, stage, audit.LevelMetadata, id, at)))
	}
	return lines
}

// TestCounts counts a log of three requests by hand.
func TestCounts(t *testing.T) {
	get := requests.On(requests.Alice, "get", "", "pods", "prod", "web")
	list := requests.On(requests.Scheduler, "list", "", "nodes", "", "")
	list.Groups = []string{"system:authenticated"}
	check := requests.At(requests.Alice, "get", "/livez")
	var lines []string
	for i, r := range []policy.Request{get, list, check} {
		lines = append(lines, two(t, r, fmt.Sprint(i), began.Add(time.Duration(i)*40*time.Minute))...)
	}
	size := func(at ...int) (n int64) {
		for _, i := range at {
			n += int64(len(lines[i]) + 1)
		}
		return n
	}
	p := load(t, "new", `rules:
- {level: None, nonResourceURLs: ["/livez"]}
- {level: Metadata, users: [alice], omitStages: [RequestReceived]}
- {level: Metadata}
`)
	r := run(t, Request{Logs: logOf(t, lines...), New: p})
	count := func(at ...int) Count { return Count{Events: int64(len(at)), Size: Size{Bytes: size(at...)}} }
	want := &Tally{
		All: count(1, 2, 3), Rules: []Count{{}, count(1), count(2, 3)},
		Levels: map[audit.Level]Count{audit.LevelMetadata: count(1, 2, 3)},
		Users:  map[string]Count{"alice": count(1), "system:kube-scheduler": count(2, 3)},
		Hours:  map[int64]Count{began.Unix() / 3600: count(1, 2, 3)},
	}
	if diff := cmp.Diff(want, r.New); diff != "" {
		t.Errorf("new (-want +got):\n%s", diff)
	}
	if r.Log.All != count(0, 1, 2, 3, 4, 5) || r.Log.Hours[began.Unix()/3600+1] != count(4, 5) || r.Span() != 80*time.Minute {
		t.Errorf("log: %+v, %s", r.Log, r.Span())
	}
	if rate := r.Rate(r.Log); rate.Mean != float64(size(0, 1, 2, 3, 4, 5))*60/80 || rate.Peak != max(rate.Mean, float64(size(0, 1, 2, 3))) || rate.Day != 0 {
		t.Errorf("rate: %+v", rate)
	}
}

// TestEstimates has bodies estimated by those of the same kind, of the same resource, and by
// rough figures.
func TestEstimates(t *testing.T) {
	create := requests.On(requests.Alice, "create", "", "pods", "prod", "")
	body := func(r policy.Request, id, request, response string) string {
		e := made(r, audit.StageResponseComplete, audit.LevelRequestResponse, id, began)
		e.RequestObject, e.ResponseObject = raw(request), raw(response)
		return text(t, e)
	}
	full := []string{
		body(create, "1", `{"a":1}`, `{"a":123}`),     // 7 and 9
		body(create, "2", `{"a":12345}`, `{"a":1}`),   // 11 and 7
		body(create, "3", `{"a":123}`, `{"a":12345}`), // 9 and 11
	}
	p := load(t, "new", "omitStages: [RequestReceived]\nrules: [{level: RequestResponse}]\n")
	forbidden := made(create, audit.StageResponseComplete, audit.LevelMetadata, "5", began)
	forbidden.ResponseStatus.Code, forbidden.ResponseStatus.Message = 403, "no"
	for _, c := range []struct {
		name  string
		event string
		size  Size // beside the event as it is, and what its level is longer: 7 bytes
	}{
		// The means are 9 and 9; each has its name, the colon and the comma: 17 and 18 more.
		{"same kind", text(t, made(create, audit.StageResponseComplete, audit.LevelMetadata, "4", began)), Size{9 + 17 + 9 + 18, 9 + 17 + 9 + 18, 0}},
		// An update is sent and answered with an object of the six that there are: 9 each, 17.5 more.
		{"same resource", text(t, made(requests.On(requests.Alice, "update", "", "pods", "prod", "a"), audit.StageResponseComplete, audit.LevelMetadata, "4", began)), Size{52, 52, 0}},
		{"rough", text(t, made(requests.On(requests.Alice, "get", "", "namespaces", "prod", "prod"), audit.StageResponseComplete, audit.LevelMetadata, "4", began)), Size{1600, 1600, 1600}},
		{"a refusal", text(t, forbidden), Size{int64(len(`,"responseObject":{"kind":"Status","apiVersion":"v1","metadata":{},"message":"no","code":403}`)),
			int64(len(`,"responseObject":{"kind":"Status","apiVersion":"v1","metadata":{},"message":"no","code":403}`)), 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, Request{Logs: logOf(t, append(full, c.event)...), New: p})
			want := c.size
			for _, line := range append(full, c.event) {
				want.Bytes += int64(len(line) + 1)
			}
			want.Bytes += 7
			if got := r.New.All.Size; got != want {
				t.Errorf("%+v, not %+v", got, want)
			}
		})
	}
}

// TestDerived has events of a stage that the log left out.
func TestDerived(t *testing.T) {
	watch := requests.On(requests.Alice, "watch", "", "pods", "prod", "")
	last := made(watch, audit.StageResponseComplete, audit.LevelMetadata, "1", began.Add(time.Minute))
	first := made(watch, audit.StageRequestReceived, audit.LevelMetadata, "1", began.Add(time.Minute))
	started := made(watch, audit.StageResponseStarted, audit.LevelMetadata, "1", began.Add(time.Minute))
	before := made(watch, audit.StageResponseComplete, audit.LevelMetadata, "0", began)
	log := []string{text(t, before), text(t, last)}
	p := load(t, "new", "rules: [{level: Metadata}]\n")
	var got []string
	r := Request{Logs: logOf(t, log...), New: p, Each: func(o Outcome) error {
		got = append(got, fmt.Sprint(o.AuditID, o.Stage, o.Derived, o.Bytes))
		return nil
	}}
	report := run(t, r)
	want := []string{
		fmt.Sprint("0", "ResponseComplete", false, len(log[0])+1), // the log begins after this request
		fmt.Sprint("1", "ResponseComplete", false, len(log[1])+1),
		fmt.Sprint("1", "RequestReceived", true, len(text(t, first))+1),
		fmt.Sprint("1", "ResponseStarted", true, len(text(t, started))+1),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if report.New.All.Derived != 2 || report.New.All.Events != 4 {
		t.Errorf("%+v", report.New.All)
	}
}

// TestUnknown wants what the numbers leave out to be said.
func TestUnknown(t *testing.T) {
	get := requests.On(requests.Alice, "get", "", "pods", "prod", "web")
	log := two(t, get, "1", began)
	drops := load(t, "drops", "rules: [{level: None, nonResourceURLs: [\"*\"]}, {level: Metadata}]\n")
	all := load(t, "all", "rules: [{level: Metadata}]\n")
	other := load(t, "other", "rules: [{level: None}]\n")
	for _, c := range []struct {
		name    string
		current *policy.Policy
		want    []string
	}{
		{"by comparison", drops, []string{"drops has recorded this log, and drops requests that all would write", "/"}},
		{"nothing", all, []string{"all has recorded this log, and drops nothing that all would write"}},
		{"not the one", other, []string{"other has not recorded this log, or not all of it: under it, 2 events would be otherwise", "by a guess, renewals of leases, health checks"}},
		{"by a guess", nil, []string{"which policy recorded this log is unknown", "by a guess, renewals of leases, health checks", "the log has none of"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := run(t, Request{Logs: logOf(t, log...), New: all, Current: c.current})
			for _, want := range c.want {
				if !strings.Contains(strings.Join(r.Unknown, "\n"), want) {
					t.Errorf("%q is not in\n%s", want, strings.Join(r.Unknown, "\n"))
				}
			}
		})
	}
}
