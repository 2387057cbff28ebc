package handover

import (
	"errors"
	"net"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rename gives this thread another name.
func rename(t *testing.T, name string) {
	t.Helper()
	text, err := unix.BytePtrFromString(name)
	must(t, err)
	must(t, unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0))
}

// TestTakeLocal tells programs apart that connect to the same address.
func TestTakeLocal(t *testing.T) {
	network(t)
	listen(t, ":6443", "old")
	second := listen(t, "127.0.0.1:0", "second")
	to := second.Addr().String()
	l, err := takeLocal(6443, second.Addr().(*net.TCPAddr).Port, "kube-apiserver", "auditpatch")
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip(err)
	}
	must(t, err)
	defer l.close()
	for _, test := range []struct{ program, address, want string }{
		{"kubectl", "127.0.0.1:6443", "second at " + to},
		{"kubectl", "10.1.2.3:6443", "old at 10.1.2.3:6443"},
		{"kubectl", "127.0.0.1:6444", "refused"},
		{"kube-apiserver", "127.0.0.1:6443", "old at 127.0.0.1:6443"},
		{"kube-apiserver2", "127.0.0.1:6443", "second at " + to},
		{"kube-apiserv", "127.0.0.1:6443", "second at " + to},
		{"auditpatch", "127.0.0.1:6443", "old at 127.0.0.1:6443"},
	} {
		rename(t, test.program)
		if got := dialHere(test.address); got != test.want {
			t.Errorf("%s to %s: %q, want %q", test.program, test.address, got, test.want)
		}
	}
	rename(t, "kubectl")
	l.close()
	if got := dialHere("127.0.0.1:6443"); got != "old at 127.0.0.1:6443" {
		t.Errorf("after the end: %q", got)
	}
}

// TestTakeLocalHere wants other networks to be left alone.
func TestTakeLocalHere(t *testing.T) {
	network(t)
	l, err := takeLocal(6443, 1)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOPROTOOPT) {
		t.Skip(err)
	}
	must(t, err)
	defer l.close()
	must(t, unix.Unshare(unix.CLONE_NEWNET))
	network(t)
	listen(t, ":6443", "other")
	if got := dialHere("127.0.0.1:6443"); got != "other at 127.0.0.1:6443" {
		t.Error(got)
	}
}

// dialHere is answer from this very thread.
func dialHere(address string) string {
	at, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return err.Error()
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err.Error()
	}
	defer unix.Close(fd)
	sa := &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}
	if err := unix.Connect(fd, sa); err != nil {
		if errors.Is(err, unix.ECONNREFUSED) {
			return "refused"
		}
		return err.Error()
	}
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	buf := make([]byte, 100)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return err.Error()
	}
	return string(buf[:n])
}
