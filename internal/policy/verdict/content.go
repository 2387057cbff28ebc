package verdict

import (
	"fmt"
	"reflect"
	"slices"

	"k8s.io/apiserver/pkg/apis/audit"
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

// concern is a part of CIS 3.2.2, as requests.
type concern struct {
	of        policy.Request // without user, verb and namespace
	verbs     []string
	namespace bool // it has one
	// exact wants level Metadata, and nothing that the request or the answer holds.
	exact bool
	// plain asks for the requests of an ordinary user only, where it is about being
	// recorded at all: not to record a component's own is no gap.
	plain bool
}

var (
	reads  = []string{"get", "list", "watch"}
	writes = []string{"create", "update", "patch", "delete", "deletecollection"}
	ways   = []string{"create", "get"} // over a websocket exec is a get
)

// concerns are our reading of CIS 3.2.2, which is a manual check: Secrets, ConfigMaps
// and TokenReviews at Metadata only, to keep their contents out of the log; changes of
// Pods and Deployments; exec, port-forward and the proxies; most other requests at
// Metadata at least.
var concerns = []concern{
	{of: policy.Request{Resource: "secrets"}, verbs: slices.Concat(reads, writes), namespace: true, exact: true},
	{of: policy.Request{Resource: "configmaps"}, verbs: slices.Concat(reads, writes), namespace: true, exact: true, plain: true},
	{of: policy.Request{Group: "authentication.k8s.io", Resource: "tokenreviews"}, verbs: []string{"create"}, exact: true, plain: true},
	{of: policy.Request{Resource: "serviceaccounts", Subresource: "token"}, verbs: []string{"create"}, namespace: true, exact: true, plain: true},
	{of: policy.Request{Resource: "pods"}, verbs: writes, namespace: true},
	{of: policy.Request{Group: "apps", Resource: "deployments"}, verbs: writes, namespace: true},
	{of: policy.Request{Resource: "pods", Subresource: "exec"}, verbs: ways, namespace: true},
	{of: policy.Request{Resource: "pods", Subresource: "portforward"}, verbs: ways, namespace: true},
	{of: policy.Request{Resource: "pods", Subresource: "proxy"}, verbs: ways, namespace: true},
	{of: policy.Request{Resource: "services", Subresource: "proxy"}, verbs: ways, namespace: true},
	{of: policy.Request{Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"}, verbs: slices.Concat(reads, writes), plain: true},
	{of: policy.Request{Resource: "services"}, verbs: slices.Concat(reads, writes), namespace: true, plain: true},
	{of: policy.Request{Group: "example.com", Resource: "widgets"}, verbs: writes, namespace: true, plain: true},
}

// maxRequests bounds the search for gaps: a policy may name thousands of users.
const maxRequests = 200_000

// keyConcerns is CIS 3.2.2, decided by the evaluator: each request of the concerns by
// an ordinary user, by an administrator, and by each user and group that the policy
// names, in a namespace of no name and in each that it names. The first that is not
// recorded as it should be is shown.
func keyConcerns(p *policy.Policy) content {
	people, places := peopleOf(p), placesOf(p)
	asked := 0
	for _, c := range concerns {
		for _, verb := range c.verbs {
			for _, place := range c.places(places, verb) {
				for i, who := range people {
					r := c.of
					r.Verb, r.Namespace, r.User, r.Groups = verb, place, who.User, who.Groups
					if asked++; asked > maxRequests {
						return content{verdict: Pass, reason: fmt.Sprintf("by the first %d requests that the policy's names make", maxRequests)}
					}
					d := p.Evaluate(r.Attributes())
					if why := c.gap(d, c.plain && i > 0); why != "" {
						return content{Fail, fmt.Sprintf("%s by rule %d", d.Level, d.Rule), Sentence(r) + ": " + why, another()}
					}
				}
			}
		}
	}
	return content{verdict: Pass}
}

// gap says what is wrong with a decision; "" for nothing.
func (c concern) gap(d policy.Decision, mayHide bool) string {
	recorded := d.Records(audit.StageResponseComplete) || d.Records(audit.StageRequestReceived)
	switch {
	case c.exact && recorded && d.Level != audit.LevelMetadata:
		return fmt.Sprintf("level %s puts contents into the log, Metadata is wanted", d.Level)
	case !recorded && !mayHide:
		return "not recorded"
	}
	return ""
}

func (c concern) places(named []string, verb string) []string {
	switch {
	case !c.namespace:
		return []string{""}
	case verb == "list" || verb == "watch" || verb == "deletecollection":
		return append([]string{""}, named...)
	}
	return named
}

// peopleOf are those who make requests, an ordinary user first.
func peopleOf(p *policy.Policy) []policy.Request {
	const everybody = "system:authenticated"
	people := []policy.Request{
		{User: "alice"},
		{User: "kubernetes-admin", Groups: []string{"kubeadm:cluster-admins", "system:masters", everybody}},
		{User: "system:serviceaccount:prod:app"},
	}
	for _, r := range rulesOf(p) {
		for _, u := range r.Users {
			people = append(people, policy.Request{User: u})
		}
		for _, g := range r.UserGroups {
			if g != everybody {
				people = append(people, policy.Request{User: "alice", Groups: []string{g, everybody}})
			}
		}
	}
	return people
}

// placesOf are namespaces, first one that no policy names.
func placesOf(p *policy.Policy) []string {
	places := []string{"prod"}
	for _, r := range rulesOf(p) {
		for _, n := range r.Namespaces {
			if n != "" && !slices.Contains(places, n) {
				places = append(places, n)
			}
		}
	}
	return places
}

// Sentence is a request in words.
func Sentence(r policy.Request) string {
	what := r.Resource
	if r.Subresource != "" {
		what += "/" + r.Subresource
	}
	if r.Group != "" {
		what += "." + r.Group
	}
	who := r.User
	if len(r.Groups) > 0 {
		who += " of " + r.Groups[0]
	}
	if r.Namespace == "" {
		return fmt.Sprintf("%s %s %s", who, r.Verb, what)
	}
	return fmt.Sprintf("%s %s %s in %s", who, r.Verb, what, r.Namespace)
}
