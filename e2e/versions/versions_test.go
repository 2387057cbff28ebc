package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const outage = `=== RUN   TestOutage
    outage_test.go:101: graceful: {listenerGone:51ms processDead:30.1s processStarted:32.2s ready:34.9s seen:34.8s}
    outage_test.go:105: 3 runs each, seconds after the manifest was written: median (least-most)
                              by hand            graceful           quick
        listener gone         0.1 (0.1-0.1)      0.1 (0.0-0.1)      0.1 (0.1-0.8)
        /readyz 200 again     40.5 (38.1-45.2)   34.9 (34.6-35.2)   6.0 (5.6-7.3)
        outage for a client   40.4 (38.0-45.1)   34.8 (34.5-35.1)   5.9 (5.5-7.2)
--- PASS: TestOutage (421.00s)
`

// runs are logs by their place in the folder.
var runs = map[string]string{
	"v1.9.1/1/log": "e2e: auditpatch aaa\ne2e: error: go build etcd\ne2e: exit status 1\n",
	// A test failed and was mended; what the second run skips was measured in the first.
	"v1.30.14/20261127T100000Z/log": "e2e: auditpatch aaa\n" + outage + "=== RUN   TestA\n=== RUN   TestA/part\n    --- FAIL: TestA/part (0.10s)\n--- FAIL: TestA (1.00s)\n" +
		"=== RUN   TestB\n    b_test.go:7: not here\n--- SKIP: TestB (0.00s)\nFAIL\nexit status 1\ne2e: exit status 1\n",
	"v1.30.14/20261127T110000Z/log": "e2e: auditpatch bbb\n=== RUN   TestA\n--- PASS: TestA (1.00s)\n=== RUN   TestOutage\n--- SKIP: TestOutage (0.00s)\ne2e: exit status 0\n",
	// The time limit ended the second test.
	"v1.37.2/1/log": "=== RUN   TestA\n--- PASS: TestA (1.00s)\n=== RUN   TestB\npanic: test timed out after 2h0m0s\ne2e: exit status 1\n",
	"v1.36.3/1/log": "=== RUN   TestA\n--- PASS: TestA (1.00s)\n=== RUN   TestB\ne2e: exit status 130\n",
	"v1.35.4/1/log": "=== RUN   TestA\n",
	"v1.34.4/1/log": "=== RUN   TestA\n--- PASS: TestA (1.00s)\ne2e: all tests together: n: the kubelet saw 3 changes\ne2e: exit status 1\n",
	"v1.33.13/1/x":  "no log",
}

const table = "| Kubernetes | tests passed | failed | skipped | `--restart=graceful` | `--restart=quick` |\n" + `|---|---|---|---|---|---|
| 1.9.1 | 0 | 0 | 0 | - | - |
| 1.30.14 | 2 | 0 | 1 | 34.9 (34.6-35.2) | 6.0 (5.6-7.3) |
| 1.34.4 | 1 | 0 | 0 | - | - |
| 1.35.4 | 0 | 0 | 0 | - | - |
| 1.36.3 | 1 | 0 | 0 | - | - |
| 1.37.2 | 1 | 1 | 0 | - | - |
` + "\nRestarts in seconds after the manifest is written until `/readyz` is ok: median (least-most). auditpatch aaa, bbb.\n" + `
- 1.9.1: the last run ended with status 1: go build etcd
- 1.34.4: the last run ended with status 1, and no test failed
- 1.35.4: the last run has not ended
- 1.36.3: the last run was stopped
- 1.37.2: TestB failed
`

func TestTable(t *testing.T) {
	dir := t.TempDir()
	for name, text := range runs {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	if code := run([]string{dir}, &stdout, &stderr); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit status %d, %s", code, &stderr)
	}
	if diff := cmp.Diff(table, stdout.String()); diff != "" {
		t.Errorf("the table differs (-want +got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	empty, odd := t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(odd, "vacation"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{nil, "usage: versions FOLDER\n"},
		{[]string{empty}, "versions: error: " + empty + " has no results: make e2e-versions\n"},
		{[]string{odd}, "versions: error: " + odd + `/vacation: could not parse "vacation" as version` + "\n"},
	} {
		var stdout, stderr bytes.Buffer
		if code := run(c.args, &stdout, &stderr); code != 2 || stderr.String() != c.want || stdout.Len() > 0 {
			t.Errorf("%q: exit status %d, %q; want 2, %q", c.args, code, &stderr, c.want)
		}
	}
}

// TestOutageWords wants TestOutage to print what is looked for in a log.
func TestOutageWords(t *testing.T) {
	text, err := os.ReadFile("../outage_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{outageTitle, readyRow, byHand} {
		if !strings.Contains(string(text), words) {
			t.Errorf("TestOutage does not print %q", words)
		}
	}
}
