package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"auditpatch/internal/node/crashtest"
)

// recoverNode ends what a dead process has left.
func recoverNode(n *Node) error {
	lock, err := n.Lock("recover")
	if err != nil {
		return err
	}
	r, err := n.Unfinished()
	if err == nil && r != nil {
		_, err = r.Recover()
	}
	return errors.Join(err, lock.Unlock())
}

const childEnv = "NODE_TEST_CHILD"

// TestMain lets the test binary play the process that is killed.
func TestMain(m *testing.M) {
	task, root, isChild := strings.Cut(os.Getenv(childEnv), " ")
	if !isChild {
		os.Exit(m.Run())
	}
	if err := child(task, root); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(task, root string) error {
	switch task {
	case "hold":
		return hold(root)
	case "recover":
		return recoverNode(testNode(root))
	case "put":
		return putOnly(testNode(root))
	}
	return scenarios[task].carryOut(dying{}, testNode(root))
}

// dying stands in for *testing.T in a child.
type dying struct{ testing.TB }

func (dying) Helper()           {}
func (dying) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func childOf(task, root string) crashtest.Program {
	return crashtest.Program{
		Path: "/proc/self/exe", Args: []string{"node.test"}, Dir: "/", Under: root, Stderr: os.Stderr,
		Env: append(os.Environ(), childEnv+"="+task+" "+root, "GOMAXPROCS=1"),
	}
}

func kill(t testing.TB, task, root string, n int) crashtest.Result {
	t.Helper()
	res, err := crashtest.Run(childOf(task, root), n)
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("ptrace is not allowed here: ", err)
	}
	must(t, err)
	if !res.Killed && res.Status.ExitStatus() != 0 {
		t.Fatalf("%s: exit status %d after %d calls", task, res.Status.ExitStatus(), len(res.Calls))
	}
	return res
}

// crashes tries all points of one scenario.
type crashes struct {
	scenario
	name     string
	old, new map[string]thing // the only two trees that may be in the end
	calls    []crashtest.Call // what it does when nobody kills it
}

func TestCrash(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrashes(t, name, s)
			points := c.tryAll(t)
			t.Logf("%s: killed at %d of %d calls, the others change nothing", name, points, len(c.calls))
		})
	}
}

func newCrashes(t *testing.T, name string, s scenario) *crashes {
	root := fastTree(t, s.before)
	c := &crashes{scenario: s, name: name, old: snapshot(t, root)}
	c.calls = kill(t, name, root, 0).Calls
	c.new = snapshot(t, root)
	if s.undo {
		equal(t, "tree after an undo", c.new, c.old)
		s.undo = false
		must(t, s.carryOut(t, testNode(root)))
		c.new = snapshot(t, root)
	}
	return c
}

// fastTree makes a tree in memory if it can: a death of the process needs no disk,
// and there are thousands of fsyncs.
func fastTree(t *testing.T, files map[string]string) string {
	root, err := os.MkdirTemp("/dev/shm", "node-test-")
	if err != nil {
		return newTree(t, files)
	}
	t.Cleanup(func() { _ = os.RemoveAll(root) })
	fillTree(t, root, files)
	return root
}

// tryAll kills the scenario at every call that finds a tree of its own, on as many
// trees at a time as there are processors.
func (c *crashes) tryAll(t *testing.T) int {
	all := crashtest.Points(c.calls)
	step := 1
	if testing.Short() {
		step = 4
	}
	points := make(chan int)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := range points {
				t.Run(fmt.Sprint(n), func(t *testing.T) { c.try(t, n) })
			}
		})
	}
	tried := 0
	for i := 0; i < len(all); i += step {
		points <- all[i]
		tried++
	}
	close(points)
	wg.Wait()
	return tried
}

// try kills the scenario at its n-th call, then a recovery at some call too, and
// demands a whole tree in the end and a working tool.
func (c *crashes) try(t *testing.T, n int) {
	root := fastTree(t, c.before)
	res := kill(t, c.name, root, n)
	if !res.Killed {
		t.Fatalf("ended after %d calls, expected %d", len(res.Calls), len(c.calls))
	}
	defer func() {
		if t.Failed() {
			t.Logf("killed at %s", res.Calls[len(res.Calls)-1])
		}
	}()
	c.halfway(t, root)
	if again := kill(t, "recover", root, 1+n*13%89); again.Killed {
		c.halfway(t, root)
	}
	node := testNode(root)
	must(t, recoverNode(node))
	c.settled(t, root)
	c.decided(t, root, n)
	c.works(t, root)
}

// TestCrashInRecovery kills a run right before and right after its decisive file
// goes, or goes back, into place, and then the recovery at each of its calls.
func TestCrashInRecovery(t *testing.T) {
	for name, s := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCrashes(t, name, s)
			points := 0
			for i, call := range c.calls {
				if path.Base(call.To) != path.Base(manifestPath) && path.Base(call.To) != "apiserver" {
					continue
				}
				points += c.tryRecovery(t, i+1) + c.tryRecovery(t, i+2)
			}
			t.Logf("%s: recovery killed at %d calls", name, points)
		})
	}
}

func (c *crashes) tryRecovery(t *testing.T, n int) int {
	points := crashtest.Points(c.recovery(t, n, 0).Calls)
	step := 1
	if testing.Short() {
		step = 6
	}
	for i := 0; i < len(points); i += step {
		if res := c.recovery(t, n, points[i]); !res.Killed {
			t.Fatalf("killed at call %d: the recovery ended before its call %d", n, points[i])
		}
	}
	return (len(points) + step - 1) / step
}

// recovery kills the scenario at its n-th call and the recovery at its m-th, at none
// with 0, then recovers.
func (c *crashes) recovery(t *testing.T, n, m int) crashtest.Result {
	root := fastTree(t, c.before)
	kill(t, c.name, root, n)
	res := kill(t, "recover", root, m)
	c.halfway(t, root)
	must(t, recoverNode(testNode(root)))
	c.settled(t, root)
	c.decided(t, root, n)
	if t.Failed() {
		t.Fatalf("killed at call %d, then at call %d, %s", n, m, res.Calls[len(res.Calls)-1])
	}
	_ = os.RemoveAll(root)
	return res
}

// halfway: each visible path is as before or as after, and nothing else is there.
func (c *crashes) halfway(t *testing.T, root string) {
	t.Helper()
	now := snapshot(t, root)
	for name, have := range now {
		if strings.HasPrefix(filepath.Base(name), ".") {
			continue
		}
		old, isOld := c.old[name]
		neu, isNew := c.new[name]
		if isOld && have == old || isNew && have == neu {
			continue
		}
		if c.interim != "" && name == manifestPath && have.Text == c.interim && have.Mode == neu.Mode {
			continue
		}
		if made := isNew && !isOld && have.Text == neu.Text && have.Mode.Type() == neu.Mode.Type(); made &&
			(have.Mode.IsDir() || have.Text == "") { // not yet with its own mode
			continue
		}
		t.Errorf("%s is neither old nor new: %+v", name, have)
	}
	c.named(t, now)
	for name := range c.old {
		_, there := now[name]
		if _, stays := c.new[name]; stays && !there {
			t.Errorf("%s is gone", name)
		}
	}
}

// named: what the manifest names is there, whichever manifest it is.
func (c *crashes) named(t *testing.T, now map[string]thing) {
	t.Helper()
	manifest := manifestPath
	if real, ok := c.old["/data/apiserver"]; ok && real.Text != "" {
		manifest = "/data/apiserver"
	}
	for _, tree := range []map[string]thing{c.old, c.new} {
		if tree[manifest].Text != now[manifest].Text {
			continue
		}
		for name, one := range tree {
			if _, there := now[name]; !there && one.Mode.IsRegular() && strings.HasPrefix(name, "/etc/") {
				t.Errorf("%s is not there, the manifest is %.20q", name, tree[manifest].Text)
			}
		}
	}
}

// settled: all is old or all is new, and no run is open.
func (c *crashes) settled(t *testing.T, root string) {
	t.Helper()
	noRun(t, testNode(root))
	now := snapshot(t, root)
	if d := hidden(now); d != nil {
		t.Errorf("left over: %v", d)
	}
	old, neu := same(now, c.old), same(now, c.new)
	if !old && !neu {
		t.Fatalf("a half state: (-old +now)\n%s(-new +now)\n%s", cmp.Diff(c.old, now), cmp.Diff(c.new, now))
	}
}

// decided: what had been begun is what became of it. A run that died before its
// manifest was in place is undone, one that died later finished, unless it was
// being undone already.
func (c *crashes) decided(t *testing.T, root string, n int) {
	t.Helper()
	done := func(suffix string) bool { // had the rename to this name been done?
		return slices.ContainsFunc(c.calls[:n-1], func(call crashtest.Call) bool { return strings.HasSuffix(call.To, suffix) })
	}
	want := []string(nil)
	switch {
	case done("/" + markUndoing):
		want = []string{"2026-11-22T11:20:04Z enable undone"}
	case done("/"+path.Base(manifestPath)) || done("/data/apiserver"):
		want = []string{"2026-11-22T11:20:04Z enable done"}
	case done("/" + journalName):
		want = []string{"2026-11-22T11:20:04Z enable undone"}
	}
	equal(t, "backups", list(t, testNode(root)), want)
	tree := c.old
	if want != nil && strings.HasSuffix(want[0], " done") {
		tree = c.new
	}
	equal(t, "tree", snapshot(t, root), tree)
}

// works: a whole run from here, and a clean state directory after it.
func (c *crashes) works(t *testing.T, root string) {
	t.Helper()
	s := c.scenario
	s.undo = false
	must(t, s.carryOut(t, testNode(root)))
	equal(t, "tree after the next run", snapshot(t, root), c.new)
	must(t, filepath.WalkDir(filepath.Join(root, stateDir), func(name string, d fs.DirEntry, err error) error {
		base := filepath.Base(name)
		if base == journalName || base == newName || filepath.Base(filepath.Dir(name)) == runsName && !idForm().MatchString(base) {
			t.Errorf("left over: %s", name)
		}
		return err
	}))
}

func same(a, b map[string]thing) bool {
	if len(a) != len(b) {
		return false
	}
	for name, one := range a {
		if other, ok := b[name]; !ok || other != one {
			return false
		}
	}
	return true
}
