package contract

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"auditpatch/contract/page"
)

// The pages are held against the program. When the program is right,
//
//	UPDATE_README=1 go test -run TestPages ./contract
//
// writes its tables and its output into them.
var updatePages = os.Getenv("UPDATE_README") != ""

func pages(t *testing.T) []page.Page {
	t.Helper()
	all, err := page.All(top)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// reference is the page that lists all there is.
func reference(t *testing.T) page.Page {
	t.Helper()
	for _, p := range pages(t) {
		if p.Path == "docs/reference.md" {
			return p
		}
	}
	t.Fatal("there is no docs/reference.md")
	return page.Page{}
}

func update(t *testing.T, p page.Page, text string) {
	t.Helper()
	if updatePages && text != p.Text {
		if err := os.WriteFile(filepath.Join(top, p.Path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPagesConsole runs the blocks "console run" of each page, one after the
// other in one folder, and compares what the commands print.
func TestPagesConsole(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the program")
	}
	total := 0
	for _, p := range pages(t) {
		run, text := console(t), p.Text
		for _, b := range page.Blocks(p.Text) {
			if b.Check != "run" {
				continue
			}
			total++
			var now strings.Builder
			for _, step := range b.Steps() {
				got := run(step.Command)
				if page.Same(step.Output, got) {
					got = step.Output
				} else if !updatePages {
					t.Errorf("$ %s\n%s\n%s has:\n%s", step.Command, got, p.Path, step.Output)
				}
				fmt.Fprintf(&now, "$ %s\n%s", step.Command, got)
			}
			text = strings.Replace(text, b.Text, now.String(), 1)
		}
		update(t, p, text)
	}
	if total < 13 {
		t.Errorf("the pages have %d blocks to run", total)
	}
}

// console prepares a folder with what the pages' commands name, and returns
// what runs a command there.
func console(t *testing.T) (run func(command string) string) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	module, err := filepath.Abs(top)
	if err != nil {
		t.Fatal(err)
	}
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	inModule := fmt.Sprintf("#!/bin/sh\nexec '%s' -C '%s' \"$@\"\n", goTool, module)
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte(inModule), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(module, "testdata"), filepath.Join(dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	withAuditpatch, _ := binary(t)
	path := strings.Join([]string{bin, withAuditpatch, os.Getenv("PATH")}, string(os.PathListSeparator))
	return func(command string) string {
		cmd := exec.Command("sh", "-c", command)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+path)
		out, _ := cmd.CombinedOutput() // a status that matters is printed by the block itself
		return string(out)
	}
}

// commandLine is a line of a block that nobody has said to check.
var commandLine = regexp.MustCompile(`(?m)^(\$ |auditpatch |sudo |go |make |ssh |kind |kubectl |ansible-playbook ).*`)

// TestPagesChecked wants each block with commands to be checked by somebody, and
// that one to know of it.
func TestPagesChecked(t *testing.T) {
	t.Parallel()
	for _, p := range pages(t) {
		if _, after, ok := strings.Cut(p.Text, "\n\n"); !strings.HasPrefix(p.Text, "# ") || !ok || !regexp.MustCompile("^[`A-Z]").MatchString(after) {
			t.Errorf("%s does not begin with a title and a sentence that says what it is for", p.Path)
		}
		for _, b := range page.Blocks(p.Text) {
			if err := checked(b); err != nil {
				t.Errorf("%s: %v:\n%s", p.Path, err, b.Text)
			}
		}
	}
}

// checked tells what is wrong with a block's check.
func checked(b page.Block) error {
	name, endToEnd := strings.CutPrefix(b.Check, "e2e=")
	switch {
	case endToEnd:
		return contains("e2e/*_test.go", fmt.Sprintf(`\b(pageScript|pageOutput)\(\w+, %q[,)]`, name))
	case b.Check == "run" && b.Language == "console" && len(b.Steps()) > 0:
		return nil
	case b.Check == "dist":
		return contains("release/dist_test.go", `page\.Find\("\.\.", "dist"\)`)
	case b.Check == "ci":
		for _, step := range b.Steps() {
			if err := contains(".ci/run", `(?m)^step .* `+regexp.QuoteMeta(step.Command)+"$"); err != nil {
				return err
			}
		}
		return nil
	case b.Check == "make":
		return targets(b.Text)
	case b.Check != "":
		return fmt.Errorf("there is no check %q", b.Check)
	}
	shell := b.Language == "sh" || b.Language == "bash" || b.Language == "console"
	if line := commandLine.FindString(b.Text); shell || line != "" {
		return fmt.Errorf("nobody checks this block (%s %s)", b.Language, line)
	}
	return nil
}

// contains wants an expression to match in one of the files.
func contains(pattern, expression string) error {
	wanted, err := regexp.Compile(expression)
	if err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(top, pattern))
	if err != nil {
		return err
	}
	for _, name := range names {
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if wanted.Match(src) {
			return nil
		}
	}
	return fmt.Errorf("%s does not have %s", pattern, expression)
}

var (
	target   = regexp.MustCompile(`\bmake ([a-z0-9-]+)`)
	variable = regexp.MustCompile(`\b([A-Z0-9]+_?[A-Z0-9_]*)=`)
)

// targets wants a target of the Makefile in each line, and each variable that is
// set to be read somewhere.
func targets(text string) error {
	for line := range strings.Lines(text) {
		m := target.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("this is no make: %s", line)
		}
		if err := contains("Makefile", `(?m)^`+m[1]+":"); err != nil {
			return err
		}
		for _, v := range variable.FindAllStringSubmatch(line, -1) {
			read := func(pattern string) bool { return contains(pattern, `\b`+v[1]+`\b`) == nil }
			if !slices.ContainsFunc([]string{"Makefile", "e2e/*.sh", "e2e/*_test.go"}, read) {
				return fmt.Errorf("nobody reads %s", v[1])
			}
		}
	}
	return nil
}

// generatedPresets is what a test writes about the presets: some are alike.
var generatedPresets = regexp.MustCompile(`(?s)<!-- (records|levels \d) -->.*?<!-- end -->`)

// TestPagesNothingTwice wants no long line on two pages, or twice on one: what is said in two places is soon
// wrong in one.
func TestPagesNothingTwice(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, p := range pages(t) {
		for line := range strings.Lines(prose(generatedPresets.ReplaceAllString(p.Text, ""))) {
			if len(line) < 60 {
				continue
			}
			if before, twice := seen[line]; twice {
				t.Errorf("%s has a line of %s: %s", p.Path, before, line)
			}
			seen[line] = p.Path
		}
	}
}

// TestPagesFiles wants the set-up commands in the README, a README that can be
// read at once, and a kind-config.yaml that makes one control-plane node.
func TestPagesFiles(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(top + "/README.md")
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(text, []byte("\n")); lines > 250 {
		t.Errorf("the README has %d lines: what is more than 250 belongs into docs", lines)
	}
	for _, command := range []string{"go run . enable --manifest - < testdata/kube-apiserver.yaml", "go test ./...", "kind create cluster --config kind-config.yaml"} {
		if !strings.Contains(string(text), command+"\n") {
			t.Errorf("the README does not have the command %s", command)
		}
	}
	data, err := os.ReadFile(top + "/kind-config.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		APIVersion, Kind string
		Nodes            []struct{ Role string }
	}
	if err := yaml.UnmarshalStrict(data, &config); err != nil {
		t.Fatal(err)
	}
	if config.Kind != "Cluster" || config.APIVersion != "kind.x-k8s.io/v1alpha4" || len(config.Nodes) != 1 || config.Nodes[0].Role != "control-plane" {
		t.Errorf("kind-config.yaml is no cluster of one control-plane node: %+v", config)
	}
}

// TestPagesLinks follows the links within the project, to their headings too.
func TestPagesLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for _, path := range []string{"ansible/README.md", "ansible/roles/auditpatch/README.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Page{Path: path, Text: string(text)})
	}
	headings := map[string][]string{}
	for _, p := range all {
		headings[p.Path] = anchors(p.Text)
	}
	link := regexp.MustCompile(`\]\(([^)#: ]*)(?:#([^) ]*))?\)`)
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.Text, -1) {
			path := p.Path
			if m[1] != "" {
				path = filepath.Join(filepath.Dir(p.Path), m[1])
			}
			if _, err := os.Stat(filepath.Join(top, path)); err != nil {
				t.Errorf("%s: %v", p.Path, err)
			} else if m[2] != "" && !slices.Contains(headings[path], m[2]) {
				t.Errorf("%s: %s has no heading #%s", p.Path, path, m[2])
			}
		}
	}
}

// prose is a page without its blocks.
func prose(text string) string {
	for _, b := range page.Blocks(text) {
		text = strings.Replace(text, b.Text, "", 1)
	}
	return text
}

// anchors are the names that a page's headings are linked by.
func anchors(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(prose(text), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
