package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
	"syscall"
	"time"
)

// Request is what became of one request.
type Request struct {
	Verb         string // as an audit event has it
	Began, Ended time.Time
	Connected    time.Time // when its connection was made; zero when it got none
	Sent         bool      // the API server may have seen it
	Protocol     string    // of its lane
	Class        Class
	Code         int // of the answer; 0 without one
	AuditID      string
}

// Class is the outcome of a request.
type Class string

// The outcomes. Only Acknowledged is an answer to what was asked: the whole response was read
// and says that it was done (2xx), or that the object is not there (404) or stands against it
// (409). After Refused, Unsent, Throttled and Forbidden it was certainly not done; after the
// others it may have been.
const (
	Acknowledged Class = "acknowledged"
	Refused      Class = "refused"   // nobody listens
	Unsent       Class = "unsent"    // no connection for another reason, or it was lost before
	Cut          Class = "cut"       // sent, and the connection ended before the whole answer
	TimedOut     Class = "timed out" // sent, and no whole answer in time
	Throttled    Class = "429"
	Forbidden    Class = "403" // or 401: the API server does not know the users' rights yet
	Unavailable  Class = "503" // also what a server answers that is about to end
	Broken       Class = "5xx" // any other
	Unexpected   Class = "unexpected"
)

// Failures are all classes but Acknowledged, in the order in which tables show them.
var Failures = []Class{Refused, Unsent, Cut, TimedOut, Throttled, Forbidden, Unavailable, Broken, Unexpected}

// doubtful tells whether a request of the class may have had its effect although it was not
// acknowledged.
func (c Class) doubtful() bool {
	switch c {
	case Acknowledged, Refused, Unsent, Throttled, Forbidden:
		return false
	}
	return true
}

// classify names the outcome of a request: its error, or else its status code.
func classify(err error, code int, sent bool) Class {
	switch {
	case err != nil && !sent && errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case err != nil && !sent:
		return Unsent
	case err != nil && timedOut(err):
		return TimedOut
	case err != nil:
		return Cut
	case code >= 200 && code < 300, code == http.StatusNotFound, code == http.StatusConflict:
		return Acknowledged
	case code == http.StatusTooManyRequests:
		return Throttled
	case code == http.StatusForbidden, code == http.StatusUnauthorized:
		return Forbidden
	case code == http.StatusServiceUnavailable:
		return Unavailable
	case code >= 500:
		return Broken
	}
	return Unexpected
}

func timedOut(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// call is a request to make.
type call struct {
	verb, method, path, body, contentType string
	pause                                 time.Duration // in the middle of the body
}

// dribble is a body that comes in two halves with a pause between them, as from a client far
// away: it keeps a request under way for that long.
type dribble struct {
	ctx   context.Context
	rest  []byte
	half  int // bytes that are still to come before the pause
	pause time.Duration
}

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	if d.half == 0 {
		select {
		case <-d.ctx.Done():
			return 0, d.ctx.Err()
		case <-time.After(d.pause):
		}
		d.half = len(d.rest)
	}
	n := copy(p[:min(len(p), d.half)], d.rest)
	d.rest, d.half = d.rest[n:], d.half-n
	return n, nil
}

// do makes the request and reads the whole answer.
func (l *lane) do(ctx context.Context, c call) (Request, []byte) {
	ctx, cancel := context.WithTimeout(ctx, l.timeout)
	defer cancel()
	var seen trace
	r := Request{Verb: c.verb, Protocol: l.protocol, Began: time.Now()}
	code, header, body, err := l.exchange(httptrace.WithClientTrace(ctx, seen.hooks()), c)
	r.Ended = time.Now()
	r.Connected, r.Sent = seen.result()
	r.Class, r.Code = classify(err, code, r.Sent), code
	r.AuditID = header.Get("Audit-Id")
	return r, body
}

// ask makes a request that has to be acknowledged, and returns the answer.
func (l *lane) ask(ctx context.Context, c call) ([]byte, error) {
	code, _, body, err := l.exchange(ctx, c)
	if err == nil && classify(nil, code, true) != Acknowledged {
		err = fmt.Errorf("%s %s: %d: %s", c.method, c.path, code, body)
	}
	return body, err
}

func (l *lane) exchange(ctx context.Context, c call) (int, http.Header, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, l.base+c.path, bytes.NewReader([]byte(c.body)))
	if err != nil {
		return 0, nil, nil, err
	}
	if c.pause > 0 {
		// Both, for a transport repeats by itself what the API server has not looked at.
		request.GetBody = func() (io.ReadCloser, error) {
			return io.NopCloser(&dribble{ctx, []byte(c.body), len(c.body) / 2, c.pause}), nil
		}
		request.Body, _ = request.GetBody()
	}
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, body, err
}

// trace notes what happened to a request on its way. Go's transport tries again by itself
// where nothing was sent, or where a read may be repeated: the last try counts.
type trace struct {
	mu        sync.Mutex // a try that was given up may still be writing
	connected time.Time
	sent      bool
}

func (t *trace) hooks() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn: func(string) { t.note(func() { t.connected, t.sent = time.Time{}, false }) },
		GotConn: func(got httptrace.GotConnInfo) { t.note(func() { t.connected = madeAt(got.Conn) }) },
		// Headers are enough for the API server to begin; a DELETE is nothing else.
		WroteHeaders: func() { t.note(func() { t.sent = true }) },
	}
}

func (t *trace) note(change func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change()
}

func (t *trace) result() (connected time.Time, sent bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.connected, t.sent
}
