//go:build e2e

// Package answers asks a real kube-apiserver for an audit log, and auditpatch for the
// answers that are in it. "make e2e-answers" runs it.
package answers

import (
	"os"
	"path/filepath"
	"testing"

	"auditpatch/e2e/apiserver"
)

// start starts a bed for one test.
func start(t *testing.T, users ...apiserver.User) *apiserver.Bed {
	t.Helper()
	return apiserver.ForTest(t, "e2e-answers", nil, users...)
}

// recorded is the complete log of the server under a policy in which play sent requests.
func recorded(t *testing.T, bed *apiserver.Bed, policy string, play func(*apiserver.Client)) []byte {
	t.Helper()
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	server, err := bed.Serve(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	client := server.Client()
	play(client)
	client.Close()
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	log, err := server.AuditLog()
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// module is a path in the checkout.
func module(name string) string { return filepath.Join("..", "..", filepath.FromSlash(name)) }
