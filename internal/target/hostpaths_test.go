package target

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/node"
	"auditpatch/manifest"
	"auditpatch/patch"
)

// TestLook asks a node that runs what lies at the hostPaths of the Pod, symlinks
// followed, and only such a node.
func TestLook(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/etc/pki", "/srv"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/pki", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(root, "sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	src := "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver}\nspec:\n  containers:\n  - name: a\n    image: a\n    command: [kube-apiserver]\n    volumeMounts:\n"
	volumes := "  volumes:\n"
	for _, at := range []string{"link", "file", "sock", "none"} {
		src += "    - {name: " + at + ", mountPath: /m/" + at + "}\n"
		volumes += "  - {name: " + at + ", hostPath: {path: /" + at + "}}\n"
	}
	m, err := manifest.Parse("x", []byte(src+volumes))
	if err != nil {
		t.Fatal(err)
	}
	s := patch.State{}
	if err := (&Target{Node: node.New(root, "")}).Look(&s, m); err != nil || s.Kinds != nil {
		t.Errorf("a tree that does not run: %v %v", s.Kinds, err)
	}
	if err := (&Target{Node: node.New(root, ""), Live: true}).Look(&s, m); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"/link": patch.KindDirectory, "/file": patch.KindFile, "/sock": patch.KindSocket, "/none": patch.KindNothing}
	if d := cmp.Diff(want, s.Kinds); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
