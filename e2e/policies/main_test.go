//go:build e2e

// Package policies asks a real kube-apiserver what audit policies do: whether a value
// that must stay secret gets into the log (canary_test.go), and whether "auditpatch
// policy explain" says of each request what is recorded (agreement_test.go). "make
// e2e-policies" runs it.
package policies

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/util/version"
	"k8s.io/klog/v2"

	"auditpatch/e2e/apiserver"
	"auditpatch/internal/policy"
)

func TestMain(m *testing.M) {
	klog.SetLogger(klog.New(nil)) // the API server's code says there what it thinks of odd URLs
	os.Exit(m.Run())
}

// start starts a bed for one test. What explains a failure is kept in ../out/TEST.
func start(t *testing.T, users ...apiserver.User) *apiserver.Bed {
	t.Helper()
	return apiserver.ForTest(t, "e2e-policies", func(dir string) { keep(t, dir) }, users...)
}

// keep copies logs and policies out of a bed.
func keep(t *testing.T, dir string) {
	out := filepath.Join("..", "out", t.Name())
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if ext := filepath.Ext(name); ext != ".log" && ext != ".yaml" {
			return nil
		}
		inside, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		to := filepath.Join(out, inside)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o600))
	})
	t.Logf("logs: e2e/out/%s (%v)", t.Name(), err)
}

// serve starts kube-apiserver with a policy, which it must understand.
func serve(t *testing.T, bed *apiserver.Bed, text []byte) *apiserver.Server {
	t.Helper()
	server, err := bed.Serve(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// understands skips a policy that this version of kube-apiserver refuses.
func understands(t *testing.T, p *policy.Policy) {
	t.Helper()
	v, err := version.ParseGeneric(os.Getenv("E2E_KUBERNETES"))
	if err != nil {
		t.Fatalf("E2E_KUBERNETES: %v", err)
	}
	if v.Minor() >= 36 {
		return
	}
	v1, err := p.V1()
	if err != nil {
		t.Fatal(err)
	}
	for _, rule := range v1.Rules {
		for _, group := range rule.Resources {
			if group.Group == "*" {
				t.Skipf("%s: group \"*\" is for Kubernetes 1.36 and later, and this is %s", p.Name(), v)
			}
		}
	}
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

// object is any JSON object.
type object map[string]any

func (o object) bytes() []byte {
	text, err := json.Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("%v: %v", o, err))
	}
	return text
}
