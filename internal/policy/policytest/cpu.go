package policytest

import (
	"syscall"
	"testing"
	"time"
)

// CPUTime is the time that this process has computed, on a machine that may do other work as
// well.
func CPUTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
