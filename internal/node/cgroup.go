package node

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// PodCgroups are the directories of the control groups of the Pod that a
// process runs in, one for each hierarchy; none when it runs in no Pod. The
// kubelet removes them when it has torn the Pod down. A container's group lies
// in its Pod's, whose name holds "pod" and the Pod's UID with both cgroup
// drivers (pkg/kubelet/cm/pod_container_manager_linux.go, GetPodContainerName).
func (n *Node) PodCgroups(p Process) []string {
	data, err := os.ReadFile(filepath.Join(n.Root, "proc", itoa(p.PID), "cgroup"))
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(filepath.Join(n.Root, "proc/self/mountinfo"))
	if err != nil {
		return nil
	}
	var out []string
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		pod := path.Dir(parts[2])
		if !strings.Contains(path.Base(pod), "pod") {
			continue
		}
		if dir := n.cgroupDir(string(mounts), parts[1], pod); dir != "" {
			out = append(out, dir)
		}
	}
	return out
}

// cgroupDir finds the directory of a control group among the mounts, "" when it
// is not there. controllers is the second field of /proc/PID/cgroup: "" for
// cgroup v2.
func (n *Node) cgroupDir(mountinfo, controllers, group string) string {
	for line := range strings.Lines(mountinfo) {
		left, right, ok := strings.Cut(line, " - ")
		where, kind := strings.Fields(left), strings.Fields(right)
		if !ok || len(where) < 5 || len(kind) < 3 {
			continue
		}
		v2 := kind[0] == "cgroup2" && controllers == ""
		v1 := kind[0] == "cgroup" && controllers != "" && hasOptions(kind[2], controllers)
		if !v1 && !v2 {
			continue
		}
		rel, ok := strings.CutPrefix(group+"/", strings.TrimSuffix(where[3], "/")+"/")
		if !ok {
			continue
		}
		dir := path.Join(where[4], rel)
		if info, err := os.Stat(filepath.Join(n.Root, dir)); err == nil && info.IsDir() {
			return dir
		}
	}
	return ""
}

// hasOptions tells whether a mount of cgroup v1 has these controllers.
func hasOptions(options, controllers string) bool {
	have := "," + options + ","
	for _, c := range strings.Split(controllers, ",") {
		if !strings.Contains(have, ","+c+",") {
			return false
		}
	}
	return true
}

// Exist tells whether any of the directories is there.
func (n *Node) Exist(dirs []string) bool {
	for _, d := range dirs {
		if _, err := os.Lstat(filepath.Join(n.Root, d)); err == nil {
			return true
		}
	}
	return false
}
