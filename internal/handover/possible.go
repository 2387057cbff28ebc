package handover

import (
	"fmt"
	"net"
	"os"
	"strings"

	"auditpatch/internal/apiserver"
	"auditpatch/internal/auditlog"
	"auditpatch/internal/hint"
	"auditpatch/internal/proc"
	"auditpatch/internal/rehearsal"
	"auditpatch/patch"
)

func impossible(format string, a ...any) *rehearsal.Impossible {
	return &rehearsal.Impossible{Reason: fmt.Sprintf(format, a...)}
}

// Possible says why the API server that runs cannot be handed over to a second one with new
// settings, as a *rehearsal.Impossible; nil when nothing is known that speaks against it. That the
// change can be rehearsed, and that there is one control plane, is for others to find out.
func Possible(s *apiserver.Server, after patch.Settings) error {
	if Left(s.Node) {
		return &rehearsal.Impossible{Reason: "audit events of an earlier run are still to be moved to the log", Hint: hint.Command("recover")}
	}
	for _, spec := range []patch.Server{s.Spec, after.Server} {
		if address := proc.Flag(spec.Command, "bind-address"); address != "" {
			if ip := net.ParseIP(address); ip == nil || !ip.IsUnspecified() {
				return impossible("kube-apiserver listens on %s only", address)
			}
		}
	}
	if s.Spec.Port != after.Server.Port {
		return impossible("the port changes")
	}
	if after.Log != nil && after.Policy != nil && !after.Log.Covered() {
		return impossible("the audit log lies in the container")
	}
	if err := capable(); err != nil {
		return err
	}
	if err := enoughMemory(s); err != nil {
		return err
	}
	return loads(s.Spec.Port)
}

// loads tries the program out.
func loads(port int) error {
	r, err := newRedirect(port)
	if err != nil {
		return impossible("%v", err)
	}
	r.close()
	return nil
}

// The capabilities that it takes to load and attach the program, beside those of a rehearsal
// (capabilities(7)). CAP_SYS_ADMIN holds what CAP_BPF does.
const (
	capNetAdmin = 12
	capSysAdmin = 21
	capBPF      = 39
)

// capable names the capabilities that this process lacks.
func capable() error {
	own, err := proc.Host{Root: "/"}.Credentials(proc.Process{PID: os.Getpid()})
	if err != nil {
		return impossible("the capabilities of this process cannot be read: %v", err)
	}
	has := func(bit int) bool { return own.Effective>>bit&1 == 1 }
	var missing []string
	if !has(capNetAdmin) {
		missing = append(missing, "CAP_NET_ADMIN")
	}
	if !has(capBPF) && !has(capSysAdmin) {
		missing = append(missing, "CAP_BPF")
	}
	if len(missing) > 0 {
		return impossible("this process lacks %s", strings.Join(missing, ", "))
	}
	return nil
}

// memoryFor is what has to be available for a second API server that serves: it has a watch
// cache, so it grows with the cluster, as the one that runs has done. It took 0.92 times as
// much as that one with 10 MB of objects, and 0.83 times with 200 MB.
func memoryFor(resident int64) int64 { return resident*5/4 + 200<<20 }

func enoughMemory(s *apiserver.Server) error {
	running, err := s.Processes()
	if err != nil || len(running) == 0 {
		return impossible("no kube-apiserver runs as the manifest has it")
	}
	resident, err := s.Host.Resident(running[0])
	if err != nil {
		return impossible("what kube-apiserver takes of the memory cannot be read: %v", err)
	}
	free, err := s.Host.Available()
	if need := memoryFor(resident); err == nil && free < need {
		return &rehearsal.Impossible{
			Reason: fmt.Sprintf("%s of memory are available, and a second kube-apiserver that serves may take %s", auditlog.FormatSize(free), auditlog.FormatSize(need)),
			Hint:   hint.Shell("free -m"),
		}
	}
	return nil
}
