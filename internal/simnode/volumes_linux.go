package simnode

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The volume manager's loops (pkg/kubelet/volumemanager): it looks for what is
// to be mounted all the time, and a Pod's worker looks less often whether it is
// (podAttachAndMountRetryInterval).
const (
	reconcilePeriod = 100 * time.Millisecond
	mountWait       = 300 * time.Millisecond
)

// mountDue brings on the Pods that wait for their volumes.
func (k *kubelet) mountDue(now time.Time) {
	for _, w := range k.workers {
		if w.allowed && !w.volumes && !w.terminating && now.After(w.mountAt) {
			k.sync(w, now)
		}
	}
}

// mount prepares a Pod's volumes, and tells whether they are ready: not at once.
// What fails is tried again after 0.5 s, 1 s, ... 2 min 2 s
// (pkg/util/goroutinemap/exponentialbackoff). A Pod that the kubelet has been
// told to forget is no more known to whoever mounts volumes, so that it waits for
// ever (pkg/kubelet/volumemanager/populator, findAndAddNewPods).
func (k *kubelet) mount(w *worker, now time.Time) bool {
	again := func(in time.Duration) bool { w.mountAt = now.Add(paced(in)); return false }
	if w.mountAt.IsZero() {
		return again(mountWait)
	}
	if k.pods[w.uid()] == nil {
		return again(mountWait)
	}
	if err := os.MkdirAll(filepath.Join("/var/lib/kubelet/pods", w.uid(), "volumes"), 0o750); err != nil {
		return again(time.Second)
	}
	for _, v := range w.pod.Spec.Volumes {
		if v.HostPath == nil || !mounted(w.pod.Pod, v.Name) {
			continue
		}
		if err := checkHostPath(v.HostPath); err != nil {
			wait := min(500*time.Millisecond<<w.mountTries, 2*time.Minute+2*time.Second)
			w.mountTries = min(w.mountTries+1, 10)
			k.note(MountFailed, w.uid(), fmt.Sprintf("MountVolume.SetUp failed for volume %q : %v", v.Name, err))
			return again(wait)
		}
	}
	w.volumes = true
	return true
}

// mounted tells whether a container mounts a volume: the others do not matter
// (pkg/volume/util, GetPodVolumeNames).
func mounted(p *corev1.Pod, volume string) bool {
	return slices.ContainsFunc(p.Spec.Containers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == volume })
	})
}

// checkHostPath is checkType of pkg/volume/hostpath/host_path.go.
func checkHostPath(v *corev1.HostPathVolumeSource) error {
	kind := corev1.HostPathUnset
	if v.Type != nil {
		kind = *v.Type
	}
	info, err := os.Stat(v.Path)
	missing := os.IsNotExist(err)
	if err != nil && !missing {
		return err
	}
	switch kind {
	case corev1.HostPathUnset:
		return nil
	case corev1.HostPathDirectoryOrCreate:
		if missing {
			return os.MkdirAll(v.Path, 0o755)
		}
	case corev1.HostPathFileOrCreate:
		if missing {
			return os.WriteFile(v.Path, nil, 0o644) // its directory has to be there
		}
	}
	if missing || !isKind(info, kind) {
		return fmt.Errorf("hostPath type check failed: %s is not a %s", v.Path, kindNames[kind])
	}
	return nil
}

var kindNames = map[corev1.HostPathType]string{
	corev1.HostPathDirectory: "directory", corev1.HostPathDirectoryOrCreate: "directory",
	corev1.HostPathFile: "file", corev1.HostPathFileOrCreate: "file",
	corev1.HostPathSocket: "socket file", corev1.HostPathCharDev: "character device", corev1.HostPathBlockDev: "block device",
}

// isKind tells whether a path is what the volume says. The kubelet takes
// everything for a file that is no directory, socket or device.
func isKind(info fs.FileInfo, kind corev1.HostPathType) bool {
	mode := info.Mode()
	switch kind {
	case corev1.HostPathDirectory, corev1.HostPathDirectoryOrCreate:
		return mode.IsDir()
	case corev1.HostPathFile, corev1.HostPathFileOrCreate:
		return mode.IsRegular()
	case corev1.HostPathSocket:
		return mode&fs.ModeSocket != 0
	case corev1.HostPathCharDev:
		return mode&fs.ModeCharDevice != 0
	case corev1.HostPathBlockDev:
		return mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
	}
	return false
}

// binds are a container's mounts of host paths.
func binds(p *corev1.Pod, c corev1.Container) (out []Bind) {
	for _, m := range c.VolumeMounts {
		for _, v := range p.Spec.Volumes {
			if v.Name == m.Name && v.HostPath != nil {
				out = append(out, Bind{v.HostPath.Path, m.MountPath, m.ReadOnly})
			}
		}
	}
	return out
}
