package explain

import (
	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
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

// contents are those of a request by its decision. A request has an object when its
// verb has one, and an answer is recorded where the API server encodes it: not of
// what is streamed or passed on to a node, a pod or a service
// (LogRequestObject, LogRequestPatch and LogResponseObject in k8s.io/apiserver).
func contents(d policy.Decision, r policy.Request) Contents {
	var c Contents
	if len(recorded(d)[courseOf(r.User, r.Verb, r.Resource, r.Subresource, r.Path)]) == 0 {
		return c
	}
	c.Metadata = true
	c.Notes = notes(r)
	if d.Level != audit.LevelRequest && d.Level != audit.LevelRequestResponse {
		return c
	}
	if !d.Records(audit.StageResponseComplete) && !d.Records(audit.StagePanic) {
		c.Notes = append(c.Notes, "no objects, although the level would have them: they come with stage ResponseComplete, which is left out")
		return c
	}
	if why := bodiless(r); why != "" {
		c.Notes = append(c.Notes, why)
		return c
	}
	c.RequestObject = sendsObject(r.Verb)
	c.ResponseObject = d.Level == audit.LevelRequestResponse && d.Records(audit.StageResponseComplete)
	if !c.RequestObject && d.Level == audit.LevelRequest {
		c.Notes = append(c.Notes, "a "+r.Verb+" sends no object, so Request records what Metadata does")
	}
	if c.RequestObject || c.ResponseObject {
		c.ManagedFields = !d.OmitManagedFields
	}
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

// bodiless says why no object of a request is ever recorded; "" when one can be.
func bodiless(r policy.Request) string {
	switch {
	case r.User == "":
		return "nobody has logged in, so nothing of the request's body is read"
	case r.Resource == "":
		return "a request for a path has no objects"
	case r.Verb == "watch":
		return "the objects of a watch are never recorded"
	case LongRunning(r.Verb, r.Resource, r.Subresource, r.Path):
		return "what is streamed is never recorded"
	case r.Verb == "":
		return "this method is none of the API's"
	}
	return ""
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
