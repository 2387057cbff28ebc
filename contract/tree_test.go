package contract

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	manifestPath = "etc/kubernetes/manifests/kube-apiserver.yaml"
	policyPath   = "etc/kubernetes/audit-policy.yaml"
)

// newNode makes the file tree of a control-plane node.
func newNode(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "var/lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		manifestPath:                         text,
		"etc/kubernetes/manifests/etcd.yaml": []byte("apiVersion: v1\nkind: Pod\nmetadata: {name: etcd, namespace: kube-system}\n"),
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// mustRun runs auditpatch and wants it to succeed.
func mustRun(t testing.TB, args ...string) {
	t.Helper()
	if out, err := program(t, args...).CombinedOutput(); err != nil {
		t.Fatalf("auditpatch %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// snapshot is a tree's files but auditpatch's own state: contents by name, ""
// with a final slash for directories.
func snapshot(t testing.TB, root string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, name)
		if rel == "var/lib/auditpatch" {
			return filepath.SkipDir
		}
		if d.IsDir() {
			files[rel+"/"] = ""
			return nil
		}
		data, err := os.ReadFile(name)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// visible are the names in the manifests directory that the kubelet reads.
func visible(t testing.TB, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, filepath.Dir(manifestPath)))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names
}

// read is a file below root, nil when it is absent.
func read(t testing.TB, root, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return bytes.Clone(data)
}
