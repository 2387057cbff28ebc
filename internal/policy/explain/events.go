package explain

import (
	"errors"
	"io"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/hint"
	"auditpatch/internal/policy"
)

// Event is one audit event, as far as it is read.
type Event struct {
	Line    int   // in the stream, from 1
	Bytes   int64 // length of that line with its end
	AuditID string
	Stage   audit.Stage
	Level   audit.Level // at which it was written
	// The request as kube-apiserver evaluated it. Groups and User are as in the event;
	// User is "" when the login failed.
	Request policy.Request
}

// Unreadable is a line that is no audit event.
type Unreadable struct {
	Line   int
	Reason string
}

// Total is what a stream of events had.
type Total struct {
	Events     int
	Bytes      int64 // of lines that are events
	Unreadable int
	First      []Unreadable // the first of them, at most 20
}

// byteOrderMark begins files of some editors.
const byteOrderMark = "\ufeff"

// Nothing is the error that a stream has no event at all, nil when it has one or is empty:
// it is no audit log then, or one in a form that has to be changed first. file is for
// the message, - for standard input.
func (t Total) Nothing(file string) error {
	if t.Events > 0 || t.Unreadable == 0 {
		return nil
	}
	of, again := file, "auditpatch policy explain --policy FILE --events -"
	if file == "-" {
		file, of = "standard input", "FILE"
	}
	remedy := hint.Words("--events takes what --audit-log-format=json writes: one event a line")
	switch first := t.First[0].Reason; first {
	case compressed:
		remedy = hint.Shell("zcat %s | "+again, of)
	case wide:
		remedy = hint.Shell("iconv -f UTF-16 -t UTF-8 %s | "+again, of)
	case inArray:
		remedy = hint.Shell("jq -c '.[]' %s | "+again, of)
	case inList:
		remedy = hint.Shell("jq -c '.items[]' %s | "+again, of)
	case cutOff:
		remedy = hint.Shell("jq -c . %s | "+again, of)
	}
	return hint.Errorf(remedy, "%s has no line that is an audit event; line %d: %s", file, t.First[0].Line, t.First[0].Reason)
}

// most unreadable lines that are kept.
const mostUnreadable = 20

// Events answers for each audit event in r, one JSON object a line, what p does with
// its request. Several events of one request (its stages) have one answer each, and
// the same. Lines that are no event are counted in the total, empty ones are not. The
// event and the answer stay valid after each returns. An error is one of reading r, or
// the first that each returns.
//
// The request is what kube-apiserver evaluates: the authenticated user before an
// impersonation, and the URL. What the event learned later is left out, such as the
// name and the namespace inside a created object.
func Events(p *policy.Policy, r io.Reader, each func(Event, Answer) error) (Total, error) {
	var total Total
	in, judge := newLines(r), NewJudge(p)
	for {
		line, n, err := in.next()
		if errors.Is(err, io.EOF) {
			return total, nil
		}
		var tooLong *longLine
		if err != nil && !errors.As(err, &tooLong) {
			return total, err
		}
		if in.count == 1 {
			line = strings.TrimPrefix(line, byteOrderMark)
		}
		if err == nil && strings.TrimSpace(line) == "" {
			continue
		}
		if err != nil {
			total.unreadable(in.count, err.Error())
			continue
		}
		e, judged, reason := judge.Event(line)
		if reason != "" {
			total.unreadable(in.count, reason)
			continue
		}
		total.Events++
		total.Bytes += n
		e.Line, e.Bytes = in.count, n
		if err := each(e, judged[0].Answer); err != nil {
			return total, err
		}
	}
}

// Judge answers for one event after the other what some policies do with its request, as
// Events does for one policy. It remembers what it was asked, and is for one goroutine.
type Judge struct {
	rebuild *rebuilder
	answers []*answers
	decided []*decisions
	judged  []Judged
}

// Judged is what one of the policies does.
type Judged struct {
	Answer
	Decision policy.Decision // that the answer comes from
}

// NewJudge makes ready what all events have in common.
func NewJudge(policies ...*policy.Policy) *Judge {
	j := &Judge{rebuild: newRebuilder(), judged: make([]Judged, len(policies))}
	for _, p := range policies {
		j.answers, j.decided = append(j.answers, newAnswers(p)), append(j.decided, newDecisions(p))
	}
	return j
}

// Event answers for the event in text, one JSON object; of the event, Line and Bytes are
// not set. It has an answer for each policy, valid until the next call. reason says why
// the text is no event, "" if it is one.
func (j *Judge) Event(text string) (e Event, judged []Judged, reason string) {
	if reason := j.rebuild.read(text); reason != "" {
		return Event{}, nil, reason
	}
	c := j.rebuild.course()
	for i := range j.answers {
		d := j.decided[i].of(j.rebuild)
		j.judged[i] = Judged{j.answers[i].of(d, c), d}
	}
	return j.rebuild.event, j.judged, ""
}

func (t *Total) unreadable(line int, reason string) {
	t.Unreadable++
	if len(t.First) < mostUnreadable {
		t.First = append(t.First, Unreadable{line, reason})
	}
}
