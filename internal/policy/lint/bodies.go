package lint

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/sensitive"
	"auditpatch/internal/policy/space"
)

var bodyCodes = []*Code{
	{ID: "AP060", Name: "secret-in-log", Severity: Warning, Title: "a rule that writes Secrets or tokens with their contents",
		Why:  "Whoever can read the log can then log in with what stands there, and the log lives longer and goes further than the Secret.",
		Bad:  rules("- level: RequestResponse\n  verbs: [create]\n  resources: [{group: \"\", resources: [services, secrets]}]\n"),
		Good: rules("- level: RequestResponse\n  verbs: [create]\n  resources: [{group: \"\", resources: [services]}]\n")},
	{ID: "AP061", Name: "configmap-in-log", Severity: Warning, Title: "a rule that writes ConfigMaps with their contents",
		Why:  "They are not meant for credentials, and have them all the same: connection strings, kubeconfigs, tokens. CIS 3.2.2 asks for Metadata.",
		Bad:  rules("- level: Request\n  verbs: [update]\n  resources: [{group: \"\", resources: [configmaps]}]\n"),
		Good: rules("- level: Metadata\n  verbs: [update]\n  resources: [{group: \"\", resources: [configmaps]}]\n")},
	{ID: "AP062", Name: "request-on-reads", Severity: Info, Title: "level Request with verbs that send nothing",
		Why:  "get, list and watch have no body: the event is the same as at level Metadata.",
		Bad:  rules("- level: Request\n  verbs: [get, list]\n  resources: [{group: apps, resources: [deployments]}]\n"),
		Good: rules("- level: Metadata\n  verbs: [get, list]\n  resources: [{group: apps, resources: [deployments]}]\n")},
	{ID: "AP063", Name: "response-never-there", Severity: Info, Title: "level RequestResponse for requests whose answers are not written",
		Why:  "The answers of watch, exec, attach, port-forward, log and proxy are streams, and get into no event. The command line of exec is in requestURI at every level.",
		Bad:  rules("- level: RequestResponse\n  resources: [{group: \"\", resources: [pods/exec, pods/log]}]\n"),
		Good: rules("- level: Metadata\n  resources: [{group: \"\", resources: [pods/exec, pods/log]}]\n")},
	{ID: "AP064", Name: "lists-in-log", Severity: Warning, Title: "a rule that writes the answers of lists",
		Why:  "A list of pods answers with all of them, several kilobytes each, and controllers and people list all the time: one event can have megabytes, and the log rotates within minutes.",
		Bad:  rules("- level: RequestResponse\n  resources: [{group: \"\", resources: [pods]}]\n"),
		Good: rules("- level: RequestResponse\n  verbs: [create, update, patch, delete]\n  resources: [{group: \"\", resources: [pods]}]\n")},
	{ID: "AP065", Name: "hum-with-bodies", Severity: Warning, Title: "what the cluster does all the time, with contents",
		Why:  "Leases, events, endpoints, the status of nodes and access reviews are most of all requests, and tell little: with their contents they push the rest out of the log.",
		Bad:  rules("- level: Request\n  verbs: [update, patch]\n  resources: [{group: coordination.k8s.io, resources: [leases]}]\n"),
		Good: rules("- level: Metadata\n  verbs: [update, patch]\n  resources: [{group: coordination.k8s.io, resources: [leases]}]\n")},
	{ID: "AP069", Name: "certificate-request-in-log", Severity: Info, Title: "a rule that writes certificate requests with their contents",
		Why:  "There is no private key in them, but who asked for which identity, and the certificate that was issued. CIS and the presets keep them at Metadata.",
		Bad:  rules("- level: RequestResponse\n  verbs: [create]\n  resources: [{group: certificates.k8s.io, resources: [certificatesigningrequests]}]\n"),
		Good: rules("- level: Metadata\n  verbs: [create]\n  resources: [{group: certificates.k8s.io, resources: [certificatesigningrequests]}]\n")},
}

// leak is a kind of object whose contents do not belong into a log.
type leak struct {
	id, words string
	group     string
	resource  string
	sent      []string // verbs of requests that have it in their body
	answered  []string // verbs of requests that are answered with it
}

// leaks are the kinds of package sensitive that lint tells of.
var leaks = leaksFrom(sensitive.Kinds())

func leaksFrom(kinds []sensitive.Kind) (out []leak) {
	codes := map[string]leak{
		"secrets":                    {id: "AP060", words: "Secrets"},
		"tokens of service accounts": {id: "AP060", words: "tokens of service accounts"},
		"tokens that are reviewed":   {id: "AP060", words: "tokens that are reviewed"},
		"configmaps":                 {id: "AP061", words: "ConfigMaps"},
		"certificate requests":       {id: "AP069", words: "certificate requests", resource: "certificatesigningrequests"},
	}
	for _, k := range kinds {
		if l, tells := codes[k.Name]; tells {
			l.group, l.sent, l.answered = k.Group, k.Sent, k.Answered
			if l.resource == "" {
				l.resource = k.Resource
			}
			out = append(out, l)
		}
	}
	return out
}

// leaks looks for requests that the rule writes with contents that do not belong
// there, one for each kind of finding.
func (l *linter) leaks(r *rule) { l.leaksOf(r, leaks) }

func (l *linter) leaksOf(r *rule, kinds []leak) {
	if !r.hasBody() {
		return
	}
	done := map[string]bool{}
	for _, k := range kinds {
		if done[k.id] {
			continue
		}
		verbs, what := k.sent, "with what is in them"
		if r.Level == auditv1.LevelRequestResponse {
			verbs = append(slices.Clone(verbs), k.answered...)
		}
		q, ok := l.example(r, k.group, k.resource, verbs)
		if !ok {
			continue
		}
		done[k.id] = true
		l.add(k.id, r.at("level"), fmt.Sprintf("%s get into the log %s: %s writes %q at level %s", k.words, what, r.path, describe(q), r.Level),
			fmt.Sprintf("put before it a rule %q", fmt.Sprintf("- {level: Metadata, resources: [{group: %q, resources: [%s]}]}", k.group, k.resource)))
	}
}

// Leaks are the rules of a policy that write Secrets or tokens with their contents, as
// Check finds them with code AP060: for who asks nothing else, and in a hurry. A finding
// is at its rule.
func Leaks(p *policy.Policy) []Finding {
	// Most policies end here, without the work that a search takes.
	if !slices.ContainsFunc(p.Spec().Rules, mayLeak) {
		return nil
	}
	spec, err := p.V1()
	if err != nil {
		return nil // what was loaded converts
	}
	l := &linter{policy: p, spec: spec, said: map[string]bool{}, counts: map[string]int{}}
	if l.rules, err = space.Rules(p); err != nil {
		return nil
	}
	for i := range spec.Rules {
		if !mayLeak(p.Spec().Rules[i]) {
			continue
		}
		from := len(l.findings)
		l.leaksOf(&rule{PolicyRule: &spec.Rules[i], index: i, path: fmt.Sprintf("rules[%d]", i)}, credentials)
		for j := from; j < len(l.findings); j++ {
			l.findings[j].Line, l.findings[j].Col = p.Position(i)
		}
	}
	return l.findings
}

// credentials are the kinds with which somebody can log in.
var credentials = slices.DeleteFunc(slices.Clone(leaks), func(k leak) bool { return k.id != "AP060" })

// mayLeak is false for a rule without contents, and for one that names groups or
// resources and none of the credentials.
func mayLeak(r audit.PolicyRule) bool {
	star := func(name string) bool { return strings.Contains(name, "*") }
	return r.Level.GreaterOrEqual(audit.LevelRequest) && (len(r.Resources) == 0 || slices.ContainsFunc(r.Resources, func(gr audit.GroupResources) bool {
		return slices.ContainsFunc(credentials, func(k leak) bool {
			return (gr.Group == k.group || gr.Group == "*") &&
				(len(gr.Resources) == 0 || slices.Contains(gr.Resources, k.resource) || slices.ContainsFunc(gr.Resources, star))
		})
	}))
}

// everybody are the groups of whoever has a user, anonymous or not. A request with a
// login that failed has none: it is turned away before anything reads it.
var everybody = []string{"system:authenticated", "system:unauthenticated"}

// example is a request for a resource, with one of the verbs, that the rule decides
// and the API server answers.
func (l *linter) example(r *rule, group, resource string, verbs []string) (policy.Request, bool) {
	if len(verbs) == 0 || r.forURLs() {
		return policy.Request{}, false
	}
	what, err := space.NewRule(auditv1.PolicyRule{Verbs: verbs, UserGroups: everybody, Resources: []auditv1.GroupResources{{Group: group, Resources: []string{resource}}}})
	if err != nil {
		return policy.Request{}, false
	}
	found := l.search(r.index, []*space.Rule{l.rules[r.index], what})
	return found.request, found.ok
}

// bodies looks for levels that promise more than an event has.
func (l *linter) bodies(r *rule) {
	if len(r.Verbs) == 0 && len(r.Resources) == 0 {
		return
	}
	quiet := func(verbs ...string) bool {
		return len(r.Verbs) > 0 && !slices.ContainsFunc(r.Verbs, func(v string) bool { return !slices.Contains(verbs, v) })
	}
	switch {
	case r.Level == auditv1.LevelRequest && quiet("get", "list", "watch") && !r.forURLs():
		l.add("AP062", r.at("level"), fmt.Sprintf("level Request in %s is the same as Metadata: its requests, %s, have no body", r.path, strings.Join(r.Verbs, ", ")), `write "level: Metadata", or "level: RequestResponse" if the answers are meant`)
	case r.Level == auditv1.LevelRequestResponse && (quiet("watch") || onlyStreams(r)):
		l.add("AP063", r.at("level"), fmt.Sprintf("level RequestResponse in %s: the answers to its requests are streams, which no event has", r.path), `write "level: Metadata"`)
	}
}

// onlyStreams reports whether the rule names nothing but subresources that answer
// with a stream. In the groups of others a subresource may answer with an object,
// whatever its name.
func onlyStreams(r *rule) bool {
	streams := []string{"exec", "attach", "portforward", "log", "proxy"}
	for _, gr := range r.Resources {
		if len(gr.Resources) == 0 || gr.Group != "" {
			return false
		}
		for _, name := range gr.Resources {
			if _, sub, _ := strings.Cut(name, "/"); !slices.Contains(streams, sub) {
				return false
			}
		}
	}
	return len(r.Resources) > 0
}

// hum are requests that a cluster makes all the time, with who makes them.
var hum = []policy.Request{
	{User: "system:node:worker-1", Groups: nodeGroups, Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-node-lease", Name: "worker-1"},
	{User: "system:kube-scheduler", Verb: "update", Group: "coordination.k8s.io", Resource: "leases", Namespace: "kube-system", Name: "kube-scheduler"},
	{User: "system:node:worker-1", Groups: nodeGroups, Verb: "patch", Resource: "nodes", Subresource: "status", Name: "worker-1"},
	{User: "system:node:worker-1", Groups: nodeGroups, Verb: "create", Resource: "events", Namespace: "default"},
	{User: "system:kube-scheduler", Verb: "create", Group: "events.k8s.io", Resource: "events", Namespace: "default"},
	{User: "system:serviceaccount:kube-system:endpoint-controller", Verb: "update", Resource: "endpoints", Namespace: "default", Name: "web"},
	{User: "system:serviceaccount:kube-system:endpointslice-controller", Verb: "update", Group: "discovery.k8s.io", Resource: "endpointslices", Namespace: "default", Name: "web-x7k2p"},
	{User: "system:node:worker-1", Groups: nodeGroups, Verb: "create", Group: "authorization.k8s.io", Resource: "subjectaccessreviews"},
}

var nodeGroups = []string{"system:nodes", "system:authenticated"}

// lists are reads whose answers are large.
var lists = []policy.Request{
	{User: "alice", Verb: "list", Resource: "pods"},
	{User: "alice", Verb: "list", Resource: "pods", Namespace: "default"},
	{User: "system:node:worker-1", Groups: nodeGroups, Verb: "list", Resource: "pods"},
	{User: "system:kube-scheduler", Verb: "list", Resource: "nodes"},
	{User: "alice", Verb: "list", Group: "apps", Resource: "deployments", Namespace: "default"},
}

// load asks which rules write the hum of the cluster, and long lists, with
// contents: one finding a rule.
func (l *linter) load() {
	l.taken(hum, audit.LevelRequest, func(rule int, examples []string) {
		l.add("AP065", fmt.Sprintf("rules[%d].level", rule), fmt.Sprintf("rules[%d] writes what the cluster does all the time with contents: %s", rule, andMore(examples)),
			"put before it a rule with level None or Metadata for these requests")
	})
	l.taken(lists, audit.LevelRequestResponse, func(rule int, examples []string) {
		l.add("AP064", fmt.Sprintf("rules[%d].level", rule), fmt.Sprintf("rules[%d] writes whole lists: %s", rule, andMore(examples)),
			`limit it to changes with "verbs: [create, update, patch, delete, deletecollection]", or put a rule for reads with level Metadata before it`)
	})
}

// taken calls report for each rule that writes some of the requests at the level
// or above.
func (l *linter) taken(requests []policy.Request, level audit.Level, report func(rule int, examples []string)) {
	by, order := map[int][]string{}, []int{}
	for _, q := range requests {
		d := l.policy.Evaluate(q.Attributes())
		if d.Rule < 0 || d.Level.Less(level) {
			continue
		}
		if by[d.Rule] == nil {
			order = append(order, d.Rule)
		}
		by[d.Rule] = append(by[d.Rule], describe(q))
	}
	for _, rule := range order {
		report(rule, by[rule])
	}
}

// andMore is the first of some examples, and how many there are more.
func andMore(examples []string) string {
	if more := len(examples) - 1; more > 0 {
		return fmt.Sprintf("%q and %d more", examples[0], more)
	}
	return fmt.Sprintf("%q", examples[0])
}
