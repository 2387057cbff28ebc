package patch

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestFixedUID refuses on a node that runs what its kubelet would never start, and
// only warns where the node is still to start.
func TestFixedUID(t *testing.T) {
	src, err := os.ReadFile("../testdata/kube-apiserver.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(src), "metadata:\n", "metadata:\n  uid: 0b5e\n", 1)
	line := strings.Count(text[:strings.Index(text, "  uid:")], "\n") + 1
	s := State{Manifest: File{Path: "/m/kube-apiserver.yaml", Exists: true, Data: []byte(text)}}
	plans := map[string]func(State) (*Plan, error){
		"enable":  func(s State) (*Plan, error) { return Enable(s, Options{}) },
		"disable": func(s State) (*Plan, error) { return Disable(s, false) },
		"restore": func(s State) (*Plan, error) {
			old := s.Manifest
			old.Data = []byte(text + "# earlier\n")
			return Restore(s, Backup{Origin: "backup", Ours: true, Files: []File{old}})
		},
	}
	for name, plan := range plans {
		_, err := plan(s)
		var e *Error
		at := "/m/kube-apiserver.yaml:" + strconv.Itoa(line) + ":3: "
		if !errors.As(err, &e) || e.Reason != at+`metadata.uid is "0b5e": the kubelet takes a changed file for the same Pod and does not restart it` ||
			e.Hint.String() != "take metadata.uid out of /m/kube-apiserver.yaml, line "+strconv.Itoa(line) {
			t.Errorf("%s: %v", name, err)
		}
		offline := s
		offline.Offline = true
		if _, err := plan(offline); err != nil {
			t.Errorf("%s before the node starts: %v", name, err)
		}
	}
}
