package proc

import (
	"os"
	"path"
	"path/filepath"
	"strings"

	"auditpatch/internal/lazyregexp"
)

// Pod is the Pod that a process runs in, as the kubelet's control groups tell.
type Pod struct {
	// UID is the Pod's, "" for a process that runs in no Pod. That of a static
	// Pod is a hash without dashes (pkg/kubelet/config/common.go, applyDefaults),
	// that of a Pod that was made through the API a UUID with them.
	UID string
	// Cgroups are the directories of its control groups, one for each hierarchy.
	// The kubelet removes them when it has torn the Pod down.
	Cgroups []string
}

// Static tells whether the UID is one that the kubelet gives to a Pod from a
// manifest.
func (p Pod) Static() bool { return len(p.UID) == 32 && !strings.Contains(p.UID, "-") }

// podGroup is a Pod's control group: podUID with the cgroupfs driver, and
// kubepods-QOS-podUID.slice, with _ for -, with systemd's
// (pkg/kubelet/cm/pod_container_manager_linux.go, GetPodContainerName).
var podGroup = lazyregexp.New(`^(?:[a-z]+-)*pod([0-9a-f]{32}|[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12})(?:\.slice)?$`)

// PodOf is the Pod that a process runs in. A container's group lies in its
// Pod's, and a runtime may nest further groups in it, as crun does on cgroup v2;
// of nested Pods (a node in a container) the innermost counts.
func (h Host) PodOf(p Process) Pod {
	data, err := os.ReadFile(filepath.Join(h.Root, "proc", itoa(p.PID), "cgroup"))
	if err != nil {
		return Pod{}
	}
	mounts, err := os.ReadFile(filepath.Join(h.Root, "proc/self/mountinfo"))
	if err != nil {
		return Pod{}
	}
	var pod Pod
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSuffix(line, "\n"), ":", 3)
		if len(parts) != 3 {
			continue
		}
		group, uid := innermostPod(parts[2])
		if uid == "" || pod.UID != "" && uid != pod.UID {
			continue
		}
		pod.UID = uid
		if dir := h.cgroupDir(string(mounts), parts[1], group); dir != "" {
			pod.Cgroups = append(pod.Cgroups, dir)
		}
	}
	return pod
}

// innermostPod walks up from a control group to that of a Pod.
func innermostPod(group string) (pod, uid string) {
	for ; group != "/" && group != "."; group = path.Dir(group) {
		if m := podGroup().FindStringSubmatch(path.Base(group)); m != nil {
			return group, strings.ReplaceAll(m[1], "_", "-")
		}
	}
	return "", ""
}

// cgroupDir finds the directory of a control group among the mounts, "" when it
// is not there. controllers is the second field of /proc/PID/cgroup: "" for
// cgroup v2.
func (h Host) cgroupDir(mountinfo, controllers, group string) string {
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
		if info, err := os.Stat(filepath.Join(h.Root, dir)); err == nil && info.IsDir() {
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
func (h Host) Exist(dirs []string) bool {
	for _, d := range dirs {
		if _, err := os.Lstat(filepath.Join(h.Root, d)); err == nil {
			return true
		}
	}
	return false
}
