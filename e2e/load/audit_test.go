package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	log, err := ReadLog(strings.NewReader(`{"kind":"Event","auditID":"a","stage":"ResponseComplete"}
{"auditID":"b","stage":"RequestReceived"}
{"auditID":"c","stage":"ResponseComplete"}
{"auditID":"d","stage":"Respon`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Log{Recorded: map[string]bool{"a": true, "c": true}}, log); diff != "" {
		t.Error(diff)
	}
	r := Run{Requests: []Request{
		{Class: Acknowledged, AuditID: "a"}, {Class: Acknowledged, AuditID: "b"}, {Class: Acknowledged, AuditID: "d"},
		{Class: Acknowledged}, {Class: Cut, AuditID: "e"},
	}}
	want := []Request{r.Requests[1], r.Requests[2], r.Requests[3]}
	if diff := cmp.Diff(want, r.Missing(log.Recorded)); diff != "" {
		t.Error(diff)
	}
}

// TestReadLog wants events that are there twice and lines that are none to be told, and the
// events between them to be read.
func TestReadLog(t *testing.T) {
	log, err := ReadLog(strings.NewReader(`{"auditID":"a","stage":"RequestReceived"}
{"auditID":"a","stage":"ResponseComplete"}
{"auditID":"b","stage":"Respon{"auditID":"c","stage":"ResponseComplete"}
{"auditID":"a","stage":"ResponseComplete"}

{"auditID":"d","stage":"ResponseComplete"}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Log{
		Recorded: map[string]bool{"a": true, "d": true},
		Twice:    []string{"a ResponseComplete"},
		Torn:     []string{`{"auditID":"b","stage":"Respon{"auditID":"c","stage":"ResponseComplete"}` + "\n", "\n"},
	}
	if diff := cmp.Diff(want, log); diff != "" {
		t.Error(diff)
	}
}
