package explain

import (
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/builtin"
)

// Contents is what the events of a request hold.
type Contents struct {
	Metadata       bool // who, what, when, from where, with which answer
	RequestObject  bool // the object that was sent, if one was
	ResponseObject bool // the object or list that came back, or the error
	// ManagedFields says that these objects have their metadata.managedFields. The body
	// of a patch is written as it was sent, with or without.
	ManagedFields bool
	Notes         []string // what else there is to know, one sentence each
}

// ContentsOf is what the events of a request hold, by the decision about it. A request has an object when its
// verb has one, and an answer is recorded where the API server encodes it: not of
// what is streamed or passed on to a node, a pod or a service
// (LogRequestObject, LogRequestPatch and LogResponseObject in k8s.io/apiserver).
func ContentsOf(d policy.Decision, r policy.Request) Contents {
	var c Contents
	if len(recorded(d)[courseOf(r.User, r.Verb, r.Resource, r.Subresource, r.Path)]) == 0 {
		return c
	}
	c.Metadata = true
	c.Notes = notes(r)
	if d.Level != audit.LevelRequest && d.Level != audit.LevelRequestResponse {
		return c
	}
	if r.User != "" && !d.Records(audit.StageResponseComplete) && !d.Records(audit.StagePanic) {
		c.Notes = append(c.Notes, "no objects, although the level would have them: they come with stage ResponseComplete, which is left out")
		return c
	}
	if r.Resource != "" && strings.Contains(r.Group, ".") && !builtin.HasGroup(r.Group) && !aggregated(r.Group) {
		c.Notes = append(c.Notes, "no objects if this group is another API server's (an APIService), to which kube-apiserver passes requests on")
	}
	all := d.Level == audit.LevelRequestResponse
	if answer, why := bodiless(r); why != "" {
		c.ResponseObject = answer && all
		c.Notes = append(c.Notes, why)
		return c
	}
	c.RequestObject = sendsObject(r.Verb)
	c.ResponseObject = all && d.Records(audit.StageResponseComplete)
	if !c.RequestObject && !all {
		c.Notes = append(c.Notes, "a "+r.Verb+" sends no object, so Request records what Metadata does")
	}
	c.ManagedFields = (c.RequestObject || c.ResponseObject) && !d.OmitManagedFields
	if r.Verb == "patch" && d.OmitManagedFields {
		c.Notes = append(c.Notes, "the body of a patch is written as it was sent: omitManagedFields does not touch it")
	}
	return c
}

func sendsObject(verb string) bool {
	switch verb {
	case "create", "update", "patch", "delete", "deletecollection":
		return true
	}
	return false
}

// bodiless says why no object that was sent is ever recorded, "" when one can be, and
// whether the answer is, at level RequestResponse. An error is an object, a Status, and is
// recorded as such where the API server refuses the request.
func bodiless(r policy.Request) (answer bool, why string) {
	switch {
	case r.User == "":
		return true, "nobody has logged in: nothing that was sent is read, and the answer is an error"
	case aggregated(r.Group) || aggregated(groupOf(r.Path)):
		return false, "this group is another API server's: kube-apiserver passes its requests on, and records no objects of them"
	case r.Resource == "" && discovery(r.Path):
		return true, "the answer is a list of what is served"
	case r.Resource == "":
		return false, "a request for this path has no objects; at RequestResponse, a refusal has its error"
	case r.Verb == "watch":
		return false, "the objects of a watch are never recorded; at RequestResponse, a refusal has its error"
	case LongRunning(r.Verb, r.Resource, r.Subresource, r.Path):
		return false, "what is streamed is never recorded; at RequestResponse, a refusal has its error"
	case r.Verb == "":
		return false, "this method is none of the API's"
	}
	return false, ""
}

// aggregated tells whether a group is known to be served by another API server, behind
// an APIService. kube-apiserver then is a proxy, which decodes nothing
// (k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go).
func aggregated(group string) bool {
	return group == metricsGroup || strings.HasSuffix(group, "."+metricsGroup) // custom.metrics.k8s.io
}

// groupOf is the API group in a path that is for no resource; "" when it has none.
func groupOf(path string) string {
	rest, _ := strings.CutPrefix(path, "/apis/")
	if rest == path {
		return ""
	}
	group, _, _ := strings.Cut(rest, "/")
	return group
}

// discovery tells whether a path lists groups, versions or resources: it is no request for
// a resource, and yet the answer is encoded as an object
// (k8s.io/apiserver/pkg/endpoints/discovery).
func discovery(path string) bool {
	first, _, _ := strings.Cut(strings.Trim(path, "/"), "/")
	return first == "api" || first == "apis"
}

// notes are what users do not expect of an event.
func notes(r policy.Request) (out []string) {
	switch r.Subresource {
	case "exec":
		out = append(out, "the command that is run stands in requestURI, at every level")
	case "attach", "portforward", "proxy":
		if r.Resource != "" {
			out = append(out, "what is asked of the other side stands in requestURI, at every level")
		}
	}
	return out
}
