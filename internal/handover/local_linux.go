package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// local takes the clients on this machine that connect to 127.0.0.0/8: what they connect to
// is another port, as long as it is open. Some programs are exempt by their names: every
// kube-apiserver dials itself when it starts and must find itself, and this program asks the
// node's own API server whether it is ready. Only the network namespace that it was made in
// is concerned.
//
// Those who connect to ::1 are not taken: a listener on 127.0.0.1 knows IPv4 only.
type local struct {
	program *ebpf.Program
	link    link.Link
}

// takeLocal has connections from here to a port go to another one from now on.
func takeLocal(port, to int, exempt ...string) (l *local, err error) {
	cookie, err := networkCookie()
	if err != nil {
		return nil, fmt.Errorf("ask for the network namespace: %w", err)
	}
	l = &local{}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	l.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "auditpatch", Type: ebpf.CGroupSockAddr, AttachType: ebpf.AttachCGroupInet4Connect, License: "Apache-2.0",
		Instructions: connect4(port, to, cookie, exempt),
	})
	if err != nil {
		return l, fmt.Errorf("load a BPF program of type connect4: %w", err)
	}
	root, err := cgroupRoot()
	if err != nil {
		return l, fmt.Errorf("open the control groups: %w", err)
	}
	defer root.Close()
	l.link, err = link.AttachRawLink(link.RawLinkOptions{Target: int(root.Fd()), Program: l.program, Attach: ebpf.AttachCGroupInet4Connect})
	if err != nil {
		return l, fmt.Errorf("attach a BPF program to the control groups: %w", err)
	}
	return l, nil
}

// networkCookie names the network namespace (SO_NETNS_COOKIE, Linux 5.14).
func networkCookie() (uint64, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	return unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_NETNS_COOKIE)
}

// cgroupRoot is the root of the second version's control groups as far as this process sees
// them. Every process is in one of them, also where the first version is in use.
func cgroupRoot() (*os.File, error) {
	// Of a group above the root of our namespace the kernel says /.. (cgroup_namespaces(7)).
	first, err := os.ReadFile("/proc/1/cgroup")
	if err != nil {
		return nil, err
	}
	if strings.Contains("\n"+string(first), "\n0::/..") {
		return nil, errors.New("this process has a cgroup namespace of its own, and does not see the others")
	}
	fs, err := unix.Fsopen("cgroup2", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mount)
	fd, err := unix.Openat(mount, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "cgroup2"), nil
}

// Where the fields of struct bpf_sock_addr lie (include/uapi/linux/bpf.h). Address and port
// are in the network's byte order.
const (
	ctxUserIP4      = 4
	ctxUserPort     = 24
	ctxAddrProtocol = 36
	goOn            = "go on"
	commLen         = 16 // TASK_COMM_LEN, with the zero at its end
	allowed         = 1
)

// netPort is what a port in the network's byte order looks like to the program.
func netPort(port int) int32 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], uint16(port))
	return int32(binary.NativeEndian.Uint16(b[:]))
}

func connect4(port, to int, cookie uint64, exempt []string) asm.Instructions {
	out := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, ctxAddrProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_TCP, goOn),
		asm.LoadMem(asm.R2, asm.R6, ctxUserPort, asm.Word),
		asm.JNE.Imm(asm.R2, netPort(port), goOn),
		asm.LoadMem(asm.R2, asm.R6, ctxUserIP4, asm.Word),
		asm.And.Imm32(asm.R2, netOrder(0xff000000)),
		asm.JNE.Imm32(asm.R2, netOrder(0x7f000000), goOn),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.FnGetNetnsCookie.Call(),
		asm.LoadImm(asm.R2, int64(cookie), asm.DWord),
		asm.JNE.Reg(asm.R0, asm.R2, goOn),
		asm.Mov.Reg(asm.R1, asm.R10),
		asm.Add.Imm(asm.R1, -commLen),
		asm.Mov.Imm(asm.R2, commLen),
		asm.FnGetCurrentComm.Call(),
		asm.LoadMem(asm.R7, asm.R10, -commLen, asm.DWord),
		asm.LoadMem(asm.R8, asm.R10, -commLen+8, asm.DWord),
	}
	for i, name := range exempt {
		var comm [commLen]byte
		copy(comm[:commLen-1], name)
		next := fmt.Sprintf("not %d", i)
		out = append(out,
			asm.LoadImm(asm.R2, int64(binary.NativeEndian.Uint64(comm[:8])), asm.DWord),
			asm.JNE.Reg(asm.R7, asm.R2, next),
			asm.LoadImm(asm.R2, int64(binary.NativeEndian.Uint64(comm[8:])), asm.DWord),
			asm.JEq.Reg(asm.R8, asm.R2, goOn),
			asm.Mov.Imm(asm.R0, 0).WithSymbol(next))
	}
	return append(out,
		asm.Mov.Imm(asm.R2, netPort(to)),
		asm.StoreMem(asm.R6, ctxUserPort, asm.R2, asm.Word),
		asm.Mov.Imm(asm.R0, allowed).WithSymbol(goOn),
		asm.Return(),
	)
}

// ownName is what the kernel calls this program.
func ownName() (string, error) {
	data, err := os.ReadFile("/proc/self/comm")
	if name := strings.TrimSuffix(string(data), "\n"); err != nil || name != "" {
		return name, err
	}
	return "", errors.New("this process has no name")
}

// close lets connections go the usual way.
func (l *local) close() {
	if l.link != nil {
		_ = l.link.Close()
	}
	_ = l.program.Close() // a nil one is closed already
}
