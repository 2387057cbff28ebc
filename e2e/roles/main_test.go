//go:build e2e

// Package roles asks a real kube-apiserver whether the roles of "auditpatch events --rbac"
// allow what was done, and nothing that was not: requests of every kind are sent by users who may
// do anything, the roles made from the audit log are applied to a new user, and the
// requests are sent again. "make e2e-policies" runs it.
package roles

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"auditpatch/e2e/apiserver"
)

// everything records everything.
const everything = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: RequestResponse}]\n"

// nothing records nothing.
const nothing = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: None}]\n"

// start starts a bed.
func start(t *testing.T, users ...apiserver.User) *apiserver.Bed {
	t.Helper()
	return apiserver.ForTest(t, "e2e-policies", nil, users...)
}

// serve starts kube-apiserver with a policy.
func serve(t *testing.T, bed *apiserver.Bed, policy string) *apiserver.Server {
	t.Helper()
	server, err := bed.Serve(t.Context(), []byte(policy))
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// end stops the server, after which the log is complete, and reads it.
func end(t *testing.T, server *apiserver.Server) []byte {
	t.Helper()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	log, err := server.AuditLog()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// keep writes a file that explains a failure.
func keep(t *testing.T, name string, text []byte) {
	t.Helper()
	out := filepath.Join("..", "out", t.Name())
	if err := os.MkdirAll(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// object is any JSON object.
type object map[string]any

func (o object) bytes() []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", o, err))
	}
	return text
}
