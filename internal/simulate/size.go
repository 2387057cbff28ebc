package simulate

import (
	"net/http"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// Size is what one event takes, in bytes with the end of its line.
type Size struct {
	Bytes     int64
	Estimated int64 // of Bytes, what is not read from the log
	Rough     int64 // of Estimated, what no event of its kind in the log stands for
}

func (s *Size) estimate(n int64, rough bool) {
	s.Bytes += n
	s.Estimated += n
	if rough {
		s.Rough += n
	}
}

// replayed is an event with what is known of it, and the decision of a policy.
type replayed struct {
	record
	*class
	code     int // of the answer, 0 for none
	decision policy.Decision
	// stripped says that the policy that recorded the event leaves managed fields out.
	stripped bool
}

// statusHead is what an answer's Status has as an object beside what stands in
// responseStatus, whose name is as long as responseObject.
const statusHead = `"kind":"Status","apiVersion":"v1",`

// size is that of the event under the decision, which records its stage.
func (b *bodies) size(e *replayed) Size {
	s := Size{Bytes: int64(e.length)}
	level, before := e.decision.Level, e.Level
	if e.level > 0 {
		s.Bytes += int64(len(level) + 2 - e.level)
	}
	wantsRequest, wantsResponse := !level.Less(audit.LevelRequest), !level.Less(audit.LevelRequestResponse)
	if !wantsRequest {
		s.Bytes -= int64(e.request.length + e.patches)
	}
	if !wantsResponse {
		s.Bytes -= int64(e.response.length)
	}
	if !wantsRequest || e.Stage == audit.StageRequestReceived {
		return s
	}
	holds := b.contents(e)
	b.body(&s, e, part{e.request, holds.RequestObject && before.Less(audit.LevelRequest), e.Request.Verb == "patch"}, b.sent)
	if wantsResponse {
		b.body(&s, e, part{e.response, holds.ResponseObject && before.Less(audit.LevelRequestResponse), false}, b.answered)
	}
	return s
}

// part is one of the two bodies of an event.
type part struct {
	body
	missing bool // it was not recorded, and would be
	asSent  bool // it is written as it was sent, which a patch is
}

// body adds a body that the event has not, or takes the managed fields out of the one that
// it has.
func (b *bodies) body(s *Size, e *replayed, p part, guess func(*replayed) (n int64, rough bool)) {
	omits := e.decision.OmitManagedFields
	switch {
	case p.length == 0 && p.missing:
		s.estimate(guess(e))
	case p.length == 0 || p.asSent:
	case omits:
		s.Bytes -= int64(p.managed)
	case e.stripped && p.managed == 0 && e.code < http.StatusBadRequest:
		s.estimate(roughManaged, true)
	}
}

// contents is what explain says of the event's request, which it is asked once for those
// that are alike.
func (b *bodies) contents(e *replayed) explain.Contents {
	k := alike{kindOf(e.Request), e.Request.User == "", e.decision.Rule}
	known, ok := b.held[k]
	if !ok {
		known = explain.ContentsOf(e.decision, e.Request)
		if len(b.held) < mostKinds {
			k.resource, k.verb = clone(k.resource), clone(k.verb)
			b.held[k] = known
		}
	}
	return known
}

// alike are requests of which events hold the same.
type alike struct {
	kind
	nobody bool
	rule   int
}

// sent is the size of the object that was sent.
func (b *bodies) sent(e *replayed) (n int64, rough bool) {
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests:
		return 0, false // it is refused before it is read
	}
	k := kindOf(e.Request)
	if m, ok := b.learned.sent[k]; ok {
		return m.each(e.decision.OmitManagedFields), false
	}
	switch k.verb {
	case "patch":
		return roughPatch, true
	case "delete", "deletecollection":
		return roughOptions, true
	}
	return b.object(e, k)
}

// answered is the size of the object or list that came back. A refusal is known: it
// stands in responseStatus as well.
func (b *bodies) answered(e *replayed) (n int64, rough bool) {
	if e.code >= http.StatusBadRequest {
		if e.record.status == 0 {
			return roughOptions, true
		}
		return int64(e.record.status + len(statusHead)), false
	}
	k := kindOf(e.Request)
	if m, ok := b.learned.answered[k]; ok {
		return m.each(e.decision.OmitManagedFields), false
	}
	n, rough = b.object(e, k)
	if k.verb == "list" || k.verb == "deletecollection" {
		return n * roughItems, true
	}
	return n, rough
}

// object is the size of one object.
func (b *bodies) object(e *replayed, k kind) (n int64, rough bool) {
	if m, ok := b.learned.objects[k.resource]; ok {
		return m.each(e.decision.OmitManagedFields), false
	}
	if n = roughObjects[k.resource]; n == 0 {
		n = roughObject
	}
	if e.Request.Resource != "" && !e.decision.OmitManagedFields {
		n += roughManaged
	}
	return n, true
}

// Rough figures, in bytes, for objects of which the log has none: about what clusters that
// kubeadm made have, without managed fields.
const (
	roughObject  = 1500
	roughManaged = 1200 // managed fields of one object
	roughPatch   = 400
	roughOptions = 150 // of a deletion, or an error
	roughItems   = 10  // objects in a list
)

var roughObjects = map[string]int64{
	"pods": 4500, "nodes": 6000, "events": 800, "events.events.k8s.io": 800, "leases.coordination.k8s.io": 350,
	"configmaps": 2500, "secrets": 2000, "namespaces": 400, "services": 900, "serviceaccounts": 300, "endpoints": 900,
	"endpointslices.discovery.k8s.io": 1100, "deployments.apps": 2800, "replicasets.apps": 2800, "statefulsets.apps": 3200,
	"daemonsets.apps": 3500, "jobs.batch": 2200, "cronjobs.batch": 1600, "serviceaccounts/token": 1400,
	"tokenreviews.authentication.k8s.io": 1900, "subjectaccessreviews.authorization.k8s.io": 700,
	"customresourcedefinitions.apiextensions.k8s.io": 20000, "": 5000, // a path: lists of what is served
}

// kind is what requests of about the same size have in common.
type kind struct{ resource, verb string }

// kindOf is the kind of a request; its resource is RESOURCE.GROUP/SUBRESOURCE.
func kindOf(r policy.Request) kind {
	return kind{resourceName(r), r.Verb}
}

func resourceName(r policy.Request) string {
	if r.Group == "" && r.Subresource == "" {
		return r.Resource
	}
	var b strings.Builder
	b.WriteString(r.Resource)
	if r.Group != "" {
		b.WriteString("." + r.Group)
	}
	if r.Subresource != "" {
		b.WriteString("/" + r.Subresource)
	}
	return b.String()
}
