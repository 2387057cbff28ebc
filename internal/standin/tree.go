package standin

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Tree is the file tree of a made-up node.
type Tree struct {
	T    testing.TB
	Root string
}

// NewTree is a node on which a kubelet runs, PID 5, whose name for it is cp.
func NewTree(t testing.TB) Tree {
	m := Tree{t, t.TempDir()}
	m.Write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
	m.Write("var/lib/kubelet/config.yaml", "staticPodPath: /etc/kubernetes/manifests\n")
	m.Start(5, "/usr/bin/kubelet", "--hostname-override=cp")
	return m
}

// Mkdir makes a directory and returns where it is.
func (m Tree) Mkdir(name string) string {
	name = filepath.Join(m.Root, name)
	if err := os.MkdirAll(name, 0o755); err != nil {
		m.T.Error(err)
	}
	return name
}

// Write writes a file and the directories above it.
func (m Tree) Write(name, text string) {
	if err := os.WriteFile(filepath.Join(m.Mkdir(filepath.Dir(name)), filepath.Base(name)), []byte(text), 0o644); err != nil {
		m.T.Error(err)
	}
}

// Append adds to a file.
func (m Tree) Append(name, text string) {
	f, err := os.OpenFile(filepath.Join(m.Root, name), os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		_ = f.Close()
	}
	if err != nil {
		m.T.Error(err)
	}
}

// Start makes a process; its PID is its start time. A kube-apiserver gets a
// static Pod of its own.
func (m Tree) Start(pid int, argv ...string) {
	m.Write(fmt.Sprintf("proc/%d/stat", pid), fmt.Sprintf("%d (kube api) S 1 1 1 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 9 0 %d 1 1", pid, pid))
	m.Write(fmt.Sprintf("proc/%d/status", pid), "Name:\tx\nUid:\t0\t0\t0\t0\n")
	if filepath.Base(argv[0]) == "kube-apiserver" {
		uid := fmt.Sprintf("%032x", pid)
		m.Write(fmt.Sprintf("proc/%d/cgroup", pid), "0::/kubepods/burstable/pod"+uid+"/ab\n")
		m.Mkdir("var/log/pods/kube-system_kube-apiserver-cp_" + uid)
	}
	m.Write(fmt.Sprintf("proc/%d/cmdline", pid), strings.Join(argv, "\x00")+"\x00")
}

// End ends a process.
func (m Tree) End(pid int) {
	if err := os.RemoveAll(filepath.Join(m.Root, "proc", strconv.Itoa(pid))); err != nil {
		m.T.Error(err)
	}
}
