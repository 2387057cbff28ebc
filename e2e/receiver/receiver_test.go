package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestReceiver posts what kube-apiserver posts, and what Falco refuses.
func TestReceiver(t *testing.T) {
	t.Parallel()
	const event = `{"level":"Metadata","auditID":"a1","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/n/secrets/s","verb":"get",` +
		`"user":{"username":"jane","groups":["g"]},"userAgent":"kubectl","objectRef":{"resource":"secrets","namespace":"n","name":"s","apiVersion":"v1"},` +
		`"responseStatus":{"metadata":{},"code":403}}`
	const list = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[` + event + `]}`
	for name, tc := range map[string]struct {
		method, contentType, body string
		told, status              int
		noted                     string
	}{
		"events": {"POST", "application/json; charset=utf-8", list, 200, 200,
			`{"auditID":"a1","stage":"ResponseComplete","verb":"get","user":"jane","namespace":"n","resource":"secrets","name":"s","code":403,"userAgent":"kubectl"}` + "\n"},
		"none":               {"POST", "application/json", `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[]}`, 200, 200, ""},
		"get":                {"GET", "application/json", list, 200, 405, ""},
		"form":               {"POST", "application/x-www-form-urlencoded", list, 200, 400, ""},
		"too much":           {"POST", "application/json", strings.Repeat(" ", maxBody+1), 200, 400, ""},
		"not JSON":           {"POST", "application/json", "hello", 200, 400, ""},
		"one event":          {"POST", "application/json", event, 200, 400, ""},
		"an earlier version": {"POST", "application/json", strings.Replace(list, "/v1", "/v1beta1", 1), 200, 400, ""},
		"told to fail":       {"POST", "application/json", list, 500, 500, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			req := httptest.NewRequest(tc.method, "/k8s-audit", strings.NewReader(tc.body))
			req.Header.Set("Content-Type", tc.contentType)
			w := httptest.NewRecorder()
			(&receiver{status: tc.told, out: &out}).ServeHTTP(w, req)
			if w.Code != tc.status || out.String() != tc.noted {
				t.Errorf("status %d, want %d; noted:\n%swant:\n%s", w.Code, tc.status, out.String(), tc.noted)
			}
		})
	}
}

// TestOptions wants a combination that cannot work to be refused.
func TestOptions(t *testing.T) {
	t.Parallel()
	_, err := options{clientCA: "ca.pem"}.tls()
	if want := "-client-ca goes with -cert and -key"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if c, err := (options{}).tls(); c != nil || err != nil {
		t.Errorf("plain HTTP: %v, %v", c, err)
	}
}
