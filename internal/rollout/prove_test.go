package rollout

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"auditpatch/internal/standin/controlplane"
	"auditpatch/internal/wait"
	"auditpatch/patch"
)

// proofOf prepares an API server that writes to a log what of returns for an audit
// ID, when it is asked for the probe.
func proofOf(t *testing.T, of func(id string) string) (*controlplane.Node, patch.Settings) {
	t.Helper()
	a := controlplane.New(t)
	a.Write("var/log/audit/audit.log", `{"kind":"Event","auditID":"old"}`+"\n")
	asked := 0
	a.Answer(probeOnce.Path, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		id := fmt.Sprintf("id-%d", asked)
		a.Append("var/log/audit/audit.log", of(id))
		w.Header().Set("Audit-Id", id)
		w.WriteHeader(http.StatusNotFound)
	})
	return a, patch.Settings{Log: &patch.Location{Host: "/var/log/audit/audit.log"}}
}

func TestProve(t *testing.T) {
	const legacy = `2026-11-22T11:20:04.123456Z AUDIT: id=%q stage="ResponseComplete" ip="127.0.0.1" method="get" user="kubernetes-admin" groups="\"system:masters\"" as="<self>" asgroups="<lookup>" user-agent="auditpatch" namespace="default" uri="/api" response="404"` + "\n"
	for name, of := range map[string]string{
		"json":   `{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":%q,"stage":"ResponseComplete"}` + "\n",
		"legacy": legacy,
	} {
		a, after := proofOf(t, func(id string) string { return fmt.Sprintf(of, id) })
		if id, err := prove(context.Background(), a.Server, *probeOnce, after, 0); id != "id-1" || err != nil {
			t.Errorf("%s: got %q, %v", name, id, err)
		}
	}
	a, after := proofOf(t, func(id string) string {
		return fmt.Sprintf(`{"kind":"Event","auditID":"x","requestObject":{"auditID":%q}}`+"\n", id)
	})
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if id, err := prove(ctx, a.Server, *probeOnce, after, 0); err != wait.ErrInterrupted {
		t.Errorf("an event that mentions the ID is taken for its own: %q, %v", id, err)
	}
}

// TestUnwritten wants the reason why nothing is written: as the file system has it,
// or as the API server says.
func TestUnwritten(t *testing.T) {
	a, after := proofOf(t, nil)
	if got := unwritten(a.Server, after); got != "" {
		t.Errorf("nothing is wrong: %q", got)
	}
	a.Write("var/log/pods/kube-system_kube-apiserver-cp_77/kube-apiserver/0.log",
		`2026-11-22T21:21:31.099260329Z stderr F E1122 21:21:31.098836       1 metrics.go:110] "Unhandled Error" err="Error in audit plugin 'log' affecting 1 audit events: write /var/log/audit/audit.log: disk quota exceeded`+"\n"+
			"2026-11-22T21:21:31.099260330Z stderr F Impacted events:\n")
	if got, want := unwritten(a.Server, after), "write /var/log/audit/audit.log: disk quota exceeded"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if os.Geteuid() != 0 {
		t.Skip("to mount a file system takes root")
	}
	for options, want := range map[string]string{
		"size=1m,nr_inodes=64":    "the file system of /var/log/audit is full",
		"size=1m,nr_inodes=2":     "the file system of /var/log/audit has no inodes left",
		"size=1m,nr_inodes=64,ro": "the file system of /var/log/audit is mounted read-only",
	} {
		dir := a.Mkdir("var/log/audit")
		if out, err := exec.Command("mount", "-t", "tmpfs", "-o", options, "none", dir).CombinedOutput(); err != nil {
			t.Skipf("mount: %v: %s", err, out)
		}
		_ = os.WriteFile(dir+"/audit.log", []byte(strings.Repeat("x", 2<<20)), 0o600) // as much as fits
		got := unwritten(a.Server, after)
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Fatalf("umount: %v: %s", err, out)
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", options, got, want)
		}
	}
}
