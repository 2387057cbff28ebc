package handover

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// redirect gives new TCP connections for a port to another listener, whether or not
// somebody listens on that port. Addresses stay as they are on both sides. Connections to
// loopback addresses pass: every kube-apiserver dials itself there when it starts, and could
// not if another one answered.
//
// It works for as long as this process holds its descriptors.
type redirect struct {
	listeners *ebpf.Map
	program   *ebpf.Program
	link      *link.NetNsLink
}

// newRedirect loads the program for a port, without an effect yet.
func newRedirect(port int) (r *redirect, err error) {
	r = &redirect{}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	// A SOCKMAP holds a listener without keeping it open: when its owner dies, the lookup
	// finds nothing and the connection goes the usual way.
	r.listeners, err = ebpf.NewMap(&ebpf.MapSpec{Name: "standby", Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: 1})
	if err != nil {
		return r, fmt.Errorf("make a BPF map of sockets: %w", err)
	}
	r.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "auditpatch", Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "Apache-2.0",
		Instructions: r.instructions(port),
	})
	if err != nil {
		return r, fmt.Errorf("load a BPF program of type sk_lookup: %w", err)
	}
	return r, nil
}

// Where the fields of struct bpf_sk_lookup lie (include/uapi/linux/bpf.h). Addresses are in
// the network's byte order, the local port is in the host's.
const (
	ctxFamily    = 8
	ctxProtocol  = 12
	ctxLocalIP4  = 40
	ctxLocalIP6  = 44
	ctxLocalPort = 60
)

const (
	skPass = 1 // SK_PASS
	toTake = "take"
	toPass = "pass"
)

// netOrder is what a word in the network's byte order looks like to the program.
func netOrder(word uint32) int32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], word)
	return int32(binary.NativeEndian.Uint32(b[:]))
}

func (r *redirect) instructions(port int) asm.Instructions {
	out := asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.LoadMem(asm.R2, asm.R6, ctxProtocol, asm.Word),
		asm.JNE.Imm(asm.R2, unix.IPPROTO_TCP, toPass),
		asm.LoadMem(asm.R2, asm.R6, ctxLocalPort, asm.Word),
		asm.JNE.Imm(asm.R2, int32(port), toPass),
		asm.LoadMem(asm.R2, asm.R6, ctxFamily, asm.Word),
		asm.JEq.Imm(asm.R2, unix.AF_INET6, "six"),
		// 127.0.0.0/8
		asm.LoadMem(asm.R2, asm.R6, ctxLocalIP4, asm.Word),
		asm.And.Imm32(asm.R2, netOrder(0xff000000)),
		asm.JEq.Imm32(asm.R2, netOrder(0x7f000000), toPass),
		asm.Ja.Label(toTake),
		// ::1
		asm.LoadMem(asm.R2, asm.R6, ctxLocalIP6+12, asm.Word).WithSymbol("six"),
		asm.JNE.Imm32(asm.R2, netOrder(1), toTake),
	}
	for word := int16(0); word < 3; word++ {
		out = append(out,
			asm.LoadMem(asm.R2, asm.R6, ctxLocalIP6+4*word, asm.Word),
			asm.JNE.Imm(asm.R2, 0, toTake))
	}
	return append(out,
		asm.Ja.Label(toPass),
		asm.StoreImm(asm.R10, -4, 0, asm.Word).WithSymbol(toTake),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, r.listeners.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, toPass),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.FnSkRelease.Call(),
		asm.Mov.Imm(asm.R0, skPass).WithSymbol(toPass),
		asm.Return(),
	)
}

// attach gives connections to a listener from now on.
func (r *redirect) attach(listener *os.File) error {
	if err := r.put(listener); err != nil {
		return fmt.Errorf("put the listener into a BPF map: %w", err)
	}
	ns, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer ns.Close()
	if r.link, err = link.AttachNetNs(int(ns.Fd()), r.program); err != nil {
		return fmt.Errorf("attach a BPF program to the network namespace: %w", err)
	}
	return nil
}

// put has the map know a listener. Its owner has the same socket, so it must stay as it is:
// File.Fd would make it one that blocks.
func (r *redirect) put(listener *os.File) error {
	raw, err := listener.SyscallConn()
	if err != nil {
		return err
	}
	put := errors.New("the descriptor is closed")
	if err := raw.Control(func(fd uintptr) { put = r.listeners.Put(uint32(0), uint64(fd)) }); err != nil {
		return err
	}
	if errors.Is(put, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: it is no plain TCP listener", put)
	}
	return put
}

// close lets connections go the usual way.
func (r *redirect) close() {
	if r.link != nil {
		_ = r.link.Close()
	}
	_, _ = r.program.Close(), r.listeners.Close() // a nil one is closed already
}
