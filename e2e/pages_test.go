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

// The names of control-plane nodes in the test's cluster, and on the pages.
var (
	nodeName = regexp.MustCompile(`[a-z0-9-]+-control-plane\d*`)
	pageNode = regexp.MustCompile(`\bcp\d\b`)
)

// pageOutput compares what a command has said with the block "```console e2e=NAME", which shows
// that command. Of several nodes one has to say what is shown; they are told apart no further,
// since it is chance which of them waits. UPDATE_README=1 writes a single node's output there.
func pageOutput(t testing.TB, name string, said ...string) {
	t.Helper()
	p, block, err := page.Find("..", "e2e="+name)
	if err != nil {
		t.Fatal(err)
	}
	shown := block.Steps()[0]
	var missing []string
	for i := range said {
		said[i] = nodeName.ReplaceAllString(said[i], "cp1")
		line, ok := page.InOrder(pageNode.ReplaceAllString(shown.Output, "cp1"), said[i])
		if ok {
			return
		}
		missing = append(missing, line)
	}
	if os.Getenv("UPDATE_README") == "" || len(said) != 1 {
		t.Fatalf("%s, %s: %q is not what a node says:\n%s", p.Path, name, missing, strings.Join(said, "\n"))
	}
	text := strings.Replace(p.Text, block.Text, fmt.Sprintf("$ %s\n%s", shown.Command, said[0]), 1)
	if err := os.WriteFile(filepath.Join("..", p.Path), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
