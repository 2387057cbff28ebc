package rehearsal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"auditpatch/internal/proc"
)

// stageName is argv[0] of a second auditpatch that is to become an API server, and then
// of that API server: nobody who looks for a kube-apiserver finds it.
const stageName = "auditpatch-rehearsal"

// Descriptors that the stage finds open.
const (
	specFD  = 3 // the spec as JSON
	faultFD = 4 // takes why it did not become an API server; nothing is written when it does
)

// heldFD is the descriptor that the second API server inherits for its port: a socket that is
// bound and does not listen, with SO_REUSEPORT. So only its own user can bind that port, for as
// long as somebody has the descriptor (socket(7)).
const heldFD = 99

// Stage becomes the second API server if that is what this process was started for, and
// returns otherwise. It comes first in main.
func Stage(argv []string) {
	if len(argv) != 1 || argv[0] != stageName {
		return
	}
	unix.CloseOnExec(specFD)
	unix.CloseOnExec(faultFD)
	err := perform()
	var log *logError
	_ = json.NewEncoder(os.NewFile(faultFD, "fault")).Encode(fault{err.Error(), errors.As(err, &log)})
	os.Exit(1)
}

// perform does not return when all goes well.
func perform() error {
	// Namespaces, capabilities and the signal of the parent's death belong to a thread.
	runtime.LockOSThread()
	var s spec
	if err := json.NewDecoder(os.NewFile(specFD, "spec")).Decode(&s); err != nil {
		return fmt.Errorf("read what is to be rehearsed: %w", err)
	}
	parent := os.Getppid()
	// Before the API server of the node, this one goes when memory runs out.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("800"), 0)
	if err := unix.Sethostname([]byte(s.Hostname)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	limits := limitsOf(s.PID)
	label, err := readLabel(s.PID)
	if err != nil {
		return err
	}
	// What is cloned from mounts that are shared with the node would be mounted there too,
	// with all that is mounted on it.
	if err := private(); err != nil {
		return err
	}
	r := root{spec: s}
	if err := r.build(); err != nil {
		return err
	}
	if err := unix.Chdir(s.Dir); err != nil {
		return fmt.Errorf("enter %s: %w", s.Dir, err)
	}
	for resource, limit := range limits {
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("set resource limit %d: %w", resource, err)
		}
	}
	if err := label.take(); err != nil {
		return err
	}
	if err := become(s.As); err != nil {
		return err
	}
	if err := openLog(s.Log); err != nil {
		return err
	}
	if err := holdPort(s.Listen); err != nil {
		return fmt.Errorf("hold %s: %w", s.Listen, err)
	}
	// A change of credentials clears it, and exec keeps it.
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("tie it to auditpatch: %w", err)
	}
	if os.Getppid() != parent {
		return errors.New("auditpatch has ended")
	}
	return fmt.Errorf("start %s: %w", s.Program, unix.Exec(byAnotherName, append([]string{stageName}, s.Args...), s.Env))
}

// holdPort binds a port so that nobody of another user can, and leaves the socket to the
// program that this process becomes.
func holdPort(address string) error {
	if address == "" {
		return nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	family, sockaddr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, sockaddr = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return err
	}
	if err := unix.Bind(fd, sockaddr); err != nil {
		return err
	}
	return unix.Dup3(fd, heldFD, 0) // far from those that Go's runtime has
}

// logError is what a log that does not open is to the API server, in its words.
type logError struct{ error }

// openLog opens the log as the API server would (k8s.io/apiserver/pkg/server/options/audit.go,
// ensureLogFile), and writes to a file without a name beside it, since the log of the second
// API server lies elsewhere.
func openLog(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_RDWR, 0)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case err == nil:
		_ = f.Close()
	case !missing:
		return &logError{fmt.Errorf("ensureLogFile: %w", err)}
	}
	err = writeUnnamed(filepath.Dir(name))
	switch {
	case err == nil, errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EISDIR), errors.Is(err, fs.ErrNotExist):
		return nil // the file system knows no files without a name, or there is no directory yet
	case missing, errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return &logError{fmt.Errorf("ensureLogFile: %w", &fs.PathError{Op: "open", Path: name, Err: err})}
	}
	return nil
}

// writeUnnamed writes as much as an event may take to a file that nobody can see.
func writeUnnamed(dir string) error {
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), dir)
	_, err = f.Write(make([]byte, 64<<10))
	_ = f.Close()
	return err
}

// byAnotherName is a symlink to the program. The kernel takes a process's name from the path
// that it was started by, so those who look for kube-apiserver by name, with pgrep or pkill,
// do not find the second one.
const byAnotherName = "/" + stageName

// root is the file system of the second API server.
type root struct {
	spec
	clones []clone
	proc   int    // a clone of the machine's
	option string // for each new file system, from a security module; "" for none
}

// clone is a mount that is taken along.
type clone struct {
	mount
	fd int // -1 for none
}

// Where the new root is put together: on top of /proc, which every container has, in a
// private copy of its mounts. The new root has it at the same place until all is done.
const (
	work    = "/proc"
	layers  = work + "/layers"
	newRoot = work + "/root"
)

// build puts the file system together and makes it this process's root: the image and the
// writable layer of the running container below, and above them a layer in memory that
// takes what is written. So not even a mount point is left in the container.
func (r *root) build() error {
	points, option, err := mountPoints(r.PID)
	if err != nil {
		return err
	}
	r.option = option
	if err := r.cloneHost(); err != nil {
		return err
	}
	if err := r.enter(); err != nil {
		return err
	}
	inherited, err := r.inherit(points)
	if err != nil {
		return err
	}
	readOnly, err := isReadOnly("/")
	if err != nil {
		return err
	}
	if err := r.change(); err != nil {
		return err
	}
	if err := r.place(inherited); err != nil {
		return err
	}
	if err := os.Symlink(r.Program, byAnotherName); err != nil {
		return fmt.Errorf("give the program another name: %w", err)
	}
	if readOnly {
		return remountReadOnly("/")
	}
	return nil
}

// cloneHost takes clones of what the new Pod mounts, while this process still sees the
// node's own mounts. The kubelet binds them with all that is mounted below.
func (r *root) cloneHost() (err error) {
	for _, m := range r.Mounts {
		c := clone{mount: m, fd: -1}
		if m.File == nil && m.Host != "" {
			if c.fd, err = openTree(m.Host, true); err != nil {
				return err
			}
		}
		r.clones = append(r.clones, c)
	}
	// The container's own shows a PID namespace that this process is not in.
	r.proc, err = openTree("/proc", false)
	return err
}

func openTree(path string, recursive bool) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, flags)
	if errors.Is(err, unix.ENOSYS) {
		return -1, errors.New("this kernel is older than 5.2 and has no open_tree(2)")
	}
	if err != nil {
		return -1, fmt.Errorf("clone the mount %s: %w", path, err)
	}
	return fd, nil
}

// enter goes into a private copy of the running container's mounts.
func (r *root) enter() error {
	ns, err := unix.Open(fmt.Sprintf("/proc/%d/ns/mnt", r.PID), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open the container's mounts: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare the root directory: %w", err)
	}
	if err := unix.Setns(ns, unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("enter the container's mounts: %w", err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("copy the container's mounts: %w", err)
	}
	return private()
}

// private keeps what is mounted in this mount namespace from all others.
func private() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	return nil
}

// inherit takes clones of the container's mounts that the new Pod has as well: /dev,
// /etc/hosts and their like.
func (r *root) inherit(points []string) (out []clone, err error) {
	for _, p := range points {
		nested := slices.ContainsFunc(out, func(c clone) bool { return within(p, c.Path) })
		if p == "/" || within(p, "/proc") || nested || slices.Contains(r.Hidden, p) {
			continue
		}
		fd, err := openTree(p, true)
		if err != nil {
			return nil, err
		}
		out = append(out, clone{mount: mount{Path: p}, fd: fd})
	}
	return out, nil
}

// change makes an overlay of the container's root this process's root, with the place where
// layers lie in the same place.
func (r *root) change() error {
	if err := unix.Mount("tmpfs", work, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, joined("mode=0755", r.option)); err != nil {
		return fmt.Errorf("mount a file system in memory: %w", err)
	}
	if err := os.MkdirAll(newRoot, 0o755); err != nil {
		return err
	}
	if err := r.overlay("root", "/", newRoot); err != nil {
		return err
	}
	fd, err := openTree(work, false)
	if err != nil {
		return err
	}
	if err := unix.MoveMount(fd, "", unix.AT_FDCWD, filepath.Join(newRoot, work), unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount the layers: %w", err)
	}
	if err := unix.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("let go of the old root: %w", err)
	}
	return unix.Chdir("/")
}

// joined are mount options, as the kernel takes them.
func joined(options ...string) string {
	return strings.Join(slices.DeleteFunc(options, func(o string) bool { return o == "" }), ",")
}

// overlay mounts a directory at a place so that what is written there stays in memory.
func (r *root) overlay(name, lower, at string) error {
	upper, scratch := filepath.Join(layers, name, "upper"), filepath.Join(layers, name, "work")
	for _, dir := range []string{upper, scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// The layer above decides what the directory is like.
	if err := like(upper, lower); err != nil {
		return err
	}
	options := joined("lowerdir="+lower, "upperdir="+upper, "workdir="+scratch, r.option)
	// Without nosuid the capabilities of a program's file make its start one that clears the
	// signal of the parent's death (execve(2), prctl(2)).
	if err := unix.Mount("overlay", at, "overlay", unix.MS_NOSUID, options); err != nil {
		return fmt.Errorf("mount an overlay of %s: %w", lower, err)
	}
	return nil
}

// like gives a directory the mode and owner of another.
func like(dir, other string) error {
	var st unix.Stat_t
	if err := unix.Stat(other, &st); err != nil {
		return err
	}
	if err := os.Chown(dir, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return os.Chmod(dir, fs.FileMode(st.Mode&0o777))
}

// place puts all mounts and files into the new root.
func (r *root) place(inherited []clone) error {
	for _, c := range inherited {
		if err := c.place(); err != nil {
			return err
		}
		for _, hidden := range r.Hidden {
			if within(hidden, c.Path) {
				_ = unix.Unmount(hidden, unix.MNT_DETACH)
			}
		}
	}
	for i := range r.clones {
		if err := r.clones[i].place(); err != nil {
			return err
		}
		if err := r.placeFiles(i); err != nil {
			return err
		}
	}
	for _, c := range r.clones {
		if !c.ReadOnly {
			continue
		}
		if err := remountReadOnly(c.Path); err != nil {
			return err
		}
	}
	proc := clone{mount: mount{Path: "/proc"}, fd: r.proc}
	return proc.place()
}

func remountReadOnly(at string) error {
	if err := unix.Mount("", at, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", at, err)
	}
	return nil
}

// place mounts one clone, or what stands in for it.
func (c *clone) place() error {
	if c.fd < 0 {
		source, err := c.standIn()
		if err != nil {
			return fmt.Errorf("stand in for %s: %w", c.Path, err)
		}
		if c.fd, err = openTree(source, false); err != nil {
			return err
		}
	}
	if err := mountPoint(c.fd, c.Path); err != nil {
		return fmt.Errorf("make the mount point %s: %w", c.Path, err)
	}
	if err := unix.MoveMount(c.fd, "", unix.AT_FDCWD, c.Path, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", c.Path, err)
	}
	return nil
}

// standIn makes the file that is still to be written, or an empty directory.
func (c *clone) standIn() (string, error) {
	dir, err := os.MkdirTemp(layers, "new-")
	if err != nil {
		return "", err
	}
	if c.File != nil {
		name := filepath.Join(dir, "file")
		return name, c.File.write(name)
	}
	name := filepath.Join(dir, "directory")
	if err := os.Mkdir(name, 0o700); err != nil {
		return "", err
	}
	return name, c.Stand.own(name)
}

// make makes the file or directory where it belongs.
func (f *file) make() error {
	if !f.Dir {
		return f.write(f.Path)
	}
	if err := os.Mkdir(f.Path, 0o700); err != nil {
		return err
	}
	return f.own(f.Path)
}

// write makes the file.
func (f *file) write(name string) error {
	if err := os.WriteFile(name, f.Data, 0o600); err != nil {
		return err
	}
	return f.own(name)
}

// own gives a file its owner and mode.
func (f *file) own(name string) error {
	if err := os.Chown(name, f.UID, f.GID); err != nil {
		return err
	}
	return os.Chmod(name, f.Mode.Perm())
}

// placeFiles puts the files of a mount into it, over what lies there on the node: the mount
// then is an overlay, and the node's own directory is not written to. Mounts within it come
// later.
func (r *root) placeFiles(i int) error {
	at := r.clones[i].Path
	if !r.changes(r.clones[i].mount) {
		return nil
	}
	if err := r.overlay(fmt.Sprintf("mount-%d", i), at, at); err != nil {
		return err
	}
	for _, f := range r.Files {
		if r.nearest(f.Path) != at {
			continue
		}
		if err := f.replace(); err != nil {
			return err
		}
	}
	return nil
}

// replace puts a file where something else may lie.
func (f *file) replace() error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
		return fmt.Errorf("make the directory of %s: %w", f.Path, err)
	}
	if err := os.RemoveAll(f.Path); err != nil {
		return fmt.Errorf("replace %s: %w", f.Path, err)
	}
	if err := f.make(); err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}

// mountPoint makes what a mount goes onto, where nothing is.
func mountPoint(fd int, at string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if _, err := os.Lstat(at); err == nil {
		return nil
	}
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return os.MkdirAll(at, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	return os.WriteFile(at, nil, 0o600)
}

// mountPoints are those of a process, outer ones first, and the option with which its root
// was mounted for a security module: what is mounted without it the process could not read.
func mountPoints(pid int) (points []string, option string, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return nil, "", fmt.Errorf("read the container's mounts: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		left, right, _ := strings.Cut(line, " - ")
		fields, super := strings.Fields(left), strings.Fields(right)
		if len(fields) < 5 {
			continue
		}
		points = append(points, unescape(fields[4]))
		if fields[4] == "/" && len(super) > 2 {
			option = contextOf(super[2])
		}
	}
	slices.SortStableFunc(points, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return slices.Compact(points), option, nil
}

// contextOf is SELinux's context= among the options of a mount, which has commas between
// quotes; "" without one.
func contextOf(options string) string {
	i := strings.Index(options, `context="`)
	if i < 0 || i > 0 && options[i-1] != ',' {
		return ""
	}
	quoted, _, closed := strings.Cut(options[i+len(`context="`):], `"`)
	if !closed {
		return ""
	}
	return `context="` + quoted + `"`
}

// isReadOnly tells whether a mount is.
func isReadOnly(at string) (bool, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(at, &st); err != nil {
		return false, fmt.Errorf("look at %s: %w", at, err)
	}
	return st.Flags&unix.ST_RDONLY != 0, nil
}

// limitsOf are the resource limits of a process.
func limitsOf(pid int) map[int]unix.Rlimit {
	out := map[int]unix.Rlimit{}
	for _, resource := range []int{unix.RLIMIT_NOFILE, unix.RLIMIT_NPROC, unix.RLIMIT_CORE, unix.RLIMIT_FSIZE, unix.RLIMIT_AS, unix.RLIMIT_MEMLOCK} {
		var limit unix.Rlimit
		if unix.Prlimit(pid, resource, nil, &limit) == nil {
			out[resource] = limit
		}
	}
	return out
}

// become takes on the credentials of the API server that runs.
func become(c proc.Credentials) error {
	for bit := 0; bit < 64; bit++ {
		// The kernel refuses numbers that it does not have.
		if on, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(bit), 0, 0, 0); err != nil || on == 0 || c.Bounding>>bit&1 == 1 {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(bit), 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", bit, err)
		}
	}
	if err := unix.Setgroups(c.Groups); err != nil {
		return fmt.Errorf("take on the groups %v: %w", c.Groups, err)
	}
	if err := unix.Setresgid(c.GID, c.GID, c.GID); err != nil {
		return fmt.Errorf("take on the group %d: %w", c.GID, err)
	}
	if err := unix.Setresuid(c.UID, c.UID, c.UID); err != nil {
		return fmt.Errorf("take on the user %d: %w", c.UID, err)
	}
	if err := setCapabilities(c); err != nil {
		return err
	}
	if c.NoNewPrivs {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("forbid new privileges: %w", err)
		}
	}
	return nil
}

// setCapabilities leaves what the API server has. After a change of the user from root
// nothing is left to leave.
func setCapabilities(c proc.Credentials) error {
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var now [2]unix.CapUserData
	if err := unix.Capget(&head, &now[0]); err != nil {
		return fmt.Errorf("read the capabilities: %w", err)
	}
	for i := range now {
		shift := 32 * i
		now[i].Permitted &= uint32(c.Permitted >> shift)
		now[i].Effective &= uint32(c.Effective>>shift) & now[i].Permitted
		now[i].Inheritable = uint32(c.Inherited>>shift) & now[i].Permitted
	}
	if err := unix.Capset(&head, &now[0]); err != nil {
		return fmt.Errorf("take on the capabilities: %w", err)
	}
	return nil
}

// label is what a security module has the API server run under.
type label struct{ file, text string }

// readLabel reads that of a process: of AppArmor where it has its own folder, and of
// SELinux otherwise (proc_pid_attr(5)). None is "" or, for AppArmor, unconfined.
func readLabel(pid int) (label, error) {
	for _, l := range []label{{"apparmor/exec", "apparmor/current"}, {"exec", "current"}} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/attr/%s", pid, l.text))
		if err != nil {
			continue // no such module
		}
		text := strings.TrimRight(string(data), "\x00\n")
		profile, mode, confined := strings.Cut(text, " (")
		switch {
		case text == "", text == "unconfined", strings.HasPrefix(text, "kernel"):
			return label{}, nil
		case strings.HasPrefix(l.file, "apparmor") || confined && strings.HasSuffix(mode, ")"):
			return label{l.file, "exec " + profile}, nil
		}
		return label{l.file, text}, nil
	}
	return label{}, nil
}

// take has the next exec run under the label.
func (l label) take() error {
	if l.text == "" {
		return nil
	}
	if err := os.WriteFile("/proc/thread-self/attr/"+l.file, []byte(l.text), 0); err != nil {
		return fmt.Errorf("run under the label %q: %w", l.text, err)
	}
	return nil
}
