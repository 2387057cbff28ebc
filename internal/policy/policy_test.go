package policy

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRecords(t *testing.T) {
	tests := []struct {
		name, rules string
		want        bool
	}{
		{"one rule", "rules: [{level: Metadata}]", true},
		{"None", "rules: [{level: None}]", false},
		{"None for some", "rules: [{level: None, users: [a]}, {level: Metadata}]", true},
		{"None for all before the rest", "rules: [{level: None}, {level: Metadata}]", false},
		{"nothing but None", "rules: [{level: None, users: [a]}, {level: None, verbs: [get]}]", false},
		{"all stages left out by the policy", "omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]\nrules: [{level: Metadata}]", false},
		{"all stages left out together", "omitStages: [RequestReceived, Panic]\nrules: [{level: Metadata, omitStages: [ResponseStarted, ResponseComplete]}]", false},
		{"one stage left", "omitStages: [RequestReceived, Panic]\nrules: [{level: Metadata, omitStages: [ResponseStarted]}]", true},
		{"all stages left out before the rest", "rules: [{level: Metadata, omitStages: [RequestReceived, ResponseStarted, ResponseComplete, Panic]}, {level: Metadata}]", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := mustLoad(t, tt.rules).Records(); got != tt.want {
				t.Errorf("Records() = %t", got)
			}
		})
	}
}

func TestAccessors(t *testing.T) {
	p := mustLoad(t, "omitStages: [Panic]\nrules:\n- level: None\n\n- users: [bob]\n  level: Metadata\n")
	if line, col := p.Position(1); line != 7 || col != 3 {
		t.Errorf("rule 1 is at %d:%d", line, col)
	}
	spec, err := p.V1()
	if err != nil {
		t.Fatal(err)
	}
	if spec.APIVersion != "audit.k8s.io/v1" || spec.Kind != "Policy" || len(spec.Rules) != 2 || spec.Rules[1].Users[0] != "bob" {
		t.Errorf("%+v", spec)
	}
	spec.Rules[1].Users[0] = "alice"
	again, err := p.V1()
	if err != nil || again.Rules[1].Users[0] != "bob" {
		t.Errorf("a change of the copy changed the policy: %+v, %v", again, err)
	}
	if stages := again.Rules[0].OmitStages; len(stages) > 0 {
		t.Errorf("the evaluator's stages are in the policy: %v", stages)
	}
}

func TestCheckTarget(t *testing.T) {
	const rules = `omitManagedFields: true
rules:
- level: None
  resources:
  - group: apps
  - group: "*"
    resources: [leases]
- level: Metadata
  omitManagedFields: false
`
	managed := ` omitManagedFields needs Kubernetes 1.23: kube-apiserver 1.22 would ignore it and write managed fields | remove "omitManagedFields"`
	tests := []struct {
		name string
		v    Version
		err  string
		want []string
	}{
		{"unknown", Version{}, "", nil},
		{"new", Version{1, 36}, "", nil},
		{"far", Version{2, 0}, "", nil},
		{"before group *", Version{1, 35},
			`p.yaml:8:12: group "*" needs Kubernetes 1.36: kube-apiserver 1.35 would not start`,
			[]string{`8:12 rules[0].resources[1].group: group "*" needs Kubernetes 1.36: kube-apiserver 1.35 would not start | write one entry a group, such as "group: apps"`}},
		{"before omitManagedFields", Version{1, 22},
			`p.yaml:3:20: omitManagedFields needs Kubernetes 1.23: kube-apiserver 1.22 would ignore it and write managed fields (and 2 more findings)`,
			[]string{
				`3:20 omitManagedFields:` + managed,
				`8:12 rules[0].resources[1].group: group "*" needs Kubernetes 1.36: kube-apiserver 1.22 would not start | write one entry a group, such as "group: apps"`,
				`11:22 rules[1].omitManagedFields:` + managed,
			}},
	}
	p := mustLoad(t, rules)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := p.CheckTarget(tt.v)
			if tt.err == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var refusal *Error
			if !errors.As(err, &refusal) {
				t.Fatalf("error is %#v", err)
			}
			if diff := cmp.Diff(tt.err, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.want, lines(refusal.Findings)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLoadStartable tells what an API server passes over from what it does not start with.
func TestLoadStartable(t *testing.T) {
	const passed = "apiVersion: audit.k8s.io/v1\nkind: Policy\nomitManagedFields: true\nrules:\n- level: Metadata\n"
	const star = passed + "  resources:\n  - group: \"*\"\n"
	for _, tt := range []struct {
		name, text   string
		v            Version
		ignored, err string
	}{
		{"all known", passed, Version{1, 23}, "", ""},
		{"no version", star, Version{}, "", ""},
		{"passed over", passed, Version{1, 22}, "p.yaml:3:20: omitManagedFields needs Kubernetes 1.23: kube-apiserver 1.22 would ignore it and write managed fields", ""},
		{"fatal", star, Version{1, 22}, "", `p.yaml:7:12: group "*" needs Kubernetes 1.36: kube-apiserver 1.22 would not start`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, ignored, err := LoadStartable("p.yaml", []byte(tt.text), tt.v)
			if p == nil || text(ignored) != tt.ignored || text(err) != tt.err {
				t.Errorf("%v\n%v", ignored, err)
			}
		})
	}
}

// text is an error's, "" for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestCheckTargetBeforeV1(t *testing.T) {
	err := mustLoad(t, "rules: [{level: None}]\n").CheckTarget(Version{1, 11})
	want := `p.yaml:1:13: apiVersion audit.k8s.io/v1 needs Kubernetes 1.12: kube-apiserver 1.11 would not start`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v", err)
	}
}
