package lint

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/endpoints/request"
)

var urlCodes = []*Code{
	{ID: "AP044", Name: "url-of-a-resource", Severity: Error, Title: "nonResourceURLs with the path of a resource",
		Why:  "A request below /api/v1/... or /apis/GROUP/VERSION/... is for a resource, and rules with nonResourceURLs never see it.",
		Bad:  rules("- level: None\n  verbs: [get]\n  nonResourceURLs: [/version, /api/v1/pods]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  nonResourceURLs: [/version]\n- level: None\n  users: [monitor]\n  verbs: [list]\n  resources: [{group: \"\", resources: [pods]}]\n")},
	{ID: "AP046", Name: "url-without-body", Severity: Info, Title: "nonResourceURLs at level Request or RequestResponse",
		Why:  "kube-apiserver writes bodies of requests for resources only: it is the same as Metadata.",
		Bad:  rules("- level: Request\n  nonResourceURLs: [/logs/*]\n"),
		Good: rules("- level: Metadata\n  nonResourceURLs: [/logs/*]\n")},
	{ID: "AP047", Name: "health-url-exact", Severity: Warning, Title: "the path of health checks or the like without \"*\"",
		Why:  "Clients ask below it too, as in /livez/ping, /healthz/etcd or /openapi/v3: these are not taken.",
		Bad:  rules("- level: None\n  verbs: [get]\n  nonResourceURLs: [/healthz]\n"),
		Good: rules("- level: None\n  verbs: [get]\n  nonResourceURLs: [/healthz*]\n")},
}

// requestInfo reads a path as kube-apiserver does.
var requestInfo = request.RequestInfoFactory{APIPrefixes: sets.NewString("api", "apis"), GrouplessAPIPrefixes: sets.NewString("api")}

// urls looks at paths.
func (l *linter) urls(r *rule) {
	if len(r.NonResourceURLs) == 0 {
		return
	}
	if r.hasBody() {
		l.add("AP046", r.at("level"), fmt.Sprintf("%s writes paths at level %s: requests for paths have no body in the log", r.path, r.Level), `write "level: Metadata"`)
	}
	l.markDead(r, r.NonResourceURLs, isOfResource)
	for i, u := range r.NonResourceURLs {
		path := r.at("nonResourceURLs[%d]", i)
		switch {
		case isOfResource(u):
			l.add("AP044", path, fmt.Sprintf("path %q in %s is that of %s: the rule never takes it", u, r.path, either(strings.HasSuffix(u, "/*"), "resources", "a resource")), l.asResource(u))
		case slices.Contains([]string{"/healthz", "/livez", "/readyz", "/openapi", "/metrics"}, u) && !takesBelow(r.NonResourceURLs, u):
			l.add("AP047", path, fmt.Sprintf("path %q in %s does not take %s/... below it", u, r.path, u), fmt.Sprintf("write %q", u+"*"))
		}
	}
}

// takesBelow reports whether other entries take something below a path.
func takesBelow(list []string, path string) bool {
	return slices.ContainsFunc(list, func(u string) bool { return u == "*" || strings.HasPrefix(u, path+"/") || u == path+"*" })
}

// isOfResource reports whether each request for the path is one for a resource. Of
// "/api/v1/*" that is what the star takes.
func isOfResource(path string) bool {
	info := infoOf(path)
	return info != nil && info.IsResourceRequest
}

// infoOf is what kube-apiserver reads from a path. A star behind a slash stands for
// something; in the middle of a word there may be nothing more.
func infoOf(path string) *request.RequestInfo {
	path = strings.TrimRight(path, "*") + either(strings.HasSuffix(path, "/*"), "any", "")
	u, err := url.Parse(path)
	if err != nil {
		return nil
	}
	info, err := requestInfo.NewRequestInfo(&http.Request{Method: http.MethodGet, URL: u})
	if err != nil {
		return nil
	}
	return info
}

// asResource is what to write in place of a path.
func (l *linter) asResource(path string) string {
	info := infoOf(path)
	if below, ok := strings.CutSuffix(path, "/*"); ok && !isOfResource(below) {
		return fmt.Sprintf("write a rule with %q", fmt.Sprintf("resources: [{group: %q}]", info.APIGroup))
	}
	name := info.Resource
	if info.Subresource != "" {
		name += "/" + info.Subresource
	}
	return fmt.Sprintf("write a rule with %q", fmt.Sprintf("resources: [{group: %q, resources: [%s]}]", info.APIGroup, name))
}
