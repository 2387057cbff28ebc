// Package contract has the program's contract with its users, from outside:
// what each command does to a node's files, what it prints, how it ends, and
// what the pages say of it. Its tests run the built program and know no package
// below internal, except for the tool that kills it at a system call.
package contract

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// top is the folder of the module.
const top = ".."

// sample is the manifest that the pages' commands begin with.
const sample = top + "/testdata/kube-apiserver.yaml"

// exitRefused is the status of a run that was refused and changed nothing.
const exitRefused = 2

var built struct {
	once sync.Once
	dir  string
	err  error
}

// TestMain removes the program that the tests have built.
func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

// binary is the program, built once and by the first test that runs it: a
// folder with nothing but auditpatch in it, for PATH, and the file.
func binary(t testing.TB) (dir, file string) {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "contract"); built.err != nil {
			return
		}
		built.err = build(filepath.Join(built.dir, "auditpatch"))
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return built.dir, filepath.Join(built.dir, "auditpatch")
}

// build builds the program as the Makefile does, where that changes what it
// does, and under the race detector when the tests run under it.
func build(file string) error {
	if err := sources(); err != nil {
		return err
	}
	args := []string{"build", "-buildvcs=false", "-tags", "urfave_cli_no_docs", "-o", file}
	if raceEnabled {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir = top
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	// TestNotRoot runs it as somebody else.
	return os.Chmod(file, 0o755)
}

// sources looks at every file that the program and its man page are built from. go test keeps the
// result of a test until a file changes that the test itself looked at, and it
// does not see what go build looks at.
func sources() error {
	const files = `{{with .Module}}{{if .Main}}{{range $.GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{range $.EmbedFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-f", files, ".", "./release/docs")
	cmd.Dir = top
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("list the program's files: %w", err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if _, err := os.Stat(name); err != nil {
			return err
		}
	}
	return nil
}

// program is a command line of auditpatch.
func program(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	_, file := binary(t)
	return exec.Command(file, args...)
}

// withProgram is the environment in which auditpatch is found, before anything
// else of that name.
func withProgram(t testing.TB) []string {
	t.Helper()
	dir, _ := binary(t)
	return append(os.Environ(), "PATH="+dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}
