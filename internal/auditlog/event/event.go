// Package event reads single audit events, fast and exactly.
//
// Parse is the name to call first: it reads the fields that are wanted from one event
// and passes over the rest without looking into it. What it reads equals what
// encoding/json would read into a map: names are matched by case, and the last of
// several fields of one name counts.
//
// The fields are those of audit.k8s.io/v1, k8s.io/apiserver/pkg/apis/audit/v1/types.go.
package event

import "time"

// Fields are the parts of an event that Parse reads.
type Fields uint32

// Each is the field of [Event] of that name; WantBodies is RequestObject and ResponseObject.
const (
	WantLevel Fields = 1 << iota
	WantAuditID
	WantStage
	WantRequestURI
	WantVerb
	WantUser
	WantImpersonated
	WantSourceIPs
	WantUserAgent
	WantObject
	WantResponse
	WantReceived
	WantStamp
	WantAuthorization
	WantBodies
	WantAll Fields = 1<<iota - 1
)

// Event is one audit event, as far as it was read. What was not wanted, and what the
// event does not have, is empty. The slices point into JSON, or into memory that the
// next call of Parse with the same Event uses again. It has so many fields because an
// event of audit.k8s.io/v1 does.
type Event struct {
	JSON       []byte // the whole event, one JSON object
	Level      []byte
	AuditID    []byte
	Stage      []byte
	RequestURI []byte
	Verb       []byte
	User       Subject // who logged in
	// Impersonated is whom the user acted as; Has is false when it was nobody.
	Impersonated Subject
	SourceIPs    []byte // a JSON list of strings, as it stands
	UserAgent    []byte
	Object       Object
	Response     Response
	Received     Time
	Stamp        Time // when the stage was reached, which is when the event was made
	// Authorization is what the annotations authorization.k8s.io/decision and
	// authorization.k8s.io/reason say.
	Authorization Decision
	// RequestObject and ResponseObject are JSON as it stands, nil without a body.
	RequestObject, ResponseObject []byte

	// Odd says that a part that was wanted has a value of another type than in an audit event.
	Odd bool
	// Note is for whoever reads the events: Parse leaves it as it is.
	Note any

	buf []byte // decoded texts
}

// Subject is a user.
type Subject struct {
	Has    bool
	Name   []byte
	UID    []byte
	Groups []byte // a JSON list of strings, as it stands
}

// Object is what the request is about; Has is false for requests such as /healthz.
type Object struct {
	Has                                                                        bool
	Resource, Namespace, Name, UID, APIGroup, APIVersion, Subresource, Version []byte // Version is resourceVersion
}

// Response is the answer's status.
type Response struct {
	Has                     bool
	Code                    int // the HTTP status
	Status, Reason, Message []byte
}

// Decision is what the authorizer said.
type Decision struct{ Decision, Reason []byte }

// Time is microseconds since 1970 in UTC, 0 where the event has no time that can be read.
type Time int64

// Go is the same time for package time.
func (t Time) Go() time.Time { return time.UnixMicro(int64(t)).UTC() }
