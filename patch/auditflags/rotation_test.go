package auditflags_test

import (
	"testing"

	"auditpatch/patch/auditflags"
)

func TestDiskBudget(t *testing.T) {
	const mb = 1 << 20
	for _, c := range []struct {
		name      string
		version   Version
		set       string
		bytes     int64
		unlimited bool
	}{
		{"the defaults of auditpatch", Version{1, 36}, "", 1100 * mb, false},
		{"compressed", Version{1, 36}, "audit-log-compress=true", 1100 * mb, false},
		{"nothing set, 1.36", Version{1, 36}, "only audit-log-path=/a", 10100 * mb, false},
		{"nothing set, 1.35", Version{1, 35}, "only audit-log-path=/a", 0, true},
		{"nothing set, unknown", Version{}, "only audit-log-path=/a", 0, true},
		{"any number of files", Version{1, 36}, "audit-log-maxbackup=0", 0, true},
		{"size 0, 1.36", Version{1, 36}, "audit-log-maxsize=0", 0, true},
		{"size 0, 1.35", Version{1, 35}, "audit-log-maxsize=0", 1100 * mb, false},
		{"size 0, unknown", Version{}, "audit-log-maxsize=0", 0, true},
		{"size in hexadecimal", Version{1, 36}, "audit-log-maxsize=0x64", 1100 * mb, false},
		{"underscores", Version{1, 36}, "only audit_log_path=/a audit_log_maxsize=1 audit_log_maxbackup=1", 2 * mb, false},
		{"standard output", Version{1, 36}, "audit-log-path=-", 0, false},
		{"no log", Version{1, 36}, "only audit-log-maxsize=1", 0, false},
		{"overflow of the product", Version{1, 36}, "audit-log-maxsize=1000000000 audit-log-maxbackup=1000000000", 0, true},
		{"overflow of the size", Version{1, 36}, "audit-log-maxsize=9223372036854775807", 0, true},
		{"largest", Version{1, 36}, "audit-log-maxsize=1 audit-log-maxbackup=8796093022206", 8796093022207 * mb, false},
		{"negative", Version{1, 36}, "audit-log-maxsize=-1", 0, true},
		{"not a number", Version{1, 36}, "audit-log-maxsize=x", 1100 * mb, false},
	} {
		bytes, unlimited := auditflags.DiskBudget(flagsOf(c.set), c.version)
		if bytes != c.bytes || unlimited != c.unlimited {
			t.Errorf("%s: %d, %v; want %d, %v", c.name, bytes, unlimited, c.bytes, c.unlimited)
		}
	}
}
