package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const goodFile = "testdata/good.yaml"

// Every case is the good manifest with one thing changed.
var cases = []struct {
	name, old, new string
	want           string
}{
	{"good", "", "", "ok"},
	{"annotation", "  namespace: kube-system\n",
		"  namespace: kube-system\n  annotations:\n    auditpatch/policy-sha256: 5891b5b522d5df086d0ff0b110fbd9d2\n", "ok"},
	{"privileged", "    command:\n", "    securityContext:\n      privileged: true\n    command:\n", "ok"},
	{"unknown-field", "  hostNetwork: true\n", "  hostNetwrk: true\n", "ok"},
	{"second-document", "      type: DirectoryOrCreate\n", "      type: DirectoryOrCreate\n---\nkind: Nonsense\n", "ok"},
	{"mount-path-twice", "mountPath: /var/log/kubernetes/audit", "mountPath: /etc/kubernetes/audit-policy.yaml",
		`invalid pod: [spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/etc/kubernetes/audit-policy.yaml": must be unique]`},
	{"mount-of-no-volume", "    - name: audit-log\n", "    - name: audit-logs\n",
		`invalid pod: [spec.containers[0].volumeMounts[1].name: Not found: "audit-logs"]`},
	{"volume-twice", "\n  - name: audit-log\n", "\n  - name: audit\n",
		`invalid pod: [spec.volumes[1].name: Duplicate value: "audit" spec.containers[0].volumeMounts[1].name: Not found: "audit-log"]`},
	{"host-path-type", "type: DirectoryOrCreate", "type: FolderOrCreate",
		`invalid pod: [spec.volumes[1].hostPath.type: Unsupported value: "FolderOrCreate": supported values: ` +
			`"", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket" ` +
			`spec.containers[0].volumeMounts[1].name: Not found: "audit-log"]`},
	{"volume-name-case", "\n  - name: audit-log\n", "\n  - name: auditLog\n",
		`invalid pod: [spec.volumes[1].name: Invalid value: "auditLog": a lowercase RFC 1123 label must consist of lower case ` +
			`alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', ` +
			`regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?') spec.containers[0].volumeMounts[1].name: Not found: "audit-log"]`},
	{"config-map", "    hostPath:\n      path: /etc/kubernetes/audit-policy.yaml\n      type: File\n", "    configMap:\n      name: audit-policy\n",
		"static pods may not reference configmaps"},
	{"no-name", "metadata:\n  name: kube-apiserver\n", "metadata:\n", "invalid pod: name is needed for the pod"},
	{"deployment", "apiVersion: v1\nkind: Pod\n", "apiVersion: apps/v1\nkind: Deployment\n",
		`couldn't parse as pod(no kind "Deployment" is registered for version "apps/v1" in scheme "pkg/runtime/scheme.go:111"), please check config file`},
	{"broken", "command:", "command: [", "couldn't parse as pod(yaml: line 11: did not find expected node content), please check config file"},
}

func TestRun(t *testing.T) {
	good, err := os.ReadFile(goodFile)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var files []string
	var want strings.Builder
	for _, c := range cases {
		if strings.Count(string(good), c.old) != 1 && c.old != "" {
			t.Fatalf("%s: %q occurs %d times", c.name, c.old, strings.Count(string(good), c.old))
		}
		file := filepath.Join(dir, c.name)
		text := strings.Replace(string(good), c.old, c.new, 1)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
		want.WriteString(file + ": " + c.want + "\n")
	}
	files = append(files, dir, filepath.Join(dir, "gone"))
	want.WriteString(dir + ": Provided manifest path is a directory, not recursing into manifest path\n")
	want.WriteString(files[len(files)-1] + ": stat " + files[len(files)-1] + ": no such file or directory\n")

	var stdout, stderr bytes.Buffer
	if code := run(files, &stdout, &stderr); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	if stdout.String() != want.String() || stderr.Len() > 0 {
		t.Errorf("stdout:\n%s\nwant:\n%s\nstderr:\n%s", &stdout, &want, &stderr)
	}
}

func TestStatus(t *testing.T) {
	for _, c := range []struct {
		files          []string
		code           int
		stdout, stderr string
	}{
		{[]string{goodFile, goodFile}, 0, "testdata/good.yaml: ok\ntestdata/good.yaml: ok\n", ""},
		{nil, 2, "", "usage: kubeletcheck FILE...\n"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.files, &stdout, &stderr); code != c.code || stdout.String() != c.stdout || stderr.String() != c.stderr {
			t.Errorf("%q: %d, %q, %q; want %d, %q, %q", c.files, code, &stdout, &stderr, c.code, c.stdout, c.stderr)
		}
	}
}
