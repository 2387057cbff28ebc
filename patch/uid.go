package patch

import (
	"fmt"

	"auditpatch/internal/hint"
	"auditpatch/manifest"
)

// CheckUID refuses a manifest that fixes its Pod's UID. The kubelet makes the UID of
// the file's contents, so that a changed file is another Pod; with the same UID it
// takes the change for one of a Pod that is there (pkg/kubelet/config/config.go,
// checkAndUpdatePod), and no new Pod ever starts.
func CheckUID(m *manifest.File) error {
	line, col, fixed := m.UIDAt()
	if !fixed {
		return nil
	}
	at := fmt.Sprintf("%s:%d:%d", m.Name(), line, col)
	return refuse(hint.Words("take metadata.uid out of %s, line %d", hint.Path(m.Name()), line),
		"%s: metadata.uid is %q: the kubelet takes a changed file for the same Pod and does not restart it", at, m.Pod().UID)
}
