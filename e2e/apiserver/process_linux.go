package apiserver

import "syscall"

const terminate = syscall.SIGTERM

// attributes give a process a group of its own, so that Ctrl-C reaches the test alone,
// which then ends it; and its end with this process when that is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
