package explain

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/util/validation"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy/builtin"
	"auditpatch/internal/spelling"

	"auditpatch/internal/lazyregexp"
)

// Fields are a request for a resource, as one types it.
type Fields struct {
	Verb          string
	Resource      string // pods, pods/exec, deployments.apps, deployments.apps/scale
	Namespace     string
	Name          string
	FieldSelector string // of a list or a watch; metadata.name=x counts as a name
}

// verbs are those that a request for a resource has. proxy is of URLs of old.
var verbs = []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}

// FromFields is the request with these fields.
func FromFields(f Fields, who Who) (Sent, error) {
	s := Sent{Request: who.request()}
	if err := checkVerb(f.Verb); err != nil {
		return Sent{}, err
	}
	target, err := parseResource(f.Resource)
	if err != nil {
		return Sent{}, err
	}
	s.Verb, s.Group, s.Version = f.Verb, target.group, target.version
	s.Resource, s.Subresource = target.resource, target.subresource
	s.Namespace, s.Name = f.Namespace, f.Name
	if s.Namespace != "" && !namespaced(s.Group, s.Resource) && s.Resource != "namespaces" {
		return Sent{}, hint.Errorf(hint.Words("leave the namespace out"), "%s lie in no namespace", s.Resource)
	}
	if faults := validation.IsDNS1123Label(s.Namespace); s.Namespace != "" && len(faults) > 0 {
		return Sent{}, hint.Errorf(hint.Words("leave it out for all namespaces at once"), "%q is the name of no namespace", s.Namespace)
	}
	if err := s.selected(f.FieldSelector); err != nil {
		return Sent{}, err
	}
	s.unnamed()
	return s, nil
}

// unnamed says what a request stands for that lacks what its URL has to have: GET without
// a name is a list, and DELETE is a deletecollection. The answer is that to an object
// which no rule names.
func (s *Sent) unnamed() {
	if s.Note != "" {
		return
	}
	names := []string{"get", "update", "patch", "delete"}
	switch {
	case s.Name == "" && slices.Contains(names, s.Verb):
		s.Note = "the URL of " + article(s.Verb) + " has a name: this is for one that no rule has in resourceNames"
	case s.Namespace == "" && namespaced(s.Group, s.Resource) && (s.Verb == "create" || slices.Contains(names, s.Verb)):
		s.Note = "the URL of " + article(s.Verb) + " has a namespace: without one, rules with namespaces do not match"
	}
}

func article(verb string) string {
	if verb == "update" {
		return "an " + verb
	}
	return "a " + verb
}

// selected sets what the request's URL has for a name.
func (s *Sent) selected(selector string) error {
	switch {
	case s.Verb == "create" && s.Subresource == "" && s.Name != "":
		s.Name = ""
		s.Note = "the URL of a create has no name: rules with resourceNames do not match it"
	case (s.Verb == "list" || s.Verb == "watch") && s.Name != "":
		s.Note = "as with the field selector metadata.name=" + s.Name
	case s.Verb == "deletecollection" && s.Name != "":
		s.Name = ""
		s.Note = "the URL of a deletecollection has no name: rules with resourceNames do not match it"
	}
	if selector == "" {
		return nil
	}
	parsed, err := fields.ParseSelector(selector)
	if err != nil {
		return hint.Errorf(hint.Flag("field-selector", "metadata.name=web"), "%q is no field selector: %v", selector, err)
	}
	name, exact := parsed.RequiresExactMatch("metadata.name")
	switch {
	case s.Verb != "list" && s.Verb != "watch":
		s.Note = "only list and watch take their name from a field selector"
	case exact:
		s.Name = name
	}
	return nil
}

// sayings are verbs that people bring along, and how they are written.
var sayings = map[string]string{
	"exec": "--verb create --resource pods/exec", "attach": "--verb create --resource pods/attach",
	"portforward": "--verb create --resource pods/portforward", "post": "--verb create", "put": "--verb update",
	"apply": "--verb patch", "edit": "--verb patch", "head": "--verb get", "read": "--verb get", "write": "--verb update",
	"impersonate": "--verb get", "approve": "--verb update --resource certificatesigningrequests/approval",
}

func checkVerb(verb string) error {
	if slices.Contains(verbs, verb) || verb == "proxy" {
		return nil
	}
	if verb == "" {
		return hint.New(hint.Flag("verb", "get"), "the request has no verb")
	}
	lower := strings.ToLower(verb)
	if said := sayings[lower]; said != "" {
		return hint.Errorf(hint.Words("%s", said), "%q is no verb of a request for a resource", verb)
	}
	best := spelling.Nearest(lower, verbs)
	if best == "" {
		return hint.Errorf(hint.Words("%s", strings.Join(verbs, ", ")), "%q is no verb of a request for a resource", verb)
	}
	return hint.Errorf(hint.Flag("verb", best), "%q is no verb of a request for a resource", verb)
}

// place is where a resource is served.
type place struct{ group, version, resource, subresource string }

var versionName = lazyregexp.New(`^v[0-9]+((alpha|beta)[0-9]+)?$`)

// parseResource reads RESOURCE[.VERSION][.GROUP][/SUBRESOURCE], kubectl's form. A name
// without a group is that of a built-in resource; one with a dot at its end is of the
// core group, whether it is there or not.
func parseResource(text string) (place, error) {
	if text == "" {
		return place{}, hint.New(hint.Flag("resource", "pods"), "the request has no resource")
	}
	name, sub, hasSub := strings.Cut(text, "/")
	if hasSub && sub == "" || strings.Contains(sub, "/") {
		return place{}, hint.Errorf(hint.Flag("resource", "pods/exec"), "resource %q: one subresource follows the slash", text)
	}
	if before, group, dotted := strings.Cut(sub, "."); dotted {
		return place{}, hint.Errorf(hint.Flag("resource", name+"."+group+"/"+before), "resource %q: the group follows the resource, and the subresource comes last", text)
	}
	resource, group, hasGroup := strings.Cut(name, ".")
	p := place{subresource: sub}
	if first, rest, _ := strings.Cut(group, "."); versionName().MatchString(first) {
		p.version, group = first, rest
	}
	if known, ok := resolve(resource, group, !hasGroup); ok {
		p.resource, p.group = known.Name, known.Group
		return p, misspeltSubresource(known, text, sub)
	}
	p.resource, p.group = resource, group
	if best := misspelt(resource, group); hasGroup && best != "" {
		if sub != "" {
			best += "/" + sub
		}
		return place{}, hint.Errorf(hint.Flag("resource", best), "resource %q: there is none in this group", text)
	}
	if !hasGroup {
		return place{}, unknownResource(resource, sub)
	}
	if resource == "" || strings.ToLower(resource) != resource {
		return place{}, hint.Errorf(hint.Flag("resource", "widgets.example.com"), "resource %q: the plural in small letters comes first", text)
	}
	return p, nil
}

// misspeltSubresource refuses a subresource that a built-in resource has not, and that is
// written nearly as one it has.
func misspeltSubresource(b builtin.Resource, text, sub string) error {
	known := slices.Clone(b.Subresources)
	if !slices.Contains(known, "status") {
		known = append(known, "status") // what has none today may get one
	}
	if sub == "" || slices.Contains(known, sub) {
		return nil
	}
	if best := spelling.Nearest(sub, known); best != "" {
		return hint.Errorf(hint.Flag("resource", strings.TrimSuffix(text, sub)+best), "resource %q: %s have no %q", text, b.Name, sub)
	}
	return hint.Errorf(hint.Words("%s have %s", b.Name, strings.Join(known, ", ")), "resource %q: %s have no %q", text, b.Name, sub)
}

// misspelt is what a name with a group means that nothing has: one of a built-in group
// that is written nearly so, or a built-in resource in a group that cannot be another's,
// because those have a dot. "" when it may be right.
func misspelt(resource, group string) string {
	var same, other []string
	builtinGroup := group == ""
	for _, b := range builtin.All() {
		full := strings.TrimSuffix(b.Name+"."+b.Group, ".")
		if b.Group == group {
			builtinGroup = true
			same = append(same, b.Name)
		}
		if b.Name == resource {
			other = append(other, full)
		}
	}
	if builtinGroup {
		if best := spelling.Nearest(strings.ToLower(resource), same); best != "" {
			return strings.TrimSuffix(best+"."+group, ".")
		}
	}
	if len(other) > 0 && group != "" && group != "extensions" && (builtinGroup || !strings.Contains(group, ".")) {
		return other[0]
	}
	return ""
}

func unknownResource(resource, sub string) error {
	if sub != "" {
		sub = "/" + sub
	}
	var names []string
	for _, b := range builtin.All() {
		names = append(names, b.Name)
	}
	if best := spelling.Nearest(strings.ToLower(resource), names); best != "" {
		return hint.Errorf(hint.Flag("resource", best+sub), "%q is no built-in resource", resource)
	}
	return hint.Errorf(hint.Words("write it with its group, such as %s.example.com%s", strings.ToLower(resource), sub),
		"%q is no built-in resource", fmt.Sprint(resource))
}
