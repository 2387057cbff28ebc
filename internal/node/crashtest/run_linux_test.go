package crashtest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const script = `echo one > f && mv f g && sh -c 'rm g' && exit 3`

func shell(t *testing.T) Program {
	t.Helper()
	if _, err := os.Stat("/bin/sh"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	return Program{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Dir: dir, Under: dir}
}

func run(t *testing.T, p Program, n int) Result {
	t.Helper()
	res, err := Run(p, n)
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("ptrace is not allowed here: ", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestRunToTheEnd(t *testing.T) {
	res := run(t, shell(t), 0)
	if res.Killed || res.Status.ExitStatus() != 3 {
		t.Errorf("killed %v, exit status %d", res.Killed, res.Status.ExitStatus())
	}
	for _, name := range []string{"write"} {
		if !slices.ContainsFunc(res.Calls, func(c Call) bool { return c.Name == name && filepath.Base(c.Path) == "f" }) {
			t.Errorf("no %s among %v", name, res.Calls)
		}
	}
}

// Children are killed with their parent, and the call at which they die is not
// carried out.
func TestRunKills(t *testing.T) {
	states := map[string]bool{}
	for n := 1; ; n++ {
		p := shell(t)
		res := run(t, p, n)
		if len(res.Calls) > n || res.Killed != res.Status.Signaled() {
			t.Fatalf("n = %d: %d calls, killed %v, status %v", n, len(res.Calls), res.Killed, res.Status)
		}
		names, err := filepath.Glob(filepath.Join(p.Dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		state := ""
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			state += filepath.Base(name) + ":" + string(data)
		}
		states[state] = true
		if !res.Killed {
			break
		}
	}
	for _, want := range []string{"", "f:", "f:one\n", "g:one\n"} {
		if !states[want] {
			t.Errorf("never seen: %q, only %v", want, states)
		}
	}
}

func TestRunSeesErrors(t *testing.T) {
	p := shell(t)
	p.Args[2] = `mkdir d; mkdir d; exit 0`
	p.Only = []string{"mkdir", "mkdirat"}
	var seen []int
	p.At = func(n int, _ Call) { seen = append(seen, n) }
	res := run(t, p, 0)
	if len(res.Calls) != 2 || res.Calls[0].Err != nil || !errors.Is(res.Calls[1].Err, fs.ErrExist) {
		t.Errorf("calls: %+v", res.Calls)
	}
	if !slices.Equal(seen, []int{1, 2}) {
		t.Errorf("seen: %v", seen)
	}
}

func TestRunNoProgram(t *testing.T) {
	_, err := Run(Program{Path: "/no/such/program", Args: []string{"x"}, Under: t.TempDir()}, 0)
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error: %v", err)
	}
}
