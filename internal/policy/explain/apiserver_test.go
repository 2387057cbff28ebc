package explain

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	apiaudit "k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"auditpatch/internal/policy"
)

// logOf keeps events as the log backend writes them: in one line each.
type logOf struct{ lines []string }

func (l *logOf) ProcessEvents(events ...*audit.Event) bool {
	for _, e := range events {
		text, err := runtime.Encode(apiaudit.Codecs.LegacyCodec(auditv1.SchemeGroupVersion), e)
		if err != nil {
			panic(err)
		}
		l.lines = append(l.lines, string(text))
	}
	return true
}

// asked draws a request as it comes from the wire, with its user.
func (d dice) asked() (*http.Request, user.Info) {
	prefix := d.one("/api/v1", "/apis/apps/v1", "/apis/metrics.k8s.io/v1beta1")
	path := prefix + d.one("", "/namespaces/prod", "/namespaces/dev") + "/" + d.one("pods", "deployments", "secrets", "namespaces") + d.one("", "", "/web", "/prod", "/web/exec", "/web/scale", "/web/log", "/a%20b")
	if d.IntN(4) == 0 {
		path = d.one("/healthz", "/api", "/apis/apps", "/version", "/a%20b", "/metrics/", "/api/v1/namespaces/prod", "/api/v1/namespaces/prod/status", "/", "//api", "/openapi/v3", "/debug/pprof/heap")
	}
	query := d.one("", "", "?watch=true", "?fieldSelector=metadata.name%3Dprod", "?fieldSelector=metadata.name%3Dweb&watch=1", "?limit=500&timeout=5s", "?dryRun=All", "?labelSelector=a%3Db", "?watch=x")
	u, err := url.ParseRequestURI(path + query)
	if err != nil {
		panic(err)
	}
	req := &http.Request{Method: d.one(knownMethods...), URL: u, Header: http.Header{}, RemoteAddr: "10.0.0.1:1"}
	who := Who{User: d.one("", "alice", "bob", "system:anonymous", "system:serviceaccount:a:b"), Groups: d.some("devs", `odd "group"]`, "gr\u00fcn")}
	return req, who.request().Attributes().GetUser()
}

// TestEventsAsLogged writes events with the API server's own code, at every stage, and
// wants the decision that the evaluator made when the request came in.
func TestEventsAsLogged(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		asLogged(t, seed)
	}
}

func FuzzEventsAsLogged(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(asLogged)
}

func asLogged(t *testing.T, seed uint64) {
	d := dice{rand.New(rand.NewPCG(seed, 9))}
	p := d.policy(t)
	log := &logOf{}
	var want, asked []string
	for range 30 {
		req, who := d.asked()
		info, err := requestInfos.NewRequestInfo(req)
		if err != nil {
			continue
		}
		attrs := authorizer.AttributesRecord{User: who, Verb: info.Verb, Namespace: info.Namespace, APIGroup: info.APIGroup, APIVersion: info.APIVersion,
			Resource: info.Resource, Subresource: info.Subresource, Name: info.Name, ResourceRequest: info.IsResourceRequest, Path: info.Path}
		decision := p.Evaluate(attrs)
		before := len(log.lines)
		logRequest(req, attrs, log)
		for range log.lines[before:] {
			want = append(want, fmt.Sprintf("%d %s %v", decision.Rule, decision.Level, decision.OmitStages))
			asked = append(asked, fmt.Sprintf("%s %s %+v", req.Method, req.URL, attrs))
		}
		fromURL(t, p.Evaluate, req, who, decision.Rule)
	}
	i := 0
	total, err := Events(t.Context(), p, strings.NewReader(strings.Join(log.lines, "\n")), func(e Event, a Answer) error {
		decision := p.Evaluate(e.Request.Attributes())
		if got := fmt.Sprintf("%d %s %v", a.Rule, a.Level, decision.OmitStages); got != want[i] {
			t.Errorf("%s: got %s, want %s\n%s", asked[i], got, want[i], log.lines[i])
		}
		i++
		return nil
	})
	if err != nil || total.Unreadable > 0 || total.Events != len(want) {
		t.Errorf("%+v, %v, want %d events", total, err, len(want))
	}
}

// logRequest logs a request at its stages, as WithAudit does, at level Metadata, with
// what the API server adds to the event once it has read an object.
func logRequest(req *http.Request, attrs authorizer.Attributes, sink apiaudit.Sink) {
	ctx := apiaudit.WithAuditContext(context.Background())
	ac := apiaudit.AuditContextFrom(ctx)
	if err := ac.Init(apiaudit.RequestAuditConfig{Level: audit.LevelMetadata}, sink); err != nil {
		panic(err)
	}
	apiaudit.LogRequestMetadata(ctx, req, time.Unix(0, 0), attrs)
	ac.ProcessEventStage(ctx, audit.StageRequestReceived)
	if verb := attrs.GetVerb(); attrs.IsResourceRequest() && (verb == "create" || verb == "update") {
		sink = addObject{sink}
		again := apiaudit.WithAuditContext(context.Background())
		ac, ctx = apiaudit.AuditContextFrom(again), again
		if err := ac.Init(apiaudit.RequestAuditConfig{Level: audit.LevelMetadata}, sink); err != nil {
			panic(err)
		}
		apiaudit.LogRequestMetadata(ctx, req, time.Unix(0, 0), attrs)
	}
	ac.ProcessEventStage(ctx, audit.StageResponseComplete)
}

// addObject does to an event what LogRequestObject does with an object's metadata.
type addObject struct{ apiaudit.Sink }

func (a addObject) ProcessEvents(events ...*audit.Event) bool {
	for _, e := range events {
		if e.ObjectRef.Namespace == "" {
			e.ObjectRef.Namespace = "prod"
		}
		if e.ObjectRef.Name == "" {
			e.ObjectRef.Name = "web"
		}
	}
	return a.Sink.ProcessEvents(events...)
}

// fromURL wants the same rule for the request by its URL.
func fromURL(t *testing.T, evaluate func(authorizer.Attributes) policy.Decision, req *http.Request, who user.Info, rule int) {
	t.Helper()
	w := Who{}
	if who != nil {
		w = Who{User: who.GetName(), Groups: slices.Clone(who.GetGroups())}
	}
	s, err := FromURL(req.Method, req.URL.RequestURI(), w)
	if err != nil {
		t.Errorf("%s %s: %v", req.Method, req.URL, err)
		return
	}
	if got := evaluate(s.Attributes()).Rule; got != rule {
		t.Errorf("%s %s: rule %d by its URL, %d in the API server", req.Method, req.URL, got, rule)
	}
}
