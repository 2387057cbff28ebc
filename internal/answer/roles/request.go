package roles

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"

	"auditpatch/internal/auditlog/event"

	"auditpatch/internal/lazyregexp"
)

// outcome is what an event says of its request.
type outcome int

const (
	allowed  outcome = iota
	refused          // by the authorizer
	noBecome         // an impersonation was
	unknown          // the authorizer may not have been asked
)

// verdict is what the authorizer's annotation says. Old logs have none: there an answer that
// only comes after it says that it allowed the request.
func verdict(e *event.Event) outcome {
	code := e.Response.Code
	switch string(e.Authorization.Decision) {
	case "allow":
		return allowed
	case "forbid":
		return refused
	}
	switch {
	case code == http.StatusForbidden && impersonating().Match(e.Response.Message):
		return noBecome
	case code == http.StatusForbidden:
		return refused
	case code >= 100 && code < 400:
		return allowed
	case code == 400, code == 401, code == 408, code == 429, code < 400, code >= 500:
		return unknown
	}
	return allowed
}

// impersonating are the messages of a refused impersonation.
var impersonating = lazyregexp.New(`cannot (impersonate|"?impersonate(-on)?:)|when impersonating|impersonating (the|an|a|empty) `)

var requestInfos = &request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// asked is what the authorizer was asked about the request of an event.
func asked(e *event.Event) Grant {
	if !e.Object.Has || len(e.Object.Resource) == 0 && len(e.Object.APIVersion) == 0 {
		return Grant{Verb: string(e.Verb), URL: path(e)}
	}
	o := e.Object
	g := Grant{Namespace: string(o.Namespace), Verb: string(e.Verb), Group: string(o.APIGroup), Resource: string(o.Resource), Name: string(o.Name)}
	sub := string(o.Subresource)
	if g.Verb == "create" || g.Verb == "update" {
		g.fromURL(e, sub)
	}
	if sub != "" {
		g.Resource += "/" + sub
	}
	return g
}

// fromURL takes name and namespace from the URL: kube-apiserver writes into the event what the
// object has where the URL has none, after it has asked the authorizer.
func (g *Grant) fromURL(e *event.Event, sub string) {
	method := http.MethodPost
	if g.Verb == "update" {
		method = http.MethodPut
	}
	u, err := url.ParseRequestURI(string(e.RequestURI))
	if err == nil {
		info, err := requestInfos.NewRequestInfo(&http.Request{Method: method, URL: u})
		if err == nil && info.IsResourceRequest && info.Verb == g.Verb && info.Resource == g.Resource && info.Subresource == sub && info.APIGroup == g.Group {
			g.Namespace, g.Name = info.Namespace, info.Name
			return
		}
	}
	if g.Verb == "create" && sub == "" {
		g.Name = ""
	}
}

// path is that of a request for no resource.
func path(e *event.Event) string {
	u, err := url.ParseRequestURI(string(e.RequestURI))
	if err != nil {
		p, _, _ := strings.Cut(string(e.RequestURI), "?")
		return p
	}
	return u.Path
}

var label = lazyregexp.New(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

var accountName = lazyregexp.New(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)

// expressible says that a rule can allow this and nothing else. A resource that is called *
// does not exist, but may be asked for.
func (g Grant) expressible() bool {
	if g.Verb == "*" {
		return false
	}
	if g.URL != "" {
		return !strings.HasSuffix(g.URL, "*")
	}
	return g.Group != "*" && g.base() != "*" && (g.Namespace == "" || label().MatchString(g.Namespace)) && (g.Resource != "" || g.Group != "")
}

// hasGroup looks into a JSON list; a quotation mark within a name is escaped there.
func hasGroup(s event.Subject, group string) bool {
	return bytes.Contains(s.Groups, []byte(`"`+group+`"`))
}

// everyURL are the paths that everybody with a login may get, by ClusterRole system:discovery;
// openURL those that nobody needs a login for, by system:public-info-viewer.
var (
	everyURL = []string{"/livez", "/readyz", "/healthz", "/version", "/version/", "/openapi", "/openapi/*", "/api", "/api/*", "/apis", "/apis/*"}
	openURL  = []string{"/livez", "/readyz", "/healthz", "/version", "/version/"}
	// accountURL is for service accounts, by system:service-account-issuer-discovery.
	accountURL = []string{"/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/"}
)

// everybody says that Kubernetes' own roles allow this to any user of the kind.
func everybody(who event.Subject, g Grant) bool {
	login := hasGroup(who, "system:authenticated") || len(who.Groups) == 0 && string(who.Name) != "system:anonymous"
	account := hasGroup(who, "system:serviceaccounts")
	if g.URL != "" {
		return g.Verb == "get" && (login && matchURL(everyURL, g.URL) || account && matchURL(accountURL, g.URL) ||
			(login || hasGroup(who, "system:unauthenticated") || string(who.Name) == "system:anonymous") && matchURL(openURL, g.URL))
	}
	if !login || g.Verb != "create" {
		return false
	}
	switch g.Group {
	case "authorization.k8s.io":
		return g.Resource == "selfsubjectaccessreviews" || g.Resource == "selfsubjectrulesreviews"
	case "authentication.k8s.io":
		return g.Resource == "selfsubjectreviews"
	}
	return false
}

// matchURL is how a rule matches a path.
func matchURL(patterns []string, path string) bool {
	for _, p := range patterns {
		if p == "*" || p == path || strings.HasSuffix(p, "*") && strings.HasPrefix(path, strings.TrimRight(p, "*")) {
			return true
		}
	}
	return false
}
