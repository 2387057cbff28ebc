package contract

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// TestConcurrentEnable starts 50 runs with different flags at once. The result
// has to be exactly one of them, and each run either succeeds or says who was
// in its way.
func TestConcurrentEnable(t *testing.T) {
	const runs = 50
	root := newNode(t)
	input := read(t, root, manifestPath)
	var mu sync.Mutex
	done, outcomes := 0, map[string]int{}
	var wg sync.WaitGroup
	for i := 1; i <= runs; i++ {
		cmd := program(t, "enable", "--no-wait", "--root", root, fmt.Sprintf("--audit-log-maxage=%d", i))
		wg.Go(func() {
			out, err := cmd.CombinedOutput()
			mu.Lock()
			defer mu.Unlock()
			switch text := string(out); {
			case err == nil:
				done++
			case cmd.ProcessState.ExitCode() == exitRefused && strings.Contains(text, "locked by"):
				outcomes["locked by"]++
			case cmd.ProcessState.ExitCode() == exitRefused && strings.Contains(text, "changed since"):
				outcomes["changed since"]++
			default:
				t.Errorf("unexpected end: %v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	t.Logf("%d runs: %d carried out, refused: %v", runs, done, outcomes)
	if done == 0 {
		t.Error("no run succeeded")
	}
	got := read(t, root, manifestPath)
	matches := 0
	for i := 1; i <= runs; i++ {
		cmd := program(t, "enable", "--manifest", "-", fmt.Sprintf("--audit-log-maxage=%d", i))
		cmd.Stdin = bytes.NewReader(input)
		want, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(got, want) {
			matches++
		}
	}
	if matches != 1 {
		t.Errorf("the manifest is the result of %d of the runs, want exactly 1:\n%s", matches, got)
	}
	mustRun(t, "disable", "--no-wait", "--root", root)
	if !bytes.Equal(read(t, root, manifestPath), input) {
		t.Error("disable does not give back the input")
	}
}
