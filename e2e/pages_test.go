//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"auditpatch/contract/page"
)

// pageScript is what stands in a page's block "```sh e2e=NAME", or in another language than
// sh: commands for a shell mostly, as a reader copies them. Package contract wants a test here
// for each such block.
func pageScript(t testing.TB, name string) string {
	t.Helper()
	_, block, err := page.Find("..", "e2e="+name)
	if err != nil {
		t.Fatal(err)
	}
	return block.Text
}

// nodeName is how kind names the control-plane nodes of the test's cluster; the pages call
// them cp1, cp2 and cp3.
var nodeName = regexp.MustCompile(`[a-z0-9-]+-control-plane(\d*)`)

// pageOutput compares what one command has said on a node with the block "```console e2e=NAME",
// which shows that command. UPDATE_README=1 writes it there.
func pageOutput(t testing.TB, name, said string) {
	t.Helper()
	p, block, err := page.Find("..", "e2e="+name)
	if err != nil {
		t.Fatal(err)
	}
	said = nodeName.ReplaceAllStringFunc(said, func(node string) string {
		number := nodeName.FindStringSubmatch(node)[1]
		return "cp" + map[bool]string{true: "1", false: number}[number == ""]
	})
	shown := block.Steps()[0]
	missing, ok := page.InOrder(shown.Output, said)
	if ok {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("%s, %s: %q is not what a node says:\n%s", p.Path, name, missing, said)
	}
	text := strings.Replace(p.Text, block.Text, fmt.Sprintf("$ %s\n%s", shown.Command, said), 1)
	if err := os.WriteFile(filepath.Join("..", p.Path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
