package simnode

import (
	"bytes"
	"io"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// processes are the children of pid 1, and the orphans that it inherits.
type processes struct {
	mu    sync.Mutex
	byPID map[int]*process
	more  *sync.Cond // a child was started
}

// process is one that this program has started.
type process struct {
	pid    int
	done   chan struct{} // closed when it has ended and all its output was read
	status syscall.WaitStatus
	output sync.WaitGroup
}

// launch says what to start, and who reads what it prints.
type launch struct {
	path       string
	argv, env  []string
	dir        string
	flags      uintptr // namespaces of its own
	out, err   func(io.Reader)
	credential *syscall.Credential
	group      string         // its control group, "" for the machine's
	container  *ContainerSpec // whose root it has, nil for the machine's
}

func newProcesses() *processes {
	p := &processes{byPID: map[int]*process{}}
	p.more = sync.NewCond(&p.mu)
	go p.reap()
	return p
}

// start starts a process. The lock is held until it is known here, so that the
// reaper cannot be faster.
func (p *processes) start(l launch) (*process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	child := &process{done: make(chan struct{})}
	files := []uintptr{null.Fd()}
	for _, read := range []func(io.Reader){l.out, l.err} {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		defer w.Close()
		files = append(files, w.Fd())
		child.output.Add(1)
		go func() {
			defer child.output.Done()
			defer r.Close()
			read(r)
		}()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	started := make(chan error)
	go func() { // the thread ends with this goroutine
		runtime.LockOSThread()
		child.pid, err = l.fork(files)
		started <- err
	}()
	if err := <-started; err != nil {
		return nil, &os.PathError{Op: "start", Path: l.path, Err: err}
	}
	p.byPID[child.pid] = child
	p.more.Signal()
	return child, nil
}

// fork starts a process from a thread that has entered what the process is to
// be in: it has no moment outside its group or root.
func (l launch) fork(files []uintptr) (int, error) {
	attr := &syscall.SysProcAttr{Cloneflags: l.flags, Credential: l.credential, Setsid: true}
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil { // rooted where pid 1 is
		return 0, err
	}
	if l.group != "" {
		dir, err := enterGroup(l.group)
		if err != nil {
			return 0, err
		}
		if dir != nil {
			defer dir.Close()
			attr.UseCgroupFD, attr.CgroupFD = true, int(dir.Fd())
		}
	}
	if l.container != nil {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return 0, err
		}
		if err := l.container.enter(); err != nil {
			return 0, err
		}
	}
	return syscall.ForkExec(l.path, l.argv, &syscall.ProcAttr{Dir: l.dir, Env: l.env, Files: files, Sys: attr})
}

// reap waits for children for ever.
func (p *processes) reap() {
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, 0, nil)
		p.mu.Lock()
		switch {
		case err == syscall.ECHILD:
			if len(p.byPID) == 0 {
				p.more.Wait()
			}
		case err == nil:
			if child := p.byPID[pid]; child != nil {
				delete(p.byPID, pid)
				child.status = status
				go func() { child.output.Wait(); close(child.done) }()
			}
		}
		p.mu.Unlock()
	}
}

// killAll kills all processes of the node but this one, also those that are just
// being started, and tells whether they have ended.
func (p *processes) killAll(within time.Duration) bool {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		_ = syscall.Kill(-1, syscall.SIGKILL)
		p.mu.Lock()
		left := len(p.byPID)
		p.mu.Unlock()
		if left == 0 {
			return true
		}
	}
	return false
}

// ended tells without waiting.
func (c *process) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// buffer collects what a process prints; it may be read while that goes on.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

func (b *buffer) from(r io.Reader) { _, _ = io.Copy(b, r) }
