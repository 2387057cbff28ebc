package rehearsal

import (
	"context"
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
	// signalled says, once ended is closed, that a signal has ended it.
	signalled bool
}

const supported = true

// stagedWithin is many times what it takes to become the API server, 0.1 s.
var stagedWithin = wait.Scaled(20 * time.Second)

// start starts the second API server. An error says why none was started; why one that was
// started has ended stands in its output. When this process ends, however it ends, so does
// the API server.
func start(ctx context.Context, s spec) (*instance, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stagedWithin)
	defer cancel()
	i := &instance{output: &tail{}, ended: make(chan struct{})}
	started := make(chan error, 1)
	// The kernel ends the child when the thread ends that has started it.
	go func() {
		runtime.LockOSThread() // to the end of the goroutine, and of the thread with it
		defer close(i.ended)
		i.run(ctx, text, started)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return i, nil
}

// run starts it and waits for its end.
func (i *instance) run(ctx context.Context, text []byte, started chan<- error) {
	specRead, specWrite, err := os.Pipe()
	if err != nil {
		started <- err
		return
	}
	defer specWrite.Close()
	faultRead, faultWrite, err := os.Pipe()
	if err != nil {
		_ = specRead.Close()
		started <- err
		return
	}
	defer faultRead.Close()
	cmd := i.command(specRead, faultWrite)
	err = cmd.Start()
	_, _ = specRead.Close(), faultWrite.Close()
	if err != nil {
		started <- fmt.Errorf("start a process with mounts of its own: %w", err)
		return
	}
	i.process = cmd.Process
	started <- i.staged(ctx, text, specWrite, faultRead)
	_ = cmd.Wait() // what it said before stands in its output
	i.signalled = cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled()
}

// command is the process that becomes the API server.
func (i *instance) command(spec, fault *os.File) *exec.Cmd {
	return &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{stageName}, Env: []string{}, Dir: "/",
		Stdout: i.output, Stderr: i.output,
		ExtraFiles: []*os.File{spec, fault}, // specFD, faultFD
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS,
			Setpgid: true, // Ctrl-C is for auditpatch, which ends it
		},
		WaitDelay: time.Second,
	}
}

// staged hands the spec over and waits until the process has become the API server. A mount
// whose server is away can hold it up for ever.
func (i *instance) staged(ctx context.Context, text []byte, spec, fault *os.File) error {
	stop := context.AfterFunc(ctx, func() {
		_ = i.process.Kill()
		_ = spec.SetDeadline(time.Now())
		_ = fault.SetDeadline(time.Now())
	})
	defer stop()
	_, err := spec.Write(text)
	_ = spec.Close()
	// Closed by exec, when it becomes the API server.
	said, _ := io.ReadAll(fault)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		err = fmt.Errorf("its file system was not put together within %s: a mount may hang", stagedWithin)
	case ctx.Err() != nil:
		err = wait.ErrInterrupted
	case len(said) > 0:
		err = faultOf(said)
	}
	if err != nil {
		_ = i.process.Kill()
	}
	return err
}

// faultOf is the error that a process has reported which did not become the API server.
func faultOf(text []byte) error {
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

// end ends it: by itself if it does so soon enough, or else by SIGKILL.
func (i *instance) end(within time.Duration) (killed bool) {
	if i.hasEnded() {
		return false
	}
	_ = i.process.Signal(syscall.SIGTERM)
	select {
	case <-i.ended:
		return false
	case <-time.After(within):
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
