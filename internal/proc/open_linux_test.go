package proc

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOverwrites tells descriptors that write at the end from those that do not.
func TestOverwrites(t *testing.T) {
	n := Host{"/"}
	for _, test := range []struct {
		name  string
		flags int
		want  bool
	}{
		{"reads", os.O_RDONLY, false},
		{"appends", os.O_WRONLY | os.O_APPEND, false},
		{"appends and reads", os.O_RDWR | os.O_APPEND, false},
		{"writes", os.O_WRONLY, true},
		{"writes and reads", os.O_RDWR, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "log")
			must(t, os.WriteFile(name, nil, 0o600))
			info, err := os.Stat(name)
			must(t, err)
			equal(t, "before it is open", n.Overwrites(me(t, n), info), false)
			f, err := os.OpenFile(name, test.flags, 0)
			must(t, err)
			defer f.Close()
			equal(t, "overwrites", n.Overwrites(me(t, n), info), test.want)
		})
	}
}

// TestListener wants a descriptor for the socket of another that listens.
func TestListener(t *testing.T) {
	n := Host{"/"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f, err := n.Listener(me(t, n), port)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) {
		t.Skip(err)
	}
	must(t, err)
	defer f.Close()
	again, err := net.FileListener(f)
	must(t, err)
	defer again.Close()
	equal(t, "address", again.Addr().String(), l.Addr().String())
	if _, err := n.Listener(me(t, n), port+1); err == nil && port < 65535 {
		t.Error("it finds a listener on a port that nobody has")
	}
}
