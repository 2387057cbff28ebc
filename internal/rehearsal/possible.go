package rehearsal

import (
	"fmt"
	"os"
	"path"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
)

// leastMemory has to be available for a second API server, half as much again as it takes: at
// most 285 MB, with 10 MB of objects in the cluster as with 200, since it has no watch cache.
const leastMemory = 430 << 20

// needed are the capabilities that a rehearsal takes, by number (capabilities(7)), and what
// for.
var needed = []struct {
	bit  int
	name string
}{
	{5, "CAP_KILL"}, {6, "CAP_SETGID"}, {7, "CAP_SETUID"}, {8, "CAP_SETPCAP"}, {18, "CAP_SYS_CHROOT"}, {19, "CAP_SYS_PTRACE"}, {21, "CAP_SYS_ADMIN"},
}

// Possible says why a second API server beside the one that runs cannot be started here, as
// an *Impossible; nil when nothing is known that speaks against it.
func Possible(s *apiserver.Server) error {
	running, err := runs(s)
	if err != nil {
		return err
	}
	return possible(s, running)
}

// possible is Possible of an API server that is known to run.
func possible(s *apiserver.Server, running proc.Process) error {
	if !supported {
		return impossible("only Linux has the namespaces that it takes")
	}
	if err := capable(); err != nil {
		return err
	}
	for _, namespace := range []string{"net", "user"} {
		if shared, err := s.Host.Shares(running, namespace); err != nil || !shared {
			return impossible("kube-apiserver (pid %d) runs in a %s namespace of its own", running.PID, namespace)
		}
	}
	program, err := s.Host.Program(running)
	if err != nil {
		return impossible("the program of kube-apiserver (pid %d) cannot be seen: %v", running.PID, err)
	}
	if path.Base(program) != "kube-apiserver" {
		return impossible("the program of pid %d is %s, and kube-apiserver only its name", running.PID, program)
	}
	free, err := s.Host.Available()
	if err == nil && free < leastMemory {
		return &Impossible{
			Reason: fmt.Sprintf("%s of memory are available, and a second kube-apiserver takes up to %s", auditlog.FormatSize(free), auditlog.FormatSize(leastMemory)),
			Hint:   hint.Shell("free -m"),
		}
	}
	return nil
}

// capable names the capabilities that this process lacks.
func capable() error {
	own, err := proc.Host{Root: "/"}.Credentials(proc.Process{PID: os.Getpid()})
	if err != nil {
		return impossible("the capabilities of this process cannot be read: %v", err)
	}
	var missing []string
	for _, c := range needed {
		if own.Effective>>c.bit&1 == 0 {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return impossible("this process lacks %s", strings.Join(missing, ", "))
	}
	return nil
}
