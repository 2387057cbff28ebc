//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

const auditLog = "/var/log/kubernetes/audit/audit.log"

// event is what the tests compare of an audit event. An empty field fits everything.
type event struct {
	user, verb, resource, subresource, namespace, name string
	code                                               int32
}

// wantEvent waits for an event in the node's audit log, for the log may be a little behind.
func (l *lab) wantEvent(want event) auditv1.Event {
	l.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		all := l.events()
		for _, e := range all {
			if want.fits(&e) {
				return e
			}
		}
		if time.Now().After(deadline) {
			l.Fatalf("none of the %d events in %s is %+v", len(all), auditLog, want)
		}
	}
}

// events are all events in the log; a line that is still being written is left out.
func (l *lab) events() []auditv1.Event {
	l.Helper()
	var all []auditv1.Event
	for line := range strings.Lines(l.read(auditLog)) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var e auditv1.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			l.Fatalf("%s: %v in %q", auditLog, err, line)
		}
		all = append(all, e)
	}
	return all
}

func (want event) fits(e *auditv1.Event) bool {
	got := event{user: e.User.Username, verb: e.Verb}
	if e.ImpersonatedUser != nil {
		got.user = e.ImpersonatedUser.Username
	}
	if r := e.ObjectRef; r != nil {
		got.resource, got.subresource, got.namespace, got.name = r.Resource, r.Subresource, r.Namespace, r.Name
	}
	if e.ResponseStatus != nil {
		got.code = e.ResponseStatus.Code
	}
	for _, pair := range [][2]string{
		{want.user, got.user}, {want.verb, got.verb}, {want.resource, got.resource},
		{want.subresource, got.subresource}, {want.namespace, got.namespace}, {want.name, got.name},
		{fmt.Sprint(want.code), fmt.Sprint(got.code)},
	} {
		if pair[0] != "" && pair[0] != "0" && pair[0] != pair[1] {
			return false
		}
	}
	return true
}

// logSize is the size of the audit log in bytes.
func (l *lab) logSize() string {
	l.Helper()
	stdout, stderr, exit := l.node.Exec(l.ctx, "stat", "-c", "%s", auditLog)
	if exit != 0 {
		l.Fatal(stderr)
	}
	return strings.TrimSpace(stdout)
}
