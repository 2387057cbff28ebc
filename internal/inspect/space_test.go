package inspect

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"auditpatch/internal/node"
	"auditpatch/internal/target"
	"auditpatch/patch"
)

// TestStatusFull fills a small file system, and wants drift with a command that
// works, and none before.
func TestStatusFull(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to mount a file system takes root")
	}
	root := t.TempDir()
	dir := filepath.Join(root, "var/log/audit")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=120m", "none", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", dir).Run() })
	settings := patch.Settings{
		Log:   &patch.Location{Host: "/var/log/audit/audit.log"},
		Flags: map[string]string{"audit-log-path": "/var/log/audit/audit.log", "audit-log-maxsize": "10", "audit-log-maxbackup": "9"},
	}
	const oldest = "audit-2026-11-22T11-20-04.000.log"
	for _, c := range []struct {
		size int // of the rotated file
		want string
	}{
		{10, ""},
		{110, "the file system of /var/log/audit is full: 10.0 MB of 120.0 MB are free, and events are lost: rm /var/log/audit/" + oldest +
			", the oldest file, and then: auditpatch enable --audit-log-maxsize=20 --audit-log-maxbackup=3"},
	} {
		for name, size := range map[string]int{oldest: c.size, "audit.log": 0} {
			if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size<<20), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		disk, err := (&target.Target{Node: node.New(root, "")}).MeasureLog(settings)
		if err != nil {
			t.Fatal(err)
		}
		out := &findings{}
		(&facts{configured: configured{now: settings}, installed: installed{disk: &disk}}).logCheck(out)
		if got := strings.Join(append(at(drift, out.all, nil), at(warnings, out.all, nil)...), "\n"); got != c.want {
			t.Errorf("with %d MB:\ngot  %s\nwant %s", c.size, got, c.want)
		}
	}
}
