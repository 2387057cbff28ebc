package event

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"auditpatch/internal/auditlog/vector"
)

// ErrNoEvent is about JSON that is no audit event.
var ErrNoEvent = errors.New("it is no audit event")

// ErrCut is about a line that ends before the JSON in it does.
var ErrCut = errors.New("it is cut off")

// trim takes white space of JSON away at both ends.
func trim(b []byte) []byte {
	end := len(b)
	for end > 0 && b[end-1] <= ' ' && space(b[:end], end-1) == end {
		end--
	}
	return b[min(space(b, 0), end):end]
}

// errNoObject is about text that does not begin like an object.
var errNoObject = errors.New("it is no JSON object")

// Parse reads the wanted fields of the event in line into e.
//
// An event is a JSON object whose kind is Event and whose apiVersion is one of
// audit.k8s.io. Where it lacks one of these, as many published extracts and the items of
// an EventList do, it has to have an auditID, and a stage or a verb. The error is
// ErrNoEvent for other JSON, ErrCut for a line that ends too early, or says where the
// line stops being one JSON object.
//
// What is not wanted is passed over with no more than a look at its strings and
// brackets, so a line can be taken that is damaged there; ParseStrict refuses it.
// Values of other types than a field has are like absent ones.
func (e *Event) Parse(line []byte, want Fields) error {
	line = trim(line)
	buf := e.buf[:0]
	if cap(buf) > mostKept {
		buf = nil
	}
	*e = Event{JSON: line, Note: e.Note, buf: buf}
	if at(line, 0) != '{' {
		return errNoObject
	}
	var m marks
	end := e.object(line, want, &m)
	if end < 0 || end != len(line) {
		return e.refuse(Check(line))
	}
	if !m.event() {
		return e.refuse(ErrNoEvent)
	}
	return nil
}

// ParseStrict is Parse for a line of which every byte has to be right.
func (e *Event) ParseStrict(line []byte, want Fields) error {
	if err := Check(trim(line)); err != nil {
		return e.refuse(err)
	}
	return e.Parse(line, want)
}

// refuse leaves nothing of a line in e.
func (e *Event) refuse(err error) error {
	*e = Event{Note: e.Note, buf: e.buf[:0]}
	if err == nil {
		// A string that was wanted has what no string may have: Check sees that too.
		err = errors.New("it is no JSON")
	}
	return err
}

// Check says why a text is not one JSON object, nil if it is.
func Check(text []byte) error {
	if at(text, space(text, 0)) != '{' {
		return errNoObject
	}
	switch i := invalid(text); {
	case i < 0:
		return nil
	case i >= len(text):
		return ErrCut
	default:
		return fmt.Errorf("it is no JSON from its byte %d on", i+1)
	}
}

// marks are what makes an object an event.
type marks struct{ kind, version, id, stage, verb mark }

type mark uint8

// A mark is about a field that counts.
const (
	absent mark = iota // or of another type
	right
	wrong
)

func (m marks) event() bool {
	if m.kind == wrong || m.version == wrong {
		return false
	}
	return m.kind == right && m.version == right || m.id == right && (m.stage == right || m.verb == right)
}

// usual is how kube-apiserver begins an event.
const usual = `{"kind":"Event","apiVersion":"audit.k8s.io/v1",`

// object reads the fields of the object at the beginning of b, and returns where it
// ends, or -1.
func (e *Event) object(b []byte, want Fields, m *marks) int {
	i, next := 1, 0
	if len(b) > len(usual) && string(b[:len(usual)]) == usual && b[len(usual)] == '"' {
		m.kind, m.version = right, right
		i, next = len(usual), fieldLevel
	} else if i = space(b, i); at(b, i) == '}' {
		return i + 1
	}
	for k := 0; ; {
		if k, i = e.member(b, i, eventFields, &next); i < 0 {
			return -1
		}
		if i = e.field(k, b, i, want, m); i < 0 {
			return -1
		}
		var more bool
		if i, more = comma(b, i); !more {
			return i
		}
	}
}

// comma goes on behind a field to the next one, or behind the end of the object, or
// returns -1.
func comma(b []byte, i int) (next int, more bool) {
	if i+1 < len(b) && b[i] == ',' && b[i+1] == '"' { // kube-apiserver writes no spaces
		return i + 1, true
	}
	i = space(b, i)
	switch at(b, i) {
	case ',':
		return space(b, i+1), true
	case '}':
		return i + 1, false
	}
	return -1, false
}

// member reads the name at i, which next guesses from the one before. It returns which of
// the names it is, or -1, and where its value begins, or -1.
func (e *Event) member(b []byte, i int, names []name, next *int) (k, value int) {
	if rest := b[i:]; len(rest) >= 8 {
		for k = *next; k < len(names) && k < *next+guesses; k++ {
			if n := &names[k]; n.begins(rest) {
				*next = k + 1
				if i += len(n.text); at(b, i) <= ' ' {
					i = space(b, i)
				}
				return k, i
			}
		}
	}
	text, i := e.name(b, i)
	for k := range names {
		if names[k].is(text) {
			*next = k + 1
			return k, i
		}
	}
	return -1, i
}

// name reads a field's name, and returns where its value begins, or -1.
func (e *Event) name(b []byte, i int) (name []byte, value int) {
	if at(b, i) != '"' {
		return nil, -1
	}
	if name, i = e.text(b, i+1); i < 0 {
		return nil, -1
	}
	if at(b, i) != ':' {
		if i = space(b, i); at(b, i) != ':' {
			return nil, -1
		}
	}
	i++
	if at(b, i) <= ' ' {
		i = space(b, i)
	}
	return name, i
}

// field reads the value of eventFields[k] at i, and returns where it ends, or -1.
func (e *Event) field(k int, b []byte, i int, want Fields, m *marks) int {
	switch k {
	case fieldKind:
		return e.is(&m.kind, b, i, func(s []byte) bool { return string(s) == "Event" })
	case fieldAPIVersion:
		return e.is(&m.version, b, i, func(s []byte) bool { return bytes.HasPrefix(s, []byte("audit.k8s.io/")) })
	case fieldLevel:
		return e.set(&e.Level, b, i, want&WantLevel)
	case fieldAuditID:
		m.id = filled(b, i)
		return e.set(&e.AuditID, b, i, want&WantAuditID)
	case fieldStage:
		m.stage = filled(b, i)
		return e.set(&e.Stage, b, i, want&WantStage)
	case fieldRequestURI:
		return e.set(&e.RequestURI, b, i, want&WantRequestURI)
	case fieldVerb:
		m.verb = filled(b, i)
		return e.set(&e.Verb, b, i, want&WantVerb)
	case fieldUser:
		return e.subject(&e.User, b, i, want&WantUser)
	case fieldImpersonatedUser:
		return e.subject(&e.Impersonated, b, i, want&WantImpersonated)
	case fieldSourceIPs:
		return raw(&e.SourceIPs, b, i, want&WantSourceIPs, '[')
	case fieldUserAgent:
		return e.set(&e.UserAgent, b, i, want&WantUserAgent)
	case fieldObjectRef:
		return e.objectRef(b, i, want&WantObject)
	case fieldResponseStatus:
		return e.response(b, i, want&WantResponse)
	case fieldRequestObject:
		return raw(&e.RequestObject, b, i, want&WantBodies, 0)
	case fieldResponseObject:
		return raw(&e.ResponseObject, b, i, want&WantBodies, 0)
	case fieldRequestReceivedTimestamp:
		return e.time(&e.Received, b, i, want&WantReceived)
	case fieldStageTimestamp:
		return e.time(&e.Stamp, b, i, want&WantStamp)
	case fieldAnnotations:
		return e.annotations(b, i, want&WantAuthorization)
	}
	return skip(b, i)
}

// filled marks a string that is not empty.
func filled(b []byte, i int) mark {
	if at(b, i) == '"' && at(b, i+1) != '"' {
		return right
	}
	return absent
}

// is marks a string by what it has to be.
func (e *Event) is(m *mark, b []byte, i int, ok func([]byte) bool) int {
	*m = absent
	if at(b, i) != '"' {
		return e.other(b, i)
	}
	s, next := e.text(b, i+1)
	if next < 0 {
		return -1
	}
	if *m = wrong; ok(s) {
		*m = right
	}
	return next
}

// set reads a string, if it is wanted.
func (e *Event) set(to *[]byte, b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	if *to = nil; at(b, i) != '"' {
		return e.other(b, i)
	}
	*to, i = e.text(b, i+1)
	return i
}

// other passes over a value of another type than is wanted; null is like an absent one.
func (e *Event) other(b []byte, i int) int {
	e.Odd = e.Odd || at(b, i) != 'n'
	return skip(b, i)
}

// raw keeps a value as it stands, if it is wanted and no null. Other types than the
// one that begins so are like absent ones.
func raw(to *[]byte, b []byte, i int, want Fields, begin byte) int {
	end := skip(b, i)
	if want == 0 || end < 0 {
		return end
	}
	if *to = nil; b[i] != 'n' && (begin == 0 || b[i] == begin) {
		*to = b[i:end:end]
	}
	return end
}

func (e *Event) time(to *Time, b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	var s []byte
	i = e.set(&s, b, i, want)
	*to = parseTime(s)
	return i
}

// inner begins an object within the event: ok says that it has fields.
func inner(b []byte, i int) (first int, ok bool) {
	i = space(b, i+1)
	if at(b, i) == '}' {
		return i + 1, false
	}
	return i, true
}

func (e *Event) subject(to *Subject, b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	if *to = (Subject{}); at(b, i) != '{' {
		return e.other(b, i)
	}
	to.Has = true
	i, more := inner(b, i)
	for k, next := 0, 0; more; {
		if k, i = e.member(b, i, subjectFields, &next); i < 0 {
			return -1
		}
		switch k {
		case subjectName:
			i = e.set(&to.Name, b, i, want)
		case subjectUID:
			i = e.set(&to.UID, b, i, want)
		case subjectGroups:
			e.Odd = e.Odd || at(b, i) != '[' && at(b, i) != 'n'
			i = raw(&to.Groups, b, i, want, '[')
		default:
			i = skip(b, i)
		}
		if i < 0 {
			return -1
		}
		i, more = comma(b, i)
	}
	return i
}

func (e *Event) objectRef(b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	if e.Object = (Object{}); at(b, i) != '{' {
		return e.other(b, i)
	}
	e.Object.Has = true
	i, more := inner(b, i)
	for k, next := 0, 0; more; {
		if k, i = e.member(b, i, objectFields, &next); i < 0 {
			return -1
		}
		if to := e.Object.part(k); to != nil {
			i = e.set(to, b, i, want)
		} else {
			i = skip(b, i)
		}
		if i < 0 {
			return -1
		}
		i, more = comma(b, i)
	}
	return i
}

// part is the field of objectFields[k], or nil.
func (o *Object) part(k int) *[]byte {
	switch k {
	case objectResource:
		return &o.Resource
	case objectNamespace:
		return &o.Namespace
	case objectName:
		return &o.Name
	case objectUID:
		return &o.UID
	case objectAPIGroup:
		return &o.APIGroup
	case objectAPIVersion:
		return &o.APIVersion
	case objectVersion:
		return &o.Version
	case objectSubresource:
		return &o.Subresource
	}
	return nil
}

func (e *Event) response(b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	r := &e.Response
	if *r = (Response{}); at(b, i) != '{' {
		return skip(b, i)
	}
	r.Has = true
	i, more := inner(b, i)
	for k, next := 0, 0; more; {
		if k, i = e.member(b, i, responseFields, &next); i < 0 {
			return -1
		}
		switch k {
		case responseCode:
			r.Code, i = code(b, i)
		case responseStatus:
			i = e.set(&r.Status, b, i, want)
		case responseReason:
			i = e.set(&r.Reason, b, i, want)
		case responseMessage:
			i = e.set(&r.Message, b, i, want)
		default:
			i = skip(b, i)
		}
		if i < 0 {
			return -1
		}
		i, more = comma(b, i)
	}
	return i
}

// code reads a whole number of 32 bits, and takes others for 0.
func code(b []byte, i int) (value, next int) {
	if next = skip(b, i); next < 0 {
		return 0, -1
	}
	if next == i+3 && b[i]-'1' < 9 && b[i+1]-'0' <= 9 && b[i+2]-'0' <= 9 {
		return int(b[i]-'0')*100 + int(b[i+1]-'0')*10 + int(b[i+2]-'0'), next
	}
	if c := b[i]; c != '-' && c-'0' > 9 {
		return 0, next
	}
	f, err := strconv.ParseFloat(string(b[i:next]), 64) // 4.04e2 is 404
	if err != nil || f != float64(int32(f)) {
		return 0, next
	}
	return int(f), next
}

func (e *Event) annotations(b []byte, i int, want Fields) int {
	if want == 0 {
		return skip(b, i)
	}
	if e.Authorization = (Decision{}); at(b, i) != '{' {
		return skip(b, i)
	}
	i, more := inner(b, i)
	for k, next := 0, 0; more; {
		if k, i = e.member(b, i, annotationFields, &next); i < 0 {
			return -1
		}
		switch k {
		case annotationDecision:
			i = e.set(&e.Authorization.Decision, b, i, want)
		case annotationReason:
			i = e.set(&e.Authorization.Reason, b, i, want)
		default:
			i = skip(b, i)
		}
		if i < 0 {
			return -1
		}
		i, more = comma(b, i)
	}
	return i
}

// Usual says whether a line begins and ends as kube-apiserver writes events. It is a
// cheap sign that a line is one, and no proof.
func Usual(line []byte) bool {
	const begin = len(usual) - len(`v1",`)
	return len(line) > begin && string(line[:begin]) == usual[:begin] && line[len(line)-1] == '}'
}

// Members calls each for every field of the object in text, with the name decoded and
// the value as it stands, until each returns false. It says whether text is one object,
// as far as it was looked at.
func Members(text []byte, each func(name, value []byte) bool) bool {
	text = trim(text)
	if at(text, 0) != '{' {
		return false
	}
	var e Event
	i, more := inner(text, 0)
	for more {
		name, from := e.name(text, i)
		if from < 0 {
			return false
		}
		if i = skip(text, from); i < 0 {
			return false
		}
		if !each(name, text[from:i]) {
			return true
		}
		i, more = comma(text, i)
	}
	return i == len(text)
}

// Elements calls each for every value of the list in text, as it stands. It says whether
// text is one list, as far as it was looked at.
func Elements(text []byte, each func(value []byte)) bool {
	text = trim(text)
	if at(text, 0) != '[' {
		return false
	}
	i := space(text, 1)
	if at(text, i) == ']' {
		return i+1 == len(text)
	}
	for {
		from := space(text, i)
		if i = skip(text, from); i < 0 {
			return false
		}
		each(text[from:i])
		i = space(text, i)
		switch at(text, i) {
		case ',':
			i++
		case ']':
			return i+1 == len(text)
		default:
			return false
		}
	}
}

// Text is the text of a JSON string.
func Text(value []byte) ([]byte, bool) {
	var e Event
	if at(value, 0) != '"' {
		return nil, false
	}
	s, end := e.text(value, 1)
	return s, end == len(value)
}

// End is where the object or list at the beginning of text ends, or -1.
func End(text []byte) int {
	if c := at(text, 0); c != '{' && c != '[' {
		return -1
	}
	return vector.Nested(text)
}
