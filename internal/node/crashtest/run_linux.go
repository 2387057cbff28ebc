package crashtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// Program is what to run.
type Program struct {
	Path string
	Args []string // Args[0] is the program's name
	Env  []string // nil: our own
	Dir  string
	// Under: only calls on files below this directory count.
	Under string
	// Stdout and Stderr are /dev/null when nil.
	Stdout, Stderr *os.File
	// Only, if not nil, lists the calls that count, by name.
	Only []string
	// At, if not nil, is called before each call that counts, with its number
	// from 1 on: a test may play another program that edits files meanwhile.
	At func(n int, c Call)
}

// Result is what became of the program.
type Result struct {
	Killed bool   // it was killed at its n-th call
	Calls  []Call // those that count, in order; a killed program did not do the last
	Status syscall.WaitStatus
}

// Run starts the program and kills it, and all its children, at its n-th call
// that changes files. With n = 0 it runs to its end.
func Run(p Program, n int) (Result, error) {
	runtime.LockOSThread() // ptrace(2) obeys only the thread that it started on
	defer runtime.UnlockOSThread()
	under, err := filepath.EvalSymlinks(p.Under)
	if err != nil {
		return Result{}, err
	}
	pid, err := p.start()
	if err != nil {
		return Result{}, fmt.Errorf("start %s: %w", p.Path, err)
	}
	t := &tracer{pid: pid, n: n, under: under, only: p.Only, at: p.At, seen: map[int]bool{pid: true}, inside: map[int]int{}}
	defer t.stop()
	if err := t.attach(); err != nil {
		return t.res, err
	}
	return t.res, t.loop()
}

func (p Program) start() (int, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return 0, err
	}
	defer null.Close()
	files := []uintptr{null.Fd(), null.Fd(), null.Fd()}
	if p.Stdout != nil {
		files[1] = p.Stdout.Fd()
	}
	if p.Stderr != nil {
		files[2] = p.Stderr.Fd()
	}
	env := p.Env
	if env == nil {
		env = os.Environ()
	}
	return syscall.ForkExec(p.Path, p.Args, &syscall.ProcAttr{
		Dir: p.Dir, Env: env, Files: files,
		Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
}

type tracer struct {
	pid    int
	n      int
	under  string
	only   []string
	at     func(int, Call)
	seen   map[int]bool // threads past their first stop
	inside map[int]int  // threads that are in the i-th of the calls
	mem    *os.File
	ended  bool
	res    Result
}

const options = syscall.PTRACE_O_TRACECLONE | syscall.PTRACE_O_TRACEFORK | syscall.PTRACE_O_TRACEVFORK |
	syscall.PTRACE_O_TRACEEXEC | syscall.PTRACE_O_TRACESYSGOOD | ptraceExitKill

// ptraceExitKill is PTRACE_O_EXITKILL: nothing outlives a test that panics.
const ptraceExitKill = 0x100000

// attach waits for the stop at the program's start.
func (t *tracer) attach() error {
	if _, err := t.wait(t.pid); err != nil {
		return err
	}
	if err := syscall.PtraceSetOptions(t.pid, options); err != nil {
		return fmt.Errorf("ptrace: %w", err)
	}
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", t.pid))
	if err != nil {
		return err
	}
	t.mem = mem
	return syscall.PtraceSyscall(t.pid, 0)
}

// loop lets the threads run from stop to stop until the program has ended.
func (t *tracer) loop() error {
	for !t.ended {
		tid, err := t.wait(-t.pid) // its process group
		if err != nil {
			return err
		}
		if t.res.Killed || t.ended || !t.res.Status.Stopped() {
			continue
		}
		signal, err := t.stopped(tid)
		if err != nil {
			return err
		}
		if t.res.Killed {
			continue
		}
		// A thread may have gone meanwhile: the end of the process says so.
		if err := syscall.PtraceSyscall(tid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("ptrace: %w", err)
		}
	}
	return nil
}

// wait notes the status of the thread that it returns.
func (t *tracer) wait(who int) (int, error) {
	for {
		tid, err := syscall.Wait4(who, &t.res.Status, syscall.WALL, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("wait: %w", err)
		}
		if s := t.res.Status; tid == t.pid && (s.Exited() || s.Signaled()) {
			t.ended = true
		}
		return tid, nil
	}
}

// stopped handles one stop and returns the signal to pass on.
func (t *tracer) stopped(tid int) (int, error) {
	status := t.res.Status
	first := !t.seen[tid]
	t.seen[tid] = true
	switch signal := status.StopSignal(); {
	case signal == syscall.SIGTRAP|0x80:
		return 0, t.call(tid)
	case signal == syscall.SIGTRAP && status.TrapCause() > 0: // clone, fork, exec
		return 0, nil
	case signal == syscall.SIGSTOP && first: // how a new thread begins
		return 0, nil
	default:
		return int(signal), nil
	}
}

// call handles the entry to or the exit from a system call.
func (t *tracer) call(tid int) error {
	info, err := syscallInfo(tid)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	if i, inside := t.inside[tid]; inside && info.op == opExit {
		t.res.Calls[i].Err = info.err()
		delete(t.inside, tid)
	}
	if err != nil || info.op != opEntry {
		return err
	}
	call, ok := t.describe(tid, info)
	if !ok {
		return nil
	}
	t.inside[tid] = len(t.res.Calls)
	t.res.Calls = append(t.res.Calls, call)
	if t.at != nil {
		t.at(len(t.res.Calls), call)
	}
	if len(t.res.Calls) != t.n {
		return nil
	}
	t.res.Killed = true
	return syscall.Kill(-t.pid, syscall.SIGKILL)
}

func (t *tracer) counts(call Call) bool {
	if t.only != nil && !slices.Contains(t.only, call.Name) {
		return false
	}
	return t.below(call.Path) || t.below(call.To)
}

func (t *tracer) below(path string) bool {
	return path == t.under || strings.HasPrefix(path, t.under+"/")
}

// stop makes sure that nothing is left of a program whose tracing failed.
func (t *tracer) stop() {
	if t.mem != nil {
		_ = t.mem.Close()
	}
	for !t.ended {
		_ = syscall.Kill(-t.pid, syscall.SIGKILL)
		if _, err := t.wait(-t.pid); err != nil {
			return
		}
	}
}
