package contract

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/node/crashtest"
)

// TestCrash kills auditpatch at each of its file-system calls. At every one,
// each file has to be whole, old or new; nothing new may be visible to the
// kubelet; and the next command has to end in all old or all new.
func TestCrash(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	for _, sc := range []struct {
		name   string
		before [][]string // commands that lead to the state before
		args   []string
	}{
		{"enable", nil, []string{"enable", "--no-wait"}},
		{"change", [][]string{{"enable", "--preset", "metadata"}}, []string{"enable", "--preset", "writes", "--audit-log-maxage=7"}},
		{"disable", [][]string{{"enable"}}, []string{"disable", "--purge"}},
		{"restore", [][]string{{"enable"}, {"disable", "--purge"}}, []string{"restore"}},
	} {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			prepare := func(t *testing.T) string {
				root := newNode(t)
				for _, args := range sc.before {
					mustRun(t, append(args, "--root", root)...)
				}
				return root
			}
			root := prepare(t)
			old := snapshot(t, root)
			res := crash(t, root, sc.args, 0)
			if res.Status.ExitStatus() != 0 {
				t.Fatalf("auditpatch %v: exit status %d", sc.args, res.Status.ExitStatus())
			}
			fresh := snapshot(t, root)
			if cmp.Equal(old, fresh) {
				t.Fatal("the command changes nothing: the test would prove nothing")
			}
			points := crashtest.Points(res.Calls)
			eachPoint(t, points, func(t *testing.T, n int) {
				crashAt(t, prepare(t), sc.args, n, old, fresh)
			})
			t.Logf("killed at %d of %d calls, the others change nothing", len(points), len(res.Calls))
		})
	}
}

// eachPoint calls try for each of them, some at a time.
func eachPoint(t *testing.T, all []int, try func(t *testing.T, n int)) {
	points := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for point := range points {
				try(t, point)
			}
		})
	}
	for _, n := range all {
		points <- n
	}
	close(points)
	wg.Wait()
}

// crash runs auditpatch and kills it at its n-th call; 0 lets it end.
func crash(t *testing.T, root string, args []string, n int) crashtest.Result {
	t.Helper()
	_, file := binary(t)
	res, err := crashtest.Run(crashtest.Program{
		Path:  file,
		Args:  append(append([]string{"auditpatch"}, args...), "--root", root),
		Env:   os.Environ(),
		Under: root,
	}, n)
	if err != nil {
		t.Fatalf("run under ptrace: %v", err)
	}
	return res
}

// crashAt tries one point.
func crashAt(t *testing.T, root string, args []string, n int, old, fresh map[string]string) {
	res := crash(t, root, args, n)
	at := "the end"
	if len(res.Calls) > 0 {
		at = res.Calls[len(res.Calls)-1].String()
	}
	for name, got := range snapshot(t, root) {
		if strings.HasPrefix(filepath.Base(name), ".") {
			continue // no reader looks at it
		}
		was, before := old[name]
		is, after := fresh[name]
		if (!before || got != was) && (!after || got != is) {
			t.Errorf("killed at call %d (%s): %s is neither old nor new: %q", n, at, name, got)
		}
	}
	if got, want := visible(t, root), visibleIn(old); !slices.Equal(got, want) {
		t.Errorf("killed at call %d (%s): the kubelet sees %v", n, at, got)
	}
	mustRun(t, "recover", "--root", root)
	got := snapshot(t, root)
	if d1, d2 := cmp.Diff(old, got), cmp.Diff(fresh, got); d1 != "" && d2 != "" {
		t.Errorf("killed at call %d (%s): after recover the node is neither old nor new:\n%s", n, at, d1)
	}
	if args[0] != "restore" { // which of its backups is the last depends on whether it was undone
		mustRun(t, append(args, "--root", root)...)
		if d := cmp.Diff(fresh, snapshot(t, root)); d != "" {
			t.Errorf("killed at call %d (%s): the next run does not finish:\n%s", n, at, d)
		}
	}
	if err := os.RemoveAll(root); err != nil {
		t.Error(err)
	}
}

// visibleIn are the visible names of the manifests directory in a snapshot.
func visibleIn(files map[string]string) []string {
	var names []string
	for name := range maps.Keys(files) {
		if filepath.Dir(name) == filepath.Dir(manifestPath) && !strings.HasSuffix(name, "/") && !strings.HasPrefix(filepath.Base(name), ".") {
			names = append(names, filepath.Base(name))
		}
	}
	slices.Sort(names)
	return names
}
