package explain

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"k8s.io/apiserver/pkg/authentication/user"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// Who is the user of a request, as the login made it.
type Who struct {
	// User is the name; "" is a login that failed, for which kube-apiserver answers 401.
	User string
	// Groups are those beside the ones that the API server gives to every user of this
	// kind, such as system:authenticated.
	Groups []string
}

// request is a request of this user.
func (w Who) request() policy.Request {
	r := policy.Request{User: w.User}
	if w.User == "" {
		return r
	}
	own := r.Attributes().GetUser().GetGroups()
	r.Groups = slices.Clone(w.Groups)
	for _, g := range own {
		if !slices.Contains(r.Groups, g) && !(g == user.AllAuthenticated && slices.Contains(r.Groups, user.AllUnauthenticated)) {
			r.Groups = append(r.Groups, g)
		}
	}
	return r
}

// Sent is a request that a client sends.
type Sent struct {
	policy.Request
	Note string // what there is to know about it; may be empty
}

// Known refuses a request for a resource, or a subresource, that Kubernetes does not have
// although it would have to be its own: most likely one that is misspelt.
func (s Sent) Known() error {
	if s.Resource == "" {
		return nil
	}
	text := strings.TrimSuffix(s.Resource+"."+s.Group, ".")
	if s.Subresource != "" {
		text += "/" + s.Subresource
	}
	p, err := parseResource(text)
	if err == nil && (p.resource != s.Resource || p.group != s.Group) {
		err = hint.Errorf(hint.Words("%s", strings.TrimSuffix(p.resource+"."+p.group, ".")), "resource %q: there is none in this group", text)
	}
	return err
}

// FromURL is the request with a method for a URL, by the API server's own code. The
// URL may be whole or begin with its path; an empty method is GET.
func FromURL(method, address string, who Who) (Sent, error) {
	method = strings.ToUpper(method)
	if method == "" {
		method = http.MethodGet
	}
	example := hint.Flag("url", "/api/v1/pods")
	if !slices.Contains(knownMethods, method) {
		return Sent{}, hint.Errorf(hint.Flag("method", "POST"), "%q is no method of HTTP that kube-apiserver knows", method)
	}
	u, err := parseURL(address)
	if err != nil {
		return Sent{}, hint.Errorf(example, "%q is no URL, nor a path that begins with a slash", address)
	}
	info, err := requestInfos.NewRequestInfo(&http.Request{Method: method, URL: u})
	if err != nil {
		return Sent{}, hint.Errorf(example, "%q: kube-apiserver refuses this before it evaluates the policy, and writes no event", address)
	}
	r := Sent{Request: who.request()}
	r.Verb, r.Path = info.Verb, info.Path
	if info.IsResourceRequest {
		if info.Resource == "" {
			return Sent{}, hint.Errorf(hint.Flag("url", path.Clean(u.Path)), "%q has a slash too many: kube-apiserver does not mend it, but takes it for a request for a resource that has no name. It answers 403 or 404, and writes an event if a rule matches that names no resources", address)
		}
		r.Group, r.Version, r.Resource, r.Subresource = info.APIGroup, info.APIVersion, info.Resource, info.Subresource
		r.Namespace, r.Name = info.Namespace, info.Name
	}
	if err := r.Known(); err != nil {
		r.Note = err.Error() // 404, and an event like any other
	}
	if badTimeout(u) && !LongRunning(r.Verb, r.Resource, r.Subresource, r.Path) {
		r.User, r.Groups = "", nil
		r.Note = "kube-apiserver refuses the timeout in this URL before the login: the policy sees no user"
	}
	return r, nil
}

func parseURL(address string) (*url.URL, error) {
	if strings.HasPrefix(address, "/") {
		return url.ParseRequestURI(address) // as from the wire: two slashes begin no host
	}
	u, err := url.Parse(address)
	if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		err = errors.New("no host")
	}
	if err == nil && u.Path == "" {
		u.Path = "/"
	}
	return u, err
}

var knownMethods = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodOptions, http.MethodTrace, http.MethodConnect}

// badTimeout tells whether kube-apiserver refuses a request for its timeout: it does so
// before the login, and the policy sees no user (WithRequestDeadline in
// k8s.io/apiserver/pkg/endpoints/filters/request_deadline.go).
func badTimeout(u *url.URL) bool {
	value := u.Query().Get("timeout")
	if value == "" {
		return false
	}
	_, err := time.ParseDuration(value)
	return err != nil
}

// Describe is a request in a line, such as: list secrets in all namespaces.
func Describe(r policy.Request) string {
	if r.Resource == "" {
		return r.Verb + " " + r.Path
	}
	name := r.Resource
	if r.Group != "" {
		name += "." + r.Group
	}
	if r.Subresource != "" {
		name += "/" + r.Subresource
	}
	text := strings.TrimSpace(fmt.Sprintf("%s %s %s", r.Verb, name, r.Name))
	switch {
	case r.Namespace != "" && r.Resource != "namespaces":
		text += " in namespace " + r.Namespace
	case r.Namespace == "" && (r.Verb == "list" || r.Verb == "watch") && namespaced(r.Group, r.Resource):
		text += " in all namespaces"
	}
	return text
}
