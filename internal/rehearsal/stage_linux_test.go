package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"auditpatch/internal/proc"
	"auditpatch/internal/wait"
)

// TestMain becomes whatever a test rehearses.
func TestMain(m *testing.M) {
	Stage(os.Args)
	os.Exit(m.Run())
}

// container is a process with mounts of its own, as the API server that runs is.
type container struct {
	*testing.T
	pid int
	dir string // shared with the test, as a hostPath is
}

// newContainer has the process run a script, which mounts what it likes, before it waits.
func newContainer(t *testing.T, script string) *container {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("to mount file systems takes root")
	}
	c := &container{T: t, dir: t.TempDir()}
	if err := os.Chmod(filepath.Dir(c.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-c", script+"\n: >"+c.dir+"/mounted; exec sleep 600")
	cmd.Dir = c.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		t.Skipf("no mounts of its own: %v", err)
	}
	c.pid = cmd.Process.Pid
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 100 {
		if _, err := os.Stat(c.dir + "/mounted"); err == nil {
			return c
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the container does not come up")
	return nil
}

// becomes has a second process like it run a script, and returns what that says.
func (c *container) becomes(s spec, script string) string {
	c.Helper()
	i := c.start(s, script)
	select {
	case <-i.ended:
	case <-time.After(30 * time.Second):
		i.end(endWithin)
		c.Fatalf("it goes on: %s", i.output)
	}
	return i.output.String()
}

// start starts it.
func (c *container) start(s spec, script string) *instance {
	c.Helper()
	i, err := start(c.Context(), c.like(s, script))
	if err != nil {
		if strings.Contains(err.Error(), "overlay") && errors.Is(err, unix.EPERM) {
			c.Skip(err)
		}
		c.Fatal(err)
	}
	c.Cleanup(func() { i.end(endWithin) })
	return i
}

// like fills in what it has in common with the first.
func (c *container) like(s spec, script string) spec {
	c.Helper()
	first := proc.Process{PID: c.pid}
	host := proc.Host{Root: "/"}
	as, err := host.Credentials(first)
	if err != nil {
		c.Fatal(err)
	}
	if s.As.UID == 0 {
		s.As = as
	} else {
		s.As = proc.Credentials{UID: s.As.UID, GID: s.As.GID, Bounding: as.Bounding}
	}
	s.PID, s.Hostname, s.Dir = c.pid, "second", "/"
	s.Program, s.Args, s.Env = "/bin/sh", []string{"-c", script}, []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
	return s
}

// wantLines compares what it says, line by line.
func wantLines(t *testing.T, got string, want ...string) {
	t.Helper()
	if got != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestStageFiles wants the files that a change would write to be there, and nothing of it on
// the node.
func TestStageFiles(t *testing.T) {
	c := newContainer(t, "")
	conf, empty := filepath.Join(c.dir, "conf"), filepath.Join(c.dir, "empty")
	for _, d := range []string{conf, empty} {
		if err := os.Mkdir(d, 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(conf+"/there", []byte("there\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := c.becomes(spec{
		Mounts: []mount{
			{Path: "/mnt-auditpatch-test/conf", Host: conf, ReadOnly: true},
			{Path: "/mnt-auditpatch-test/plain", Host: empty},
			{Path: "/mnt-auditpatch-test/policy.yaml", File: &file{Data: []byte("policy\n"), Mode: 0o640, GID: 4}, ReadOnly: true},
			{Path: "/mnt-auditpatch-test/log", Stand: file{Mode: 0o700, UID: 7}},
		},
		Files: []file{
			{Path: "/mnt-auditpatch-test/conf/sub/new", Data: []byte("new\n"), Mode: 0o600},
			{Path: "/mnt-auditpatch-test/conf/dir", Dir: true, Mode: 0o711},
		},
	}, `cd /mnt-auditpatch-test
		cat policy.yaml conf/there conf/sub/new
		stat -c '%n %F %a %u:%g' policy.yaml log conf/dir conf
		true >policy.yaml; true >conf/x; true >plain/x && true >/written && true >log/x && echo written
		uname -n; cat /proc/self/oom_score_adj; tr '\0' ' ' </proc/self/cmdline | cut -c1-20`)
	for _, line := range []string{
		"policy", "there", "new", "policy.yaml regular file 640 0:4", "log directory 700 7:0", "conf/dir directory 711 0:0", "conf directory 750 0:0",
		"written", "second", "800", "auditpatch-rehearsal",
	} {
		if !strings.Contains("\n"+out, "\n"+line+"\n") && !strings.HasPrefix(line, "auditpatch") {
			t.Errorf("it does not say %q:\n%s", line, out)
		}
	}
	if n := strings.Count(out, "Read-only file system"); n != 2 {
		t.Errorf("%d files are read-only, want 2:\n%s", n, out)
	}
	for _, left := range []string{"/mnt-auditpatch-test", "/written", conf + "/sub", conf + "/dir", conf + "/x"} {
		if _, err := os.Lstat(left); err == nil {
			t.Errorf("left behind: %s", left)
		}
		if _, err := os.Lstat(fmt.Sprintf("/proc/%d/root%s", c.pid, left)); err == nil {
			t.Errorf("left behind in the container: %s", left)
		}
	}
	if _, err := os.Stat(empty + "/x"); err != nil {
		t.Errorf("what is mounted is not the node's: %v", err)
	}
}

// TestStageMounts wants the container's own mounts, and the old Pod's gone.
func TestStageMounts(t *testing.T) {
	c := newContainer(t, `mount -t tmpfs own /mnt && echo own >/mnt/own && mkdir /mnt/below &&
		mount -t tmpfs old /mnt/below && echo old >/mnt/below/old && mount -t tmpfs old /media && echo old >/media/old`)
	wantLines(t, c.becomes(spec{Hidden: []string{"/mnt/below", "/media"}}, `cat /mnt/own; ls /mnt/below /media; cd /proc/self && echo $?`),
		"own", "/media:", "", "/mnt/below:", "0")
}

// TestStageReadOnly wants a root that is read-only to be so again.
func TestStageReadOnly(t *testing.T) {
	c := newContainer(t, `mount --bind "$PWD" "$PWD" && mount -o remount,ro,bind /`)
	if out := c.becomes(spec{}, `true >/written`); !strings.Contains(out, "Read-only file system") {
		t.Errorf("it can write to a root that is read-only: %s", out)
	}
}

// TestStageCredentials wants it to be who the API server is.
func TestStageCredentials(t *testing.T) {
	c := newContainer(t, "")
	wantLines(t, c.becomes(spec{As: proc.Credentials{UID: 1234, GID: 2345}}, `id -u; id -g; id -G; grep CapEff /proc/self/status`),
		"1234", "2345", "2345", "CapEff:\t0000000000000000")
	i, err := start(t.Context(), func() spec {
		s := c.like(spec{}, "grep -E 'Cap(Eff|Bnd)' /proc/self/status")
		s.As.Bounding, s.As.Permitted, s.As.Effective = 0x20, 0x20, 0x20
		return s
	}())
	if err != nil {
		t.Fatal(err)
	}
	<-i.ended
	wantLines(t, i.output.String(), "CapEff:\t0000000000000020", "CapBnd:\t0000000000000020")
}

// TestStageLog wants a log that does not open to be the fault of the settings, in the API
// server's words.
func TestStageLog(t *testing.T) {
	c := newContainer(t, "")
	for name, make := range map[string]func(name string) error{
		"a directory": func(name string) error { return os.Mkdir(name, 0o755) },
		"a log":       func(name string) error { return os.WriteFile(name, nil, 0o600) },
		"a full disk": func(name string) error {
			if err := os.Mkdir(name, 0o755); err != nil {
				return err
			}
			return exec.Command("mount", "-t", "tmpfs", "-o", "size=16k", "none", name).Run()
		},
		"nothing": func(string) error { return nil },
	} {
		log := filepath.Join(c.dir, "log of "+name)
		if err := make(log); err != nil {
			t.Fatal(err)
		}
		s := spec{Log: log}
		if name == "a full disk" {
			defer func() { _ = unix.Unmount(log, unix.MNT_DETACH) }()
			s = spec{Log: "/mnt-auditpatch-test/audit.log", Mounts: []mount{{Path: "/mnt-auditpatch-test", Host: log}}}
		}
		i, err := start(t.Context(), c.like(s, "exit"))
		if err == nil {
			<-i.ended
		}
		var failed *Failed
		if want := name == "a directory" || name == "a full disk"; want != errors.As(err, &failed) || !want && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStageFaults wants what keeps it from starting to be no fault of the settings.
func TestStageFaults(t *testing.T) {
	c := newContainer(t, "")
	for name, spoil := range map[string]func(s *spec){
		"clone the mount /no/such": func(s *spec) { s.Mounts = []mount{{Path: "/x", Host: "/no/such"}} },
		"start /no/such":           func(s *spec) { s.Program = "/no/such" },
		"enter /no/such":           func(s *spec) { s.Dir = "/no/such" },
		"container's mounts":       func(s *spec) { s.PID = 1 << 22 },
	} {
		s := c.like(spec{}, "exit")
		spoil(&s)
		_, err := start(t.Context(), s)
		var failed *Failed
		if err == nil || errors.As(err, &failed) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEnd wants one that does not end by itself to be killed.
func TestEnd(t *testing.T) {
	c := newContainer(t, "")
	willing := c.start(spec{}, "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 0.1; done")
	for willing.output.String() == "" {
		time.Sleep(10 * time.Millisecond)
	}
	if willing.end(endWithin); !willing.hasEnded() || willing.signalled {
		t.Error("it goes on, or was killed although it ends by itself")
	}
	stubborn := c.start(spec{}, "trap '' TERM; echo ready; while :; do sleep 0.1; done")
	for stubborn.output.String() == "" {
		time.Sleep(10 * time.Millisecond)
	}
	if stubborn.end(endWithin); !stubborn.hasEnded() || !stubborn.signalled {
		t.Error("it goes on, or ended by itself although it will not")
	}
}

// TestInterrupted wants an interruption to end what does not come to be the API server.
func TestInterrupted(t *testing.T) {
	c := newContainer(t, "")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := start(ctx, c.like(spec{}, "exec sleep 600")); !errors.Is(err, wait.ErrInterrupted) {
		t.Errorf("got %v", err)
	}
}

// TestSignalled wants the end by a signal to be no fault of the settings.
func TestSignalled(t *testing.T) {
	c := newContainer(t, "")
	i := c.start(spec{}, "kill -KILL $$")
	<-i.ended
	var not *Impossible
	if err := (Rehearsal{}).died(i); !errors.As(err, &not) {
		t.Errorf("got %v", err)
	}
}

// TestStagePropagation wants nothing that is mounted for the second API server to be seen on
// the node, whose mounts are shared as systemd makes them: files of the change below a mount,
// and mounts within mounts.
func TestStagePropagation(t *testing.T) {
	c := newContainer(t, "")
	shared := filepath.Join(c.dir, "shared")
	for _, d := range []string{shared, shared + "/inner", c.dir + "/other"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(c.dir+"/other/there", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(shared, shared, "", unix.MS_BIND, ""); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.Unmount(shared, unix.MNT_DETACH) }()
	if err := unix.Mount("", shared, "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile("/proc/self/mountinfo")
	out := c.becomes(spec{
		Mounts: []mount{
			{Path: "/mnt-auditpatch-test", Host: shared},
			{Path: "/mnt-auditpatch-test/inner", Host: c.dir + "/other", ReadOnly: true},
		},
		Files: []file{{Path: "/mnt-auditpatch-test/policy.yaml", Data: []byte("policy"), Mode: 0o600}},
	}, "cd /mnt-auditpatch-test && ls . inner && true >inner/x")
	if want := ".:\ninner\npolicy.yaml\n\ninner:\nthere\n"; !strings.HasPrefix(out, want) || !strings.Contains(out, "Read-only") {
		t.Errorf("it sees %s", out)
	}
	if after, _ := os.ReadFile("/proc/self/mountinfo"); string(after) != string(before) {
		t.Errorf("the node's mounts were\n%s\nand are\n%s", before, after)
	}
	if left, _ := os.ReadDir(shared); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

// TestStageFileCapabilities wants a program whose file has capabilities to end with the
// process that has started it all the same.
func TestStageFileCapabilities(t *testing.T) {
	c := newContainer(t, "cp /bin/sleep ./sleep && setcap cap_net_bind_service=+ep ./sleep || true")
	if out, _ := exec.Command("getcap", c.dir+"/sleep").Output(); !strings.Contains(string(out), "cap_net_bind_service") {
		t.Skip("no file capabilities here")
	}
	s := c.like(spec{As: proc.Credentials{UID: 1234, GID: 1234}}, "")
	s.Program, s.Args = c.dir+"/sleep", []string{"600"}
	i, err := start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer i.end(endWithin)
	// PR_GET_PDEATHSIG is a process's own; what the kernel makes of the file is seen instead.
	as, err := proc.Host{Root: "/"}.Credentials(proc.Process{PID: i.process.Pid})
	if err != nil || as.Permitted != 0 {
		t.Errorf("it has the capabilities %x, %v", as.Permitted, err)
	}
}

// TestHoldPort wants a port that only a listener which shares it can have.
func TestHoldPort(t *testing.T) {
	for _, loopback := range []string{"127.0.0.1", "[::1]"} {
		free, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			t.Skip(err)
		}
		address := free.Addr().String()
		_ = free.Close()
		if err := holdPort(address); err != nil {
			t.Fatal(err)
		}
		if _, err := net.Listen("tcp", address); !errors.Is(err, unix.EADDRINUSE) {
			t.Errorf("%s: somebody else can listen there: %v", address, err)
		}
		shares := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		}}
		l, err := shares.Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatalf("%s: who shares it cannot listen there: %v", address, err)
		}
		_ = l.Close()
		_ = unix.Close(heldFD)
	}
	if err := holdPort(""); err != nil {
		t.Error(err)
	}
}

// TestStageHoldsPort wants the program to have the port held before it begins, for a user of
// its own too.
func TestStageHoldsPort(t *testing.T) {
	c := newContainer(t, "")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	_ = free.Close()
	said := c.becomes(spec{Listen: address.String(), As: proc.Credentials{UID: 1234, GID: 2345}}, `readlink /proc/self/fd/99`)
	if !strings.HasPrefix(said, "socket:[") {
		t.Errorf("it has no socket: %s", said)
	}
}
