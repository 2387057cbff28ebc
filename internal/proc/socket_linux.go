package proc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// Abort ends connections of a process at once, as if the other side had reset
// them; both sides notice. It needs CAP_NET_ADMIN and a kernel with
// CONFIG_INET_DIAG_DESTROY, and the process has to be in our network.
func (h Host) Abort(p Process, conns []Connection) error {
	if err := h.sameNetwork(p); err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return fmt.Errorf("end connections: %w", err)
	}
	defer unix.Close(fd)
	// The kernel answers at once; this is only so that nothing waits for ever.
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	for _, c := range conns {
		if err := abort(fd, c); err != nil {
			return fmt.Errorf("end the connection from %s: %w", c.Remote, err)
		}
	}
	return nil
}

// sockDestroy is SOCK_DESTROY (include/uapi/linux/sock_diag.h), which
// golang.org/x/sys does not have.
const sockDestroy = 21

// Where things lie in an inet_diag_req_v2 and an inet_diag_msg
// (include/uapi/linux/inet_diag.h): both begin with four bytes, the request has
// four more, then comes the inet_diag_sockid.
const (
	requestLen = 8 + sockidLen
	sockidLen  = 48
	cookieAt   = 40 // in the sockid, 8 bytes
	stateAt    = 1  // in the message
	messageID  = 4  // in the message
	listening  = 10 // TCP_LISTEN
)

// abort ends one connection; that it has ended by itself is no error. The kernel
// is asked for the connection's cookie first: for addresses alone it would take
// the listener when there is no such connection any more.
func abort(fd int, c Connection) error {
	id := sockid(c)
	found, err := ask(fd, unix.SOCK_DIAG_BY_FAMILY, c, id)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return err
	case len(found) < messageID+sockidLen || found[stateAt] == listening:
		return nil
	}
	copy(id[cookieAt:], found[messageID+cookieAt:messageID+sockidLen])
	_, err = ask(fd, sockDestroy, c, id)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESTALE) {
		return nil
	}
	return err
}

// sockid names a connection by its addresses, in network order.
func sockid(c Connection) []byte {
	id := make([]byte, sockidLen)
	binary.BigEndian.PutUint16(id[0:], c.Local.Port())
	binary.BigEndian.PutUint16(id[2:], c.Remote.Port())
	copy(id[4:], c.Local.Addr().AsSlice())
	copy(id[20:], c.Remote.Addr().AsSlice())
	for i := cookieAt; i < sockidLen; i++ {
		id[i] = 0xff // INET_DIAG_NOCOOKIE
	}
	return id
}

// ask sends one request about a connection and returns what the kernel says.
func ask(fd int, kind uint16, c Connection, id []byte) ([]byte, error) {
	m := make([]byte, unix.NLMSG_HDRLEN+requestLen)
	flags := uint16(unix.NLM_F_REQUEST)
	if kind == sockDestroy {
		flags |= unix.NLM_F_ACK // else it says nothing
	}
	binary.NativeEndian.PutUint32(m[0:], uint32(len(m)))
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags)
	req := m[unix.NLMSG_HDRLEN:]
	req[0], req[1] = unix.AF_INET, unix.IPPROTO_TCP
	if c.Local.Addr().Is6() {
		req[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(req[4:], ^uint32(0)) // in any state
	copy(req[8:], id)
	if err := unix.Sendto(fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 4096)
	n, _, err := unix.Recvfrom(fd, buf, 0)
	if err != nil {
		return nil, err
	}
	msgs, err := syscall.ParseNetlinkMessage(buf[:n])
	if err != nil || len(msgs) == 0 {
		return nil, err
	}
	if msgs[0].Header.Type != unix.NLMSG_ERROR {
		return msgs[0].Data, nil
	}
	if len(msgs[0].Data) >= 4 {
		if code := int32(binary.NativeEndian.Uint32(msgs[0].Data)); code != 0 {
			return nil, unix.Errno(-code)
		}
	}
	return nil, nil
}

var errOtherNetwork = errors.New("the process is in another network namespace")

func (h Host) sameNetwork(p Process) error {
	ours, err := os.Readlink(filepath.Join(h.Root, "proc/self/ns/net"))
	if err != nil {
		return err
	}
	theirs, err := os.Readlink(filepath.Join(h.Root, "proc", itoa(p.PID), "ns/net"))
	if err != nil {
		return err
	}
	if ours != theirs {
		return errOtherNetwork
	}
	return nil
}

// Kill ends a process with SIGKILL. The kernel's handle on the process makes
// sure that it is this one and not another that was given its number.
func (h Host) Kill(p Process) error {
	fd, err := unix.PidfdOpen(p.PID, 0)
	if err != nil {
		return fmt.Errorf("end pid %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !h.Runs(p) { // checked with the handle held: from here on it cannot change
		return nil
	}
	if err := unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("end pid %d: %w", p.PID, err)
	}
	return nil
}
