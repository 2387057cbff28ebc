package proc

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// me is the process of the test.
func me(t *testing.T, n Host) Process {
	t.Helper()
	st, ok := n.procStat(os.Getpid())
	if !ok {
		t.Fatal("the test's own process is not found")
	}
	return Process{PID: os.Getpid(), Start: st.start}
}

// TestAbort ends one of two connections to a listener, with IPv4, IPv6, and
// IPv4 on a listener for both.
func TestAbort(t *testing.T) {
	n := Host{"/"}
	for name, c := range map[string]struct{ listen, dial string }{
		"IPv4":   {"127.0.0.1:0", "127.0.0.1"},
		"IPv6":   {"[::1]:0", "::1"},
		"either": {"[::]:0", "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", c.listen)
			if err != nil {
				t.Skip("this machine cannot: ", err)
			}
			defer l.Close()
			port := l.Addr().(*net.TCPAddr).Port
			far, near := connect(t, l, c.dial, port)
			stays, _ := connect(t, l, c.dial, port)
			s, err := n.SocketsOn(me(t, n), port)
			must(t, err)
			if !s.Listening || len(s.Open) != 2 {
				t.Fatalf("want a listener with two connections, have %+v", s)
			}
			var one []Connection
			for _, conn := range s.Open {
				if conn.Remote.Port() == uint16(far.LocalAddr().(*net.TCPAddr).Port) {
					one = append(one, conn)
				}
			}
			if err := n.Abort(me(t, n), one); err != nil {
				t.Skip("the kernel does not let us: ", err)
			}
			for _, end := range []net.Conn{far, near} {
				must(t, end.SetReadDeadline(time.Now().Add(5*time.Second)))
				if _, err := end.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
					t.Errorf("an end did not notice: %v", err)
				}
			}
			must(t, stays.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
			if _, err := stays.Read(make([]byte, 1)); err == nil || err == io.EOF || !strings.Contains(err.Error(), "timeout") {
				t.Errorf("the other connection ended too: %v", err)
			}
			must(t, n.Abort(me(t, n), one)) // what has ended by itself is no error
			s, err = n.SocketsOn(me(t, n), port)
			must(t, err)
			if !s.Listening {
				t.Error("the listener has ended too")
			}
			must(t, l.Close())
			s, err = n.SocketsOn(me(t, n), port)
			must(t, err)
			if s.Listening || len(s.Open) != 1 {
				t.Errorf("want no listener and one connection, have %+v", s)
			}
		})
	}
}

// connect makes a connection and returns both its ends.
func connect(t *testing.T, l net.Listener, host string, port int) (far, near net.Conn) {
	t.Helper()
	far, err := net.Dial("tcp", net.JoinHostPort(host, itoa(port)))
	must(t, err)
	near, err = l.Accept()
	must(t, err)
	t.Cleanup(func() { far.Close(); near.Close() })
	return far, near
}

// TestSocketsOfOthers wants sockets of other processes left out.
func TestSocketsOfOthers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	n := Host{"/"}
	other := sleeper(t, n)
	s, err := n.SocketsOn(other, l.Addr().(*net.TCPAddr).Port)
	must(t, err)
	if s.Listening || s.Open != nil {
		t.Errorf("sleep(1) has %+v", s)
	}
}

// sleeper is a process that does nothing.
func sleeper(t *testing.T, n Host) Process {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	st, ok := n.procStat(cmd.Process.Pid)
	if !ok {
		t.Fatal("sleep(1) does not run")
	}
	return Process{PID: cmd.Process.Pid, Start: st.start}
}

func TestKill(t *testing.T) {
	n := Host{"/"}
	p := sleeper(t, n)
	another := p
	another.Start++
	must(t, n.Kill(another))
	if time.Sleep(20 * time.Millisecond); !n.Runs(p) {
		t.Fatal("a process that only has the same number was killed")
	}
	must(t, n.Kill(p))
	for deadline := time.Now().Add(5 * time.Second); n.Runs(p); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it still runs")
		}
	}
}

func TestPodOf(t *testing.T) {
	const container = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poddd374e7bfbbc28103a27a99f078360e1.slice/cri-containerd-ab.scope"
	for name, c := range map[string]struct {
		cgroup, mounts string
		dirs           []string
		want           string // the groups
		uid            string
	}{
		"v2": {
			"0::" + container + "\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			[]string{"/sys/fs/cgroup" + container},
			"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poddd374e7bfbbc28103a27a99f078360e1.slice",
			"dd374e7bfbbc28103a27a99f078360e1",
		},
		"v1, cgroupfs driver": {
			"3:cpu,cpuacct:/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab\n1:name=systemd:/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab\n0::/system.slice/containerd.service\n",
			"31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n32 30 0:28 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,xattr,name=systemd\n",
			[]string{"/sys/fs/cgroup/cpu,cpuacct/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab", "/sys/fs/cgroup/systemd/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab"},
			"/sys/fs/cgroup/cpu,cpuacct/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1 /sys/fs/cgroup/systemd/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1",
			"dd374e7bfbbc28103a27a99f078360e1",
		},
		"in a container that has the machine's groups": {
			"1:name=systemd:/docker/c0ffee/kubelet/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab\n",
			"32 30 0:28 /docker/c0ffee /sys/fs/cgroup/systemd rw - cgroup systemd rw,name=systemd\n",
			[]string{"/sys/fs/cgroup/systemd/kubelet/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1/ab"},
			"/sys/fs/cgroup/systemd/kubelet/kubepods/burstable/poddd374e7bfbbc28103a27a99f078360e1",
			"dd374e7bfbbc28103a27a99f078360e1",
		},
		"a group of the runtime's own in the container's": {
			"0::" + container + "/container\n",
			"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			[]string{"/sys/fs/cgroup" + container + "/container"},
			"/sys/fs/cgroup/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poddd374e7bfbbc28103a27a99f078360e1.slice",
			"dd374e7bfbbc28103a27a99f078360e1",
		},
		"made through the API": {
			"0::/kubepods.slice/kubepods-pod0b5c1f6e_0d3c_4c39_9a0e_2f6a7f3b9c11.slice/cri-containerd-ab.scope\n",
			"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/kubepods.slice/kubepods-pod0b5c1f6e_0d3c_4c39_9a0e_2f6a7f3b9c11.slice"},
			"/sys/fs/cgroup/kubepods.slice/kubepods-pod0b5c1f6e_0d3c_4c39_9a0e_2f6a7f3b9c11.slice",
			"0b5c1f6e-0d3c-4c39-9a0e-2f6a7f3b9c11",
		},
		"a node in a Pod": {
			"0::/kubepods/pod0b5c1f6e-0d3c-4c39-9a0e-2f6a7f3b9c11/ab/kubelet/kubepods/poddd374e7bfbbc28103a27a99f078360e1/cd\n",
			"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/kubepods/pod0b5c1f6e-0d3c-4c39-9a0e-2f6a7f3b9c11/ab/kubelet/kubepods/poddd374e7bfbbc28103a27a99f078360e1"},
			"/sys/fs/cgroup/kubepods/pod0b5c1f6e-0d3c-4c39-9a0e-2f6a7f3b9c11/ab/kubelet/kubepods/poddd374e7bfbbc28103a27a99f078360e1",
			"dd374e7bfbbc28103a27a99f078360e1",
		},
		"a name that only looks like it": {
			"0::/user.slice/podman-pod1234.slice/tripod\n",
			"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/user.slice/podman-pod1234.slice"},
			"", "",
		},
		"no Pod": {
			"0::/system.slice/kube-apiserver.service\n",
			"30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
			[]string{"/sys/fs/cgroup/system.slice/kube-apiserver.service"},
			"", "",
		},
		"not mounted": {"0::" + container + "\n", "", nil, "", "dd374e7bfbbc28103a27a99f078360e1"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put := func(name, text string) {
				name = filepath.Join(root, name)
				must(t, os.MkdirAll(filepath.Dir(name), 0o755))
				must(t, os.WriteFile(name, []byte(text), 0o644))
			}
			put("proc/7/cgroup", c.cgroup)
			put("proc/self/mountinfo", c.mounts)
			for _, d := range c.dirs {
				must(t, os.MkdirAll(filepath.Join(root, d), 0o755))
			}
			n := Host{root}
			got := n.PodOf(Process{PID: 7})
			equal(t, "UID", got.UID, c.uid)
			equal(t, "static", got.Static(), c.uid != "" && !strings.Contains(c.uid, "-"))
			equal(t, "groups", strings.Join(got.Cgroups, " "), c.want)
			equal(t, "there", n.Exist(got.Cgroups), c.want != "")
		})
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal(t testing.TB, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("%s: (-want +got)\n%s", what, d)
	}
}
