package policy

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/audit"
	auditpolicy "k8s.io/apiserver/pkg/audit/policy"
)

const rulesForEvaluation = `omitStages: [ResponseStarted, RequestReceived]
omitManagedFields: true
rules:
- level: None
  users: [system:kube-proxy]
  verbs: [watch]
- level: Metadata
  resources:
  - group: ""
    resources: [secrets]
  omitStages: [Panic]
- level: RequestResponse
  omitManagedFields: false
  namespaces: [prod]
- level: Request
  userGroups: [system:serviceaccounts:ci]
- level: Metadata
  nonResourceURLs: [/api*]
`

func TestEvaluate(t *testing.T) {
	p := mustLoad(t, rulesForEvaluation)
	common := []audit.Stage{"RequestReceived", "ResponseStarted"}
	tests := []struct {
		name string
		r    Request
		want Decision
	}{
		{"first rule", Request{User: "system:kube-proxy", Verb: "watch", Resource: "services"},
			Decision{0, "None", common, true}},
		{"stages of policy and rule", Request{User: "bob", Verb: "get", Resource: "secrets", Namespace: "prod"},
			Decision{1, "Metadata", []audit.Stage{"Panic", "RequestReceived", "ResponseStarted"}, true}},
		{"managed fields of the rule", Request{User: "bob", Verb: "get", Resource: "pods", Namespace: "prod"},
			Decision{2, "RequestResponse", common, false}},
		{"a namespace is in itself", Request{User: "bob", Verb: "delete", Resource: "namespaces", Name: "prod"},
			Decision{2, "RequestResponse", common, false}},
		{"groups of a service account", Request{User: "system:serviceaccount:ci:builder", Verb: "get", Resource: "pods"},
			Decision{3, "Request", common, true}},
		{"groups as given", Request{User: "system:serviceaccount:ci:builder", Groups: []string{}, Verb: "get", Resource: "pods"},
			Decision{-1, "None", common, true}},
		{"path", Request{User: "bob", Verb: "get", Path: "/apis/apps"},
			Decision{4, "Metadata", common, true}},
		{"nobody", Request{Verb: "get", Path: "/api"},
			Decision{4, "Metadata", common, true}},
		{"no rule", Request{User: "bob", Verb: "get", Path: "/healthz"},
			Decision{-1, "None", common, true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, p.Evaluate(tt.r.Attributes())); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEvaluateAgrees asks the API server's evaluator about the policy itself,
// without our numbers in place of the levels.
func TestEvaluateAgrees(t *testing.T) {
	p := mustLoad(t, rulesForEvaluation)
	spec, err := auditpolicy.LoadPolicyFromBytes([]byte(head + rulesForEvaluation))
	if err != nil {
		t.Fatal(err)
	}
	upstream := auditpolicy.NewPolicyRuleEvaluator(spec)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for range 5000 {
		r := Request{
			User:      pick("", "bob", "system:kube-proxy", "system:anonymous", "system:serviceaccount:ci:a"),
			Verb:      pick("get", "watch", "create", "delete"),
			Group:     pick("", "apps"),
			Resource:  pick("", "pods", "secrets", "services"),
			Namespace: pick("", "prod", "dev"),
			Path:      pick("/api", "/apis", "/healthz"),
		}
		want, got := upstream.EvaluatePolicyRule(r.Attributes()), p.Evaluate(r.Attributes())
		stages := sorted(append([]audit.Stage{}, want.OmitStages...))
		if got.Level != want.Level || got.OmitManagedFields != want.OmitManagedFields || !cmp.Equal(stages, got.OmitStages) {
			t.Fatalf("%+v: got %+v, want %+v", r, got, want)
		}
		if got.Rule >= 0 && p.spec.Rules[got.Rule].Level != got.Level {
			t.Fatalf("%+v: rule %d is not of level %s", r, got.Rule, got.Level)
		}
	}
}

func TestAttributes(t *testing.T) {
	tests := []struct {
		name       string
		r          Request
		namespace  string
		groups     []string
		isResource bool
	}{
		{"user", Request{User: "bob", Resource: "pods", Namespace: "a"}, "a", []string{"system:authenticated"}, true},
		{"anonymous", Request{User: "system:anonymous", Path: "/api"}, "", []string{"system:unauthenticated"}, false},
		{"service account", Request{User: "system:serviceaccount:a:b", Resource: "pods"}, "",
			[]string{"system:serviceaccounts", "system:serviceaccounts:a", "system:authenticated"}, true},
		{"not quite a service account", Request{User: "system:serviceaccount:a", Resource: "pods"}, "", []string{"system:authenticated"}, true},
		{"given groups", Request{User: "bob", Groups: []string{"x"}, Resource: "pods"}, "", []string{"x"}, true},
		{"namespace object", Request{User: "bob", Resource: "namespaces", Name: "a"}, "a", []string{"system:authenticated"}, true},
		{"list of one namespace", Request{User: "bob", Verb: "list", Resource: "namespaces", Name: "a"}, "", []string{"system:authenticated"}, true},
		{"list of namespaces", Request{User: "bob", Resource: "namespaces"}, "", []string{"system:authenticated"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := tt.r.Attributes()
			if a.GetNamespace() != tt.namespace || a.IsResourceRequest() != tt.isResource {
				t.Errorf("namespace %q, resource %t", a.GetNamespace(), a.IsResourceRequest())
			}
			if diff := cmp.Diff(tt.groups, a.GetUser().GetGroups()); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
	if u := (Request{Verb: "get", Path: "/api"}).Attributes().GetUser(); u != nil {
		t.Errorf("user %v of a failed authentication", u)
	}
}

func TestDecisionRecords(t *testing.T) {
	d := Decision{Level: audit.LevelMetadata, OmitStages: []audit.Stage{audit.StageRequestReceived}}
	if d.Records(audit.StageRequestReceived) || !d.Records(audit.StagePanic) {
		t.Error("a stage that is left out is recorded, or another is not")
	}
	if d.Level = audit.LevelNone; d.Records(audit.StagePanic) {
		t.Error("level None is recorded")
	}
}

func BenchmarkEvaluate(b *testing.B) {
	p, err := Load("p.yaml", []byte(head+rulesForEvaluation))
	if err != nil {
		b.Fatal(err)
	}
	attrs := Request{User: "bob", Verb: "get", Path: "/healthz"}.Attributes()
	for b.Loop() {
		p.Evaluate(attrs)
	}
}
