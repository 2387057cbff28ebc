package simnode

import (
	"errors"
	"fmt"
	"syscall"
)

// Command is something to run on the machine.
type Command struct {
	Path string
	Argv []string
	Env  []string
	Dir  string
	UID  int
	// Group is the control group to run in, "" for the machine's own.
	Group string
	// Alone gives it a network of its own, as a Pod has that is not hostNetwork.
	Alone bool
	// Bystander is a file in which it notes signals instead of doing what its
	// name says.
	Bystander string
}

// Result is how a command ended.
type Result struct {
	Exit           int // -1 after a signal
	Signal         syscall.Signal
	Stdout, Stderr string
	Running        bool // it has not ended
}

type program struct {
	*process
	out, err buffer
}

// Start runs a command and returns its number.
func (m *Machine) Start(c Command, pid *int) error {
	p := &program{}
	l := launch{path: c.Path, argv: c.Argv, env: append(baseEnv(), c.Env...), dir: c.Dir, group: c.Group, out: p.out.from, err: p.err.from}
	if c.Bystander != "" {
		l.env = append(l.env, envBystander+"="+c.Bystander)
	}
	if c.Alone {
		l.flags = syscall.CLONE_NEWNET
	}
	if c.UID != 0 {
		l.credential = &syscall.Credential{Uid: uint32(c.UID), Gid: uint32(c.UID)}
	}
	var err error
	if p.process, err = m.processes.start(l); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.programs[p.pid] = p
	*pid = p.pid
	return nil
}

// baseEnv spares what costs time when many nodes share a machine: programs that
// mostly wait need one processor, and no garbage collection.
func baseEnv() []string {
	return []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/root", "GOMAXPROCS=1", "GOGC=off", "GOMEMLIMIT=100MiB"}
}

// Wait waits for a command's end, or only looks when Running says so.
func (m *Machine) Wait(pid int, r *Result) error {
	p, err := m.program(pid)
	if err != nil {
		return err
	}
	<-p.done
	return m.Look(pid, r)
}

// Look says how a command is now.
func (m *Machine) Look(pid int, r *Result) error {
	p, err := m.program(pid)
	if err != nil {
		return err
	}
	*r = Result{Running: !p.ended(), Stdout: p.out.String(), Stderr: p.err.String()}
	if !r.Running {
		r.Exit = p.status.ExitStatus()
		if p.status.Signaled() {
			r.Exit, r.Signal = -1, p.status.Signal()
		}
	}
	return nil
}

func (m *Machine) program(pid int) (*program, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.programs[pid]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("no program with pid %d was started", pid)
}

// Signal is a signal to a process.
type Signal struct {
	PID    int
	Signal syscall.Signal
}

// Send sends a signal to a program that Start has started.
func (m *Machine) Send(s Signal, _ *None) error {
	p, err := m.program(s.PID)
	if err != nil {
		return err
	}
	if p.ended() {
		return errors.New("it has ended")
	}
	return syscall.Kill(s.PID, s.Signal)
}
