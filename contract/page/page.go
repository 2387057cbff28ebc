// Package page reads the project's pages, so that tests can hold them against
// the program: [All] finds them, [Blocks] what a page has in fences, and [Same]
// and [InOrder] compare output with what a page shows of it.
//
// The word after a fence's language says who checks the block:
//
//	run       package contract runs its commands and compares their output
//	e2e=NAME  a test in e2e runs it, or compares it with a real node's output
//	dist      package release runs it on what make dist has made
//	ci        .ci/run has each of its commands as a step
//	make      each line names a target of the Makefile
package page

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Page is one page: its path below the module's folder, and its text.
type Page struct {
	Path, Text string
}

// All are the pages whose commands are checked, by the module's folder.
func All(top string) ([]Page, error) {
	paths := []string{"README.md", "CONTRIBUTING.md", "e2e/README.md"}
	docs, err := filepath.Glob(filepath.Join(top, "docs", "*.md"))
	if err != nil {
		return nil, err
	}
	for _, name := range docs {
		paths = append(paths, "docs/"+filepath.Base(name))
	}
	var pages []Page
	for _, path := range paths {
		text, err := os.ReadFile(filepath.Join(top, path))
		if err != nil {
			return nil, err
		}
		pages = append(pages, Page{path, string(text)})
	}
	return pages, nil
}

// Block is what stands between two fences.
type Block struct {
	Language, Check, Text string
}

var fenced = regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$")

// Blocks are the fenced blocks of a page, in its order.
func Blocks(text string) (blocks []Block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		language, check, _ := strings.Cut(m[1], " ")
		blocks = append(blocks, Block{language, check, m[2]})
	}
	return blocks
}

// Find is the one block of all pages with that check.
func Find(top, check string) (Page, Block, error) {
	pages, err := All(top)
	if err != nil {
		return Page{}, Block{}, err
	}
	var in Page
	var found []Block
	for _, p := range pages {
		for _, b := range Blocks(p.Text) {
			if b.Check == check {
				in, found = p, append(found, b)
			}
		}
	}
	if len(found) != 1 {
		return Page{}, Block{}, fmt.Errorf("the pages have %d blocks %q, want one", len(found), check)
	}
	return in, found[0], nil
}

// Step is a command of a console block, and the output below it.
type Step struct {
	Command, Output string
}

var prompt = regexp.MustCompile(`(?m)^\$ `)

// Steps are the commands of a console block, which begin with "$ ".
func (b Block) Steps() (steps []Step) {
	for _, step := range prompt.Split(b.Text, -1)[1:] {
		command, output, _ := strings.Cut(step, "\n")
		steps = append(steps, Step{command, output})
	}
	return steps
}

// changing is what differs from run to run, or with every word of a preset:
// times, free space, checksums, who runs it, and the width of columns that follows.
var changing = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ(-\d+)?|[\d.]+ [KMGT]?B (are )?free|[0-9a-f]{64}|[a-z_]\S*:[a-z_]\S*;|[ \t]+`)

// Same compares output with what a page has of it. A line "..." stands for any
// number of lines.
func Same(want, got string) bool {
	plain := func(s string) string { return changing.ReplaceAllString("\n"+s, " ") }
	pattern := strings.ReplaceAll(regexp.QuoteMeta(plain(want)), "\n\\.\\.\\.\n", "\n(?s:.*\n)?")
	return regexp.MustCompile("^" + pattern + "$").MatchString(plain(got))
}

// live is what differs on a node besides: durations, processes, events, sizes,
// the time before a line of the API server, and whether it had to be drained.
var live = regexp.MustCompile(`(drained and )?ended\b|[\d.]+ s\b|pid \d+|event [0-9a-f]{8}|[\d.]+ [KMGT]?B|\b[A-Z]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+|\btime \d+\b|\b[a-z_]+\.go:\d+\b`)

// InOrder tells whether a node's output has all lines that a page shows, in
// their order, and ends with the page's last one. It may have more lines, which
// say what a slow machine waits for. Where it has not, missing is the first line.
func InOrder(want, got string) (missing string, ok bool) {
	plain := func(s string) []string {
		s = changing.ReplaceAllString(live.ReplaceAllString(s, "#"), " ")
		return strings.Split(strings.TrimRight(s, "\n "), "\n")
	}
	said, shown := plain(got), plain(want)
	last := shown[len(shown)-1]
	if last != "..." && said[len(said)-1] != last {
		return last, false
	}
	for _, line := range shown {
		if line == "..." {
			continue
		}
		at := slices.Index(said, line)
		if at < 0 {
			return line, false
		}
		said = said[at+1:]
	}
	return "", true
}
