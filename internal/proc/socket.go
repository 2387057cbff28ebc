package proc

import (
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Sockets are the TCP sockets that a process has on one of its own ports.
type Sockets struct {
	Listening bool
	Open      []Connection
}

// Connection is a TCP connection that a process has accepted.
type Connection struct {
	Local, Remote netip.AddrPort
}

// The states of a socket in /proc/net/tcp (include/net/tcp_states.h).
const (
	tcpListen = "0A"
	tcpClosed = "07"
)

// SocketsOn lists the TCP sockets of a process on a port of its own. A process
// that has ended has none.
func (h Host) SocketsOn(p Process, port int) (Sockets, error) {
	var s Sockets
	proc := filepath.Join(h.Root, "proc", itoa(p.PID))
	mine, err := inodes(filepath.Join(proc, "fd"))
	if err != nil || !h.Runs(p) {
		return s, err
	}
	for _, table := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(filepath.Join(proc, "net", table))
		if os.IsNotExist(err) {
			continue // a kernel without IPv6, or the process has ended
		}
		if err != nil {
			return s, err
		}
		for line := range strings.Lines(string(data)) {
			s.add(strings.Fields(line), mine, port)
		}
	}
	return s, nil
}

// add takes in one line of /proc/net/tcp: slot, local, remote, state, queues,
// timer, retransmissions, user, timeout, inode, ...
func (s *Sockets) add(fields []string, mine map[string]bool, port int) {
	if len(fields) < 10 || !mine[fields[9]] {
		return
	}
	local, ok1 := parseAddr(fields[1])
	remote, ok2 := parseAddr(fields[2])
	switch {
	case !ok1 || !ok2 || int(local.Port()) != port || fields[3] == tcpClosed:
	case fields[3] == tcpListen:
		s.Listening = true
	default:
		s.Open = append(s.Open, Connection{local, remote})
	}
}

// inodes are those of the sockets that a process holds.
func inodes(dir string) (map[string]bool, error) {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, e := range entries {
		link, err := os.Readlink(filepath.Join(dir, e.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); err == nil && ok {
			out[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return out, nil
}

// parseAddr reads ADDRESS:PORT as /proc/net/tcp has it: hexadecimal, the address
// in words of 32 bits in the order of a little-endian machine, as are all that
// Kubernetes supports but s390x, where nothing is found.
func parseAddr(text string) (netip.AddrPort, bool) {
	addr, port, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(addr)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil || err2 != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	ip, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(ip, uint16(p)), ok
}

func itoa(n int) string { return strconv.Itoa(n) }
