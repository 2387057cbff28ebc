package proc

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Credentials are who a process is to the kernel: its effective user and groups, and its
// sets of capabilities.
type Credentials struct {
	UID, GID   int
	Groups     []int
	Inherited  uint64
	Permitted  uint64
	Effective  uint64
	Bounding   uint64
	Ambient    uint64
	NoNewPrivs bool
}

// Credentials reads those of a process; see proc_pid_status(5).
func (h Host) Credentials(p Process) (Credentials, error) {
	data, err := os.ReadFile(h.file(p, "status"))
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	read := map[string]func(fields []string) error{
		"Uid:":        func(f []string) (err error) { c.UID, err = effective(f); return err },
		"Gid:":        func(f []string) (err error) { c.GID, err = effective(f); return err },
		"Groups:":     func(f []string) (err error) { c.Groups, err = numbers(f); return err },
		"CapInh:":     func(f []string) (err error) { c.Inherited, err = bits(f); return err },
		"CapPrm:":     func(f []string) (err error) { c.Permitted, err = bits(f); return err },
		"CapEff:":     func(f []string) (err error) { c.Effective, err = bits(f); return err },
		"CapBnd:":     func(f []string) (err error) { c.Bounding, err = bits(f); return err },
		"CapAmb:":     func(f []string) (err error) { c.Ambient, err = bits(f); return err },
		"NoNewPrivs:": func(f []string) error { c.NoNewPrivs = len(f) > 0 && f[0] == "1"; return nil },
	}
	for line := range strings.Lines(string(data)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || read[fields[0]] == nil {
			continue
		}
		if err := read[fields[0]](fields[1:]); err != nil {
			return Credentials{}, fmt.Errorf("%s: %w", fields[0], err)
		}
		delete(read, fields[0])
	}
	if len(read) > 0 {
		return Credentials{}, errors.New("its status is incomplete")
	}
	return c, nil
}

// effective is the second of the four numbers of a user or group.
func effective(fields []string) (int, error) {
	if len(fields) < 2 {
		return 0, errors.New("not four numbers")
	}
	return strconv.Atoi(fields[1])
}

func numbers(fields []string) (out []int, err error) {
	for _, f := range fields {
		n, err := strconv.Atoi(f)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func bits(fields []string) (uint64, error) {
	if len(fields) != 1 {
		return 0, errors.New("not one number")
	}
	return strconv.ParseUint(fields[0], 16, 64)
}

// Environ is the environment that a process was started with.
func (h Host) Environ(p Process) ([]string, error) {
	data, err := os.ReadFile(h.file(p, "environ"))
	if err != nil || len(data) == 0 {
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(data), "\x00"), "\x00"), nil
}

// Program is the path of a process's program, and Dir that of its working directory, as
// the process has them.
func (h Host) Program(p Process) (string, error) { return os.Readlink(h.file(p, "exe")) }

// Dir is the working directory of a process, as the process has it.
func (h Host) Dir(p Process) (string, error) { return os.Readlink(h.file(p, "cwd")) }

// Shares tells whether a process is in the same namespace as we are: mnt, net, pid, user
// and so on (namespaces(7)).
func (h Host) Shares(p Process, namespace string) (bool, error) {
	ours, err := os.Readlink(filepath.Join(h.Root, "proc/self/ns", namespace))
	if err != nil {
		return false, err
	}
	theirs, err := os.Readlink(h.file(p, filepath.Join("ns", namespace)))
	return ours == theirs, err
}

// AsPrecious has the kernel end a process no sooner than this one when memory runs out, as far
// as it may.
func (h Host) AsPrecious(p Process) {
	if own, err := os.ReadFile(filepath.Join(h.Root, "proc/self/oom_score_adj")); err == nil && h.Runs(p) {
		_ = os.WriteFile(h.file(p, "oom_score_adj"), own, 0)
	}
}

// Resident is how much memory a process has, in bytes.
func (h Host) Resident(p Process) (int64, error) {
	data, err := os.ReadFile(h.file(p, "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/PID/status has no VmRSS")
}

// Available is how much memory a new program can have without swapping, in bytes, by the
// kernel's estimate (MemAvailable).
func (h Host) Available() (int64, error) {
	data, err := os.ReadFile(filepath.Join(h.Root, "proc/meminfo"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, found := strings.CutPrefix(line, "MemAvailable:"); found {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("/proc/meminfo has no MemAvailable")
}

// file is a file of a process below /proc.
func (h Host) file(p Process, name string) string {
	return filepath.Join(h.Root, "proc", itoa(p.PID), name)
}
