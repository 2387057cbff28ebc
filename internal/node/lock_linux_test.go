package node

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

// hold is a child process that keeps the lock until its input ends.
func hold(root string) error {
	lock, err := testNode(root).Lock("enable")
	if err != nil {
		return err
	}
	fmt.Println("held")
	_, err = io.Copy(io.Discard, os.Stdin)
	if err == nil {
		err = lock.Unlock()
	}
	return err
}

// holder starts a child that holds the lock and returns it with its input.
func startHolder(t *testing.T, root string) (*exec.Cmd, io.Closer) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), childEnv+"=hold "+root)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "held\n" {
		t.Fatalf("holder: %q %v", line, err)
	}
	return cmd, in
}

func TestLockOtherProcess(t *testing.T) {
	root := newTree(t, nil)
	n := testNode(root)
	cmd, in := startHolder(t, root)
	_, err := n.Lock("disable")
	wantErr(t, err, fmt.Sprintf("locked by pid %d (enable, since 2026-11-22T11:20:04Z)", cmd.Process.Pid))
	locked := asType[*LockedError](t, err)
	equal(t, "holder", *locked, LockedError{cmd.Process.Pid, "enable", start})

	_ = in.Close()
	must(t, cmd.Wait())
	lock, err := n.Lock("disable")
	must(t, err)
	must(t, lock.Unlock())
}

func TestLockHolderKilled(t *testing.T) {
	root := newTree(t, nil)
	n := testNode(root)
	cmd, _ := startHolder(t, root)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	lock, err := n.Lock("enable")
	must(t, err)
	_, err = n.Lock("enable")
	wantErr(t, err, fmt.Sprintf("locked by pid %d (enable, since 2026-11-22T11:20:04Z)", os.Getpid()))
	must(t, lock.Unlock())
}

// Between taking the lock and writing who took it, a reader finds the text of the
// holder before.
func TestLockUnknownHolder(t *testing.T) {
	dead := exec.Command("/proc/self/exe", "-test.run=^$")
	must(t, dead.Run())
	for name, text := range map[string]string{
		"empty":      "",
		"torn":       "\x00\x00\x00\"purpose\":\"enable\"}\n",
		"stale":      fmt.Sprintf(`{"pid":%d,"purpose":"enable","since":"2026-11-22T11:20:04Z"}`, dead.Process.Pid),
		"not a pid":  `{"pid":0,"purpose":"enable"}`,
		"other JSON": `[]`,
	} {
		t.Run(name, func(t *testing.T) {
			root := newTree(t, nil)
			n := testNode(root)
			lock, err := n.Lock("enable")
			must(t, err)
			must(t, os.WriteFile(filepath.Join(root, stateDir, lockName), []byte(text), 0))
			_, err = n.Lock("enable")
			wantErr(t, err, "locked by another process")
			must(t, lock.Unlock())
		})
	}
}

func TestLockManyAtOnce(t *testing.T) {
	n := testNode(newTree(t, nil))
	var holders, most atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				lock, err := n.Lock("enable")
				if err != nil {
					if locked := new(LockedError); !errors.As(err, &locked) {
						t.Error(err)
					}
					continue
				}
				if now := holders.Add(1); now > most.Load() {
					most.Store(now)
				}
				holders.Add(-1)
				if err := lock.Unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	equal(t, "holders at a time", most.Load(), int32(1))
}

func TestLockMakesPrivateDirectory(t *testing.T) {
	root := newTree(t, nil)
	lock, err := testNode(root).Lock("enable")
	must(t, err)
	defer lock.Unlock()
	for name, mode := range map[string]os.FileMode{stateDir: 0o700, stateDir + "/runs": 0o700, stateDir + "/lock": 0o600, "/var/lib": 0o755} {
		info, err := os.Stat(filepath.Join(root, name))
		must(t, err)
		equal(t, name, info.Mode().Perm(), mode)
	}
}

// A lock file that was removed and made again is another lock; nobody must hold
// the old one and believe in it.
func TestLockFileRemoved(t *testing.T) {
	root := newTree(t, nil)
	n := testNode(root)
	first, err := n.Lock("enable")
	must(t, err)
	must(t, first.Unlock())
	must(t, os.RemoveAll(filepath.Join(root, stateDir)))
	second, err := n.Lock("enable")
	must(t, err)
	_, err = n.Lock("disable")
	_ = asType[*LockedError](t, err)
	must(t, second.Unlock())
}

// Holder has to tell a change that is under way from one that died, without
// getting into anybody's way.
func TestHolder(t *testing.T) {
	root := newTree(t, nil)
	n := testNode(root)
	holds := func(when string, want *LockedError) {
		t.Helper()
		got, err := n.Holder()
		must(t, err)
		equal(t, when, got, want)
	}
	holds("before any run", nil)
	cmd, in := startHolder(t, root)
	holds("while it is held", &LockedError{cmd.Process.Pid, "enable", start})
	_ = in.Close()
	must(t, cmd.Wait())
	holds("given up", nil)

	cmd, _ = startHolder(t, root)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	holds("killed", nil)
	text := fmt.Sprintf(`{"pid":%d,"purpose":"enable","since":"2026-11-22T11:20:04Z"}`, os.Getpid())
	must(t, os.WriteFile(filepath.Join(root, stateDir, lockName), []byte(text), 0))
	holds("killed, and the pid is somebody else's now", nil)
	lock, err := n.Lock("disable")
	must(t, err)
	must(t, lock.Unlock())
}
