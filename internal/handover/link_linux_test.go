package handover

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// network moves the test into a network namespace of its own, with addresses that are no
// loopback addresses on the loopback device.
func network(t *testing.T) {
	t.Helper()
	runtime.LockOSThread() // the thread goes with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("a network namespace of its own: %v", err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	must(t, err)
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	must(t, unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr))
	// All of 10.0.0.0/8 is local then.
	alias, err := unix.NewIfreq("lo:1")
	must(t, err)
	must(t, alias.SetInet4Addr([]byte{10, 1, 2, 3}))
	must(t, unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias))
}

// listen answers each connection with a name.
func listen(t *testing.T, address, name string) *net.TCPListener {
	t.Helper()
	config := net.ListenConfig{}
	config.SetMultipathTCP(false)
	l, err := config.Listen(context.Background(), "tcp", address)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = fmt.Fprintf(c, "%s at %s", name, c.LocalAddr())
			c.Close()
		}
	}()
	return l.(*net.TCPListener)
}

// answer is what a client gets.
func answer(address string) string {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		if errors.Is(err, unix.ECONNREFUSED) {
			return "refused"
		}
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second))
	text, err := io.ReadAll(c)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func TestRedirect(t *testing.T) {
	network(t)
	front := listen(t, ":6443", "old")
	back := listen(t, "127.0.0.1:0", "second")
	file, err := back.File()
	must(t, err)
	defer file.Close()
	r, err := newRedirect(6443)
	if errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	must(t, err)
	defer r.close()
	want := func(when string, answers map[string]string) {
		t.Helper()
		for address, want := range answers {
			if got := answer(address); got != want {
				t.Errorf("%s: %s says %q, want %q", when, address, got, want)
			}
		}
	}
	const far, near, six = "10.1.2.3:6443", "127.0.0.1:6443", "[::1]:6443"
	old := map[string]string{far: "old at 10.1.2.3:6443", near: "old at 127.0.0.1:6443", six: "old at [::1]:6443"}
	want("before", old)
	must(t, r.attach(file))
	want("attached", map[string]string{far: "second at 10.1.2.3:6443", near: old[near], six: old[six], "10.1.2.3:6444": "refused"})
	must(t, front.Close())
	want("old gone", map[string]string{far: "second at 10.1.2.3:6443", near: "refused", six: "refused"})
	listen(t, ":6443", "new")
	want("new", map[string]string{far: "second at 10.1.2.3:6443", near: "new at 127.0.0.1:6443"})
	must(t, file.Close())
	must(t, back.Close())
	want("second gone", map[string]string{far: "new at 10.1.2.3:6443"})
	r.close()
	want("closed", map[string]string{far: "new at 10.1.2.3:6443"})
}

// TestRedirectEnds wants nothing to be left when the descriptors are closed.
func TestRedirectEnds(t *testing.T) {
	network(t)
	listen(t, ":6443", "old")
	back, err := listen(t, "127.0.0.1:0", "second").File()
	must(t, err)
	defer back.Close()
	r, err := newRedirect(6443)
	if errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	must(t, err)
	must(t, r.attach(back))
	if got := answer("10.1.2.3:6443"); got != "second at 10.1.2.3:6443" {
		t.Fatal(got)
	}
	r.close()
	if got := answer("10.1.2.3:6443"); got != "old at 10.1.2.3:6443" {
		t.Fatal(got)
	}
	r.close() // once more does no harm
}

// TestRedirectRefusesOthers wants the kernel's refusal of what is no plain TCP listener.
func TestRedirectRefusesOthers(t *testing.T) {
	network(t)
	r, err := newRedirect(6443)
	if errors.Is(err, unix.EPERM) {
		t.Skip(err)
	}
	must(t, err)
	defer r.close()
	null, err := os.Open(os.DevNull)
	must(t, err)
	defer null.Close()
	if err := r.attach(null); err == nil {
		t.Error("it takes /dev/null")
	}
}
