package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"syscall"
	"testing"
)

func TestClassify(t *testing.T) {
	failed := func(err error) error { return &url.Error{Op: "Get", URL: "https://x", Err: err} }
	for _, test := range []struct {
		err      error
		code     int
		sent     bool
		class    Class
		doubtful bool
	}{
		{nil, 200, true, Acknowledged, false},
		{nil, 201, true, Acknowledged, false},
		{nil, 404, true, Acknowledged, false},
		{nil, 409, true, Acknowledged, false},
		{nil, 401, true, Forbidden, false},
		{nil, 403, true, Forbidden, false},
		{nil, 429, true, Throttled, false},
		{nil, 503, true, Unavailable, true},
		{nil, 500, true, Broken, true},
		{nil, 504, true, Broken, true},
		{nil, 422, true, Unexpected, true},
		{failed(fmt.Errorf("dial: %w", syscall.ECONNREFUSED)), 0, false, Refused, false},
		{failed(io.EOF), 0, false, Unsent, false},
		{failed(context.DeadlineExceeded), 0, false, Unsent, false},
		{failed(context.DeadlineExceeded), 0, true, TimedOut, true},
		{failed(io.EOF), 0, true, Cut, true},
		{failed(syscall.ECONNRESET), 0, true, Cut, true},
		{io.ErrUnexpectedEOF, 200, true, Cut, true}, // the headers came, the rest did not
		{errors.New("http2: client connection lost"), 0, true, Cut, true},
	} {
		class := classify(test.err, test.code, test.sent)
		if class != test.class || class.doubtful() != test.doubtful {
			t.Errorf("%v, %d, sent %t: %s, doubtful %t, want %s, %t",
				test.err, test.code, test.sent, class, class.doubtful(), test.class, test.doubtful)
		}
	}
}
