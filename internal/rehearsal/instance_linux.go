package rehearsal

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"auditpatch/internal/wait"
)

// instance is a second kube-apiserver.
type instance struct {
	process *os.Process
	output  *tail
	ended   chan struct{} // closed when it has ended
}

const supported = true

// endWithin is how long it may take to end by itself, which it needs to give up its
// identity lease.
var endWithin = wait.Scaled(3 * time.Second)

// start starts the second API server. An error says why none was started; why one that was
// started has ended stands in its output. When this process ends, however it ends, so does
// the API server.
func start(s spec) (*instance, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	i := &instance{output: &tail{}, ended: make(chan struct{})}
	started := make(chan error, 1)
	// The kernel ends the child when the thread ends that has started it.
	go func() {
		runtime.LockOSThread() // to the end of the goroutine, and of the thread with it
		defer close(i.ended)
		i.run(text, started)
	}()
	if err := <-started; err != nil {
		<-i.ended
		return nil, err
	}
	return i, nil
}

// run starts it and waits for its end.
func (i *instance) run(text []byte, started chan<- error) {
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	defer specRead.Close()
	faultRead, faultWrite, err := os.Pipe()
	if err != nil {
		specWrite.Close()
		started <- err
		return
	}
	defer faultRead.Close()
	cmd := &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{stageName}, Env: []string{}, Dir: "/",
		Stdout: i.output, Stderr: i.output,
		ExtraFiles: []*os.File{specRead, faultWrite}, // specFD, faultFD
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS,
			Setpgid: true, // Ctrl-C is for auditpatch, which ends it
		},
		WaitDelay: time.Second,
	}
	err = cmd.Start()
	faultWrite.Close()
	if err != nil {
		specWrite.Close()
		started <- fmt.Errorf("start a process with mounts of its own: %w", err)
		return
	}
	i.process = cmd.Process
	_, err = specWrite.Write(text)
	specWrite.Close()
	// Closed by exec, when it becomes the API server.
	text, _ = io.ReadAll(faultRead)
	if len(text) > 0 || err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		started <- cmp.Or(faultOf(text), err)
		return
	}
	started <- nil
	_ = cmd.Wait() // how it ended stands in its output
}

// faultOf is the error that a process has reported which did not become the API server.
func faultOf(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	var f fault
	switch err := json.Unmarshal(text, &f); {
	case err != nil:
		return errors.New(string(text))
	case f.Settings:
		return &Failed{Reason: doesNotStart + f.Text}
	}
	return errors.New(f.Text)
}

// hasEnded tells whether it has.
func (i *instance) hasEnded() bool {
	select {
	case <-i.ended:
		return true
	default:
		return false
	}
}

// end ends it, and tells whether it had to be killed.
func (i *instance) end() (killed bool) {
	if i.hasEnded() {
		return false
	}
	_ = i.process.Signal(syscall.SIGTERM)
	select {
	case <-i.ended:
		return false
	case <-time.After(endWithin):
	}
	_ = i.process.Kill()
	<-i.ended
	return true
}

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	data []byte
}

const mostOutput = 64 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, p...)
	if over := len(t.data) - mostOutput; over > 0 {
		t.data = append(t.data[:0], t.data[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}
