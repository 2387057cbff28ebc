//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"regexp"
	"testing"
)

// readmeScript is what stands in the README's block "```sh e2e=NAME", or in another language than
// sh: commands for a shell mostly, as a reader copies them. The README's own test wants a test here for each such block.
func readmeScript(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(fmt.Sprintf("(?ms)^```[a-z]+ e2e=%s\n(.*?)^```$", regexp.QuoteMeta(name)))
	found := block.FindAllSubmatch(text, -1)
	if len(found) != 1 {
		t.Fatalf("README.md has %d blocks e2e=%s, want one", len(found), name)
	}
	return string(found[0][1])
}
