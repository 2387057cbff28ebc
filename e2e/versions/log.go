package main

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// outcome is how a test ended.
type outcome string

const (
	passed  outcome = "PASS"
	failed  outcome = "FAIL"
	skipped outcome = "SKIP"
	running outcome = "RUN" // it began, and no line says how it ended
)

// interrupted is the exit status of a run that was stopped with Ctrl-C.
const interrupted = 130

// runLog is what the log of one run says.
type runLog struct {
	program  string // which auditpatch
	ended    bool   // the run's last line is there
	status   int    // its exit status
	fault    string // the last error of the scripts
	tests    map[string]outcome
	ways     []string          // to restart, in the order of TestOutage's table
	restarts map[string]string // seconds until /readyz is 200 again, by way
}

// What TestOutage prints.
const (
	outageTitle = "seconds after the manifest was written: median (least-most)"
	readyRow    = "/readyz 200 again"
)

var (
	began   = regexp.MustCompile(`^=== RUN   (Test\w*)$`) // no subtest, which has a slash
	ended   = regexp.MustCompile(`^--- (PASS|FAIL|SKIP): (Test\w*) \(`)
	said    = regexp.MustCompile(`^e2e: (auditpatch|error:|exit status) (.*)$`)
	columns = regexp.MustCompile(`  +`)
)

// parse reads a log of run.sh. Lines of tests are not indented, those of subtests are.
func parse(text string) runLog {
	r := runLog{tests: map[string]outcome{}, restarts: map[string]string{}}
	title := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		cells := columns.Split(strings.TrimSpace(line), -1)
		switch {
		case title:
			r.ways, title = cells, false
		case strings.HasSuffix(line, outageTitle):
			title = true
		case cells[0] == readyRow && len(cells) == len(r.ways)+1:
			for i, way := range r.ways {
				r.restarts[way] = cells[i+1]
			}
		default:
			r.line(line)
		}
	}
	return r
}

func (r *runLog) line(line string) {
	if m := began.FindStringSubmatch(line); m != nil {
		r.tests[m[1]] = running
	}
	if m := ended.FindStringSubmatch(line); m != nil {
		r.tests[m[2]] = outcome(m[1])
	}
	m := said.FindStringSubmatch(line)
	if m == nil {
		return
	}
	switch m[1] {
	case "auditpatch":
		r.program = m[2]
	case "error:":
		r.fault = m[2]
	default:
		status, err := strconv.Atoi(m[2])
		r.ended, r.status = err == nil, status
	}
}

// add lets a later run of the same release count: of each test the last time that it ran, and
// the last measurement. A test that was skipped says nothing of an earlier result, and one
// that did not end has failed, unless somebody stopped the run.
func (r *runLog) add(later runLog) {
	for name, o := range later.tests {
		if o == running {
			if !later.ended || later.status == interrupted {
				continue
			}
			o = failed
		}
		if _, known := r.tests[name]; !known || o != skipped {
			r.tests[name] = o
		}
	}
	if len(later.restarts) > 0 {
		r.ways, r.restarts = later.ways, later.restarts
	}
	r.ended, r.status, r.fault = later.ended, later.status, later.fault
}

// with are the tests that ended so, sorted.
func (r *runLog) with(o outcome) (names []string) {
	for name, is := range r.tests {
		if is == o {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
