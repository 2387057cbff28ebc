package space

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/builtin"
)

// The verbs that requests have. RequestInfoFactory of k8s.io/apiserver makes them
// from the HTTP method: of a request for a resource those of the API, of any
// other the method in lower case.
var (
	resourceVerbs = []string{"get", "list", "create", "update", "patch", "delete", "watch", "deletecollection"}
	pathVerbs     = []string{"get", "post", "put", "patch", "delete", "head", "options"}
)

// The verbs of requests that nobody makes by way of work: no verb at all, of OPTIONS
// and other methods that the API has none for, the old paths below /api/v1/proxy, and
// methods that no handler takes. Such requests are answered with an error, and
// recorded.
var (
	rareResourceVerbs = []string{"", "proxy"}
	rarePathVerbs     = []string{"trace", "connect"}
)

// IsRare reports whether nobody makes such a request by way of work.
func IsRare(r policy.Request) bool {
	return slices.Contains(either(r.Resource == "", rarePathVerbs, rareResourceVerbs), r.Verb)
}

// takesRare reports whether the rule may take such requests.
func (r *Rule) takesRare() bool {
	return len(r.spec.Verbs) == 0 || slices.ContainsFunc(r.spec.Verbs, func(v string) bool {
		return slices.Contains(rareResourceVerbs, v) || slices.Contains(rarePathVerbs, v)
	})
}

// familiar are resources that everybody knows, tried before an invented one.
var familiar = []policy.Request{
	{Resource: "pods"},
	{Resource: "services"},
	{Group: "apps", Resource: "deployments"},
	{Group: "batch", Resource: "jobs"},
}

// familiarPaths are those that are not of resources.
var familiarPaths = []string{"/version", "/healthz", "/livez", "/readyz", "/metrics", "/api", "/apis", "/apis/apps/v1", "/api/v1", "/openapi/v3"}

// familiarSubresources are tried for a rule that takes several.
var familiarSubresources = []string{"status", "exec", "log", "scale"}

// values knows what to try in each dimension: what the rules of must name, and for
// whatever they leave open a value that no rule to be avoided names. No other
// value could do what such a one does not: a rule names what it takes.
type values struct {
	group, resource, subresource, namespace, name, user string   // named nowhere
	paths                                               []string // the beginnings of paths that rules name
	known                                               []policy.Request
	identities                                          []string // users to try where none is asked for
	rare                                                bool     // try verbs that nobody uses, and no others
}

// newValues makes values that the rules do not mention.
func newValues(must, avoid []*Rule) *values {
	said := map[string]bool{}
	for _, r := range slices.Concat(must, avoid) {
		r.mentions(said)
	}
	v := &values{
		group:       unsaid(said, "example.com"),
		resource:    unsaid(said, "widgets"),
		subresource: unsaid(said, "parts"),
		namespace:   unsaid(said, "default", "prod", "shop"),
		name:        unsaid(said, "web", "example"),
		user:        unsaid(said, "alice", "bob"),
	}
	for _, r := range slices.Concat(must, avoid) {
		for _, spec := range r.spec.NonResourceURLs {
			v.paths = append(v.paths, strings.TrimSuffix(spec, "*"))
		}
	}
	v.known = append(slices.Clone(familiar), policy.Request{Group: v.group, Resource: v.resource})
	v.identities = []string{v.user, user.Anonymous, ""}
	return v
}

// mentions notes all words of the rule, and the parts of resources.
func (r *Rule) mentions(said map[string]bool) {
	s := r.spec
	for _, word := range slices.Concat(s.Users, s.UserGroups, s.Namespaces, s.NonResourceURLs) {
		said[word] = true
	}
	for _, gr := range s.Resources {
		said[gr.Group] = true
		for _, word := range slices.Concat(gr.Resources, gr.ResourceNames) {
			said[word] = true
			name, sub, _ := strings.Cut(word, "/")
			said[name], said[sub] = true, true
		}
	}
}

// unsaid is the first of the words that is not mentioned, or the last with a
// number.
func unsaid(said map[string]bool, words ...string) string {
	for _, w := range words {
		if !said[w] {
			return w
		}
	}
	for i := 2; ; i++ {
		if w := words[len(words)-1] + strconv.Itoa(i); !said[w] {
			return w
		}
	}
}

// of are the candidates for one dimension: the request with each value worth
// trying.
func (v *values) of(d dimension, r policy.Request, must, alive []*Rule) []policy.Request {
	switch d {
	case byKind:
		return []policy.Request{{Resource: v.resource}, {Path: v.beyond("")}}
	case byPath:
		if r.Resource != "" {
			return []policy.Request{r}
		}
		return each(v.pathsOf(must), func(p string) policy.Request { r.Path = p; return r })
	case byResource:
		if r.Resource == "" {
			return []policy.Request{r}
		}
		return v.resources(must)
	case byNamespace:
		return v.namespaces(r, must)
	case byVerb:
		return each(v.verbs(r), func(verb string) policy.Request { r.Verb = verb; return r })
	case byName:
		return v.names(r, must)
	case byUser:
		return each(v.users(must), func(u string) policy.Request { r.User = u; return r })
	default:
		return v.memberships(r, must, alive)
	}
}

func each[T any](list []T, with func(T) policy.Request) []policy.Request {
	var out []policy.Request
	for _, x := range list {
		out = append(out, with(x))
	}
	return out
}

// resources are those that the rules name. Where several rules do, one rule's group
// and resource are tried with another's subresource too.
func (v *values) resources(must []*Rule) []policy.Request {
	var all []policy.Request
	naming := 0
	for _, m := range must {
		if len(m.spec.Resources) > 0 {
			naming++
		}
		for _, gr := range m.spec.Resources {
			all = append(all, v.entry(gr)...)
		}
	}
	switch naming {
	case 0:
		return v.known
	case 1:
		return all
	}
	groups, names, subs := newSet(), newSet(), newSet()
	for _, r := range all {
		groups.add(r.Group)
		names.add(r.Resource)
		subs.add(r.Subresource)
	}
	for _, sub := range subs.list {
		for _, g := range groups.list {
			all = append(all, each(names.list, func(name string) policy.Request {
				return policy.Request{Group: g, Resource: name, Subresource: sub}
			})...)
		}
	}
	return all
}

// entry are requests for what one entry of resources takes, familiar ones first.
func (v *values) entry(gr audit.GroupResources) []policy.Request {
	group := either(gr.Group == "*", v.group, gr.Group)
	list := gr.Resources
	if len(list) == 0 {
		list = []string{"*"}
	}
	var out []policy.Request
	for _, res := range list {
		name, sub, _ := strings.Cut(res, "/")
		subs := []string{sub}
		if res == "*" {
			subs = append(subs, v.subresource) // only that has a name when it is created
		}
		if sub == "*" {
			subs = append([]string{""}, append(slices.Clone(familiarSubresources), v.subresource)...)
		}
		for _, f := range familiar {
			if name == "*" && (gr.Group == "*" || gr.Group == f.Group) {
				out = append(out, each(subs, func(sub string) policy.Request { f.Subresource = sub; return f })...)
			}
		}
		name = either(name == "*", v.resource, name)
		out = append(out, each(subs, func(sub string) policy.Request {
			return policy.Request{Group: group, Resource: name, Subresource: sub}
		})...)
	}
	return out
}

// pathsOf are those that the rules name. Of a pattern the prefix alone and
// something behind it: a pattern that is to be avoided may take either.
func (v *values) pathsOf(must []*Rule) []string {
	out := newSet()
	for _, m := range must {
		for _, spec := range m.spec.NonResourceURLs {
			prefix, isPattern := strings.CutSuffix(spec, "*")
			if !isPattern {
				out.add(spec)
				continue
			}
			for _, p := range familiarPaths {
				if strings.HasPrefix(p, prefix) {
					out.add(p)
				}
			}
			if prefix != "" {
				out.add(prefix)
			}
			out.add(v.beyond(prefix))
		}
	}
	if len(out.list) == 0 {
		out.add(familiarPaths...)
		out.add(v.beyond(""))
	}
	return out.list
}

// beyond is a path that begins with prefix and with nothing longer that a rule
// names.
func (v *values) beyond(prefix string) string {
	slash := either(prefix == "" || !strings.HasSuffix(prefix, "/"), "/", "")
	for i := 1; ; i++ {
		p := prefix + slash + either(i == 1, "other", strconv.Itoa(i)+"-other")
		if !slices.ContainsFunc(v.paths, func(begin string) bool { return len(begin) > len(prefix) && strings.HasPrefix(p, begin) }) {
			return p
		}
		if i%10 == 0 { // a rule names what all of them begin with
			slash = strings.Repeat("~", i/10)
		}
	}
}

// verbs are those that requests have, the usual ones or the others.
func (v *values) verbs(r policy.Request) []string {
	switch {
	case r.Resource == "":
		return either(v.rare, rarePathVerbs, pathVerbs)
	case v.rare && r.Subresource != "":
		return []string{""} // the paths below proxy have none
	}
	return either(v.rare, rareResourceVerbs, resourceVerbs)
}

// namespaces are those that the rules name, or one that nobody names. A resource
// known to have none is tried without first. A Namespace object's requests are in
// the namespace of its name.
func (v *values) namespaces(r policy.Request, must []*Rule) []policy.Request {
	if r.Resource == "" {
		return []policy.Request{r}
	}
	out := newSet()
	for _, m := range must {
		out.add(m.spec.Namespaces...)
	}
	if len(out.list) == 0 {
		out.add(either(builtin.ClusterScoped(r.Resource), "", v.namespace), v.namespace, "")
	}
	if r.Resource == "namespaces" {
		out.add(resourceNames(must)...)
	}
	return each(out.list, func(ns string) policy.Request { r.Namespace = ns; return r })
}

// names are the names of objects that such a request can have: none for create
// and deletecollection, and for list and watch one only by a field selector.
func (v *values) names(r policy.Request, must []*Rule) []policy.Request {
	if r.Resource == "" {
		return []policy.Request{r}
	}
	out := newSet()
	none := r.Subresource == "" && (r.Verb == "create" || r.Verb == "deletecollection")
	several := r.Verb == "list" || r.Verb == "watch"
	switch {
	case r.Resource == "namespaces" && (none || several):
		out.add("")
	case r.Resource == "namespaces" && IsRare(r):
		out.add(r.Namespace)
	case r.Resource == "namespaces" && r.Namespace == "":
		return nil // an object of that kind cannot be without
	case r.Resource == "namespaces":
		out.add(r.Namespace)
	case none:
		out.add("")
	default:
		out.add(either(several, "", v.name))
		out.add(resourceNames(must)...)
		if IsRare(r) {
			out.add("") // these are not looked at as to whether they name an object
		}
	}
	return each(out.list, func(name string) policy.Request { r.Name = name; return r })
}

// resourceNames are all names of objects in the rules.
func resourceNames(rules []*Rule) []string {
	var names []string
	for _, r := range rules {
		for _, gr := range r.spec.Resources {
			names = append(names, gr.ResourceNames...)
		}
	}
	return names
}

// users are those that the rules name, or somebody, an anonymous caller, and
// nobody: a login that failed.
func (v *values) users(must []*Rule) []string {
	out := newSet()
	for _, m := range must {
		out.add(m.spec.Users...)
	}
	if len(out.list) > 0 {
		return out.list
	}
	for _, m := range must {
		for _, g := range m.spec.UserGroups {
			if ns, ok := strings.CutPrefix(g, serviceAccounts+":"); ok {
				out.add(serviceAccount + ns + ":" + v.name)
			} else if g == serviceAccounts {
				out.add(serviceAccount + v.namespace + ":" + v.name)
			}
		}
	}
	out.add(v.identities...)
	return out.list
}

const (
	serviceAccounts = "system:serviceaccounts"
	serviceAccount  = "system:serviceaccount:"
)

// ownGroups are those of which the API server itself makes a user a member.
func ownGroups(name string) []string {
	return policy.Request{User: name}.Attributes().GetUser().GetGroups()
}

// memberships is the request with the groups that its user has anyway, and for
// each rule of must one that no rule to be avoided looks for.
func (v *values) memberships(r policy.Request, must, alive []*Rule) []policy.Request {
	if r.User == "" {
		return []policy.Request{r}
	}
	r.Groups = nil
	own := ownGroups(r.User)
	if r.User == user.Anonymous || strings.HasPrefix(r.User, serviceAccount) {
		r.Groups = own
		return []policy.Request{r} // these have no others
	}
	banned := newSet(user.AllUnauthenticated) // the anonymous user's alone
	for _, a := range alive {
		banned.add(a.spec.UserGroups...)
	}
	chosen := newSet()
	for _, m := range must {
		if len(m.spec.UserGroups) == 0 || slices.ContainsFunc(m.spec.UserGroups, func(g string) bool { return slices.Contains(own, g) }) {
			continue
		}
		for _, g := range m.spec.UserGroups {
			if !banned.has[g] {
				chosen.add(g)
				break
			}
		}
	}
	r.Groups = append(chosen.list, own...)
	return []policy.Request{r}
}

// set keeps strings once each, in the order in which they came.
type set struct {
	list []string
	has  map[string]bool
}

func newSet(words ...string) *set {
	s := &set{has: map[string]bool{}}
	s.add(words...)
	return s
}

func (s *set) add(words ...string) {
	for _, w := range words {
		if !s.has[w] {
			s.has[w] = true
			s.list = append(s.list, w)
		}
	}
}

func either[T any](is bool, yes, no T) T {
	if is {
		return yes
	}
	return no
}
