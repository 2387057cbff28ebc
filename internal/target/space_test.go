package target

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/node"
)

// TestLogDisk wants nothing said of a log that fits, and else the fault with what
// helps, which is not the fault again.
func TestLogDisk(t *testing.T) {
	t.Parallel()
	const gb = 1 << 30
	files := func(sizes ...int64) []int64 { return sizes }
	const oldest = "/var/log/audit/audit-0.log"
	for name, c := range map[string]struct {
		space          node.Space
		limit          int64
		files          []int64 // in MB, the oldest first
		maxbackup      string
		full, tight    string
		relief         string
		hopeless       bool
		stillUnlimited bool
	}{
		"fits":          {space: node.Space{Free: 100 * gb, Total: 200 * gb}, limit: 1100 * mb},
		"fits as it is": {space: node.Space{Free: 70 * mb, Total: 2 * gb}, limit: 110 * mb, files: files(50, 50)},
		"at its limit": {space: node.Space{Free: 30 * mb, Total: 600 * mb}, limit: 550 * mb, files: files(100, 100, 100, 100, 100, 50),
			maxbackup: "5"},
		"too small": {space: node.Space{Free: 400 * mb, Total: 400 * mb}, limit: 1100 * mb,
			tight:  "/var/log/audit/audit.log may still grow by 1.1 GB, and only 400.0 MB are free",
			relief: "auditpatch enable --audit-log-maxsize=50 --audit-log-maxbackup=6"},
		"tiny": {space: node.Space{Free: 48 * mb, Total: 48 * mb}, limit: 1100 * mb,
			full:   "the file system of /var/log/audit is nearly full: 48.0 MB of 48.0 MB are free, and the log may still grow by 1.1 GB",
			relief: "auditpatch enable --audit-log-maxsize=5 --audit-log-maxbackup=2"},
		"a hundredth of a large one": {space: node.Space{Free: gb, Total: 1000 * gb}, limit: 1100 * mb,
			full:   "the file system of /var/log/audit is nearly full: 1.0 GB of 1000.0 GB are free, and the log may still grow by 1.1 GB",
			relief: "auditpatch enable --audit-log-maxsize=100 --audit-log-maxbackup=8"},
		"full of the log": {space: node.Space{Total: 300 * mb}, limit: 1100 * mb, files: files(100, 100, 100), maxbackup: "10",
			full:   "the file system of /var/log/audit is full: 0 B of 300.0 MB are free, and events are lost",
			relief: "rm " + oldest + ", the oldest file, and then: auditpatch enable --audit-log-maxsize=50 --audit-log-maxbackup=4", hopeless: true},
		"full of the log, but that is to go": {space: node.Space{Total: 300 * mb}, limit: 10 * mb, files: files(100, 100, 100), maxbackup: "1",
			full:   "the file system of /var/log/audit is full: 0 B of 300.0 MB are free, and events are lost",
			relief: "rm " + oldest + ", the oldest file, and then: auditpatch enable --audit-log-maxsize=50 --audit-log-maxbackup=4"},
		"full of something else": {space: node.Space{Free: mb, Total: 10 * gb}, limit: 1100 * mb,
			full:   "the file system of /var/log/audit is full: 1.0 MB of 10.0 GB are free, and events are lost",
			relief: `du -xah "$(findmnt -no TARGET -T /var/log/audit)" | sort -h | tail -n 20`, hopeless: true},
		"no inodes": {space: node.Space{Free: gb, Total: 2 * gb, NoFiles: true}, limit: 100 * mb,
			full: "the file system of /var/log/audit has no inodes left: the log cannot be rotated", relief: "df -i /var/log/audit", hopeless: true},
		"read-only": {space: node.Space{Free: gb, Total: 2 * gb, ReadOnly: true}, limit: 100 * mb,
			full: "the file system of /var/log/audit is mounted read-only: events are lost", relief: "findmnt -T /var/log/audit", hopeless: true},
		"unlimited": {space: node.Space{Free: 5 * gb, Total: 10 * gb}, stillUnlimited: true,
			tight: "nothing limits the size of /var/log/audit/audit.log, and 5.0 GB are free", relief: "auditpatch enable --audit-log-maxsize=100 --audit-log-maxbackup=10"},
		"unlimited and nearly full": {space: node.Space{Free: 60 * mb, Total: gb}, stillUnlimited: true, files: files(100, 800),
			full:   "the file system of /var/log/audit is nearly full: 60.0 MB of 1.0 GB are free, and nothing limits the size of the log",
			relief: "auditpatch enable --audit-log-maxsize=5 --audit-log-maxbackup=1"},
	} {
		d := LogDisk{log: "/var/log/audit/audit.log", Limit: c.limit, Unlimited: c.stillUnlimited, Space: c.space,
			flags: map[string]string{"audit-log-maxbackup": c.maxbackup}}
		for i, n := range c.files {
			d.Usage.Files = append(d.Usage.Files, auditlog.Size{Path: fmt.Sprintf("/var/log/audit/audit-%d.log", i), Bytes: n * mb})
			d.Usage.Bytes += n * mb
		}
		if full, tight := d.Full(), d.Tight(); full != c.full || full == "" && tight != c.tight {
			t.Errorf("%s:\ngot  %q, %q\nwant %q, %q", name, full, tight, c.full, c.tight)
		}
		if got := d.Relief().String(); c.relief != "" && got != c.relief {
			t.Errorf("%s:\ngot  %s\nwant %s", name, got, c.relief)
		}
		if d.Hopeless() != c.hopeless {
			t.Errorf("%s: hopeless %v", name, !c.hopeless)
		}
	}
}

// TestReliefTyped types the look at a disk into a shell, for a folder with blanks and
// quotes in its name; only the folder that du gets is looked at.
func TestReliefTyped(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("findmnt"); err != nil {
		t.Skip(err)
	}
	dir := filepath.Join(t.TempDir(), `it's "my img"`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d := LogDisk{log: dir + "/audit.log", Limit: 1100 * mb, Space: node.Space{Free: mb, Total: 1 << 40}}
	line := `du() { test $# = 2 && mountpoint -q "$2" && echo ok; }; ` + d.Relief().String()
	if out, err := exec.Command("sh", "-c", line).CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("%s: %v, %s", line, err, out)
	}
}

// TestFit wants settings that are proposed to be content with what they get.
func TestFit(t *testing.T) {
	t.Parallel()
	for free := int64(0); free < 3000; free += 7 {
		d := LogDisk{log: "/a/audit.log", Limit: 1100 * mb, Space: node.Space{Free: free * mb, Total: 3000 * mb}}
		maxsize, maxbackup, ok := d.fit()
		if !ok {
			if free > 50 {
				t.Errorf("nothing fits into %d MB", free)
			}
			continue
		}
		d.Limit = maxsize * (maxbackup + 1) * mb
		if full, tight := d.Full(), d.Tight(); full+tight != "" {
			t.Errorf("%d MB free, %d files of %d MB: %s%s", free, maxbackup+1, maxsize, full, tight)
		}
	}
}
