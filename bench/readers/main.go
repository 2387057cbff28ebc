// Readers times auditpatch events beside other readers of audit logs. readers.sh runs it.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// question is one that several programs answer, each by a shell command.
type question struct {
	name string
	// plain makes of an answer what all programs have in common; nil compares the numbers of lines.
	plain func(output string) string
	tools []tool // auditpatch first
}

// tool is a program with its command.
type tool struct {
	name, command string
	wrong         bool // its answer is known not to be the same
}

// measured is what the runs of a tool came to.
type measured struct {
	wall, cpu time.Duration // medians
	peak      int64         // KB, the most of all runs
	lines     int
	first     string // lines of the answer
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "readers:", err)
		os.Exit(1)
	}
}

func run() error {
	var s setting
	flag.StringVar(&s.auditpatch, "auditpatch", "", "the `program`")
	flag.StringVar(&s.log, "log", "", "`file`")
	flag.StringVar(&s.gz, "gz", "", "`folder` with the same log as .gz")
	flag.StringVar(&s.duckdb, "duckdb", "", "`folder` with duckdb.mjs and what it needs")
	flag.StringVar(&s.user, "user", "", "`name` for the second question")
	flag.StringVar(&s.namespace, "namespace", "", "`name` for the second question")
	runs := flag.Int("runs", 5, "`count`")
	flag.Parse()
	info, err := os.Stat(s.log)
	if err != nil {
		return err
	}
	fmt.Printf("%s: %.0f MB, %d processors\n", filepath.Base(s.log), float64(info.Size())/1e6, runtime.NumCPU())
	fmt.Printf("%-32s %-11s %9s %9s %9s %9s %9s\n", "question", "tool", "wall s", "cpu s", "MB/s", "peak MB", "times")
	different := false
	for _, q := range s.questions() {
		same, err := q.ask(*runs, info.Size())
		if err != nil {
			return err
		}
		different = different || !same
	}
	if different {
		return errors.New("the answers differ")
	}
	return nil
}

// setting is what the commands are about.
type setting struct{ auditpatch, log, gz, duckdb, user, namespace string }

func (s setting) questions() []question {
	events := s.auditpatch + " events --all-stages --quiet --log " + s.log
	deletes := `jq -c 'select(.verb=="delete")'`
	all := []question{
		{"all deletes, printed", nil, []tool{
			{"auditpatch", events + " --verb delete -o jsonl", false},
			{"jq", deletes + " " + s.log, false},
			s.ask("deletes", s.log),
			{"grep -F", `grep -F '"verb":"delete"' ` + s.log, true},
		}},
		{"one user in one namespace", nil, []tool{
			{"auditpatch", fmt.Sprintf("%s --user '%s' --namespace '%s' -o jsonl", events, s.user, s.namespace), false},
			{"jq", fmt.Sprintf(`jq -c 'select(.user.username=="%s" and .objectRef.namespace=="%s")' %s`, s.user, s.namespace, s.log), false},
			s.ask("user", s.log),
			{"grep -F", fmt.Sprintf(`grep -F '"username":"%s"' %s`, s.user, s.log), true},
		}},
		{"top 20 users by count and bytes", sums, []tool{
			{"auditpatch", events + " --top user --limit 20 -o csv", false},
			{"jq", `jq -nr 'reduce inputs as $e ({}; .[$e.user.username] |= [(.[0] // 0) + 1, (.[1] // 0) + ($e | tojson | utf8bytelength)]) | to_entries | sort_by(-.value[0], .key)[:20][] | "\(.value[0]) \(.value[1]) \(.key)"' ` + s.log, false},
			s.ask("top", s.log),
		}},
		{"failed writes by hour", nil, []tool{
			{"auditpatch", events + " --failed --writes --timeline --every 1h -o csv | tail -n +2", false},
			{"jq", `jq -r 'select(.responseStatus.code>=400 and (.verb|IN("create","update","patch","delete","deletecollection")))|.stageTimestamp[0:13]' ` + s.log + " | sort | uniq -c", false},
			s.ask("failures", s.log),
		}},
		{"all deletes of eight .gz", nil, []tool{
			{"auditpatch", s.auditpatch + " events --all-stages --quiet --log " + s.gz + " --verb delete -o jsonl", false},
			{"zcat, jq", "zcat " + s.gz + "/*.gz | " + deletes, false},
			s.ask("deletes", s.gz+"/*.gz"),
			{"zgrep -F", `zcat ` + s.gz + `/*.gz | grep -F '"verb":"delete"'`, true},
		}},
		{"policy simulate", nil, []tool{
			{"auditpatch", s.auditpatch + " policy simulate --quiet --preset baseline --log " + s.log, true},
			{"jq, select", deletes + " " + s.log, true},
		}},
	}
	if s.duckdb == "" || !exists(filepath.Join(s.duckdb, "node_modules")) {
		for i := range all {
			all[i].tools = slices.DeleteFunc(all[i].tools, func(t tool) bool { return t.name == "DuckDB" })
		}
	}
	return all
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// ask is DuckDB with a question about files.
func (s setting) ask(question, files string) tool {
	out := filepath.Join(s.duckdb, "out")
	return tool{"DuckDB", fmt.Sprintf("node %s/duckdb.mjs %s '%s' %s '%s' '%s' && cat %s", s.duckdb, question, files, out, s.user, s.namespace, out), false}
}

// ask runs the commands in turns, prints a line for each, and says whether their answers are
// the same.
func (q question) ask(runs int, size int64) (same bool, err error) {
	got := make([]measured, len(q.tools))
	for i, t := range q.tools {
		if got[i], err = t.measure(runs); err != nil {
			return false, err
		}
	}
	same = true
	for i, t := range q.tools {
		note, name := "", q.name
		if i > 0 {
			name = ""
		}
		if want, is := q.reduced(got[0]), q.reduced(got[i]); want != is {
			note = fmt.Sprintf("  another answer: %.60q, not %.60q", is, want)
			same = same && t.wrong
		}
		fmt.Printf("%-32s %-11s %9.3f %9.3f %9.0f %9.1f %8.1fx%s\n", name, t.name, got[i].wall.Seconds(), got[i].cpu.Seconds(),
			float64(size)/1e6/got[i].wall.Seconds(), float64(got[i].peak)/1024, got[i].wall.Seconds()/got[0].wall.Seconds(), note)
	}
	return same, nil
}

// reduced is what is compared of an answer.
func (q question) reduced(m measured) string {
	if q.plain != nil {
		return q.plain(m.first)
	}
	return fmt.Sprintf("%d lines", m.lines)
}

// sums are the number of lines that have a count, and the sum of those.
func sums(output string) string {
	sum, lines := 0, 0
	for line := range strings.Lines(output) {
		n := 0
		for _, field := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' }) {
			if _, err := fmt.Sscanf(field, "%d", &n); err == nil && n > 0 {
				break
			}
		}
		if n > 0 {
			sum, lines = sum+n, lines+1
		}
	}
	return fmt.Sprintf("%d in %d lines", sum, lines)
}

// measure runs the command once to warm up, and then as often as is wanted. What it prints goes
// into a file: this process stays small, since a child's peak counts from its parent's memory on.
func (t tool) measure(runs int) (measured, error) {
	var m measured
	out, err := os.CreateTemp("", "readers")
	if err != nil {
		return m, err
	}
	defer func() { _, _ = out.Close(), os.Remove(out.Name()) }()
	var wall, cpu []time.Duration
	for i := range runs + 1 {
		if err := errors.Join(out.Truncate(0), rewind(out)); err != nil {
			return m, err
		}
		cmd := exec.Command("bash", "-o", "pipefail", "-c", t.command)
		var bad bytes.Buffer
		cmd.Stdout, cmd.Stderr = out, &bad
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return m, fmt.Errorf("%s: %w: %.500s", t.command, err, bad.String())
		}
		if i == 0 {
			continue
		}
		wall = append(wall, time.Since(start))
		cpu = append(cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			m.peak = max(m.peak, u.Maxrss)
		}
	}
	if err := rewind(out); err != nil {
		return m, err
	}
	slices.Sort(wall)
	slices.Sort(cpu)
	m.wall, m.cpu = wall[len(wall)/2], cpu[len(cpu)/2]
	m.lines, m.first, err = counted(out)
	return m, err
}

func rewind(f *os.File) error {
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// counted are the number of lines of a file, and its first lines.
func counted(f *os.File) (lines int, first string, err error) {
	const most = 4096
	in := bufio.NewReader(f)
	for {
		line, err := in.ReadSlice('\n')
		if len(first) < most {
			first += string(line[:min(len(line), most)])
		}
		switch {
		case err == nil:
			lines++
		case errors.Is(err, io.EOF):
			return lines, first, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return 0, "", err
		}
	}
}
