package policy

import (
	"strings"

	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// Request is a request as plain data. It is about a resource when Resource is
// set, else about the URL path in Path.
type Request struct {
	User        string   // empty: authentication failed, and rules with users or groups do not match
	Groups      []string // nil: the groups that the API server itself gives to the user
	Verb        string   // get, list, watch, create ...; for a path the HTTP method, in lower case
	Group       string   // API group, without the version
	Version     string
	Resource    string
	Subresource string
	Namespace   string // empty: cluster-scoped, or across all namespaces
	Name        string
	Path        string
}

// Attributes returns the request in the form that Evaluate takes, completed as
// the API server completes it: a request about one Namespace object counts as
// made in that namespace.
func (r Request) Attributes() authorizer.Attributes {
	a := authorizer.AttributesRecord{
		Verb:            r.Verb,
		Namespace:       r.Namespace,
		APIGroup:        r.Group,
		APIVersion:      r.Version,
		Resource:        r.Resource,
		Subresource:     r.Subresource,
		Name:            r.Name,
		ResourceRequest: r.Resource != "",
		Path:            r.Path,
	}
	if r.Resource == "namespaces" && r.Namespace == "" && r.Verb != "list" && r.Verb != "watch" {
		a.Namespace = r.Name // the name that a list has comes from its field selector
	}
	if r.User != "" {
		a.User = &user.DefaultInfo{Name: r.User, Groups: r.groups()}
	}
	return a
}

// groups are those asked for, or those that follow from the user's name.
func (r Request) groups() []string {
	if r.Groups != nil {
		return r.Groups
	}
	if r.User == user.Anonymous {
		return []string{user.AllUnauthenticated}
	}
	// system:serviceaccount:NAMESPACE:NAME is a member of two groups of its own.
	if account, ok := strings.CutPrefix(r.User, "system:serviceaccount:"); ok {
		if namespace, _, ok := strings.Cut(account, ":"); ok {
			all := "system:serviceaccounts"
			return []string{all, all + ":" + namespace, user.AllAuthenticated}
		}
	}
	return []string{user.AllAuthenticated}
}
