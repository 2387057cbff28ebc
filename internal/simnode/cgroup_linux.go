package simnode

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Hierarchy is one tree of control groups that a node has, rooted at a group of
// its own on the host.
type Hierarchy struct {
	Name    string // below /sys/fs/cgroup; "" for cgroup v2
	Options string // to mount it
	Parent  string // the node's own group, on the host
}

// wantedV1 are the controllers that a node with cgroup v1 gets of those that the
// host has. A few show all that there is to see, and spare time.
var wantedV1 = []string{"pids", "freezer", "systemd", "memory"}

const mostV1 = 2

// hierarchies makes a group of its own for a node in the hierarchies of this
// machine: below the group that we are in, so that limits hold.
func hierarchies(name string, v2 bool) ([]Hierarchy, error) {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	var out []Hierarchy
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		controller := strings.TrimPrefix(parts[1], "name=")
		if v2 != (controller == "") || !v2 && !slices.Contains(wantedV1, controller) {
			continue
		}
		where := mountOf(string(mounts), controller)
		if where == "" || len(out) == mostV1 {
			continue
		}
		h := Hierarchy{Name: controller, Options: parts[1], Parent: filepath.Join(where, parts[2], name)}
		if strings.HasPrefix(parts[1], "name=") {
			h.Options = "none," + parts[1]
		}
		if err := os.Mkdir(h.Parent, 0o755); err != nil {
			return out, err
		}
		out = append(out, h)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no control groups of version %d are mounted", map[bool]int{false: 1, true: 2}[v2])
	}
	return out, nil
}

// mountOf is where a hierarchy is mounted, "" for nowhere. The controller is ""
// for cgroup v2.
func mountOf(mountinfo, controller string) string {
	for line := range strings.Lines(mountinfo) {
		left, right, _ := strings.Cut(line, " - ")
		where, kind := strings.Fields(left), strings.Fields(right)
		if len(where) < 5 || len(kind) < 3 || where[3] != "/" {
			continue
		}
		options := strings.Split(kind[2], ",")
		v1 := kind[0] == "cgroup" && (slices.Contains(options, controller) || slices.Contains(options, "name="+controller))
		if controller == "" && kind[0] == "cgroup2" || controller != "" && v1 {
			return where[4]
		}
	}
	return ""
}

// sweepGroups removes the groups of nodes whose test has died.
func sweepGroups(prefix string) {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if left, right, _ := strings.Cut(line, " - "); strings.HasPrefix(right, "cgroup") {
			for _, pattern := range []string{"*", "*/*", "*/*/*"} {
				found, _ := filepath.Glob(filepath.Join(strings.Fields(left)[4], strings.TrimSuffix(pattern, "*")+prefix+"*"))
				for _, dir := range found {
					pid, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
					if n, err := strconv.Atoi(pid); err == nil && errors.Is(syscall.Kill(n, 0), syscall.ESRCH) {
						_ = removeGroups(dir)
					}
				}
			}
		}
	}
}

// removeGroups removes a group and all below it. A group whose last process has
// just ended stays busy for a moment.
func removeGroups(dir string) error {
	for range 50 {
		err := removeTree(dir)
		if !errors.Is(err, syscall.EBUSY) {
			return err
		}
		time.Sleep(2 * time.Millisecond)
	}
	return removeTree(dir)
}

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && err != syscall.ENOENT {
		return &os.PathError{Op: "rmdir", Path: dir, Err: err}
	}
	return nil
}

const cgroupMount = "/sys/fs/cgroup"

// groupRoots are the roots of the node's own hierarchies, as the node sees them.
func groupRoots() []string {
	if _, err := os.Stat(cgroupMount + "/cgroup.procs"); err == nil {
		return []string{cgroupMount}
	}
	roots, _ := filepath.Glob(cgroupMount + "/*")
	return roots
}

// enterGroup puts this thread into a group of every hierarchy of cgroup v1. With
// v2 only whole processes can be moved: then it opens the group, to start one
// in it.
func enterGroup(group string) (*os.File, error) {
	roots := groupRoots()
	for _, root := range roots {
		dir := filepath.Join(root, group)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
		if root == cgroupMount {
			return os.Open(dir)
		}
		if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(unix.Gettid())), 0); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// podGroup is the control group of a Pod with one of the two drivers
// (pkg/kubelet/cm/pod_container_manager_linux.go, GetPodContainerName, and
// cgroup_manager_linux.go, ToSystemd: systemd has "-" for nesting, so the
// dashes of a UID become "_").
func podGroup(uid string, systemd bool) string {
	if systemd {
		return "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + strings.ReplaceAll(uid, "-", "_") + ".slice"
	}
	return "kubepods/burstable/pod" + uid
}

// containerGroup is the group of a container in its Pod's: containerd's name
// with either driver. crun makes one more below it on cgroup v2
// (libcrun/cgroup-systemd.c, DEFAULT_SUBGROUP).
func containerGroup(pod, id string, systemd, crun bool) string {
	name := id
	if systemd {
		name = "cri-containerd-" + id + ".scope"
	}
	if crun {
		name += "/container"
	}
	return filepath.Join(pod, name)
}
