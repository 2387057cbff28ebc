package lint

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/cis"
)

var benchmarkCodes = []*Code{
	{ID: "AP037", Name: "subresources-missed", Severity: Warning, Title: "pods are recorded, and exec into them is not",
		Why:  "Subresources are resources of their own: a rule for pods does not take pods/exec, pods/attach, pods/portforward or pods/ephemeralcontainers.",
		Bad:  whole(exampleHead + "- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps, pods, pods/proxy, services/proxy]}, {group: authentication.k8s.io, resources: [tokenreviews]}, {group: apps, resources: [deployments]}]\n- level: None\n  users: [monitor]\n- level: None\n"),
		Good: whole(exampleHead + "- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps, pods, pods/attach, pods/ephemeralcontainers, pods/exec, pods/portforward, pods/proxy, services/proxy]}, {group: authentication.k8s.io, resources: [tokenreviews]}, {group: apps, resources: [deployments]}]\n- level: None\n")},
	{ID: "AP043", Name: "all-namespaces-escape", Severity: Warning, Title: "a list across all namespaces is not recorded, one of a namespace is",
		Why:  "\"kubectl get secrets -A\" has the namespace \"\", and shows those of the namespace that the rule is for as well.",
		Bad:  rules("- level: Metadata\n  namespaces: [payments]\n  resources: [{group: \"\", resources: [services]}]\n- level: None\n  resources: [{group: \"\", resources: [services]}]\n"),
		Good: rules("- level: Metadata\n  namespaces: [payments, \"\"]\n  resources: [{group: \"\", resources: [services]}]\n- level: None\n  resources: [{group: \"\", resources: [services]}]\n")},
	{ID: "AP066", Name: "blind-spot", Severity: Warning, Title: "a rule with level None hides what an intruder would do",
		Why:  "A rule that is to silence a program also silences whoever uses its login. Limit it to the verbs and resources that make the noise.",
		Bad:  rules("- level: None\n  userGroups: [\"system:nodes\"]\n"),
		Good: rules("- level: None\n  userGroups: [\"system:nodes\"]\n  verbs: [get]\n  resources: [{group: \"\", resources: [nodes]}]\n")},
	{ID: "AP067", Name: "records-nothing", Severity: Warning, Title: "a policy that never writes an event",
		Why:  "Audit logging is on, and there is no audit log. Checkers that look at flags only are satisfied.",
		Bad:  whole(exampleHead + "- level: None\n"),
		Good: whole(exampleHead + "- level: Metadata\n")},
	{ID: "AP080", Name: "cis-3.2.2", Severity: Warning, Title: "what CIS 3.2.2 asks for is not recorded",
		Why:  "The benchmark wants at least level Metadata for secrets, configmaps and tokenreviews, changes of pods and deployments, exec, port-forward and proxy, and warns of contents in the log.",
		Bad:  rules("- level: None\n  resources: [{group: authentication.k8s.io, resources: [tokenreviews]}]\n"),
		Good: rules("- level: Metadata\n  resources: [{group: authentication.k8s.io, resources: [tokenreviews]}]\n")},
	{ID: "AP081", Name: "stig-v-242403", Severity: Info, Title: "RequestResponse for everything, beside other rules",
		Why:  "The check of STIG V-242403 wants one rule, \"- level: RequestResponse\" without conditions. Other rules fail it to the letter; without them Secrets get into the log, against CIS 3.2.2. With rules for what holds credentials the catch-all is the better policy, and the finding is to be explained to the auditor.",
		Bad:  whole(exampleHead + stigSafe + "- level: RequestResponse\n"),
		Good: whole(exampleHead + stigSafe + "- level: Metadata\n")},
}

// stigSafe keeps what should not be written with contents out of a catch-all.
const stigSafe = "- level: Metadata\n  resources: [{group: \"\", resources: [secrets, configmaps, serviceaccounts/token, events, endpoints, nodes/status]}, {group: authentication.k8s.io}, {group: certificates.k8s.io}, {group: coordination.k8s.io}, {group: discovery.k8s.io}, {group: events.k8s.io}, {group: authorization.k8s.io}]\n- level: Metadata\n  verbs: [get, list, watch]\n"

// interactive are the subresources of pods by which somebody gets into one. They
// are opened by a create, or by a get over a websocket.
var interactive = []string{"exec", "attach", "portforward"}

// telling are requests by which an intruder shows, with logins that may be stolen.
var telling = sync.OnceValue(func() (out []policy.Request) {
	what := []policy.Request{
		{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: "default", Name: "web"},
		{Verb: "get", Resource: "secrets", Namespace: "kube-system", Name: "admin-token"},
		{Verb: "list", Resource: "secrets"},
		{Verb: "create", Group: "rbac.authorization.k8s.io", Resource: "clusterrolebindings"},
		{Verb: "create", Resource: "pods", Namespace: "kube-system"},
		{Verb: "delete", Resource: "events", Namespace: "default", Name: "web.17"},
	}
	// Over a websocket, as kubectl since 1.30 does it, these are a get.
	for _, sub := range interactive {
		for _, verb := range []string{"create", "get"} {
			what = append(what, policy.Request{Verb: verb, Resource: "pods", Subresource: sub, Namespace: "default", Name: "web"})
		}
	}
	what = append(what,
		policy.Request{Verb: "patch", Resource: "pods", Subresource: "ephemeralcontainers", Namespace: "default", Name: "web"},
		policy.Request{Verb: "create", Resource: "serviceaccounts", Subresource: "token", Namespace: "kube-system", Name: "admin"},
		policy.Request{Verb: "create", Resource: "nodes", Subresource: "proxy", Name: "worker-1"},
		policy.Request{Verb: "get", Resource: "nodes", Subresource: "proxy", Name: "worker-1"},
	)
	for _, verb := range []string{"update", "patch", "delete"} {
		what = append(what,
			policy.Request{Verb: verb, Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "view"},
			policy.Request{Verb: verb, Group: "rbac.authorization.k8s.io", Resource: "rolebindings", Namespace: "default", Name: "team"},
			policy.Request{Verb: verb, Group: "admissionregistration.k8s.io", Resource: "mutatingwebhookconfigurations", Name: "inject"},
			policy.Request{Verb: verb, Group: "admissionregistration.k8s.io", Resource: "validatingwebhookconfigurations", Name: "check"},
		)
	}
	who := []policy.Request{
		{User: "alice"},
		{User: "kubernetes-admin", Groups: []string{"kubeadm:cluster-admins", "system:authenticated"}},
		{User: "kubernetes-super-admin", Groups: []string{"system:masters", "system:authenticated"}},
		{User: "system:node:worker-1", Groups: nodeGroups},
		{User: "system:serviceaccount:default:default"},
		{User: "system:serviceaccount:kube-system:default"},
		{User: "system:anonymous"},
	}
	for _, q := range what {
		for _, w := range who {
			// A kubelet fetches tokens for its pods all the time.
			if q.Subresource == "token" && strings.HasPrefix(w.User, "system:node:") {
				continue
			}
			q.User, q.Groups = w.User, w.Groups
			out = append(out, q)
		}
	}
	return out
})

// blindSpots asks which rules with level None hide such requests.
func (l *linter) blindSpots() {
	if !l.policy.Records() {
		l.add("AP067", "rules", "the policy records nothing at all", `write "- level: Metadata" as the last rule`)
		return
	}
	hidden := map[int][]string{}
	for _, q := range telling() {
		d := l.policy.Evaluate(q.Attributes())
		if d.Rule >= 0 && l.spec.Rules[d.Rule].Level == auditv1.LevelNone {
			hidden[d.Rule] = append(hidden[d.Rule], describe(q))
		}
	}
	l.hiddenThere(hidden)
	for i := range l.spec.Rules {
		// A last rule that says None for all the rest is meant.
		last := i == len(l.spec.Rules)-1 && (&rule{PolicyRule: &l.spec.Rules[i]}).matchesAll()
		if len(hidden[i]) > 0 && !last {
			l.addRule("AP066", i, fmt.Sprintf("rules[%d] hides what an intruder would do: %s", i, andMore(hidden[i])), `limit the rule with "verbs" and "resources" to what is to be silent`)
		}
	}
}

// hiddenThere asks the same of rules with level None for some namespaces, in the
// first of each.
func (l *linter) hiddenThere(hidden map[int][]string) {
	for i, r := range l.spec.Rules {
		if r.Level != auditv1.LevelNone || len(r.Namespaces) == 0 || len(hidden[i]) > 0 || len(validation.IsDNS1123Label(r.Namespaces[0])) > 0 {
			continue
		}
		for _, q := range telling() {
			if q.Namespace == "" {
				continue
			}
			q.Namespace = r.Namespaces[0]
			if l.rules[i].Matches(q) && l.policy.Evaluate(q.Attributes()).Rule == i {
				hidden[i] = append(hidden[i], describe(q))
			}
		}
	}
}

// gaps asks what gets past a rule that looks as if it should be seen.
func (l *linter) gaps(r *rule) {
	if !r.records() {
		return
	}
	l.subresourcesMissed(r)
	l.allNamespaces(r)
}

// subresourcesMissed asks whether exec is recorded where a rule is for the pods.
func (l *linter) subresourcesMissed(r *rule) {
	if !r.takesVerb("create") || !r.takesVerb("update") {
		return
	}
	for i, gr := range r.Resources {
		j := slices.Index(gr.Resources, "pods")
		if gr.Group != "" || j < 0 || len(gr.ResourceNames) > 0 {
			continue
		}
		q := policy.Request{User: anyone(r), Groups: groupsFor(r), Verb: "create", Resource: "pods", Namespace: namespaceFor(r), Name: "web"}
		if l.policy.Evaluate(q.Attributes()).Rule != r.index {
			return
		}
		var missed []string
		for _, sub := range interactive {
			if q.Subresource = sub; l.policy.Evaluate(q.Attributes()).Level == audit.LevelNone {
				missed = append(missed, "pods/"+sub)
			}
		}
		if len(missed) > 0 {
			_, q.Subresource, _ = strings.Cut(missed[0], "/")
			l.add("AP037", r.at("resources[%d].resources[%d]", i, j), fmt.Sprintf("%s takes pods, and nothing records %s: %q leaves no trace", r.path, strings.Join(missed, ", "), describe(q)),
				fmt.Sprintf("add %q", strings.Join(missed, ", ")))
			return
		}
	}
}

// allNamespaces asks whether a list across all namespaces is recorded where one of
// a namespace is.
func (l *linter) allNamespaces(r *rule) {
	if len(r.Namespaces) == 0 || slices.Contains(r.Namespaces, "") || !r.takesVerb("list") {
		return
	}
	for _, q := range l.listsOf(r) {
		if d := l.policy.Evaluate(q.Attributes()); d.Rule != r.index {
			continue
		}
		q.Namespace = ""
		if l.policy.Evaluate(q.Attributes()).Level == audit.LevelNone {
			l.add("AP043", r.at("namespaces"), fmt.Sprintf("%s records lists in its namespaces, and %q, which has the same objects in it, is not recorded", r.path, describe(q)), `add "" to "namespaces"`)
			return
		}
	}
}

// listsOf are lists that the rule takes, one for each resource that it names.
func (l *linter) listsOf(r *rule) (out []policy.Request) {
	q := policy.Request{User: anyone(r), Groups: groupsFor(r), Verb: "list", Resource: "secrets", Namespace: namespaceFor(r)}
	if len(r.Resources) == 0 {
		return []policy.Request{q}
	}
	for _, gr := range r.Resources {
		for _, name := range gr.Resources {
			if isNamespaced(gr.Group, name) && len(gr.ResourceNames) == 0 {
				q.Group, q.Resource = either(gr.Group == "*", "", gr.Group), name
				out = append(out, q)
			}
		}
	}
	return out
}

// benchmarks holds the policy against what benchmarks ask for.
func (l *linter) benchmarks() {
	if !l.policy.Records() {
		return
	}
	var missing []string
	for _, c := range cis.Examples() {
		// What a finding says already is not said again.
		plain, _, websocket := strings.Cut(c.Words, " over ")
		exec := c.Subresource != "" && c.Resource == "pods" && (l.has("AP037") || websocket && l.has("AP039")) || slices.Contains(missing, plain)
		if d := l.policy.Evaluate(c.Attributes()); d.Level == audit.LevelNone && !exec && !l.hides(d.Rule) {
			missing = append(missing, c.Words)
		}
	}
	if len(missing) > 0 {
		l.add("AP080", "", "CIS 3.2.2 asks for level Metadata or more, and these are not recorded: "+strings.Join(missing, ", "), `end the policy with "- level: Metadata"`)
	}
	last := len(l.spec.Rules) - 1
	if r := (&rule{PolicyRule: &l.spec.Rules[last]}); last > 0 && r.matchesAll() && r.Level == auditv1.LevelRequestResponse {
		l.addRule("AP081", last, "everything else is at RequestResponse, and STIG V-242403 wants that to be the only rule", "keep the rules before it, which keep secrets out of the log, and explain that to the auditor")
	}
}

func (l *linter) has(id string) bool {
	return slices.ContainsFunc(l.findings, func(f Finding) bool { return f.Code.ID == id })
}

// hides reports whether there is a finding already that the rule hides something.
func (l *linter) hides(rule int) bool {
	return slices.ContainsFunc(l.findings, func(f Finding) bool { return f.Code.ID == "AP066" && f.Field == fmt.Sprintf("rules[%d]", rule) })
}
