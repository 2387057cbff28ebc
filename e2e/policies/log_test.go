//go:build e2e

package policies

import (
	"bytes"
	"encoding/json"
	"testing"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// event is a line of the audit log.
type event struct {
	auditv1.Event
	line []byte
}

// events reads a complete log.
func events(t *testing.T, log []byte) []event {
	t.Helper()
	var all []event
	for line := range bytes.Lines(log) {
		e := event{line: line}
		if err := json.Unmarshal(line, &e.Event); err != nil {
			t.Fatalf("a line of the audit log: %v\n%.300s", err, line)
		}
		all = append(all, e)
	}
	return all
}

// byID sorts events by the request that they belong to, in the order of the log.
func byID(all []event) map[string][]event {
	out := map[string][]event{}
	for _, e := range all {
		id := string(e.AuditID)
		out[id] = append(out[id], e)
	}
	return out
}
