package lint

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

var verbCodes = []*Code{
	{ID: "AP030", Name: "verb-never-occurs", Severity: Error, Title: "a verb that no request has",
		Why:  "Verbs are compared letter by letter, and there is no wildcard. Requests for resources have get, list, watch, create, update, patch, delete and deletecollection; those for paths the HTTP method in lower case. Verbs such as impersonate or bind occur in RBAC only.",
		Bad:  rules("- level: None\n  users: [monitor]\n  verbs: [GET, list]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  verbs: [get, list]\n")},
	{ID: "AP039", Name: "websocket-verb", Severity: Warning, Title: "exec, attach or port-forward with the verb create only",
		Why: "kubectl since 1.30 opens them over a websocket, and that is a get: the rule does not see it.",
		Bad: rules("- level: Request\n  verbs: [create]\n  resources: [{group: \"\", resources: [pods/exec]}]\n"),
		Good: rules("- level: Request\n  verbs: [get, create]\n  resources: [{group: \"\", resources: [pods/exec]}]\n" +
			"- level: Request\n  verbs: [create, delete]\n  resources: [{group: \"\", resources: [services]}]\n")},
	{ID: "AP045", Name: "url-verb", Severity: Error, Title: "a verb of resources in a rule for paths",
		Why:  "A request for a path has the HTTP method in lower case as its verb: get, post, put, patch, delete, head or options.",
		Bad:  rules("- level: None\n  verbs: [get, list]\n  nonResourceURLs: [/version]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  nonResourceURLs: [/version]\n")},
}

var (
	resourceVerbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	pathVerbs     = []string{"get", "post", "put", "patch", "delete", "head", "options", "trace", "connect"}
	// legacyVerbs occur in rare requests: proxy below /api/v1/proxy, the empty verb
	// for methods that have none.
	legacyVerbs = []string{"proxy", ""}
	// byMethod is the verb that an HTTP method becomes in a request for a resource.
	byMethod = map[string]string{"post": "create", "put": "update", "head": "get"}
	// ofAuthorizers are verbs that RBAC knows and no request has.
	ofAuthorizers = []string{"impersonate", "bind", "escalate", "use", "approve", "sign", "attest", "connect", "exec"}
)

// verbs looks for verbs that no request has.
func (l *linter) verbs(r *rule) {
	for i, verb := range r.Verbs {
		switch {
		case r.forURLs() && !slices.Contains(pathVerbs, verb):
			l.urlVerb(r, i, verb)
		case r.forResources() && !slices.Contains(resourceVerbs, verb) && !slices.Contains(legacyVerbs, verb):
			l.deadVerb(r, i, verb)
		case !slices.Contains(resourceVerbs, verb) && !slices.Contains(pathVerbs, verb) && !slices.Contains(legacyVerbs, verb):
			l.deadVerb(r, i, verb)
		}
	}
	l.websockets(r)
}

// deadVerb is for a verb that no request has.
func (l *linter) deadVerb(r *rule, i int, verb string) {
	if l.counts["AP030"] >= maxOfAKind {
		return
	}
	path := r.at("verbs[%d]", i)
	message := fmt.Sprintf("verb %q in %s never occurs", verb, r.path)
	lower := strings.ToLower(strings.TrimSpace(verb))
	meant := either(byMethod[lower] != "" && r.forResources(), byMethod[lower], lower)
	l.markDead(r, r.Verbs, func(v string) bool { return !slices.Contains(resourceVerbs, v) && !slices.Contains(pathVerbs, v) })
	switch {
	case verb == "*" && len(r.Verbs) == 1:
		f := l.add("AP030", path, message+": there is no wildcard for verbs, and the rule matches nothing", `leave out "verbs": then the rule takes every verb`)
		f.Fix = l.dropField(r.at("verbs"), fmt.Sprintf("%q goes", "verbs"), "the rule matched nothing; now it takes every verb")
	case verb == "*":
		l.add("AP030", path, message+": there is no wildcard for verbs", `leave out "verbs" to take every verb, or remove "*"`)
	case lower == "impersonate":
		l.add("AP030", path, message+": impersonation is a header of a request that has a verb of its own", `remove it; an event shows who was impersonated as "impersonatedUser"`).
			Fix = l.dropDead(r, i, verb)
	case slices.Contains(ofAuthorizers, lower):
		l.add("AP030", path, message+": it is a verb of RBAC, which asks for it during another request", fmt.Sprintf("remove %q%s", verb, execHint(lower))).
			Fix = l.dropDead(r, i, verb)
	case !r.forResources() && byMethod[lower] != "":
		l.add("AP030", path, message, fmt.Sprintf("write %q for resources, %q for paths", byMethod[lower], lower))
	case slices.Contains(resourceVerbs, meant):
		f := l.add("AP030", path, message, fmt.Sprintf("write %q", meant))
		f.Fix = l.meantVerb(r, i, verb, meant)
	default:
		l.add("AP030", path, message, "write one of "+strings.Join(resourceVerbs, ", "))
	}
}

func execHint(verb string) string {
	if verb == "exec" || verb == "connect" {
		return `; for exec write the resource "pods/exec"`
	}
	return ""
}

// meantVerb writes the verb that was meant, or drops the entry where that stands
// there already.
func (l *linter) meantVerb(r *rule, i int, verb, meant string) *Fix {
	if slices.Contains(r.Verbs, meant) {
		return l.dropItem(r.at("verbs"), i, fmt.Sprintf("%q goes, %q stands there already", verb, meant), "")
	}
	return l.replace(r.at("verbs[%d]", i), meant, fmt.Sprintf("verb %q becomes %q", verb, meant), fmt.Sprintf("the rule now takes %q", meant))
}

// dropDead drops an entry that never occurs, as long as another one stays: an
// empty list takes everything.
func (l *linter) dropDead(r *rule, i int, verb string) *Fix {
	alive := slices.ContainsFunc(r.Verbs, func(v string) bool { return slices.Contains(resourceVerbs, v) || slices.Contains(pathVerbs, v) })
	if !alive {
		return nil
	}
	return l.dropItem(r.at("verbs"), i, fmt.Sprintf("%q goes", verb), "")
}

// urlVerb is for a verb that requests for paths do not have.
func (l *linter) urlVerb(r *rule, i int, verb string) {
	if l.counts["AP045"] >= maxOfAKind {
		return
	}
	l.markDead(r, r.Verbs, func(v string) bool { return !slices.Contains(pathVerbs, v) })
	lower := strings.ToLower(verb)
	hint := fmt.Sprintf("remove %q", verb)
	switch {
	case verb == "*":
		hint = `leave out "verbs": then the rule takes every method`
	case slices.Contains(pathVerbs, lower):
		hint = fmt.Sprintf("write %q", lower)
	case len(r.Verbs) == 1:
		hint = `write "get", "post" or another HTTP method in lower case`
	}
	f := l.add("AP045", r.at("verbs[%d]", i), fmt.Sprintf("verb %q in %s: requests for paths have the HTTP method in lower case as their verb", verb, r.path), hint)
	switch {
	case slices.Contains(pathVerbs, lower):
		f.Fix = l.meantVerb(r, i, verb, lower)
	case slices.ContainsFunc(r.Verbs, func(v string) bool { return slices.Contains(pathVerbs, v) }):
		f.Fix = l.dropItem(r.at("verbs"), i, fmt.Sprintf("%q goes", verb), "")
	}
}

// websockets asks what becomes of exec over a websocket, in a rule that sees it
// as a create only.
func (l *linter) websockets(r *rule) {
	if !r.records() || !slices.Contains(r.Verbs, "create") || slices.Contains(r.Verbs, "get") {
		return
	}
	for _, sub := range interactive {
		q := policy.Request{User: anyone(r), Groups: groupsFor(r), Verb: "create", Resource: "pods", Subresource: sub, Name: "web", Namespace: namespaceFor(r)}
		before := l.policy.Evaluate(q.Attributes())
		q.Verb = "get"
		after := l.policy.Evaluate(q.Attributes())
		path, words, meant := r.interactive(sub)
		// Where the rule takes it among others, and it is recorded all the same, it is
		// not what the rule is for.
		if before.Rule != r.index || before.Level == after.Level || !meant && after.Level != audit.LevelNone {
			continue
		}
		l.add("AP039", path, fmt.Sprintf("%s sees %s with the verb create only, but over a websocket it is a get: %q is at level %s", r.path, words, describe(q), after.Level),
			`add "get" to "verbs"`)
		return
	}
}

// interactive is the entry by which the rule takes a subresource of pods, with the
// words for it. meant tells that it names the subresource.
func (r *rule) interactive(sub string) (path, words string, meant bool) {
	for i, gr := range r.Resources {
		for j, name := range gr.Resources {
			literal := name == "pods/"+sub || name == "*/"+sub
			if (gr.Group == "" || gr.Group == "*") && (literal || name == "pods/*") {
				return r.at("resources[%d].resources[%d]", i, j), name, literal
			}
		}
	}
	return r.at("verbs"), "pods/" + sub, false
}

// markDead notes a rule of which no entry of a list can ever match.
func (l *linter) markDead(r *rule, list []string, dead func(string) bool) {
	if !l.dead[r.index] && !slices.ContainsFunc(list, func(s string) bool { return !dead(s) }) {
		l.dead[r.index] = true
	}
}

// anyone is a user that a rule takes, for questions about it.
func anyone(r *rule) string {
	if len(r.Users) > 0 {
		return r.Users[0]
	}
	return "alice"
}

// groupsFor are groups of such a user; nil for those that follow from the name.
func groupsFor(r *rule) []string {
	if len(r.UserGroups) > 0 {
		return []string{r.UserGroups[0], "system:authenticated"}
	}
	return nil
}

// namespaceFor is a namespace that a rule takes.
func namespaceFor(r *rule) string {
	if len(r.Namespaces) > 0 {
		return r.Namespaces[0]
	}
	return "default"
}
