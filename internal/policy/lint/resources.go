package lint

import (
	"fmt"
	"slices"
	"strings"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/builtin"
)

var resourceCodes = []*Code{
	{ID: "AP032", Name: "resource-matches-nothing", Severity: Error, Title: "a resource in a form that matches nothing",
		Why:  "A resource is its full name, \"*\", \"NAME/SUBRESOURCE\", \"NAME/*\" or \"*/SUBRESOURCE\". Other uses of \"*\" and \"/\" match no request.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: apps, resources: [\"*/*\"]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: apps, resources: [\"*\"]}]\n")},
	{ID: "AP033", Name: "resource-alias", Severity: Warning, Title: "a kind, singular or short name in place of a resource",
		Why:  "Requests have the plural in lower case, as in kubectl api-resources: Pod, deploy or svc match nothing.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [Pod]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [pods]}]\n")},
	{ID: "AP034", Name: "resource-in-wrong-group", Severity: Warning, Title: "a resource in a group that does not have it",
		Why:  "Group and resource both have to fit: deployments are in apps, ingresses in networking.k8s.io, and a rule for another group never sees them.",
		Bad:  rules("- level: RequestResponse\n  verbs: [create]\n  resources: [{group: \"\", resources: [deployments]}]\n"),
		Good: rules("- level: RequestResponse\n  verbs: [create]\n  resources: [{group: apps, resources: [deployments]}]\n")},
	{ID: "AP035", Name: "group-never-matches", Severity: Error, Title: "a group that no request has, such as core or rbac",
		Why:  "The core group, with pods and secrets, has the empty name: \"\". Groups that Kubernetes added later are written in full, as in rbac.authorization.k8s.io.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: core, resources: [pods]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [pods]}]\n")},
	{ID: "AP036", Name: "resource-misspelt", Severity: Warning, Title: "a resource or subresource that the group does not have, nearly the name of one that it has",
		Why:  "kube-apiserver does not check the names of resources: the rule matches nothing.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [serivces]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [services]}]\n")},
	{ID: "AP038", Name: "star-takes-parent", Severity: Warning, Title: "\"NAME/*\" takes NAME itself as well",
		Why:  "The documentation says that \"pods/*\" means the subresources; kube-apiserver's evaluator takes requests for pods with it too.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [\"services/*\"]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [services/status]}]\n")},
	{ID: "AP042", Name: "cluster-scoped-in-namespace", Severity: Warning, Title: "namespaces beside resources that have none",
		Why:  "Requests for cluster-scoped resources have the namespace \"\": the rule never sees them.",
		Bad:  rules("- level: None\n  users: [monitor]\n  namespaces: [kube-system]\n  resources: [{group: \"\", resources: [nodes]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [nodes]}]\n")},
	{ID: "AP051", Name: "group-gone", Severity: Info, Title: "an API group or a resource that Kubernetes no longer has",
		Why:  "No request has it; the resources that were in it are in another group, which has to be named.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: extensions}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: apps}]\n")},
	{ID: "AP055", Name: "impersonated", Severity: Warning, Title: "the resources that RBAC checks for impersonation",
		Why:  "Impersonation is not a request of its own, and a rule is compared with who logged in, not with who is impersonated. Each event shows the latter as impersonatedUser.",
		Bad:  rules("- level: Request\n  resources: [{group: authentication.k8s.io, resources: [userextras/scopes]}]\n"),
		Good: rules("- level: Request\n  verbs: [create, update]\n  resources: [{group: rbac.authorization.k8s.io, resources: [clusterroles]}]\n")},
	{ID: "AP056", Name: "group-misspelt", Severity: Warning, Title: "a group that is nearly the name of one of Kubernetes' own",
		Why:  "kube-apiserver does not check the names of groups: the rule matches nothing.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: networking.k8s.oi}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: networking.k8s.io}]\n")},
	{ID: "AP057", Name: "events-in-one-group", Severity: Info, Title: "events of one of the two groups that have them",
		Why:  "The scheduler and newer controllers write events.k8s.io, kubelets and others the core group.",
		Bad:  rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [events]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  resources: [{group: \"\", resources: [events]}, {group: events.k8s.io, resources: [events]}]\n")},
}

// resources looks at the names of groups and resources.
func (l *linter) resources(r *rule) {
	dead := len(r.Resources) > 0
	for i, gr := range r.Resources {
		path := r.at("resources[%d]", i)
		if l.group(r, path, gr.Group, len(gr.Resources) > 0) {
			continue
		}
		if len(gr.Resources) == 0 {
			dead = false
		}
		for j, name := range gr.Resources {
			dead = l.resource(r, fmt.Sprintf("%s.resources[%d]", path, j), gr.Group, name) && dead
		}
	}
	l.dead[r.index] = l.dead[r.index] || dead
	l.events(r)
}

// group reports whether no request has the group.
func (l *linter) group(r *rule, path, group string, hasResources bool) bool {
	switch {
	case group == "core" || group == "v1" || group == "api":
		f := l.add("AP035", path+".group", fmt.Sprintf("group %q in %s: no request has it, the core group is \"\"", group, r.path), `write "group: \"\""`)
		if group != "api" {
			f.Fix = l.replace(path+".group", "", fmt.Sprintf("group %q becomes \"\"", group), "the rule now takes resources of the core group")
		}
		return true
	case goneGroups[group] != "":
		l.add("AP051", path+".group", fmt.Sprintf("group %q in %s is %s", group, r.path, goneGroups[group]), "remove it, or name the group where its resources are now")
		return true
	case builtin.HasGroup(group) || group == "*":
		return false
	}
	meant, certain := meantGroup(group)
	switch {
	case meant == "":
	case certain:
		l.add("AP035", path+".group", fmt.Sprintf("group %q in %s: no request has it", group, r.path), fmt.Sprintf("write %q", "group: "+meant))
	default:
		l.add("AP056", path+".group", fmt.Sprintf("group %q in %s is nearly %q, and does not match it", group, r.path, meant), fmt.Sprintf("write %q", "group: "+meant))
	}
	return certain
}

// resource reports whether it has found out that the entry takes nothing.
func (l *linter) resource(r *rule, path, group, name string) bool {
	base, sub, hasSub := strings.Cut(name, "/")
	switch {
	case l.form(r, path, name, base, sub, hasSub):
		return true
	case base == "*":
		if near := nearly(sub, allSubresources()); near != "" && (group == "*" || builtin.HasGroup(group)) {
			l.add("AP036", path, fmt.Sprintf("resource %q in %s: nothing has a subresource of that name", name, r.path), fmt.Sprintf("write %q", "*/"+near))
		}
		return false
	case group == "authentication.k8s.io" && (base == "userextras" || base == "uids"), (group == "" || group == "authentication.k8s.io") && (base == "users" || base == "groups"):
		l.add("AP055", path, fmt.Sprintf("resource %q in %s occurs in RBAC only: impersonation is no request of its own", name, r.path), `remove it; events show who was impersonated as "impersonatedUser"`)
		return true
	case hasSub && sub == "*" && (group == "*" || builtin.HasGroup(group)) && !l.namesResource(r, base):
		l.add("AP038", path, fmt.Sprintf("%q in %s takes requests for %s itself as well", name, r.path, base), starHint(group, base))
	}
	if k := known(group, base); k != nil {
		l.subresource(r, path, name, sub, k)
		return false
	}
	if group != "*" && !builtin.HasGroup(group) {
		return false
	}
	return l.unknown(r, path, group, name, base, sub)
}

// subresource looks for one that the resource does not have.
func (l *linter) subresource(r *rule, path, name, sub string, k *builtin.Resource) {
	if sub == "" || sub == "*" || slices.Contains(k.Subresources, sub) {
		return
	}
	if near := nearly(sub, k.Subresources); near != "" {
		l.add("AP036", path, fmt.Sprintf("resource %q in %s: %s have no subresource of that name", name, r.path, k.Name), fmt.Sprintf("write %q", k.Name+"/"+near))
	} else if len(k.Subresources) == 0 {
		l.add("AP036", path, fmt.Sprintf("resource %q in %s: %s have no subresources", name, r.path, k.Name), fmt.Sprintf("write %q", k.Name))
	}
}

// namesResource reports whether the rule takes the resource by its name too, so that it is
// meant.
func (l *linter) namesResource(r *rule, base string) bool {
	for _, gr := range r.Resources {
		if slices.Contains(gr.Resources, base) {
			return true
		}
	}
	return false
}

func starHint(group, base string) string {
	if k := known(group, base); k != nil && len(k.Subresources) > 0 {
		return fmt.Sprintf("add %q if that is meant, or name the subresources: %s", base, strings.Join(prefixed(base+"/", k.Subresources), ", "))
	}
	return fmt.Sprintf("add %q if that is meant, or name the subresources", base)
}

func prefixed(prefix string, list []string) []string {
	var out []string
	for _, s := range list {
		out = append(out, prefix+s)
	}
	return out
}

// form looks for entries that match nothing whatever the resources are.
func (l *linter) form(r *rule, path, name, base, sub string, hasSub bool) bool {
	message := fmt.Sprintf("resource %q in %s matches nothing", name, r.path)
	changes := "the rule now takes these requests"
	switch {
	case name == "":
		return false // a finding of its own
	case name == "*/*":
		l.add("AP032", path, message, `write "*", which takes subresources too`).
			Fix = l.replace(path, "*", `"*/*" becomes "*"`, changes)
	case hasSub && sub == "" && base != "*" && base != "":
		l.add("AP032", path, message, fmt.Sprintf("write %q", base)).
			Fix = l.replace(path, base, fmt.Sprintf("%q becomes %q", name, base), changes)
	case hasSub && base == "":
		l.add("AP032", path, message, fmt.Sprintf("write %q with the resource that it belongs to, or %q for all", "NAME/"+sub, "*/"+sub))
	case strings.Contains(base, "*") && base != "*", strings.Contains(sub, "*") && sub != "*", strings.ContainsAny(name, "?[]{}()|^$"):
		l.add("AP032", path, message+": \"*\" is no pattern inside of a name", "name each resource, or leave the list out to take the whole group")
	case strings.Count(name, "/") > 1:
		l.add("AP032", path, message+": a subresource is one step", fmt.Sprintf("write %q", base+"/"+strings.SplitN(sub, "/", 2)[0]))
	default:
		return false
	}
	return true
}

// unknown is for a resource that a group of kube-apiserver's own does not have.
func (l *linter) unknown(r *rule, path, group, name, base, sub string) bool {
	with := func(s string) string { return either(sub == "", s, s+"/"+sub) }
	if k := aliased(group, base); k != nil {
		f := l.add("AP033", path, fmt.Sprintf("resource %q in %s matches nothing: requests have the plural, %q", name, r.path, k.Name), fmt.Sprintf("write %q", with(k.Name)))
		f.Fix = l.replace(path, with(k.Name), fmt.Sprintf("resource %q becomes %q", name, with(k.Name)), "the rule now takes these requests")
		return true
	}
	if group == "*" {
		return false
	}
	if group == "authentication.k8s.io" && base == "tokenrequests" {
		l.add("AP034", path, fmt.Sprintf("resource %q in %s matches nothing: tokens are requested as a subresource of service accounts", name, r.path), `write "{group: \"\", resources: [serviceaccounts/token]}"`)
		return true
	}
	if groups := groupsOf(base); len(groups) > 0 {
		l.add("AP034", path, fmt.Sprintf("resource %q in %s is not in group %q: the rule never sees it", name, r.path, group),
			fmt.Sprintf("write %q", fmt.Sprintf("{group: %s, resources: [%s]}", either(groups[0] == "", `""`, groups[0]), name)))
		return true
	}
	if group == "policy" && base == "podsecuritypolicies" {
		l.add("AP051", path, fmt.Sprintf("resource %q in %s is gone since Kubernetes 1.25", name, r.path), "remove it")
		return true
	}
	if k := aliased("*", base); k != nil {
		l.add("AP034", path, fmt.Sprintf("resource %q in %s matches nothing: requests have the plural, %q, and another group", name, r.path, k.Name),
			fmt.Sprintf("write %q", fmt.Sprintf("{group: %s, resources: [%s]}", either(k.Group == "", `""`, k.Group), with(k.Name))))
		return true
	}
	if near := misspelt(group, base); near != "" {
		l.add("AP036", path, fmt.Sprintf("resource %q in %s: group %q has none of that name", name, r.path, group), fmt.Sprintf("write %q", with(near)))
		return true
	}
	return false
}

// events looks for events of one group where both are served.
func (l *linter) events(r *rule) {
	at, core, other := "", false, false
	for i, gr := range r.Resources {
		for j, name := range gr.Resources {
			if name != "events" || len(gr.ResourceNames) > 0 {
				continue
			}
			core = core || gr.Group == "" || gr.Group == "*"
			other = other || gr.Group == "events.k8s.io" || gr.Group == "*"
			at = r.at("resources[%d].resources[%d]", i, j)
		}
		other = other || gr.Group == "events.k8s.io"
		core = core || gr.Group == "" && len(gr.Resources) == 0
	}
	if at != "" && core != other && l.eventsDiffer(r, either(core, "events.k8s.io", "")) {
		l.add("AP057", at, fmt.Sprintf("%s takes events of the %s only", r.path, either(core, "core group", "group events.k8s.io")),
			fmt.Sprintf("add %q", either(core, "{group: events.k8s.io, resources: [events]}", `{group: "", resources: [events]}`)))
	}
}

// eventsDiffer reports whether events of the other group fare otherwise than those that
// the rule takes.
func (l *linter) eventsDiffer(r *rule, group string) bool {
	q := policy.Request{User: anyone(r), Groups: groupsFor(r), Verb: "create", Group: group, Resource: "events", Namespace: namespaceFor(r)}
	if len(r.Verbs) > 0 {
		q.Verb = r.Verbs[0]
	}
	return string(l.policy.Evaluate(q.Attributes()).Level) != string(r.Level)
}

// scope looks for namespaces in a rule whose resources have none.
func (l *linter) scope(r *rule) {
	if len(r.Namespaces) == 0 || len(r.Resources) == 0 || slices.Contains(r.Namespaces, "") {
		return
	}
	for _, gr := range r.Resources {
		if len(gr.Resources) == 0 {
			return
		}
		for _, name := range gr.Resources {
			base, _, _ := strings.Cut(name, "/")
			// A request for one Namespace object counts as made in that namespace.
			if k := known(gr.Group, base); k == nil || k.Namespaced || base == "namespaces" {
				return
			}
		}
	}
	l.dead[r.index] = true
	l.add("AP042", r.at("namespaces"), fmt.Sprintf("%s never matches: its resources are cluster-scoped, and requests for them have the namespace \"\"", r.path), `leave out "namespaces"`)
}
