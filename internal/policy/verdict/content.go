package verdict

import (
	"fmt"
	"reflect"
	"slices"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// another is what a policy is replaced with that meets CIS 3.2.2 and the checkers that
// look for names.
func another() hint.Hint { return hint.Flag("preset", "baseline") }

// valid wants no more than a policy with which kube-apiserver starts.
func valid(*policy.Policy) content { return content{verdict: Pass} }

// everything is STIG V-242403: its check wants the policy to be one rule, level
// RequestResponse, which writes what is in Secrets into the log.
func everything(p *policy.Policy) content {
	v1, err := p.V1()
	if err == nil && len(v1.Rules) == 1 && len(v1.OmitStages) == 0 && !v1.OmitManagedFields &&
		reflect.DeepEqual(v1.Rules[0], auditv1.PolicyRule{Level: auditv1.LevelRequestResponse}) {
		return content{verdict: Pass}
	}
	return content{verdict: CannotPass,
		reason: "it wants nothing but one rule that records everything at RequestResponse, which puts Secrets into the log and fails CIS 3.2.2 (the preset stig does so)"}
}

// named are the resources that Kubescape and KICS look for by name, whatever the API
// group: those with credentials first.
var named = []string{"secrets", "configmaps", "tokenreviews", "pods", "deployments",
	"pods/exec", "pods/portforward", "pods/proxy", "services/proxy"}

// credentials is the number of those in front whose contents must not be recorded.
const credentials = 3

// kubescape is C-0161, rule audit-policy-content: some rule names each resource, and
// each rule that names one is of level Metadata for the first three, and not None for
// the others. Users, verbs and namespaces do not count.
func kubescape(p *policy.Policy) content {
	for i, resource := range named {
		levels := levelsOf(p, resource)
		if len(levels) == 0 {
			return content{Fail, "no rule names " + resource, "a rule has to name it, catch-alls do not count", another()}
		}
		for _, level := range levels {
			if level == auditv1.LevelNone || i < credentials && level != auditv1.LevelMetadata {
				return content{Fail, fmt.Sprintf("%s at %s", resource, level), "each rule that names it counts, whatever its users", another()}
			}
		}
	}
	return content{verdict: Pass}
}

// kics is its query "Audit Policy Not Cover Key Security Concerns": some rule names each
// resource at a level that it takes, which for pods and deployments is Metadata too.
func kics(p *policy.Policy) content {
	for _, resource := range named {
		levels := levelsOf(p, resource)
		if len(levels) == 0 {
			return content{Fail, "no rule names " + resource, "a rule has to name it, catch-alls do not count", another()}
		}
		ways := slices.Index(named, resource) >= slices.Index(named, "pods/exec")
		fits := func(l auditv1.Level) bool {
			return l == auditv1.LevelMetadata || ways && l != auditv1.LevelNone
		}
		if !slices.ContainsFunc(levels, fits) {
			return content{Fail, fmt.Sprintf("%s only at %s", resource, levels[0]), "some rule has to name it at Metadata", another()}
		}
	}
	return content{verdict: Pass}
}

// levelsOf are the levels of the rules that name a resource, in order.
func levelsOf(p *policy.Policy, resource string) (levels []auditv1.Level) {
	for _, r := range rulesOf(p) {
		names := func(g auditv1.GroupResources) bool { return slices.Contains(g.Resources, resource) }
		if slices.ContainsFunc(r.Resources, names) {
			levels = append(levels, r.Level)
		}
	}
	return levels
}

func rulesOf(p *policy.Policy) []auditv1.PolicyRule {
	if p == nil {
		return nil
	}
	v1, err := p.V1()
	if err != nil {
		return nil
	}
	return v1.Rules
}
