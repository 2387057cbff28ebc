package apiserver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a program that was started here. It does not outlive the test: on Linux
// the kernel kills it when the test's own process ends, however that happens.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has ended
	err  error         // how it ended; for whoever saw done
}

// begin starts a program whose output goes to the file log.
func begin(log, program string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	p := &process{cmd: exec.Command(program, args...), log: log, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	p.cmd.SysProcAttr = attributes()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// stop asks the process to end, and kills it when it has not after the timeout. A
// process that had ended before is an error.
func (p *process) stop(timeout time.Duration) error {
	name := filepath.Base(p.cmd.Path)
	select {
	case <-p.done:
		return fmt.Errorf("%s ended by itself: %w\n%s", name, p.err, p.tail())
	default:
	}
	if err := p.cmd.Process.Signal(terminate); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(timeout):
	}
	err := p.cmd.Process.Kill()
	<-p.done
	return errors.Join(fmt.Errorf("%s did not end within %s", name, timeout), err)
}

// said reports whether the process wrote the text.
func (p *process) said(text string) bool {
	if p == nil {
		return false
	}
	out, err := os.ReadFile(p.log)
	return err == nil && bytes.Contains(out, []byte(text))
}

// tail is the end of what the process wrote, for messages.
func (p *process) tail() string {
	const most = 2000
	out, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(out[max(0, len(out)-most):])
}
