package upstream

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"auditpatch/patch/auditflags"
)

// rotate writes three full files through kube-apiserver's rotation, and returns how
// many files there are when the clean-up is done and how many writes failed.
func rotate(t *testing.T, l *lumberjack.Logger) (files, failed int) {
	t.Helper()
	l.Filename = filepath.Join(t.TempDir(), "audit.log")
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 3 {
		if _, err := l.Write(make([]byte, 1<<20)); err != nil {
			failed++
		}
		time.Sleep(20 * time.Millisecond) // names of rotated files have milliseconds
	}
	time.Sleep(200 * time.Millisecond) // the clean-up runs beside
	entries, err := os.ReadDir(filepath.Dir(l.Filename))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries), failed
}

// TestOverflow: the limits above which CheckFlags refuses maxage and maxsize are
// those at which lumberjack really goes wrong.
func TestOverflow(t *testing.T) {
	const mostDays, mostMB = 106751, 8796093022207
	for _, c := range []struct {
		name          string
		size, age     int
		files, failed int
		refused       bool
	}{
		{"as it should be", 1, 30, 3, 0, false},
		{"oldest", 1, mostDays, 3, 0, false},
		{"too old", 1, mostDays + 1, 1, 0, true},
		{"largest", mostMB, 30, 1, 0, false},
		{"too large", mostMB + 1, 30, 0, 3, true},
	} {
		files, failed := rotate(t, &lumberjack.Logger{MaxSize: c.size, MaxAge: c.age})
		set := map[string]string{"audit-log-path": "/a", "audit-log-maxsize": fmt.Sprint(c.size), "audit-log-maxage": fmt.Sprint(c.age)}
		errs, _ := auditflags.Check(set, release())
		if files != c.files || failed != c.failed || (len(errs) > 0) != c.refused {
			t.Errorf("%s: %d files, %d failed, %v; want %d, %d, refused %v", c.name, files, failed, errs, c.files, c.failed, c.refused)
		}
	}
}

// TestDiskBudget: the files never take more than DiskBudget says.
func TestDiskBudget(t *testing.T) {
	l := &lumberjack.Logger{Filename: filepath.Join(t.TempDir(), "audit.log"), MaxSize: 1, MaxBackups: 2}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	for range 40 {
		if _, err := l.Write(make([]byte, 300_000)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	time.Sleep(200 * time.Millisecond)
	entries, err := os.ReadDir(filepath.Dir(l.Filename))
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	budget, unlimited := auditflags.DiskBudget(map[string]string{"audit-log-path": "/a", "audit-log-maxsize": "1", "audit-log-maxbackup": "2"}, release())
	if unlimited || total > budget || total < budget*2/3 || len(entries) != 3 {
		t.Errorf("%d files, %d bytes; budget %d, unlimited %v", len(entries), total, budget, unlimited)
	}
}
