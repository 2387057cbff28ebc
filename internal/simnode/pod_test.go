//go:build linux

package simnode

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// TestIdentity shows what makes another Pod for the kubelet, and what does not.
func TestIdentity(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../testdata/kube-apiserver.yaml")
	if err != nil {
		t.Fatal(err)
	}
	manifest := string(data)
	identity := func(text, file, node string) string {
		t.Helper()
		p, err := decodePod([]byte(text), file, node)
		if err != nil {
			t.Fatal(err)
		}
		return p.Identity
	}
	first := identity(manifest, manifestPath, "cp-1")
	if len(first) != 32 || strings.Contains(first, "-") {
		t.Errorf("UID %q, want 32 hex digits", first)
	}
	for name, same := range map[string]string{
		"a comment":               strings.Replace(manifest, "site's own CA", "other CA", 1),
		"a second document":       manifest + "\n---\nkind: Nonsense\n",
		"a field that no Pod has": strings.Replace(manifest, "  hostNetwork: true\n", "  hostNetwork: true\n  hostNetwerk: true\n", 1),
	} {
		if identity(same, manifestPath, "cp-1") != first {
			t.Errorf("%s makes another Pod", name)
		}
	}
	for name, other := range map[string]string{
		"an annotation": identity(strings.Replace(manifest, "  annotations:\n", "  annotations:\n    a: b\n", 1), manifestPath, "cp-1"),
		"the node":      identity(manifest, manifestPath, "cp-2"),
		"the file":      identity(manifest, manifestPath+".bak", "cp-1"),
	} {
		if other == first {
			t.Errorf("%s makes no other Pod", name)
		}
	}
}

// TestInvalid are files that the kubelet takes for no Pod.
func TestInvalid(t *testing.T) {
	t.Parallel()
	const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: a\n"
	const mount, again = "    volumeMounts:\n    - {name: v, mountPath: /v}\n", "    - {name: v, mountPath: /v}\n"
	const volume = "  volumes:\n  - {name: v, hostPath: {path: /v}}\n"
	for text, want := range map[string]string{
		"":            "couldn't parse as pod: no v1 Pod with a name",
		"kind: Pod\n": "couldn't parse as pod: no v1 Pod with a name",
		"{kind: Pod}": "couldn't parse as pod: invalid character 'k' looking for beginning of object key string",
		"apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n": "invalid pod: spec.containers: Required value",
		pod + mount:                  `invalid pod: volumeMounts.name: Not found: "v"`,
		pod + mount + again + volume: `invalid pod: mountPath: Invalid value: "/v": must be unique`,
	} {
		_, err := decodePod([]byte(text), "f", "n")
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

// TestCommandLine expands as the kubelet does.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	argv, env := commandLine(corev1.Container{
		Command: []string{"a", "--x=$(X)", "$$(X)", "$(UNKNOWN)", "$(X"}, Args: []string{"$(Y)$"},
		Env: []corev1.EnvVar{{Name: "X", Value: "1"}, {Name: "Y", Value: "$(X)2"}},
	})
	if diff := cmp.Diff([]string{"a", "--x=1", "$(X)", "$(UNKNOWN)", "$(X", "12$"}, argv); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"X=1", "Y=12"}, env); diff != "" {
		t.Error(diff)
	}
}

// TestHostPathTypes are the kubelet's checks before it mounts.
func TestHostPathTypes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		kind corev1.HostPathType
		want string
	}{
		{"/nowhere", corev1.HostPathUnset, ""},
		{dir, corev1.HostPathDirectoryOrCreate, ""},
		{dir + "/new/dir", corev1.HostPathDirectoryOrCreate, ""},
		{dir + "/new/file", corev1.HostPathFileOrCreate, ""},
		{dir + "/no/file", corev1.HostPathFileOrCreate, "open " + dir + "/no/file: no such file or directory"},
		{dir + "/absent", corev1.HostPathFile, "hostPath type check failed: " + dir + "/absent is not a file"},
		{file, corev1.HostPathDirectoryOrCreate, "hostPath type check failed: " + file + " is not a directory"},
		{dir, corev1.HostPathFileOrCreate, "hostPath type check failed: " + dir + " is not a file"},
		{"/dev/null", corev1.HostPathCharDev, ""},
	} {
		have := ""
		if err := checkHostPath(&corev1.HostPathVolumeSource{Path: c.path, Type: &c.kind}); err != nil {
			have = err.Error()
		}
		if have != c.want {
			t.Errorf("%s %q: %s, want %s", c.path, c.kind, have, c.want)
		}
	}
}

// TestSource shows what the kubelet makes of files in its directory.
func TestSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := newSource(dir, "n", func(string, string, string) {})
	pod := func(image string) string {
		return "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - name: a\n    image: " + image + "\n"
	}
	put := func(name, text string) {
		t.Helper()
		temp := filepath.Join(dir, ".temp")
		if err := os.WriteFile(temp, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	wants := func(what, image string) {
		t.Helper()
		for deadline := time.After(paced(30 * time.Second)); ; {
			select {
			case pods := <-s.out:
				if image == "" && len(pods) == 0 || len(pods) == 1 && pods[0].Spec.Containers[0].Image == image {
					return
				}
			case <-deadline:
				t.Fatalf("%s: never %q", what, image)
			}
		}
	}
	put("a.yaml", pod("one"))
	go func() { _ = s.run() }()
	wants("the first list", "one")
	put(".b.yaml", pod("hidden"))
	put("a.yaml", pod("two"))
	wants("a rename", "two")
	put("a.yaml.bak", pod("backup"))
	wants("a backup of the same name", "backup")
	put("a.yaml", pod("three"))
	wants("the file that was touched last", "three")
	wants("the list: the last name", "backup")
	if err := os.Remove(filepath.Join(dir, "a.yaml.bak")); err != nil {
		t.Fatal(err)
	}
	wants("a removed backup takes the Pod with it", "")
	wants("which comes back with the list", "three")
	put("a.yaml", "kind: nothing\n")
	wants("an invalid file, at the list", "")
	put("a.yaml", pod("four"))
	wants("a valid one", "four")
}
