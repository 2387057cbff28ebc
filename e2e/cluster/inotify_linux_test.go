package cluster

import (
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestFreeInstances takes some instances, and wants just these to be missing.
func TestFreeInstances(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	if err != nil {
		t.Skip(err)
	}
	limit, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || limit > 1024 {
		t.Skipf("a limit of %s is more than this process may open files", text)
	}
	before, err := freeInstances(limit + 1)
	if err != nil || before > limit {
		t.Fatalf("%d of %d are free, %v", before, limit, err)
	}
	const taken, slack = 8, 4 // others of this machine may give some back at the same time
	if before < taken+1 {
		t.Skipf("%d of %d are free", before, limit)
	}
	for range taken {
		fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Close(fd) }()
	}
	if after, err := freeInstances(limit + 1); err != nil || after > before-taken+slack {
		t.Errorf("%d are free after %d of %d were taken, %v", after, taken, before, err)
	}
	if os.Geteuid() != 0 {
		return
	}
	err = Room(limit/instancesOfNode + 1)
	if err == nil || !strings.Contains(err.Error(), "sysctl -w fs.inotify.max_user_instances=512") {
		t.Errorf("%d nodes have room within %d: %v", limit/instancesOfNode+1, limit, err)
	}
	if err := Room(0); err != nil {
		t.Error(err)
	}
}
