package manifest

import "path"

// MountAt is where the mount of a path stands in the text, for messages; both
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

// VolumeAt is where a volume stands in the text, for messages; both are 0 when
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
