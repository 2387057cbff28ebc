package explain

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
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
// event and the answer stay valid after each returns. An error is one of reading r,
// the first that each returns, or that of the context, which is looked at between two reads.
//
// The caller's goroutine alone reads r and calls each; others, which end before Events
// does, look into the lines. Before a read that may have to wait, each has had all that
// was read.
//
// The request is what kube-apiserver evaluates: the authenticated user before an
// impersonation, and the URL. What the event learned later is left out, such as the
// name and the namespace inside a created object.
func Events(ctx context.Context, p *policy.Policy, r io.Reader, each func(Event, Answer) error) (Total, error) {
	s := &stream{policy: p, own: newReader(p), each: each, ahead: ReadsAhead(r)}
	defer s.close()
	in := newBlocks(r)
	for {
		b, err := in.next()
		last := err != nil
		if errors.Is(err, io.EOF) {
			err = nil
		}
		var stopped error
		if last {
			stopped = s.deliver(0)
		} else {
			stopped = s.take(b)
		}
		switch {
		case stopped != nil:
			return s.total, stopped
		case ctx.Err() != nil:
			return s.total, ctx.Err()
		case last:
			return s.total, err
		}
	}
}

// ReadsAhead tells whether a reader never waits, so that Events reads more before all of
// what it has is answered: a file on a disk.
func ReadsAhead(r io.Reader) bool {
	switch r := r.(type) {
	case *strings.Reader, *bytes.Reader:
		return true
	case *os.File:
		info, err := r.Stat()
		return err == nil && info.Mode().IsRegular()
	}
	return false
}

func (t *Total) unreadable(line int, reason string) {
	t.Unreadable++
	if len(t.First) < mostUnreadable {
		t.First = append(t.First, Unreadable{line, reason})
	}
}
