package explain

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/audit"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/endpoints/request"

	"auditpatch/internal/policy"
)

// requestInfos reads URLs as kube-apiserver does: its prefixes are those of
// NewRequestInfoResolver in k8s.io/apiserver/pkg/server/config.go.
var requestInfos = &request.RequestInfoFactory{
	APIPrefixes:          sets.NewString("api", "apis"),
	GrouplessAPIPrefixes: sets.NewString("api"),
}

// rebuilder makes the attributes of a request from its event. It serves one event
// after the other, without an allocation for most.
type rebuilder struct {
	event *Event
	whole bool // each text is known to be one JSON object, and nothing else
	eventText
	in                    scanner
	top, person, referent func(name string)
	people                people
	info                  user.DefaultInfo
	record                authorizer.AttributesRecord
	http                  http.Request
}

// eventText is what is read of an event beside its request.
type eventText struct {
	kind, uri    string
	stage, level string
	hasRef       bool      // it is a request for a resource
	seen         fieldSet  // of the fields that decide
	who          *identity // nil when it is not remembered
	listed       bool      // the user that was read last has groups
}

func newRebuilder() *rebuilder {
	r := &rebuilder{people: newPeople()}
	r.top, r.person, r.referent = r.field, r.userField, r.refField
	r.http.URL = &url.URL{}
	return r
}

// read reads one event into to, which is empty, and returns why it is none; "" if it is.
// to is used until the next.
func (r *rebuilder) read(line string, to *Event) (reason string) {
	r.event, r.eventText = to, eventText{}
	r.in = scanner{s: line}
	if r.in.next() != '{' {
		return notAnObject(line)
	}
	r.in.fields(r.top)
	if r.in.next(); !r.in.bad && !r.in.done && r.in.i < len(line) {
		return "text follows the event: one event stands in one line"
	}
	switch {
	case r.in.bad:
		return broken(line)
	case r.kind == "EventList":
		return inList
	case r.kind != "" && r.kind != "Event":
		return "it is no audit event but of another kind"
	case r.event.Request.Verb == "" && r.uri == "":
		return notRequest
	}
	r.event.Stage, r.event.Level = audit.Stage(r.stage), audit.Level(r.level)
	return r.place()
}

// fieldSet is a set of the fields that decide.
type fieldSet uint8

const (
	seenKind fieldSet = 1 << iota
	seenID
	seenStage
	seenLevel
	seenURI
	seenVerb
	seenUser
	seenRef
	seenAll fieldSet = 1<<iota - 1
)

// field reads one field of an event. kube-apiserver writes the objects behind all that
// decide, so that they are not looked into.
func (r *rebuilder) field(name string) {
	switch name {
	case "kind":
		r.set(&r.kind, seenKind)
	case "auditID":
		r.set(&r.event.AuditID, seenID)
	case "stage":
		r.set(&r.stage, seenStage)
	case "level":
		r.set(&r.level, seenLevel)
	case "requestURI":
		r.set(&r.uri, seenURI)
	case "verb":
		r.set(&r.event.Request.Verb, seenVerb)
	case "user":
		r.seen |= seenUser
		r.user()
	case "objectRef":
		r.seen |= seenRef
		if !r.in.null() {
			r.hasRef = true
			r.in.fields(r.referent)
		}
	default:
		r.in.skip()
		return
	}
	if r.seen == seenAll && (r.whole || endsAlone(r.in.s, r.in.i)) {
		r.in.done = true
	}
}

func (r *rebuilder) set(to *string, seen fieldSet) {
	r.seen |= seen
	r.in.set(to)
}

// endsAlone tells whether what follows in a line can only be the rest of the event: it
// ends as an event does, and no other event stands in it, as when the API server died
// in the midst of one and its successor went on in the same line. Whoever writes an
// event, and with whichever blanks, names the group of its version; where the objects of
// this event name it, no more is lost than time.
func endsAlone(line string, from int) bool {
	end := len(line) - 1
	for end > from && (line[end] == '\r' || line[end] == ' ') {
		end--
	}
	return end >= from && line[end] == '}' && !strings.Contains(line[from:], auditGroup)
}

// auditGroup is that of events.
const auditGroup = "audit.k8s.io"

// user reads who made the request, which most often was read before.
func (r *rebuilder) user() {
	r.in.next()
	from, q := r.in.i, &r.event.Request
	if p := r.people.find(r.in.s[from:]); p != nil {
		r.who, r.in.i = p.identity, from+len(p.text)
		q.User, q.Groups = r.who.user, r.who.groups
		return
	}
	r.who, r.listed = nil, false
	r.in.fields(r.person)
	if !r.in.bad && r.listed {
		r.who = r.people.add(r.in.s[from:r.in.i], q.User, q.Groups)
	}
}

func (r *rebuilder) userField(name string) {
	switch name {
	case "username":
		r.in.set(&r.event.Request.User)
	case "groups":
		r.event.Request.Groups = r.in.texts()
		r.listed = r.event.Request.Groups != nil
	default:
		r.in.skip()
	}
}

func (r *rebuilder) refField(name string) {
	to := &r.event.Request
	switch name {
	case "resource":
		r.in.set(&to.Resource)
	case "subresource":
		r.in.set(&to.Subresource)
	case "namespace":
		r.in.set(&to.Namespace)
	case "name":
		r.in.set(&to.Name)
	case "apiGroup":
		r.in.set(&to.Group)
	case "apiVersion":
		r.in.set(&to.Version)
	default:
		r.in.skip()
	}
}

// place completes the request by its URL: the path of one that is not for a resource,
// and the name and namespace that were known before the object was decoded. When they
// are missing in the URL, the API server adds those of the object to the event
// (LogRequestObject in k8s.io/apiserver/pkg/audit/request.go).
func (r *rebuilder) place() (reason string) {
	to := &r.event.Request
	if to.Groups == nil {
		to.Groups = []string{} // an event has all groups: none are to be added
	}
	if r.hasRef {
		if method := methodOf(to.Verb); method != "" && r.stage != string(audit.StageRequestReceived) {
			r.early(method)
		}
		return ""
	}
	path, ok := pathOf(r.uri)
	if !ok {
		return "requestURI is no URL"
	}
	to.Path = path
	return ""
}

// methodOf is that of the requests whose object is decoded, "" of others.
func methodOf(verb string) string {
	switch verb {
	case "create":
		return http.MethodPost
	case "update":
		return http.MethodPut
	}
	return ""
}

// early sets what the URL says of the object.
func (r *rebuilder) early(method string) {
	path, ok := pathOf(r.uri)
	if !ok {
		return
	}
	to := &r.event.Request
	if name, ok := usual(path, to); ok {
		to.Name = name
		return
	}
	r.http.Method, r.http.URL.Path = method, path
	info, err := requestInfos.NewRequestInfo(&r.http)
	if err != nil || !info.IsResourceRequest {
		return
	}
	to.Namespace, to.Name = info.Namespace, info.Name
}

// usual reads the path of most requests that have an object, without what it takes to
// read any. ok means that the namespace is that of the event, and name the one in the
// path.
func usual(path string, q *policy.Request) (name string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/api/")
	if q.Group != "" {
		if rest, ok = strings.CutPrefix(path, "/apis/"); ok {
			rest, ok = cutSegment(rest, q.Group)
		}
	}
	if !ok {
		return "", false
	}
	if rest, ok = cutSegment(rest, q.Version); !ok {
		return "", false
	}
	switch q.Resource { // words that mean something else in such a place
	case "", "namespaces", "status", "finalize", "watch", "proxy":
		return "", false
	}
	if q.Namespace != "" {
		if rest, ok = strings.CutPrefix(rest, "namespaces/"); !ok {
			return "", false
		}
		if rest, ok = cutSegment(rest, q.Namespace); !ok {
			return "", false
		}
	}
	if rest == q.Resource {
		return "", !strings.Contains(rest, "/")
	}
	if q.Namespace == "" {
		return "", false
	}
	if rest, ok = cutSegment(rest, q.Resource); !ok {
		return "", false
	}
	if q.Subresource != "" {
		rest, ok = strings.CutSuffix(rest, "/"+q.Subresource)
		if !ok || strings.Contains(q.Subresource, "/") {
			return "", false
		}
	}
	return rest, rest != "" && !strings.Contains(rest, "/")
}

// cutSegment takes one segment off the beginning of a path.
func cutSegment(path, segment string) (rest string, ok bool) {
	if segment == "" || len(path) <= len(segment) || path[len(segment)] != '/' || path[:len(segment)] != segment || strings.Contains(segment, "/") {
		return "", false
	}
	return path[len(segment)+1:], true
}

// pathOf is the path of a requestURI, decoded.
func pathOf(uri string) (path string, ok bool) {
	path, _, _ = strings.Cut(uri, "?")
	if strings.HasPrefix(path, "/") && strings.IndexByte(path, '%') < 0 {
		return path, true
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return "", false
	}
	return u.Path, true
}

// attributes are those of the event that was read last, until the next is read.
func (r *rebuilder) attributes() authorizer.Attributes {
	q := &r.event.Request
	r.record = authorizer.AttributesRecord{
		Verb: q.Verb, Namespace: q.Namespace, APIGroup: q.Group, APIVersion: q.Version, Resource: q.Resource,
		Subresource: q.Subresource, Name: q.Name, ResourceRequest: r.hasRef, Path: q.Path,
	}
	if q.User != "" {
		r.info.Name, r.info.Groups = q.User, q.Groups
		r.record.User = &r.info
	}
	return &r.record
}

// course is the one that the event's request takes, or has taken.
func (r *rebuilder) course() course {
	q := &r.event.Request
	c := courseOf(q.User, q.Verb, q.Resource, q.Subresource, q.Path)
	if r.stage == string(audit.StagePanic) {
		switch c {
		case ordinary:
			return panicked
		case longRunning:
			return longPanicked
		}
	}
	return c
}

// Reasons why lines are no events that have to do with the whole stream.
const (
	cutOff     = "the line ends before the event does: one event stands in one line"
	inArray    = "it is a list: jq -c '.[]' makes one line of each event"
	inList     = "it is a list of events: jq -c '.items[]' makes one line of each"
	compressed = "it is compressed: zcat, or what else unpacks it, comes first"
	wide       = "it is in UTF-16: iconv -f UTF-16 -t UTF-8 comes first"
)

// Reasons that have to do with one line.
const (
	notRequest = "it has neither verb nor requestURI: it is no audit event"
	otherType  = "it is no JSON, or a field of it has another type than in an audit event"
)

// broken says why a line that begins as an object is none, or has no event.
func broken(line string) string {
	if !strings.HasSuffix(strings.TrimSpace(line), "}") {
		return cutOff
	}
	return otherType
}

func notAnObject(line string) string {
	begins := func(with ...string) bool {
		return slices.ContainsFunc(with, func(w string) bool { return strings.HasPrefix(line, w) })
	}
	switch {
	case strings.Contains(line, " AUDIT: id="):
		return "it is in the format legacy, which does not have all that decides: --audit-log-format=json"
	case begins("["):
		return inArray
	case begins("\x1f\x8b", "\x28\xb5\x2f\xfd", "\xfd7zXZ", "BZh"): // gzip, zstd, xz, bzip2
		return compressed
	case begins("\xff\xfe", "\xfe\xff"):
		return wide
	}
	return "it is no JSON object"
}
