package simulate

import (
	"slices"
	"strings"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
	"auditpatch/internal/policy/sensitive"

	"auditpatch/internal/lazyregexp"
)

// Reason is why requests stay in the log.
type Reason string

// The reasons, in the order in which they are told.
const (
	Writes       Reason = "writes"
	Failures     Reason = "failures"
	Sensitive    Reason = "secrets and other contents"
	WaysIn       Reason = "ways into containers"
	Rights       Reason = "access rights"
	Impersonated Reason = "impersonation"
	Nobody       Reason = "anonymous callers and failed logins"
	People       Reason = "people"
	OddPaths     Reason = "debugging, and odd names"
	Uncounted    Reason = "too many kinds to count"
	NotChosen    Reason = "not worth a rule"
)

// Reasons are all of them, in order.
func Reasons() []Reason {
	return []Reason{Writes, Failures, Sensitive, WaysIn, Rights, Impersonated, Nobody, People, OddPaths, Uncounted, NotChosen}
}

var (
	waysIn = []string{"exec", "attach", "portforward", "proxy", "log", "ephemeralcontainers"}
	rights = []string{"rbac.authorization.k8s.io", "authorization.k8s.io", "authentication.k8s.io", "admissionregistration.k8s.io"}
	debug  = []string{"/debug", "/logs", "/configz", "/flagz", "/statusz"}
)

// Protected says why no rule may hide a request, whatever the log has of it; "" when one
// may. people says whether requests of people may be hidden.
func Protected(r policy.Request, people bool) Reason {
	_, contents := sensitive.Of(r)
	switch {
	case r.User == "" || r.User == "system:anonymous" || slices.Contains(r.Groups, "system:unauthenticated"):
		return Nobody
	case r.Resource != "" && slices.Contains(waysIn, r.Subresource) || r.Verb == "proxy":
		return WaysIn
	case contents:
		return Sensitive
	case slices.Contains(rights, r.Group) && r.Resource != "":
		return Rights
	case !reads(r):
		return Writes
	case odd(r):
		return OddPaths
	case r.Resource == "" && slices.ContainsFunc(debug, func(p string) bool { return strings.HasPrefix(r.Path, p) }):
		return OddPaths
	case !people && !ofCluster(r.User):
		return People
	}
	return ""
}

// ofCluster tells whether a user is a component or a service account. A bootstrap token is
// what a person or a thief joins a node with.
func ofCluster(user string) bool {
	return explain.IsSystemUser(user) && !strings.HasPrefix(user, "system:bootstrap:")
}

// reads tells whether a request changes nothing.
func reads(r policy.Request) bool {
	if r.Resource == "" {
		return r.Verb == "get" || r.Verb == "head"
	}
	return r.Verb == "get" || r.Verb == "list" || r.Verb == "watch"
}

// plainName and plainPath are names that mean nothing else in a rule: a URL may name the resource *.
var (
	plainName = lazyregexp.New(`^[a-z0-9.-]*$`)
	plainPath = lazyregexp.New(`^/[A-Za-z0-9/._~-]*$`)
)

func odd(r policy.Request) bool {
	if r.Resource == "" {
		return !plainPath().MatchString(r.Path)
	}
	return !plainName().MatchString(r.Resource) || !plainName().MatchString(r.Subresource) || !plainName().MatchString(r.Group)
}
