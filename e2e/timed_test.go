//go:build e2e

package e2e

import (
	"os"
	"strconv"
	"strings"
	"time"

	"auditpatch/e2e/cluster"
)

// timedScript is for [whileScript]: it notes when auditpatch says what, and what mark says, in a
// file that comes out on standard error at the end.
const timedScript = `
times=$(mktemp)
stamp() { while IFS= read -r line; do echo "$EPOCHREALTIME $line"; done; }
mark() { echo "mark $*" | stamp >>"$times"; }
tail --pid=$pid -s 0.1 -n +1 -f "$out" > >(stamp >>"$times") & follower=$!
trap 'wait $follower; read -rt 0.2 -u 3; sort -n "$times" >&2; rm "$times"' EXIT
`

// timedRun is what auditpatch said, and when.
type timedRun struct {
	exit         int
	began, ended time.Time
	lines        []timedLine
}

type timedLine struct {
	at   time.Time
	text string
}

// timed runs auditpatch and lines of [whileScript] beside it, which may call mark, and notes
// when what was said.
func (l *lab) timed(lines string, args ...string) *timedRun {
	l.Helper()
	run := &timedRun{began: time.Now()}
	command := append([]string{"bash", "-c", whileScript, "bash", timedScript + lines}, args...)
	stdout, stderr, exit := l.node.Exec(l.ctx, command...)
	run.exit, run.ended = exit, time.Now()
	for line := range strings.Lines(stderr) {
		stamp, text, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if micros, err := strconv.ParseInt(strings.Replace(stamp, ".", "", 1), 10, 64); err == nil {
			run.lines = append(run.lines, timedLine{time.UnixMicro(micros), text})
		}
	}
	l.Logf("auditpatch %s: exit status %d after %.1f s, meanwhile: %s\n%s%s",
		strings.Join(args, " "), exit, run.ended.Sub(run.began).Seconds(), lines, stdout, run.table())
	return run
}

// at is when the first line was said that begins with a text, zero if none was.
func (r *timedRun) at(text string) time.Time {
	for _, line := range r.lines {
		if strings.HasPrefix(line.text, text) {
			return line.at
		}
	}
	return time.Time{}
}

func (r *timedRun) text() string {
	var b strings.Builder
	for _, line := range r.lines {
		b.WriteString(line.text + "\n")
	}
	return b.String()
}

// table is the lines with the seconds since the begin.
func (r *timedRun) table() string {
	var b strings.Builder
	for _, line := range r.lines {
		b.WriteString(strconv.FormatFloat(line.at.Sub(r.began).Seconds(), 'f', 2, 64) + " | " + line.text + "\n")
	}
	return b.String()
}

// silence is the longest time in which nothing was said, and the line before it.
func (r *timedRun) silence() (longest time.Duration, after string) {
	last := timedLine{r.began, "the begin"}
	for _, line := range append(r.lines, timedLine{r.ended, "the end"}) {
		if strings.HasPrefix(line.text, "mark ") {
			continue
		}
		if gap := line.at.Sub(last.at); gap > longest {
			longest, after = gap, last.text
		}
		last = line
	}
	return longest, after
}

// lastChange is when a probe has last taken a state, zero if never.
func lastChange(changes []cluster.Change, probe, state string) (at time.Time) {
	for _, c := range changes {
		if c.Probe == probe && c.State == state {
			at = c.At
		}
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// number is a variable of the environment, or what is without it.
func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// uncounted runs a step that changes the API server's pod in ways that nobody can count.
func (l *lab) uncounted(step func()) {
	l.Helper()
	if err := l.node.Uncounted(l.ctx, func() error { step(); return nil }); err != nil {
		l.Fatal(err)
	}
}
