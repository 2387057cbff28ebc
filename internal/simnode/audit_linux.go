package simnode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"sigs.k8s.io/yaml"
)

// auditor records requests as the policy says. The policy is loaded and
// evaluated by kube-apiserver's own code.
type auditor struct {
	policy audit.PolicyRuleEvaluator // nil: nothing is audited
	log    *rotatingLog              // nil: none
	legacy bool
	hook   *hook // nil: none
}

// newAuditor is AuditOptions.ApplyTo (k8s.io/apiserver/pkg/server/options).
func newAuditor(f *serverFlags, c *counters) (*auditor, error) {
	a := &auditor{legacy: f.text("audit-log-format") == "legacy"}
	name := f.text("audit-policy-file")
	if name == "" {
		return a, nil
	}
	p, err := policy.LoadPolicyFromFile(name)
	if err != nil {
		return nil, fmt.Errorf("loading audit policy file: %w", err)
	}
	a.policy = policy.NewPolicyRuleEvaluator(p)
	if path := f.text("audit-log-path"); path != "" {
		if a.log, err = openRotating(path, int64(f.number("audit-log-maxsize"))<<20); err != nil {
			return nil, fmt.Errorf("ensureLogFile: %w", err)
		}
	}
	if config := f.text("audit-webhook-config-file"); config != "" {
		if a.hook, err = newHook(config, f.text("audit-webhook-mode"), c); err != nil {
			return nil, fmt.Errorf("initializing audit webhook: %w", err)
		}
	}
	return a, nil
}

func (a *auditor) close() {
	if a.hook != nil {
		a.hook.flush()
	}
}

// request records one that was answered (k8s.io/apiserver/pkg/endpoints/filters,
// WithAudit). It fails in blocking-strict mode only, which nobody here asks for.
func (a *auditor) request(id string, who User, r *http.Request, code int) error {
	if a.policy == nil {
		return nil
	}
	record := attributes(who, r)
	config := a.policy.EvaluatePolicyRule(record)
	if config.Level == auditinternal.LevelNone {
		return nil
	}
	for _, omitted := range config.OmitStages {
		if omitted == auditinternal.StageResponseComplete {
			return nil
		}
	}
	event := &auditinternal.Event{
		Level: config.Level, AuditID: types.UID(id), Stage: auditinternal.StageResponseComplete,
		RequestURI: r.URL.RequestURI(), Verb: record.GetVerb(), UserAgent: r.UserAgent(),
		RequestReceivedTimestamp: metav1.NowMicro(), StageTimestamp: metav1.NowMicro(),
		ResponseStatus: &metav1.Status{Code: int32(code)}, SourceIPs: []string{NodeIP},
	}
	event.User.Username, event.User.Groups = who.Name, []string{who.Group, user.AllAuthenticated}
	if record.IsResourceRequest() {
		event.ObjectRef = &auditinternal.ObjectReference{
			Resource: record.GetResource(), Namespace: record.GetNamespace(), Name: record.GetName(), APIVersion: record.GetAPIVersion(), APIGroup: record.GetAPIGroup(),
		}
	}
	return a.write(event)
}

// self records a request of the API server to itself.
func (a *auditor) self(uri string) error {
	r, err := http.NewRequest(http.MethodGet, uri, nil)
	if err != nil {
		return err
	}
	return a.request(newUUID(), User{"system:apiserver", SuperAdmin.Group}, r, http.StatusOK)
}

func (a *auditor) write(event *auditinternal.Event) error {
	var v1 auditv1.Event
	if err := auditv1.Convert_audit_Event_To_v1_Event(event, &v1, nil); err != nil {
		return err
	}
	v1.Kind, v1.APIVersion = "Event", "audit.k8s.io/v1"
	line, err := json.Marshal(v1)
	if err != nil {
		return err
	}
	if a.hook != nil {
		a.hook.post(line)
	}
	if a.legacy {
		line = []byte(audit.EventString(event))
	}
	if a.log == nil {
		return nil
	}
	if _, err := a.log.Write(append(line, '\n')); err != nil {
		fmt.Fprintf(os.Stderr, "E%s       1 metrics.go:109] Error in audit plugin 'log' affecting 1 audit events: %v\n", time.Now().Format("0102 15:04:05.000000"), err)
	}
	return nil
}

// attributes are what the policy looks at (k8s.io/apiserver/pkg/endpoints/request,
// RequestInfoFactory).
func attributes(who User, r *http.Request) authorizer.AttributesRecord {
	verbs := map[string]string{"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
	a := authorizer.AttributesRecord{
		User: &user.DefaultInfo{Name: who.Name, Groups: []string{who.Group, user.AllAuthenticated}},
		Verb: verbs[r.Method], Path: r.URL.Path,
	}
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case len(parts) >= 3 && parts[0] == "api":
		a.APIVersion, parts = parts[1], parts[2:]
	case len(parts) >= 4 && parts[0] == "apis":
		a.APIGroup, a.APIVersion, parts = parts[1], parts[2], parts[3:]
	default:
		return a
	}
	a.ResourceRequest = true
	if len(parts) >= 3 && parts[0] == "namespaces" {
		a.Namespace, parts = parts[1], parts[2:]
	}
	a.Resource = parts[0]
	if len(parts) > 1 {
		a.Name = parts[1]
	} else if r.Method == http.MethodGet {
		a.Verb = "list"
	}
	return a
}

// rotatingLog is the audit log (gopkg.in/natefinch/lumberjack.v2): NAME.log
// becomes NAME-TIME.log when it would grow beyond its size. The file is opened
// anew for each write, which lumberjack does not, so that somebody who removes
// it is not followed into nowhere.
type rotatingLog struct {
	mu   sync.Mutex
	name string
	most int64
	file *os.File
}

// openRotating makes sure that the log can be written, as kube-apiserver does at
// its start.
func openRotating(name string, most int64) (*rotatingLog, error) {
	if name == "-" {
		return &rotatingLog{file: os.Stdout}, nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	return &rotatingLog{name: name, most: most, file: f}, err
}

func (l *rotatingLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if info, err := l.file.Stat(); err == nil && l.name != "" && l.most > 0 && info.Size()+int64(len(p)) > l.most {
		if err := l.rotate(); err != nil {
			return 0, err
		}
	}
	return l.file.Write(p)
}

func (l *rotatingLog) rotate() error {
	l.file.Close()
	ext := filepath.Ext(l.name)
	backup := strings.TrimSuffix(l.name, ext) + "-" + time.Now().UTC().Format("2006-01-02T15-04-05.000") + ext
	if err := os.Rename(l.name, backup); err != nil {
		return err
	}
	f, err := os.OpenFile(l.name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	l.file = f
	return err
}

// hook posts events (k8s.io/apiserver/plugin/pkg/audit/webhook).
type hook struct {
	url, host string
	blocking  bool
	client    http.Client
	counts    *counters
	pending   sync.WaitGroup
}

func newHook(config, mode string, c *counters) (*hook, error) {
	data, err := os.ReadFile(config)
	if err != nil {
		return nil, err
	}
	var k struct {
		Clusters []struct {
			Cluster struct {
				Server string `json:"server"`
			} `json:"cluster"`
		} `json:"clusters"`
	}
	if err := yaml.Unmarshal(data, &k); err != nil || len(k.Clusters) == 0 {
		return nil, fmt.Errorf("invalid configuration: %v", err)
	}
	server := k.Clusters[0].Cluster.Server
	host, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(server, "http://"), "https://"), "/")
	// k8s.io/apiserver/pkg/util/webhook, defaultRequestTimeout
	return &hook{url: server, host: host, blocking: mode != "batch", counts: c, client: http.Client{Timeout: paced(30 * time.Second)}}, nil
}

// post waits for the receiver in blocking mode.
func (h *hook) post(event []byte) {
	h.pending.Add(1)
	send := func() {
		defer h.pending.Done()
		body := fmt.Appendf(nil, `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[%s]}`, event)
		resp, err := h.client.Post(h.url, "application/json", bytes.NewReader(body))
		if err != nil {
			h.counts.posted(h.host, "<error>")
			return
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		h.counts.posted(h.host, fmt.Sprint(resp.StatusCode))
	}
	if h.blocking {
		send()
		return
	}
	go send()
}

func (h *hook) flush() { h.pending.Wait() }

// counters are those of /metrics that tell of webhooks (k8s.io/component-base/
// metrics/prometheus/restclient).
type counters struct {
	mu    sync.Mutex
	posts map[[2]string]int
}

func (c *counters) posted(host, code string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.posts == nil {
		c.posts = map[[2]string]int{}
	}
	c.posts[[2]string{host, code}]++
}

func (c *counters) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out strings.Builder
	out.WriteString("# TYPE rest_client_requests_total counter\n")
	for k, n := range c.posts {
		fmt.Fprintf(&out, "rest_client_requests_total{code=%q,host=%q,method=\"POST\"} %d\n", k[1], k[0], n)
	}
	return out.String()
}
