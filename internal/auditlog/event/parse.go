package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
)

// ErrNoEvent is about JSON that is no audit event.
var ErrNoEvent = errors.New("it is no audit event")

// Parse reads the wanted fields of the event in line into e. An error is about a line
// that is not one JSON object.
func (e *Event) Parse(line []byte, want Fields) error {
	*e = Event{JSON: bytes.TrimSpace(line)}
	var m struct {
		Level, AuditID, Stage, RequestURI, Verb, UserAgent string
		User, ImpersonatedUser                             *struct {
			Username, UID string
			Groups        json.RawMessage
		}
		SourceIPs json.RawMessage
		ObjectRef *struct {
			Resource, Namespace, Name, UID, APIGroup, APIVersion, Subresource, ResourceVersion string
		}
		ResponseStatus *struct {
			Code                    int
			Status, Reason, Message string
		}
		RequestReceivedTimestamp, StageTimestamp time.Time
		Annotations                              map[string]string
		RequestObject, ResponseObject            json.RawMessage
	}
	if err := json.Unmarshal(line, &m); err != nil {
		return err
	}
	e.Level, e.AuditID, e.Stage, e.RequestURI = []byte(m.Level), []byte(m.AuditID), []byte(m.Stage), []byte(m.RequestURI)
	e.Verb, e.UserAgent, e.SourceIPs = []byte(m.Verb), []byte(m.UserAgent), m.SourceIPs
	if u := m.User; u != nil {
		e.User = Subject{true, []byte(u.Username), []byte(u.UID), u.Groups}
	}
	if u := m.ImpersonatedUser; u != nil {
		e.Impersonated = Subject{true, []byte(u.Username), []byte(u.UID), u.Groups}
	}
	if o := m.ObjectRef; o != nil {
		e.Object = Object{true, []byte(o.Resource), []byte(o.Namespace), []byte(o.Name), []byte(o.UID), []byte(o.APIGroup), []byte(o.APIVersion), []byte(o.Subresource), []byte(o.ResourceVersion)}
	}
	if r := m.ResponseStatus; r != nil {
		e.Response = Response{true, r.Code, []byte(r.Status), []byte(r.Reason), []byte(r.Message)}
	}
	e.Received, e.Stamp = micros(m.RequestReceivedTimestamp), micros(m.StageTimestamp)
	e.Authorization = Decision{[]byte(m.Annotations["authorization.k8s.io/decision"]), []byte(m.Annotations["authorization.k8s.io/reason"])}
	e.RequestObject, e.ResponseObject = m.RequestObject, m.ResponseObject
	return nil
}

func micros(t time.Time) Time {
	if t.IsZero() {
		return 0
	}
	return Time(t.UnixMicro())
}
