package simnode

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// ContainerSpec is a container for runc, as an OCI runtime has it.
type ContainerSpec struct {
	ID        string
	PodUID    string
	Namespace string
	Pod       string
	Name      string
	Restart   int
	Path      string // of the program, before the root changes
	Argv, Env []string
	UID, GID  int
	Group     string // its control group
	Mounts    []Bind
	Log       string
	Image     bool // it has a root of its own
}

// Bind is a path of the node in a container.
type Bind struct {
	Source, Target string
	ReadOnly       bool
}

// runcInit is what becomes the container's process: it enters the control group
// and the root, and goes on as the command. Until then its name is runc, as in
// a real node's process list.
func runcInit() error {
	var c ContainerSpec
	if err := fromEnv(envContainer, &c); err != nil {
		return err
	}
	if c.Group != "" {
		if err := joinGroup(c.Group); err != nil {
			return err
		}
	}
	if c.Image {
		if err := c.enter(); err != nil {
			return fmt.Errorf("container root: %w", err)
		}
		c.Path = selfPath
	}
	if c.UID != 0 || c.GID != 0 {
		if err := syscall.Setgroups([]int{c.GID}); err != nil {
			return err
		}
		if err := syscall.Setgid(c.GID); err != nil {
			return err
		}
		if err := syscall.Setuid(c.UID); err != nil {
			return err
		}
	}
	return syscall.Exec(c.Path, c.Argv, append(os.Environ(), c.Env...))
}

// enter makes the container's file system and changes to it.
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
// type gets that far.
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
