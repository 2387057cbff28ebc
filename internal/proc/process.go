package proc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Host is the machine, or the container, whose /proc lies below Root.
type Host struct{ Root string } // "/" is where we run

// Process is a running process of the node. PID and Start together name it:
// the kernel gives a PID again, but not at the same tick.
type Process struct {
	PID   int
	Start uint64 // clock ticks after boot
	Argv  []string
	UID   int // real user ID
}

// Flag is the last value that the command line gives a flag, "" without it.
func (p Process) Flag(name string) (value string) { return Flag(p.Argv, name) }

// Flag is the last value that a command line gives a flag, as --name=value or as
// two arguments; "" without it.
func Flag(argv []string, name string) (value string) {
	for i, a := range argv {
		word, v, joined := strings.Cut(a, "=")
		switch {
		case strings.TrimLeft(word, "-") != name || !strings.HasPrefix(word, "-"):
		case joined:
			value = v
		case i+1 < len(argv):
			value = argv[i+1]
		}
	}
	return value
}

// Same tells whether two values name the same process.
func (p Process) Same(o Process) bool { return p.PID == o.PID && p.Start == o.Start }

// Processes lists the processes whose program is called name, whatever its
// directory. Only those of this machine, or of the container that we run in,
// can be seen; one that ends meanwhile is left out.
func (h Host) Processes(name string) ([]Process, error) {
	proc := filepath.Join(h.Root, "proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, err
	}
	var out []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		cmdline, err := os.ReadFile(filepath.Join(proc, e.Name(), "cmdline"))
		if err != nil || len(cmdline) == 0 {
			continue
		}
		argv := strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")
		if filepath.Base(argv[0]) != name {
			continue
		}
		st, ok := h.procStat(pid)
		uid, known := h.procUser(pid)
		if ok && known {
			out = append(out, Process{pid, st.start, argv, uid})
		}
	}
	return out, nil
}

// Process is the running process with a PID.
func (h Host) Process(pid int) (p Process, running bool) {
	st, running := h.procStat(pid)
	return Process{PID: pid, Start: st.start}, running
}

// Elsewhere tells whether the process is surely in another PID namespace than we
// are, as those of a node that runs in a container on this one.
func (h Host) Elsewhere(p Process) bool {
	ours, err1 := os.Readlink(filepath.Join(h.Root, "proc/self/ns/pid"))
	theirs, err2 := os.Readlink(filepath.Join(h.Root, "proc", strconv.Itoa(p.PID), "ns/pid"))
	return err1 == nil && err2 == nil && ours != theirs
}

// Started is when a process was started, by the clock of now; zero when that
// cannot be told.
func (h Host) Started(p Process) time.Time {
	data, err := os.ReadFile(filepath.Join(h.Root, "proc/stat"))
	if err != nil {
		return time.Time{}
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			if boot, err := strconv.ParseInt(strings.TrimSpace(rest), 10, 64); err == nil {
				return time.Unix(boot, 0).Add(time.Duration(p.Start) * tick)
			}
		}
	}
	return time.Time{}
}

// tick is the unit of times in /proc, on every Linux that Kubernetes runs on.
const tick = 10 * time.Millisecond

// procUser reads the real user ID of a process.
func (h Host) procUser(pid int) (uid int, ok bool) {
	data, err := os.ReadFile(filepath.Join(h.Root, "proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, "Uid:"); found {
			real, _, _ := strings.Cut(strings.TrimSpace(rest), "\t")
			uid, err := strconv.Atoi(real)
			return uid, err == nil
		}
	}
	return 0, false
}

// Runs tells whether the process has not ended yet.
func (h Host) Runs(p Process) bool {
	st, ok := h.procStat(p.PID)
	return ok && st.start == p.Start
}

// CPU is how long the process has had a processor, in clock ticks (10 ms on
// every Linux that Kubernetes runs on); 0 when it has ended.
func (h Host) CPU(p Process) uint64 {
	st, ok := h.procStat(p.PID)
	if !ok || st.start != p.Start {
		return 0
	}
	return st.cpu
}

// procStat is what is of use in /proc/PID/stat.
type procStat struct {
	start uint64 // ticks after boot
	cpu   uint64 // ticks, user and system
}

// procStat reads fields 14, 15 and 22 of /proc/PID/stat, and tells whether the
// process still runs: a zombie has ended. The name in field 2 may hold blanks
// and brackets, so fields are counted from its last bracket.
func (h Host) procStat(pid int) (st procStat, running bool) {
	data, err := os.ReadFile(filepath.Join(h.Root, "proc", strconv.Itoa(pid), "stat"))
	i := bytes.LastIndexByte(data, ')')
	if err != nil || i < 0 {
		return st, false
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return st, false
	}
	user, err1 := strconv.ParseUint(fields[11], 10, 64)
	system, err2 := strconv.ParseUint(fields[12], 10, 64)
	start, err3 := strconv.ParseUint(fields[19], 10, 64)
	return procStat{start, user + system}, err1 == nil && err2 == nil && err3 == nil
}
