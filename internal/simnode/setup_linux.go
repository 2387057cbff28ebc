package simnode

import (
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// selfPath is this binary on the node.
const selfPath = "/usr/local/bin/simnode"

// programPath is the program under test.
const programPath = "/usr/local/bin/auditpatch"

// setUp makes the file system, the network and the host name.
func (c machineConfig) setUp() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := syscall.Mount("tmpfs", c.Root, "tmpfs", 0, "mode=755,size=8g"); err != nil {
		return err
	}
	steps := []func() error{
		c.directories,
		func() error { return bind(c.Program, c.Root+programPath) },
		func() error { return bind(c.Self, c.Root+selfPath) },
		func() error { return libraries(c.Root) },
		func() error { return kernelFiles(c.Root) },
		c.groups,
		func() error { return pivot(c.Root) },
		func() error { return syscall.Sethostname([]byte(c.Hostname)) },
		network,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c machineConfig) directories() error {
	for _, dir := range []string{
		"etc/kubernetes/manifests", "etc/kubernetes/pki", "etc/ssl/certs", "root", "run", "srv", "tmp", "usr/bin", "bin",
		"var/lib/kubelet/pods", "var/lib/etcd", "var/log/pods", "var/log/containers",
	} {
		if err := os.MkdirAll(filepath.Join(c.Root, dir), 0o755); err != nil {
			return err
		}
	}
	return os.Chmod(filepath.Join(c.Root, "tmp"), 0o777|os.ModeSticky)
}

// libraries are what a test binary needs that was linked with cgo.
func libraries(root string) error {
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib"} {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		if err := bind(dir, root+dir); err != nil {
			return err
		}
	}
	return nil
}

// kernelFiles mounts /proc and makes the devices that programs expect.
func kernelFiles(root string) error {
	for _, dir := range []string{"proc", "sys", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	if err := syscall.Mount("proc", filepath.Join(root, "proc"), "proc", 0, ""); err != nil {
		return &os.PathError{Op: "mount", Path: "/proc", Err: err}
	}
	for name, minor := range map[string]uint32{"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9} {
		file := filepath.Join(root, "dev", name)
		if err := syscall.Mknod(file, syscall.S_IFCHR|0o666, int(unix.Mkdev(1, minor))); err != nil {
			return &os.PathError{Op: "mknod", Path: file, Err: err}
		}
		if err := os.Chmod(file, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// enterGroups makes the node's control groups those of this process, and the
// roots of what it sees.
func (c machineConfig) enterGroups() error {
	for _, h := range c.Hierarchies {
		if err := os.WriteFile(filepath.Join(h.Parent, "cgroup.procs"), []byte("0"), 0); err != nil {
			return err
		}
	}
	return unix.Unshare(unix.CLONE_NEWCGROUP)
}

// groups mounts the node's control groups. The node has a cgroup namespace, so
// it sees its own group as their root.
func (c machineConfig) groups() error {
	base := filepath.Join(c.Root, "sys/fs/cgroup")
	if err := os.MkdirAll(base, 0o755); err != nil {
		return err
	}
	for _, h := range c.Hierarchies {
		dir, kind := filepath.Join(base, h.Name), "cgroup"
		if h.Name == "" {
			kind = "cgroup2"
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		options := h.Options
		if err := syscall.Mount(kind, dir, kind, 0, options); err != nil {
			return &os.PathError{Op: "mount", Path: dir, Err: err}
		}
	}
	return nil
}

// bind puts a file or directory of the host at a place of the node, which it
// makes.
func bind(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := place(target, info.IsDir()); err != nil {
		return err
	}
	if err := syscall.Mount(source, target, "", syscall.MS_BIND|syscall.MS_REC, ""); err != nil {
		return &os.PathError{Op: "bind", Path: target, Err: err}
	}
	return nil
}

// place makes something to mount on.
func place(target string, dir bool) error {
	if dir {
		return os.MkdirAll(target, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// pivot makes a mount the root, and forgets the old one.
func pivot(root string) error {
	if err := os.Chdir(root); err != nil {
		return err
	}
	if err := syscall.PivotRoot(".", "."); err != nil {
		return &os.PathError{Op: "pivot_root", Path: root, Err: err}
	}
	if err := syscall.Unmount(".", syscall.MNT_DETACH); err != nil {
		return &os.PathError{Op: "umount", Path: "the old root", Err: err}
	}
	return os.Chdir("/")
}

// network gives the loopback device the node's address too.
func network() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING | unix.IFF_LOOPBACK)
	if err := unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up); err != nil {
		return err
	}
	address, err := unix.NewIfreq("lo:0")
	if err != nil {
		return err
	}
	if err := address.SetInet4Addr([]byte{192, 0, 2, 10}); err != nil {
		return err
	}
	return unix.IoctlIfreq(fd, unix.SIOCSIFADDR, address)
}
