package ansible

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNewestProgram wants, of several files, the newest that is a program for the node.
func TestNewestProgram(t *testing.T) {
	const (
		amd64 = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x3e\x00rest"
		arm64 = "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00rest"
		macOS = "\xcf\xfa\xed\xfe\x07\x00\x00\x01\x03\x00\x00\x00\x02\x00\x00\x00\x11\x00\x3e\x00rest"
	)
	for _, tc := range []struct {
		name, arch string
		files      []string // from the oldest to the newest; "/" is a folder, "-" is not there
		want       int      // which, -1 for none
	}{
		{"the newest", "amd64", []string{amd64, amd64, amd64}, 2},
		{"the newest of the node's", "arm64", []string{arm64, arm64, amd64}, 1},
		{"one for another machine", "amd64", []string{arm64}, -1},
		{"one for macOS", "amd64", []string{amd64, macOS}, 0},
		{"a script, an empty file and a folder", "amd64", []string{amd64, "#!/bin/sh\n", "", "/"}, 0},
		{"some missing", "amd64", []string{"-", amd64, "-"}, 1},
		{"all missing", "amd64", []string{"-", "-"}, -1},
		{"another architecture", "riscv64", []string{amd64, arm64}, -1},
		{"no architecture", "", []string{amd64, arm64}, -1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			paths := lay(t, tc.files)
			args := append([]string{"roles/auditpatch/files/newest-program", tc.arch}, paths...)
			out, err := exec.Command("sh", args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			want := ""
			if tc.want >= 0 {
				want = paths[tc.want]
			}
			if string(out) != want {
				t.Errorf("got %q, want %q", out, want)
			}
		})
	}
}

// lay makes files, each an hour newer than the one before.
func lay(t *testing.T, files []string) (paths []string) {
	t.Helper()
	dir := t.TempDir()
	for i, text := range files {
		path := filepath.Join(dir, "-it's "+strings.Repeat("z", len(files)-i))
		paths = append(paths, path)
		var err error
		switch text {
		case "-":
			continue
		case "/":
			err = os.Mkdir(path, 0o755)
		default:
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(time.Duration(i-len(files)) * time.Hour)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return paths
}
