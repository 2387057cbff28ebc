// Package column is an event as one flat row, for databases, spreadsheets and log stores,
// and the columns that it has. Their names and their meanings stay: new ones come last.
//
// [All] is the name to know; [NewFlat] and [NewCSV] print rows of them. Bodies are in none.
package column

import (
	"bytes"
	"strconv"
	"time"

	"auditpatch/internal/auditlog/event"
)

// Column is a value of each event.
type Column struct {
	Name  string
	Means string
	// Number says that it is a number, and not a text.
	Number bool
	fields event.Fields
	// add appends the value, or nothing where the event has none.
	add func(to []byte, e *event.Event) []byte
}

// Append appends the value for an event; nothing is appended where it has none.
func (c Column) Append(to []byte, e *event.Event) []byte { return c.add(to, e) }

// Fields are those that the columns read.
func Fields() (all event.Fields) {
	for _, c := range columns {
		all |= c.fields
	}
	return all
}

// All are the columns in their order.
func All() []Column { return columns }

var columns = []Column{
	{"time", "when the stage was reached, RFC 3339 in UTC with microseconds", false, event.WantStamp,
		func(to []byte, e *event.Event) []byte { return Time(to, e.Stamp) }},
	{"received", "when the request came in, in the same form", false, event.WantReceived,
		func(to []byte, e *event.Event) []byte { return Time(to, e.Received) }},
	{"duration_ms", "milliseconds between the two", true, event.WantStamp | event.WantReceived, duration},
	{"audit_id", "the request's ID, the same in all its stages", false, event.WantAuditID,
		func(to []byte, e *event.Event) []byte { return append(to, e.AuditID...) }},
	{"stage", "RequestReceived, ResponseStarted, ResponseComplete or Panic", false, event.WantStage,
		func(to []byte, e *event.Event) []byte { return append(to, e.Stage...) }},
	{"level", "Metadata, Request or RequestResponse", false, event.WantLevel,
		func(to []byte, e *event.Event) []byte { return append(to, e.Level...) }},
	{"user", "who logged in", false, event.WantUser,
		func(to []byte, e *event.Event) []byte { return append(to, e.User.Name...) }},
	{"user_groups", "the groups of that user, with commas between", false, event.WantUser,
		func(to []byte, e *event.Event) []byte { return list(to, e.User.Groups) }},
	{"impersonated_user", "as whom the user acted", false, event.WantImpersonated,
		func(to []byte, e *event.Event) []byte { return append(to, e.Impersonated.Name...) }},
	{"impersonated_groups", "the groups of the impersonated user, with commas between", false, event.WantImpersonated,
		func(to []byte, e *event.Event) []byte { return list(to, e.Impersonated.Groups) }},
	{"verb", "what the request does", false, event.WantVerb,
		func(to []byte, e *event.Event) []byte { return append(to, e.Verb...) }},
	{"api_group", "the API group of the resource, empty for the core group", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.APIGroup...) }},
	{"api_version", "the version of the API", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.APIVersion...) }},
	{"resource", "the resource, such as pods", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.Resource...) }},
	{"subresource", "the subresource, such as exec", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.Subresource...) }},
	{"namespace", "the namespace of the object", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.Namespace...) }},
	{"name", "the name of the object", false, event.WantObject,
		func(to []byte, e *event.Event) []byte { return append(to, e.Object.Name...) }},
	{"request_uri", "the URL of the request", false, event.WantRequestURI,
		func(to []byte, e *event.Event) []byte { return append(to, e.RequestURI...) }},
	{"code", "the HTTP status of the answer", true, event.WantResponse, code},
	{"response_reason", "the reason of an answer that is a failure, such as NotFound", false, event.WantResponse,
		func(to []byte, e *event.Event) []byte { return append(to, e.Response.Reason...) }},
	{"response_message", "the message of an answer that is a failure", false, event.WantResponse,
		func(to []byte, e *event.Event) []byte { return append(to, e.Response.Message...) }},
	{"decision", "of the authorizer: allow or forbid", false, event.WantAuthorization,
		func(to []byte, e *event.Event) []byte { return append(to, e.Authorization.Decision...) }},
	{"decision_reason", "why the authorizer decided so", false, event.WantAuthorization,
		func(to []byte, e *event.Event) []byte { return append(to, e.Authorization.Reason...) }},
	{"source_ip", "the last of the addresses: that of the connection, which no client can make up", false, event.WantSourceIPs,
		func(to []byte, e *event.Event) []byte { return Source(to, e) }},
	{"source_ips", "all addresses, with commas between; those before the last are what headers say", false, event.WantSourceIPs,
		func(to []byte, e *event.Event) []byte { return list(to, e.SourceIPs) }},
	{"user_agent", "the program that made the request, as it says", false, event.WantUserAgent,
		func(to []byte, e *event.Event) []byte { return append(to, e.UserAgent...) }},
	{"bytes", "the length of the whole event in the log, without the end of the line", true, 0,
		func(to []byte, e *event.Event) []byte { return strconv.AppendInt(to, int64(len(e.JSON)), 10) }},
}

// Time appends a time in UTC, nothing for none.
func Time(to []byte, t event.Time) []byte {
	if t == 0 {
		return to
	}
	return t.Go().AppendFormat(to, "2006-01-02T15:04:05.000000Z")
}

func duration(to []byte, e *event.Event) []byte {
	if e.Stamp == 0 || e.Received == 0 {
		return to
	}
	return strconv.AppendFloat(to, float64(e.Stamp-e.Received)/float64(time.Millisecond/time.Microsecond), 'f', 3, 64)
}

func code(to []byte, e *event.Event) []byte {
	if e.Response.Code == 0 {
		return to
	}
	return strconv.AppendInt(to, int64(e.Response.Code), 10)
}

// Source appends the last address of an event, which is that of the connection.
func Source(to []byte, e *event.Event) []byte {
	from := len(to)
	event.Strings(e.SourceIPs, func(s []byte) bool {
		to = append(to[:from], s...)
		return true
	})
	return to
}

func list(to, values []byte) []byte {
	first := true
	event.Strings(values, func(s []byte) bool {
		if !first {
			to = append(to, ',')
		}
		first = false
		to = append(to, s...)
		return true
	})
	return to
}

// Resource appends the resource as people write it, such as pods/exec or deployments.apps/scale,
// or the path of a URL that is none.
func Resource(to []byte, e *event.Event) []byte {
	if !e.Object.Has || len(e.Object.Resource) == 0 {
		path, _, _ := bytes.Cut(e.RequestURI, []byte("?"))
		return append(to, path...)
	}
	to = append(to, e.Object.Resource...)
	if len(e.Object.APIGroup) > 0 {
		to = append(append(to, '.'), e.Object.APIGroup...)
	}
	if len(e.Object.Subresource) > 0 {
		to = append(append(to, '/'), e.Object.Subresource...)
	}
	return to
}

// Program appends the name of the program in front of a user agent.
func Program(to []byte, e *event.Event) []byte {
	name := e.UserAgent
	if end := bytes.IndexAny(name, "/ "); end > 0 {
		name = name[:end]
	}
	return append(to, name...)
}
