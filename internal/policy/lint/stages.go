package lint

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/builtin"
)

// stageHead begins the examples of policies whose stages matter.
const stageHead = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"

var stageCodes = []*Code{
	{ID: "AP070", Name: "all-stages-omitted", Severity: Error, Title: "a rule with a level that leaves out every stage",
		Why:  "An event is written at a stage: the rule writes nothing, as with level None.",
		Bad:  rules("- level: Metadata\n  users: [monitor]\n  omitStages: [ResponseStarted, ResponseComplete, Panic]\n"),
		Good: rules("- level: None\n  users: [monitor]\n")},
	{ID: "AP071", Name: "no-response-complete", Severity: Warning, Title: "ResponseComplete is left out",
		Why:  "Only this stage has the answer: whether the request was allowed, and what it did.",
		Bad:  rules("- level: Metadata\n  users: [monitor]\n  omitStages: [ResponseComplete]\n"),
		Good: rules("- level: Metadata\n  users: [monitor]\n  omitStages: [Panic]\n")},
	{ID: "AP072", Name: "no-response-started", Severity: Warning, Title: "ResponseStarted is left out for failed logins",
		Why:  "A login that fails (401) is written at this stage and at no other; and watch and exec appear when they end, not when they begin.",
		Bad:  whole(stageHead + "omitStages: [RequestReceived, ResponseStarted]\nrules:\n- level: Metadata\n"),
		Good: whole(stageHead + "omitStages: [RequestReceived]\nrules:\n- level: Metadata\n")},
	{ID: "AP073", Name: "request-received-kept", Severity: Info, Title: "RequestReceived is not left out",
		Why:  "Each request is written twice, when it comes in and when it is answered, and the second event has all that the first one has. It tells only of requests that never end.",
		Bad:  whole(stageHead + "rules:\n- level: Metadata\n"),
		Good: whole(stageHead + "omitStages: [RequestReceived]\nrules:\n- level: Metadata\n")},
	{ID: "AP074", Name: "panic-omitted", Severity: Info, Title: "Panic is left out for a whole policy",
		Why:  "A request that makes the API server panic has no other event but this, and it may be an attack. There are next to none of them.",
		Bad:  whole(stageHead + "omitStages: [RequestReceived, Panic]\nrules:\n- level: Metadata\n"),
		Good: whole(stageHead + "omitStages: [RequestReceived]\nrules:\n- level: Metadata\n")},
	{ID: "AP075", Name: "none-with-options", Severity: Info, Title: "omitStages or omitManagedFields in a rule with level None",
		Why:  "The rule writes nothing, so there is nothing to leave out. Perhaps another level was meant.",
		Bad:  rules("- level: None\n  users: [monitor]\n  omitStages: [ResponseStarted]\n"),
		Good: rules("- level: None\n  users: [monitor]\n")},
	{ID: "AP076", Name: "managed-fields-kept", Severity: Info, Title: "level RequestResponse without omitManagedFields",
		Why:  "Managed fields are the bookkeeping of server-side apply: up to half of an object, and no use in a log.",
		Bad:  whole(stageHead + "omitStages: [RequestReceived]\nrules:\n- level: RequestResponse\n  verbs: [create]\n  resources: [{group: apps, resources: [deployments]}]\n- level: Metadata\n"),
		Good: whole(stageHead + "omitStages: [RequestReceived]\nomitManagedFields: true\nrules:\n- level: RequestResponse\n  verbs: [create]\n  resources: [{group: apps, resources: [deployments]}]\n- level: Metadata\n")},
	{ID: "AP077", Name: "managed-fields-in-patches", Severity: Info, Title: "omitManagedFields in a rule for patches at level Request",
		Why:  "kube-apiserver writes the body of a patch as it was sent, and takes nothing out of it.",
		Bad:  rules("- level: Request\n  verbs: [patch]\n  omitManagedFields: true\n  resources: [{group: apps, resources: [deployments]}]\n"),
		Good: rules("- level: Request\n  verbs: [patch]\n  resources: [{group: apps, resources: [deployments]}]\n")},
	{ID: "AP078", Name: "health-in-strict-mode", Severity: Info, Title: "health checks are recorded when they come in",
		Why:  "With --audit-log-mode=blocking-strict a log that cannot be written makes the health checks fail, and the kubelet restarts kube-apiserver again and again.",
		Bad:  whole(stageHead + "rules:\n- level: None\n  nonResourceURLs: [/version, \"/healthz*\"]\n- level: Metadata\n  nonResourceURLs: [\"/livez*\"]\n- level: Metadata\n  omitStages: [RequestReceived]\n"),
		Good: whole(stageHead + "rules:\n- level: None\n  nonResourceURLs: [/version, \"/healthz*\"]\n- level: Metadata\n  omitStages: [RequestReceived]\n")},
}

// stages looks at what is left out of the events of a rule.
func (l *linter) stages(r *rule) {
	if !r.records() {
		l.needless(r)
		return
	}
	omitted := l.omitted(*r.PolicyRule)
	omits := func(s auditv1.Stage) bool { return slices.Contains(omitted, s) }
	at := either(len(r.OmitStages) > 0, r.at("omitStages"), "omitStages")
	switch {
	case omits(auditv1.StageRequestReceived) && omits(auditv1.StageResponseStarted) && omits(auditv1.StageResponseComplete) && omits(auditv1.StagePanic):
		l.add("AP070", at, fmt.Sprintf("%s leaves out every stage, together with what the policy leaves out: it writes nothing", r.path), `write "level: None" if that is meant, or leave out fewer stages`)
	case omits(auditv1.StageResponseComplete):
		l.add("AP071", at, fmt.Sprintf("%s leaves out ResponseComplete: its events do not tell the answer", r.path), `remove "ResponseComplete"`)
	}
	fields := l.spec.OmitManagedFields
	if r.OmitManagedFields != nil {
		fields = *r.OmitManagedFields
	}
	switch {
	case r.Level == auditv1.LevelRequestResponse && !fields && r.OmitManagedFields == nil && !onlyStreams(r) && !r.forURLs() && l.servesObjects(r) != "":
		l.add("AP076", r.at("level"), fmt.Sprintf("%s writes %s with their managed fields", r.path, l.servesObjects(r)), `write "omitManagedFields: true" at the top`)
	case r.Level == auditv1.LevelRequest && r.OmitManagedFields != nil && fields && slices.Equal(r.Verbs, []string{"patch"}):
		l.add("AP077", r.at("omitManagedFields"), fmt.Sprintf("omitManagedFields in %s does nothing: patches are written as they were sent", r.path), `remove it`)
	}
}

// servesObjects are the objects that a rule puts into the log, as far as one can know:
// what an aggregated API server answers passes through kube-apiserver unread, and is not
// in its events. "" for none.
func (l *linter) servesObjects(r *rule) string {
	if len(r.Resources) == 0 {
		return "objects"
	}
	custom := false
	for _, gr := range r.Resources {
		switch {
		case gr.Group == "*" || builtin.HasGroup(gr.Group):
			return "objects"
		case strings.HasSuffix(gr.Group, "metrics.k8s.io"), slices.Contains(aggregated, gr.Group):
		default:
			custom = true
		}
	}
	return either(custom, "custom resources, though not what aggregated API servers answer,", "")
}

// aggregated are groups that only aggregated API servers have, beside those of metrics.
var aggregated = []string{"subresources.kubevirt.io", "packages.operators.coreos.com", "wardle.example.com"}

// needless is for what has no effect at level None.
func (l *linter) needless(r *rule) {
	for _, f := range []struct {
		name string
		set  bool
	}{{"omitStages", len(r.OmitStages) > 0}, {"omitManagedFields", r.OmitManagedFields != nil}} {
		if f.set {
			l.add("AP075", r.at("%s", f.name), fmt.Sprintf("%s in %s does nothing: at level None nothing is written", f.name, r.path), fmt.Sprintf("remove %q", f.name)).
				Fix = l.dropField(r.at("%s", f.name), fmt.Sprintf("%q goes", f.name), "")
		}
	}
}

// whole looks at what is left out of the events of the policy, by asking for
// requests.
func (l *linter) whole() {
	failed := policy.Request{Verb: "list", Version: "v1", Resource: "secrets", Namespace: "default"}
	d := l.policy.Evaluate(failed.Attributes())
	if d.Level != audit.LevelNone && !d.Records(audit.StageResponseStarted) && d.Records(audit.StageResponseComplete) {
		at := "omitStages"
		if !slices.Contains(l.spec.OmitStages, auditv1.StageResponseStarted) {
			at = fmt.Sprintf("rules[%d].omitStages", d.Rule)
		}
		l.add("AP072", at, fmt.Sprintf("requests with a login that failed are written at ResponseStarted only, and that is left out: %q leaves no trace", describe(failed)), `remove "ResponseStarted"`)
	}
	if slices.Contains(l.spec.OmitStages, auditv1.StagePanic) {
		l.add("AP074", "omitStages", "Panic is left out: a request that makes the API server panic leaves no trace", `remove "Panic"`)
	}
	l.received()
	health := policy.Request{User: "system:anonymous", Verb: "get", Path: "/livez"}
	if d := l.policy.Evaluate(health.Attributes()); d.Records(audit.StageRequestReceived) && d.Records(audit.StageResponseComplete) && !l.has("AP073") {
		l.add("AP078", fmt.Sprintf("rules[%d]", d.Rule), fmt.Sprintf("rules[%d] records %q when it comes in", d.Rule, describe(health)),
			`put before it a rule "- {level: None, nonResourceURLs: [/healthz*, /livez*, /readyz*]}", if the log's mode is blocking-strict`)
	}
}

// receivers are the rules that write an event when a request comes in, and another
// one later.
func (l *linter) receivers() (out []int) {
	for i, r := range l.spec.Rules {
		omitted := l.omitted(r)
		if r.Level != auditv1.LevelNone && !slices.Contains(omitted, auditv1.StageRequestReceived) && !slices.Contains(omitted, auditv1.StageResponseComplete) {
			out = append(out, i)
		}
	}
	return out
}

// received counts the rules that write a request twice, apart from those for paths.
func (l *linter) received() {
	twice := slices.DeleteFunc(l.receivers(), func(i int) bool { return (&rule{PolicyRule: &l.spec.Rules[i]}).forURLs() })
	if len(twice) == 0 {
		return
	}
	at, where := "omitStages", "the policy"
	if recording := l.recording(); len(twice) < recording {
		at = fmt.Sprintf("rules[%d]", twice[0])
		var names []string
		for _, i := range twice[:min(len(twice), 5)] {
			names = append(names, fmt.Sprintf("rules[%d]", i))
		}
		where = strings.Join(names, ", ") + either(len(twice) > 5, fmt.Sprintf(" and %d more", len(twice)-5), "")
	}
	l.add("AP073", at, where+" keeps RequestReceived: each request is written twice", `write "omitStages: [RequestReceived]" at the top`)
}

// recording is how many rules have a level other than None.
func (l *linter) recording() (n int) {
	for _, r := range l.spec.Rules {
		if r.Level != auditv1.LevelNone {
			n++
		}
	}
	return n
}
