package crashtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Call is a system call that changes files, or makes a change durable.
type Call struct {
	Name string
	Path string // of the file, or of the descriptor that was given
	To   string // the second path of a rename or link
	// Err is what the call returned. A call at which the program was killed, and
	// one that was still running then, has none.
	Err error
}

func (c Call) String() string {
	return strings.TrimRight(c.Name+" "+c.Path+" "+c.To, " ")
}

// shape says which arguments of a call are paths.
type shape int

const (
	onFD    shape = iota // fd
	atPath               // dirfd, path
	atPaths              // dirfd, path, dirfd, path
	atLink               // text, dirfd, path
	onPath               // path
	onPaths              // path, path
	onLink               // text, path
)

type spec struct {
	name  string
	shape shape
}

// table has the calls of every architecture; older has those that only old ones
// have.
var table = map[uint64]spec{
	unix.SYS_OPENAT:    {"openat", atPath}, // only if it may create or truncate
	unix.SYS_WRITE:     {"write", onFD},
	unix.SYS_PWRITE64:  {"pwrite64", onFD},
	unix.SYS_WRITEV:    {"writev", onFD},
	unix.SYS_FTRUNCATE: {"ftruncate", onFD},
	unix.SYS_FALLOCATE: {"fallocate", onFD},
	unix.SYS_FSYNC:     {"fsync", onFD},
	unix.SYS_FDATASYNC: {"fdatasync", onFD},
	unix.SYS_FCHMOD:    {"fchmod", onFD},
	unix.SYS_FCHOWN:    {"fchown", onFD},
	unix.SYS_FSETXATTR: {"fsetxattr", onFD},
	unix.SYS_FLOCK:     {"flock", onFD},
	unix.SYS_FCHMODAT:  {"fchmodat", atPath},
	unix.SYS_FCHMODAT2: {"fchmodat2", atPath},
	unix.SYS_FCHOWNAT:  {"fchownat", atPath},
	unix.SYS_MKDIRAT:   {"mkdirat", atPath},
	unix.SYS_UNLINKAT:  {"unlinkat", atPath},
	unix.SYS_RENAMEAT:  {"renameat", atPaths},
	unix.SYS_RENAMEAT2: {"renameat2", atPaths},
	unix.SYS_LINKAT:    {"linkat", atPaths},
	unix.SYS_SYMLINKAT: {"symlinkat", atLink},
	unix.SYS_SETXATTR:  {"setxattr", onPath},
	unix.SYS_LSETXATTR: {"lsetxattr", onPath},
	unix.SYS_TRUNCATE:  {"truncate", onPath},
	unix.SYS_UTIMENSAT: {"utimensat", atPath},
	unix.SYS_MKNODAT:   {"mknodat", atPath},
	unix.SYS_SENDFILE:  {"sendfile", onFD},
}

const (
	opEntry = unix.PTRACE_SYSCALL_INFO_ENTRY
	opExit  = unix.PTRACE_SYSCALL_INFO_EXIT
)

// stopInfo is the kernel's struct ptrace_syscall_info.
type stopInfo struct {
	op   uint8
	_    [3]uint8
	_    uint32    // architecture
	_    [2]uint64 // instruction and stack pointer
	nr   uint64    // at the exit: what the call returns
	args [6]uint64
	_    [8]uint64 // what newer kernels may add
}

// err is the error that a call returns.
func (i stopInfo) err() error {
	if value := int64(i.nr); value < 0 && value > -4096 {
		return unix.Errno(-value)
	}
	return nil
}

func syscallInfo(tid int) (stopInfo, error) {
	var info stopInfo
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(tid),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno != 0 {
		return info, errno
	}
	return info, nil
}

// describe reads the call's paths out of the program. It says false for calls
// that do not count.
func (t *tracer) describe(tid int, info stopInfo) (Call, bool) {
	s, ok := table[info.nr]
	if !ok {
		s, ok = older[info.nr]
	}
	if !ok || s.name == "openat" && !creates(info.args[2]) || s.name == "open" && !creates(info.args[1]) {
		return Call{}, false
	}
	a := info.args
	call := Call{Name: s.name}
	switch s.shape {
	case onFD:
		call.Path = fdPath(tid, a[0])
	case atPath:
		call.Path = t.path(tid, a[0], a[1])
	case atPaths:
		call.Path, call.To = t.path(tid, a[0], a[1]), t.path(tid, a[2], a[3])
	case atLink:
		call.Path = t.path(tid, a[1], a[2])
	case onPath:
		call.Path = t.path(tid, here, a[0])
	case onPaths:
		call.Path, call.To = t.path(tid, here, a[0]), t.path(tid, here, a[1])
	case onLink:
		call.Path = t.path(tid, here, a[1])
	}
	return call, t.counts(call)
}

func creates(flags uint64) bool {
	return flags&(unix.O_CREAT|unix.O_TRUNC) != 0 || flags&unix.O_TMPFILE == unix.O_TMPFILE
}

// here is AT_FDCWD as a register holds it.
const here = ^uint64(99)

func (t *tracer) path(tid int, dirfd, addr uint64) string {
	name := t.text(addr)
	if filepath.IsAbs(name) {
		return filepath.Clean(name)
	}
	if int32(dirfd) == unix.AT_FDCWD {
		cwd, _ := os.Readlink(fmt.Sprintf("/proc/%d/cwd", tid))
		return filepath.Join(cwd, name)
	}
	return filepath.Join(fdPath(tid, dirfd), name)
}

func fdPath(tid int, fd uint64) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", tid, int32(fd)))
	return path
}

// text reads a C string out of the program's memory.
func (t *tracer) text(addr uint64) string {
	buf := make([]byte, unix.PathMax)
	n, _ := t.mem.ReadAt(buf, int64(addr)) // short at the end of a mapping
	if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
		return string(buf[:end])
	}
	return string(buf[:n])
}

// Points are the calls, from 1 on, at which a kill finds another tree than at the one
// before: a call that failed, fsync and flock leave the tree as it is.
func Points(calls []Call) []int {
	var points []int
	for i := range calls {
		if i == 0 || calls[i-1].Err == nil && calls[i-1].Name != "fsync" && calls[i-1].Name != "fdatasync" && calls[i-1].Name != "flock" {
			points = append(points, i+1)
		}
	}
	return points
}
