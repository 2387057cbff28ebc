package simnode

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	auditinternal "k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
	"k8s.io/apiserver/pkg/audit"
	"k8s.io/apiserver/pkg/audit/policy"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
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
