package node

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Process is a running process of the node. PID and Start together name it:
// the kernel gives a PID again, but not at the same tick.
type Process struct {
	PID   int
	Start uint64 // clock ticks after boot
	Argv  []string
}

// Same tells whether two values name the same process.
func (p Process) Same(o Process) bool { return p.PID == o.PID && p.Start == o.Start }

// Processes lists the processes whose program is called name, whatever its
// directory. Only those of this machine, or of the container that we run in,
// can be seen; one that ends meanwhile is left out.
func (n *Node) Processes(name string) ([]Process, error) {
	proc := filepath.Join(n.Root, "proc")
	entries, err := os.ReadDir(proc)
	if err != nil {
		return nil, fail("read", "/proc", err)
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
		if start, ok := startTime(filepath.Join(proc, e.Name(), "stat")); ok {
			out = append(out, Process{pid, start, argv})
		}
	}
	return out, nil
}

// startTime reads field 22 of /proc/PID/stat, and tells whether the process
// still runs: a zombie has ended. The name in field 2 may hold blanks and
// brackets, so fields are counted from its last bracket.
func startTime(stat string) (ticks uint64, running bool) {
	data, err := os.ReadFile(stat)
	i := bytes.LastIndexByte(data, ')')
	if err != nil || i < 0 {
		return 0, false
	}
	fields := strings.Fields(string(data[i+1:]))
	if len(fields) < 20 || fields[0] == "Z" || fields[0] == "X" {
		return 0, false
	}
	ticks, err = strconv.ParseUint(fields[19], 10, 64)
	return ticks, err == nil
}
