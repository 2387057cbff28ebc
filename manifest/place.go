package manifest

import "path"

// MountAt is where the mount of a path is in the text, for messages; both
// are 0 when there is none.
func (f *File) MountAt(mountPath string) (line, col int) {
	for i, m := range f.Container().VolumeMounts {
		if path.Clean(m.MountPath) == path.Clean(mountPath) {
			at := entry(f.doc.container, "volumeMounts", i)
			return at.Line, at.Column
		}
	}
	return 0, 0
}

// VolumeAt is where a volume is in the text, for messages; both are 0 when
// there is none.
func (f *File) VolumeAt(name string) (line, col int) {
	for i, v := range f.pod.Spec.Volumes {
		if v.Name == name {
			at := entry(f.doc.spec, "volumes", i)
			return at.Line, at.Column
		}
	}
	return 0, 0
}

// UIDAt is where metadata.uid is in the text, ok only when the manifest has
// one: the kubelet gives a Pod without it one of the file's contents.
func (f *File) UIDAt() (line, col int, ok bool) {
	if f.pod.UID == "" {
		return 0, 0, false
	}
	at := f.doc.meta
	if k, _ := child(at, "uid"); k != nil {
		at = k
	}
	return at.Line, at.Column, true
}
