package presets_test

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/change"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/requests"
	"auditpatch/presets"
)

// checkers are the automatic and manual checks that look into a policy, as this test
// restates them. Each returns the first fault, "" for none.
var checkers = []struct {
	name  string
	fault func(*policy.Policy, *auditv1.Policy) string
}{
	{"CIS 3.2.2", cisFault},
	{"Kubescape C-0161", kubescapeFault},
	{"KICS 1828a670", kicsFault},
	{"STIG V-242403", stigFault},
}

// TestCheckers compares the verdicts in the heads with the checkers.
func TestCheckers(t *testing.T) {
	for _, preset := range presets.All() {
		p := load(t, preset.Name)
		var passes, fails []string
		faults := map[string]string{}
		for _, c := range checkers {
			if fault := c.fault(p, spec(t, p)); fault != "" {
				fails = append(fails, c.name)
				faults[c.name] = fault
			} else {
				passes = append(passes, c.name)
			}
		}
		var said []string
		for _, f := range preset.Fails {
			said = append(said, f.Checker)
			if f.Why == "" {
				t.Errorf("%s: no reason for failing %s", preset.Name, f.Checker)
			}
		}
		if diff := cmp.Diff(passes, preset.Passes); diff != "" {
			t.Errorf("%s: passes (-checkers +head):\n%s%v", preset.Name, diff, faults)
		}
		if diff := cmp.Diff(fails, said); diff != "" {
			t.Errorf("%s: fails (-checkers +head):\n%s%v", preset.Name, diff, faults)
		}
	}
}

// cisFault is the CIS Kubernetes Benchmark 3.2.2, which kube-bench leaves to a person
// (cfg/cis-1.5 to cis-1.12, controlplane.yaml): access to Secrets, ConfigMaps and token
// reviews at Metadata and not above; changes of Pods and Deployments; use of exec,
// port-forward and the proxies; most other requests at least at Metadata. What it names
// is asked of the evaluator, for whoever may ask.
func cisFault(p *policy.Policy, _ *auditv1.Policy) string {
	level := func(r policy.Request) audit.Level { return p.Evaluate(r.Attributes()).Level }
	for _, who := range []policy.Request{alice, anonymous, nobody, kubelet, kcm, account("prod", "default"), account("kube-system", "x")} {
		for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
			for _, r := range []policy.Request{
				on(who, verb, "", "secrets", "prod", ""), on(who, verb, "", "configmaps", "prod", ""), on(who, verb, "", "secrets", "kube-system", "x"),
				on(who, verb, "", "configmaps", "kube-system", "x"), on(who, "create", authn, "tokenreviews", "", ""),
			} {
				if level(r) != audit.LevelMetadata {
					return fmt.Sprintf("%s %s %s in %s is at %s", who.User, r.Verb, r.Resource, r.Namespace, level(r))
				}
			}
		}
		for _, verb := range []string{"create", "update", "patch", "delete"} {
			for _, r := range []policy.Request{on(who, verb, "", "pods", "prod", "web"), on(who, verb, apps, "deployments", "prod", "web")} {
				if level(r) == audit.LevelNone {
					return fmt.Sprintf("%s %s %s is not written", who.User, verb, r.Resource)
				}
			}
		}
		for _, verb := range []string{"get", "create"} {
			for _, resource := range []string{"pods/exec", "pods/portforward", "pods/proxy", "services/proxy"} {
				if level(on(who, verb, "", resource, "prod", "web")) == audit.LevelNone {
					return fmt.Sprintf("%s %s %s is not written", who.User, verb, resource)
				}
			}
		}
	}
	if hidden, all := len(requests.Hidden(p)), len(requests.All()); hidden*2 >= all {
		return fmt.Sprintf("%d of %d requests are not written", hidden, all)
	}
	return ""
}

// The names that Kubescape and KICS look for, whatever the group.
var (
	atMetadata = []string{"secrets", "configmaps", "tokenreviews"}
	workloads  = []string{"pods", "deployments"}
	waysIn     = []string{"pods/exec", "pods/portforward", "pods/proxy", "services/proxy"}
)

// named are the levels of the rules that name a resource.
func named(rules []auditv1.PolicyRule, resource string) (levels []auditv1.Level) {
	for _, rule := range rules {
		if slices.ContainsFunc(rule.Resources, func(r auditv1.GroupResources) bool { return slices.Contains(r.Resources, resource) }) {
			levels = append(levels, rule.Level)
		}
	}
	return levels
}

// kubescapeFault is Kubescape's rule audit-policy-content (kubescape/regolibrary
// rules/audit-policy-content/raw.rego): each resource is named, and each rule that names
// it is of level Metadata for the sensitive three, and not None for the others.
func kubescapeFault(_ *policy.Policy, v1 *auditv1.Policy) string {
	for _, resource := range slices.Concat(atMetadata, workloads, waysIn) {
		levels := named(v1.Rules, resource)
		wrong := func(l auditv1.Level) bool { return l == auditv1.LevelNone }
		if slices.Contains(atMetadata, resource) {
			wrong = func(l auditv1.Level) bool { return l != auditv1.LevelMetadata }
		}
		if len(levels) == 0 || slices.ContainsFunc(levels, wrong) {
			return fmt.Sprintf("%s is named at %q", resource, levels)
		}
	}
	return ""
}

// kicsFault is KICS' query 1828a670-5957-4bc5-9974-47da228f75e2 (Checkmarx/kics
// assets/queries/k8s/audit_policy_not_cover_key_security_concerns/query.rego): some rule
// names each resource, at Metadata or, for the ways into pods, at any level but None.
func kicsFault(_ *policy.Policy, v1 *auditv1.Policy) string {
	for _, resource := range slices.Concat(atMetadata, workloads, waysIn) {
		right := func(l auditv1.Level) bool { return l == auditv1.LevelMetadata }
		if slices.Contains(waysIn, resource) {
			right = func(l auditv1.Level) bool { return l != auditv1.LevelNone }
		}
		if levels := named(v1.Rules, resource); !slices.ContainsFunc(levels, right) {
			return fmt.Sprintf("%s is named at %q", resource, levels)
		}
	}
	return ""
}

// stigFault is DISA's V-242403 (CNTR-K8-000700, check text of V1R1 to V2R6): the file must
// look like the one that it shows, which has one rule, level RequestResponse, and nothing
// else.
func stigFault(_ *policy.Policy, v1 *auditv1.Policy) string {
	v1.TypeMeta = (&auditv1.Policy{}).TypeMeta
	if diff := cmp.Diff(&auditv1.Policy{Rules: []auditv1.PolicyRule{{Level: auditv1.LevelRequestResponse}}}, v1); diff != "" {
		return diff
	}
	return ""
}

// TestFlagCheckers: the other checks look at kube-apiserver's flags alone, and so pass
// whatever the preset is. Trivy (KCV-0019 to KCV-0022) and checkov (CKV_K8S_91 to 94) want
// them set; kube-bench (1.2.16 to 1.2.19 from cis-1.9 on, 3.2.1) and STIG V-242402, V-242461
// to V-242465 also want these values at least.
func TestFlagCheckers(t *testing.T) {
	for _, preset := range presets.All() {
		m, _, _, err := change.Export(change.Settings{Preset: preset.Name, AcceptLeaks: true}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"audit-policy-file", "audit-log-path"} {
			if f, ok := m.Flag(name); !ok || f.Value == "" {
				t.Errorf("%s: --%s is not set", preset.Name, name)
			}
		}
		for name, least := range map[string]int{"audit-log-maxage": 30, "audit-log-maxbackup": 10, "audit-log-maxsize": 100} {
			f, _ := m.Flag(name)
			if n, err := strconv.Atoi(f.Value); err != nil || n < least {
				t.Errorf("%s: --%s=%s, want at least %d", preset.Name, name, f.Value, least)
			}
		}
	}
}
