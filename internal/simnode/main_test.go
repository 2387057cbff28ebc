//go:build linux

package simnode

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// atOnce is how many nodes live at the same time: they mostly wait.
const atOnce = 12

var playAll = flag.Bool("all", false, "play every variant of a scenario")

func TestMain(m *testing.M) {
	if Main() {
		return
	}
	// -parallel on the command line still counts: it is parsed later.
	if err := flag.Set("test.parallel", strconv.Itoa(atOnce)); err != nil {
		panic(err)
	}
	code := m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// built is the program under test.
var built struct {
	once sync.Once
	dir  string
	err  error
}

// program builds the program once, with its waits as short as a node's.
func buildProgram(t *testing.T) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "simnode"); built.err != nil {
			return
		}
		cmd := exec.Command("go", "build", "-buildvcs=false", "-o", built.dir, "-ldflags",
			"-s -w -X auditpatch/internal/wait.speed="+strconv.Itoa(Speed), "auditpatch")
		cmd.Stderr = os.Stderr
		built.err = cmd.Run()
	})
	if built.err != nil {
		t.Fatalf("build the program: %v", built.err)
	}
	return filepath.Join(built.dir, "auditpatch")
}
