package contract

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScript runs the scripts in testdata/script, one a subject.
func TestScript(t *testing.T) {
	manifest, err := filepath.Abs(sample)
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := binary(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MANIFEST", manifest)
			e.Setenv("DAY", filepath.Join(filepath.Dir(manifest), "audit-day.log"))
			e.Setenv("LOG", filepath.Join(filepath.Dir(manifest), "audit.log"))
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("PATH", dir+string(os.PathListSeparator)+e.Getenv("PATH"))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Geteuid() == 0, nil
			case "mounts":
				return exec.Command("unshare", "-m", "mount", "-t", "tmpfs", "none", t.TempDir()).Run() == nil, nil
			case "chattr":
				return seals(t), nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"node":   nodeCmd,
			"status": statusCmd,
			"perm":   permCmd,
		},
	})
}

// seals tells whether files of the tests can be made immutable.
func seals(t *testing.T) bool {
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		return false
	}
	sealed := exec.Command("chattr", "+i", name).Run() == nil
	return exec.Command("chattr", "-i", name).Run() == nil && sealed
}

// nodeCmd makes the file tree of a control-plane node: node DIR [MANIFEST].
func nodeCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: node DIR [MANIFEST]")
	}
	from := ts.Getenv("MANIFEST")
	if len(args) == 2 {
		from = ts.MkAbs(args[1])
	}
	dir := filepath.Join(ts.MkAbs(args[0]), "etc/kubernetes/manifests")
	ts.Check(os.MkdirAll(dir, 0o755))
	data, err := os.ReadFile(from)
	ts.Check(err)
	ts.Check(os.WriteFile(filepath.Join(dir, "kube-apiserver.yaml"), data, 0o600))
}

// statusCmd runs a command and compares its exit status: status N COMMAND...
func statusCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND [ARG...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit status %s, want %s", got, args[0])
	}
}

// permCmd compares a path's mode: perm 0600 PATH.
func permCmd(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: perm MODE PATH")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
