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
	output, err := newTail()
	if err != nil {
		return nil, err
	}
	i := &instance{output: output, ended: make(chan struct{})}
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
		Stdout: i.output.File, Stderr: i.output.File,
		ExtraFiles: []*os.File{spec, fault}, // specFD, faultFD
		SysProcAttr: &syscall.SysProcAttr{
			Pdeathsig: syscall.SIGKILL, Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWUTS,
			Setpgid: true, // Ctrl-C is for auditpatch, which ends it
		},
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

// tail takes what the API server says, and keeps the end of it. It is a file in memory and no
// pipe: nobody may have to wait until this process reads, which may be stopped.
type tail struct{ *os.File }

const mostOutput = 64 << 10

func newTail() (*tail, error) {
	fd, err := unix.MemfdCreate(stageName, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	return &tail{os.NewFile(uintptr(fd), "output")}, nil
}

// String is the end of it, and gives back the memory of what is before that.
func (t *tail) String() string {
	info, err := t.Stat()
	if err != nil {
		return ""
	}
	from := max(info.Size()-mostOutput, 0)
	if from > 0 {
		_ = unix.Fallocate(int(t.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, from)
	}
	data := make([]byte, info.Size()-from)
	n, _ := t.ReadAt(data, from)
	return string(data[:n])
}
