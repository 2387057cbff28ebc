package cli

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"
)

var manDate = time.Date(2026, 3, 1, 23, 0, 0, 0, time.FixedZone("", -7*3600))

// plainPage is the page without roff's escapes.
func plainPage() string {
	return strings.NewReplacer(`\-`, "-", `\(dq`, `"`, `\(aq`, "'", `\(ti`, "~", `\(ha`, "^", `\e`, `\`).Replace(ManPage("v1.2.3", manDate))
}

// section is the text of the page from a heading to the next one of its kind.
func section(t *testing.T, page, kind, title string) string {
	t.Helper()
	_, text, found := strings.Cut(page, kind+" "+title+"\n")
	if !found {
		t.Fatalf("there is no heading %s %s", kind, title)
	}
	for _, end := range []string{"\n.Sh ", "\n" + kind + " "} {
		text, _, _ = strings.Cut(text, end)
	}
	return text
}

// head is the line above the flag's words on a page without escapes. The names of
// one flag may begin like those of another.
func (f manFlag) head() string {
	if f.placeholder == "" {
		return ".It " + f.names + "\n"
	}
	return ".It " + f.names + " Ar " + f.placeholder + "\n"
}

// TestManPage wants each flag of each command with its own words: at the
// command itself, or among the options of several.
func TestManPage(t *testing.T) {
	page := plainPage()
	_, options, _ := strings.Cut(page, ".Sh OPTIONS\n")
	app := describe("").app()
	for _, c := range leaves("auditpatch", app.Commands) {
		text := section(t, page, ".Ss", c.path)
		for _, f := range c.manFlags() {
			where, head := text, f.head()
			if !strings.Contains(text, head) {
				where = options
				group := `all of "` + flagGroup{category: f.category}.title() + `"`
				if long, _, _ := strings.Cut(f.names, ","); !strings.Contains(text, long) && !strings.Contains(text, group) {
					t.Errorf("%s does not mention %s", c.path, f.names)
				}
			}
			_, item, _ := strings.Cut(where, head)
			if usage := strings.ReplaceAll(capital(f.usage), ". ", ".\n") + ".\n"; !strings.Contains(item+"\n", usage) {
				t.Errorf("%s of %s is not told: %q", f.names, c.path, usage)
			}
		}
	}
	for _, want := range []string{".Dd March 2, 2026\n", ".Os auditpatch v1.2.3\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

// TestManExamples wants commands and flags that exist.
func TestManExamples(t *testing.T) {
	app := describe("").app()
	for _, e := range manExamples {
		words := strings.Fields(e.command)
		c := app.Command(words[1])
		if c == nil {
			t.Fatalf("%s: no such command", e.command)
		}
		for _, word := range words {
			known := slices.ContainsFunc(c.Flags, func(f cli.Flag) bool { return slices.Contains(dashed(f), word) })
			if strings.HasPrefix(word, "--") && !known {
				t.Errorf("%s: no such flag %s", e.command, word)
			}
		}
	}
}

// TestManLint has mandoc read the page.
func TestManLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("mandoc is not installed")
	}
	cmd := exec.Command(mandoc, "-T", "lint", "-W", "warning")
	cmd.Stdin = strings.NewReader(ManPage("v1.2.3", manDate))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestManEscape wants what a shell or a file name may hold to come out of
// roff as it went in.
func TestManEscape(t *testing.T) {
	for text, want := range map[string]string{
		`a-b "c" 'd' \n`: `a\-b \(dqc\(dq \(aqd\(aq \en`,
		".dot\n.dot":     "\\&.dot\n\\&.dot",
		"One. Two.":      "One.\nTwo.",
		"~/x ^ `y`":      `\(ti/x \(ha \(gay\(ga`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
}
