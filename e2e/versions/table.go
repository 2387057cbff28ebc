package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// byHand is no way of auditpatch's.
const byHand = "by hand"

// release is what all runs on one release of Kubernetes say together.
type release struct {
	version  *version.Version
	runs     int
	programs []string // states of auditpatch
	runLog
}

// results are those of all releases, the earliest first.
type results []release

// read collects the logs below dir.
func read(dir string) (results, error) {
	var all results
	folders, err := filepath.Glob(filepath.Join(dir, "v*"))
	if err != nil {
		return all, err
	}
	for _, folder := range folders {
		r, err := readRelease(folder)
		if err != nil {
			return all, err
		}
		if r.runs > 0 {
			all = append(all, r)
		}
	}
	if len(all) == 0 {
		return all, fmt.Errorf("%s has no results: make e2e-versions", dir)
	}
	slices.SortFunc(all, func(a, b release) int {
		if a.version.LessThan(b.version) {
			return -1
		}
		return 1 // no two folders have one name
	})
	return all, nil
}

// readRelease puts the runs on a release together. Their folders' names are the times when
// they began, and Glob sorts them.
func readRelease(folder string) (release, error) {
	v, err := version.ParseSemantic(filepath.Base(folder))
	if err != nil {
		return release{}, fmt.Errorf("%s: %w", folder, err)
	}
	r := release{version: v, runLog: parse("")}
	logs, err := filepath.Glob(filepath.Join(folder, "*", "log"))
	if err != nil {
		return r, err
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			return r, err
		}
		later := parse(string(text))
		r.add(later)
		if later.program != "" && !slices.Contains(r.programs, later.program) {
			r.programs = append(r.programs, later.program)
		}
	}
	r.runs = len(logs)
	return r, nil
}

// String is the table, and below it what a reader has to know of single rows.
func (all results) String() string {
	var b strings.Builder
	ways := all.ways()
	b.WriteString("| Kubernetes | tests passed | failed | skipped |")
	for _, way := range ways {
		fmt.Fprintf(&b, " `--restart=%s` |", way)
	}
	b.WriteString("\n" + strings.Repeat("|---", 4+len(ways)) + "|\n")
	for _, r := range all {
		fmt.Fprintf(&b, "| %s | %d | %d | %d |", r.version, len(r.with(passed)), len(r.with(failed)), len(r.with(skipped)))
		for _, way := range ways {
			fmt.Fprintf(&b, " %s |", cmp.Or(r.restarts[way], "-"))
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "\nRestarts in seconds after the manifest is written until `/readyz` is ok: median (least-most). auditpatch %s.\n",
		strings.Join(all.programs(), ", "))
	for _, r := range all {
		for _, note := range r.notes() {
			fmt.Fprintf(&b, "\n- %s: %s", r.version, note)
		}
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// ways are those that were measured, the quickest last as TestOutage has them.
func (all results) ways() (ways []string) {
	for _, r := range all {
		for _, way := range r.ways {
			if way != byHand && !slices.Contains(ways, way) {
				ways = append(ways, way)
			}
		}
	}
	if ways == nil {
		return []string{"graceful", "quick"}
	}
	return ways
}

// programs are the states of auditpatch that the runs were made with.
func (all results) programs() (names []string) {
	for _, r := range all {
		names = append(names, r.programs...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// notes are what the numbers do not tell.
func (r release) notes() (notes []string) {
	for _, name := range r.with(failed) {
		notes = append(notes, name+" failed")
	}
	switch {
	case !r.ended:
		notes = append(notes, "the last run has not ended")
	case r.status == interrupted:
		notes = append(notes, "the last run was stopped")
	case r.status != 0 && (len(r.tests) == 0 || r.fault != ""):
		notes = append(notes, fmt.Sprintf("the last run ended with status %d: %s", r.status, cmp.Or(r.fault, "no test ran")))
	case r.status != 0 && len(r.with(failed)) == 0:
		notes = append(notes, fmt.Sprintf("the last run ended with status %d, and no test failed", r.status))
	}
	return notes
}
