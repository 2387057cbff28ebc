package auditevents

import (
	"os"
	"strings"
	"testing"

	"auditpatch/internal/auditlog/event"
)

// Sample are the events of the module's testdata/audit.log. The tests that call it lie three
// folders below the module.
func Sample(t testing.TB) []*event.Event {
	t.Helper()
	data, err := os.ReadFile("../../../testdata/audit.log")
	if err != nil {
		t.Fatal(err)
	}
	var all []*event.Event
	for line := range strings.Lines(string(data)) {
		e := &event.Event{}
		if err := e.Parse([]byte(line), event.WantAll); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}
