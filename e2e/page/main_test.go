//go:build e2e

// Package page opens reports of "auditpatch events --html" in a headless Chromium: how long
// they take with 100,000 events (speed_test.go), that nothing of an event runs
// (hostile_test.go), and that a person can use them (use_test.go). "make e2e-page" runs it.
package page

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// report has the program make a report of events, or of lines that are none.
func report(t *testing.T, events []any, lines ...string) string {
	t.Helper()
	program := os.Getenv("E2E_AUDITPATCH")
	if program == "" {
		t.Fatal("E2E_AUDITPATCH is not set: run the tests with make e2e-page")
	}
	var log bytes.Buffer
	enc := json.NewEncoder(&log) // as kube-apiserver writes: < is \u003c
	for _, e := range events {
		must(t, enc.Encode(e))
	}
	for _, line := range lines {
		log.WriteString(line + "\n") // without its end, the last would count as still being written
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "audit.log"), log.Bytes(), 0o600))
	cmd := exec.Command(program, "events", "--log", "audit.log", "--html", "report.html")
	cmd.Dir = dir
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	info, err := os.Stat(filepath.Join(dir, "report.html"))
	must(t, err)
	t.Logf("%d events, a log of %.1f MB: a page of %.1f MB in %.1f s", len(events), float64(log.Len())/1e6, float64(info.Size())/1e6, time.Since(start).Seconds())
	return filepath.Join(dir, "report.html")
}

// object is a JSON object.
type object map[string]any

// event is one as kube-apiserver writes it.
func event(at time.Time, verb, user, resource, namespace, name, address, agent string, code int) object {
	stamp := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	return object{
		"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "auditID": "id-" + name, "stage": "ResponseComplete",
		"requestURI": "/api/v1/namespaces/" + namespace + "/" + resource + "/" + name, "verb": verb,
		"user":      object{"username": user, "groups": []string{"system:authenticated"}},
		"sourceIPs": []string{address}, "userAgent": agent,
		"objectRef":                object{"resource": resource, "namespace": namespace, "name": name, "apiVersion": "v1"},
		"responseStatus":           object{"metadata": object{}, "code": code},
		"requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
		"annotations": object{"authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "RBAC: allowed by ClusterRoleBinding \"admins\" of ClusterRole \"admin\" to User \"" + user + "\""},
	}
}

var start = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
