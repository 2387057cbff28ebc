package lint

import (
	"fmt"
	"slices"
	"strings"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

var entryCodes = []*Code{
	{ID: "AP031", Name: "no-wildcards-here", Severity: Error, Title: "\"*\" in users, userGroups, namespaces or resourceNames",
		Why:  "These are compared letter by letter: the entry matches nothing. For the service accounts of a namespace there is the group system:serviceaccounts:NAMESPACE.",
		Bad:  rules("- level: None\n  verbs: [get]\n  users: [monitor, \"system:serviceaccount:monitoring:*\"]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  userGroups: [\"system:serviceaccounts:monitoring\"]\n")},
	{ID: "AP040", Name: "names-never-given", Severity: Error, Title: "resourceNames with verbs of requests that have no name",
		Why:  "A create and a deletecollection have no name in their path, and the rule compares with that.",
		Bad:  rules("- level: None\n  users: [monitor]\n  verbs: [create]\n  resources: [{group: \"\", resources: [services], resourceNames: [web]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  verbs: [update]\n  resources: [{group: \"\", resources: [services], resourceNames: [web]}]\n")},
	{ID: "AP041", Name: "names-in-lists", Severity: Info, Title: "resourceNames with list and watch only",
		Why:  "A list or watch has a name only when the client asks with the field selector metadata.name=NAME; other lists contain the object and are not taken.",
		Bad:  rules("- level: None\n  users: [monitor]\n  verbs: [list, watch]\n  resources: [{group: \"\", resources: [services], resourceNames: [web]}]\n"),
		Good: rules("- level: None\n  users: [monitor]\n  verbs: [get, list, watch]\n  resources: [{group: \"\", resources: [services], resourceNames: [web]}]\n")},
	{ID: "AP048", Name: "empty-entry", Severity: Error, Title: "an empty entry in users, userGroups, resources or resourceNames",
		Why:  "No request has an empty user, group, resource or name to compare with that could be meant.",
		Bad:  rules("- level: None\n  verbs: [get]\n  users: [monitor, \"\"]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  users: [monitor]\n")},
	{ID: "AP049", Name: "blank-in-entry", Severity: Error, Title: "a blank at the beginning or end of an entry",
		Why:  "Entries are compared letter by letter, the blank too: the entry matches nothing.",
		Bad:  rules("- level: None\n  verbs: [get]\n  users: [\"monitor \"]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  users: [\"monitor\"]\n")},
	{ID: "AP050", Name: "entry-twice", Severity: Info, Title: "an entry that stands twice in a list",
		Why:  "It does nothing, and another one may have been meant.",
		Bad:  rules("- level: None\n  verbs: [get, list, get]\n  users: [monitor]\n"),
		Good: rules("- level: None\n  verbs: [get, list]\n  users: [monitor]\n")},
}

// listOf is one list of strings in a rule, with its path.
type listOf struct {
	name, path string
	values     []string
}

// lists are all lists of strings in a rule.
func (r *rule) lists() []listOf {
	out := []listOf{
		{"users", r.at("users"), r.Users}, {"userGroups", r.at("userGroups"), r.UserGroups},
		{"verbs", r.at("verbs"), r.Verbs}, {"namespaces", r.at("namespaces"), r.Namespaces},
		{"nonResourceURLs", r.at("nonResourceURLs"), r.NonResourceURLs}, {"omitStages", r.at("omitStages"), stageNames(r.OmitStages)},
	}
	for i, gr := range r.Resources {
		out = append(out, listOf{"resources", r.at("resources[%d].resources", i), gr.Resources},
			listOf{"resourceNames", r.at("resources[%d].resourceNames", i), gr.ResourceNames})
	}
	return out
}

func stageNames(stages []auditv1.Stage) (names []string) {
	for _, s := range stages {
		names = append(names, string(s))
	}
	return names
}

// entries looks at each entry of each list as a text.
func (l *linter) entries(r *rule) {
	lists := r.lists()
	if r.index == 0 {
		lists = append(lists, listOf{"omitStages", "omitStages", stageNames(l.spec.OmitStages)})
	}
	for _, list := range lists {
		seen := map[string]bool{}
		for i, v := range list.values {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			switch {
			case seen[v]:
				l.add("AP050", path, fmt.Sprintf("%q stands twice in %s", v, list.path), "remove one").
					Fix = l.dropItem(list.path, i, fmt.Sprintf("the second %q goes", v), "")
			case v == "":
				l.emptyEntry(r, list, i)
			case strings.TrimSpace(v) != v:
				l.add("AP049", path, fmt.Sprintf("%q in %s begins or ends with a blank, and matches nothing", v, list.path), fmt.Sprintf("write %q", strings.TrimSpace(v))).
					Fix = l.replace(path, strings.TrimSpace(v), fmt.Sprintf("%q becomes %q", v, strings.TrimSpace(v)), "the rule now takes these requests")
			case strings.Contains(v, "*") && slices.Contains([]string{"users", "userGroups", "namespaces", "resourceNames"}, list.name):
				l.wildcard(r, list, i, v)
			}
			seen[v] = true
		}
	}
}

// emptyEntry leaves alone what has a meaning: the namespace of cluster-scoped
// requests, and the verb of a request whose method has none.
func (l *linter) emptyEntry(r *rule, list listOf, i int) {
	if list.name == "namespaces" || list.name == "verbs" || list.name == "nonResourceURLs" {
		return
	}
	if list.name == "resourceNames" {
		return // takes requests without a name
	}
	l.markDead(r, list.values, func(v string) bool { return v == "" })
	f := l.add("AP048", fmt.Sprintf("%s[%d]", list.path, i), fmt.Sprintf("an empty entry in %s matches nothing", list.path), "remove it")
	if slices.ContainsFunc(list.values, func(v string) bool { return v != "" }) {
		f.Fix = l.dropItem(list.path, i, "the empty entry goes", "")
	}
}

// wildcard is for a star where none is allowed.
func (l *linter) wildcard(r *rule, list listOf, i int, v string) {
	hint := fmt.Sprintf("leave out %q to take all, or write each name", list.name)
	if rest, ok := strings.CutPrefix(v, "system:serviceaccount:"); ok && list.name == "users" {
		namespace, _, _ := strings.Cut(rest, ":")
		hint = fmt.Sprintf("write %q", fmt.Sprintf("userGroups: [%q]", "system:serviceaccounts"+either(namespace == "*", "", ":"+namespace)))
	}
	if rest, ok := strings.CutPrefix(v, "system:node:"); ok && list.name == "users" && rest == "*" {
		hint = `write "userGroups: [\"system:nodes\"]"`
	}
	l.markDead(r, list.values, func(v string) bool { return strings.Contains(v, "*") })
	l.add("AP031", fmt.Sprintf("%s[%d]", list.path, i), fmt.Sprintf("%q in %s: there are no wildcards here, it matches nothing", v, list.path), hint)
}

// names looks for names that requests with these verbs do not have.
func (l *linter) names(r *rule) {
	if len(r.Verbs) == 0 {
		return
	}
	only := func(verbs ...string) bool {
		return !slices.ContainsFunc(r.Verbs, func(v string) bool { return !slices.Contains(verbs, v) })
	}
	for i, gr := range r.Resources {
		// Subresources are created with the name of what they belong to.
		sub := slices.ContainsFunc(gr.Resources, func(s string) bool { return strings.Contains(s, "/") || s == "*" })
		path := r.at("resources[%d].resourceNames", i)
		switch {
		case len(gr.ResourceNames) == 0 || slices.Contains(gr.ResourceNames, ""):
		case only("deletecollection") || only("create", "deletecollection") && !sub:
			l.dead[r.index] = l.dead[r.index] || len(r.Resources) == 1
			l.add("AP040", path, fmt.Sprintf("resourceNames in %s: requests with its verbs, %s, have no name", r.path, strings.Join(r.Verbs, ", ")), `leave out "resourceNames"`)
		case only("create", "deletecollection", "list", "watch") && !sub:
			l.add("AP041", path, fmt.Sprintf("resourceNames in %s: list and watch have a name only with the field selector metadata.name", r.path), `leave out "resourceNames", or add "get"`)
		}
	}
}
