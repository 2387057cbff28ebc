package simnode

import (
	"bytes"
	"io"
	"os"
	"sync"
	"syscall"
	"time"
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
	child.pid, err = syscall.ForkExec(l.path, l.argv, &syscall.ProcAttr{
		Dir: l.dir, Env: l.env, Files: files,
		Sys: &syscall.SysProcAttr{Cloneflags: l.flags, Credential: l.credential, Setsid: true},
	})
	if err != nil {
		return nil, &os.PathError{Op: "start", Path: l.path, Err: err}
	}
	p.byPID[child.pid] = child
	p.more.Signal()
	return child, nil
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

// none waits until no child is left.
func (p *processes) none(within time.Duration) bool {
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
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
