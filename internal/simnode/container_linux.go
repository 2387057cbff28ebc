package simnode

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ContainerSpec is a container, as an OCI runtime has it.
type ContainerSpec struct {
	ID        string
	PodUID    string
	Namespace string
	Pod       string
	Name      string
	Restart   int
	Argv, Env []string
	UID, GID  int
	Group     string // its control group
	Mounts    []Bind
	Log       string
}

// Bind is a path of the node in a container.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

// enter makes the container's file system and makes it the root of the calling
// thread, which has a mount namespace of its own.
func (c ContainerSpec) enter() error {
	root := filepath.Join("/run/containers", c.ID)
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", root, "tmpfs", 0, "mode=755,size=16m"); err != nil {
		return err
	}
	for _, dir := range []string{"etc", "tmp", "var/log"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := bind(selfPath, root+selfPath); err != nil {
		return err
	}
	if err := libraries(root); err != nil {
		return err
	}
	// etcd of these nodes is a directory, which every API server has.
	if err := bind("/var/lib/etcd", root+"/var/lib/etcd"); err != nil {
		return err
	}
	if err := kernelFiles(root); err != nil {
		return err
	}
	// The shorter path first, so that one may lie in the other.
	slices.SortStableFunc(c.Mounts, func(a, b Bind) int { return strings.Compare(a.Target, b.Target) })
	for _, m := range c.Mounts {
		if err := m.mount(root); err != nil {
			return err
		}
	}
	return pivot(root)
}

// mount binds one path. What is missing is made as a directory (containerd,
// internal/cri/opts/spec_linux_opts.go, WithMounts): only a volume without a
// type gets that far, or one whose file went away after the kubelet's check.
func (m Bind) mount(root string) error {
	if _, err := os.Stat(m.Source); os.IsNotExist(err) {
		if err := os.MkdirAll(m.Source, 0o755); err != nil {
			return err
		}
	}
	target := filepath.Join(root, m.Target)
	if err := bind(m.Source, target); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	return syscall.Mount("", target, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, "")
}
