package load

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMissing(t *testing.T) {
	recorded, err := Recorded(strings.NewReader(`{"kind":"Event","auditID":"a","stage":"ResponseComplete"}
{"auditID":"b","stage":"RequestReceived"}
{"auditID":"c","stage":"ResponseComplete"}
{"auditID":"d","stage":"Respon`))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"a": true, "c": true}, recorded); diff != "" {
		t.Error(diff)
	}
	r := Run{Requests: []Request{
		{Class: Acknowledged, AuditID: "a"}, {Class: Acknowledged, AuditID: "b"}, {Class: Acknowledged, AuditID: "d"},
		{Class: Acknowledged}, {Class: Cut, AuditID: "e"},
	}}
	want := []Request{r.Requests[1], r.Requests[2], r.Requests[3]}
	if diff := cmp.Diff(want, r.Missing(recorded)); diff != "" {
		t.Error(diff)
	}
}

func TestRecordedRefusesOtherText(t *testing.T) {
	_, err := Recorded(strings.NewReader("{}\nplain\n"))
	want := `line 2 of the audit log: invalid character 'p' looking for beginning of value: "plain\n"`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
