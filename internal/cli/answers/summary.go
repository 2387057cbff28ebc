package answers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"auditpatch/internal/auditlog"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/filter"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/hint"
	"auditpatch/internal/policy/explain"
)

// summary is what stands at the end of each answer.
type summary struct {
	Files       int               `json:"files"`
	Bytes       int64             `json:"bytes"`  // of the events' text, unpacked
	Events      int64             `json:"events"` // that could be read
	Matched     int64             `json:"matched"`
	Received    int64             `json:"requestReceivedLeftOut"` // events that match, but for their stage
	Duplicates  int64             `json:"duplicates"`
	Unreadable  int64             `json:"unreadable"` // places
	Unfinished  int64             `json:"unfinished"` // last lines that were still being written
	First       []unreadablePlace `json:"firstUnreadable"`
	From        *time.Time        `json:"from"` // of the events that match
	To          *time.Time        `json:"to"`
	Interrupted bool              `json:"interrupted"` // this is not all
}

// unreadablePlace is something in a log that is no event.
type unreadablePlace struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}

// watch is an answer's Add that also sees from when to when the events are. Where they come as
// they happen, each is printed at once.
func (s *summary) watch(a answer, live bool) func(*event.Event) error {
	var from, to event.Time
	flushing, keeps := a.(interface{ Flush() error })
	return func(e *event.Event) error {
		if at := e.Stamp; at != 0 && (from == 0 || at < from) {
			from = at
			s.From = pointer(at.Go())
		}
		if e.Stamp > to {
			to = e.Stamp
			if s.To == nil {
				s.To = new(time.Time)
			}
			*s.To = to.Go()
		}
		if err := a.Add(e); err != nil || !live || !keeps {
			return err
		}
		return flushing.Flush()
	}
}

func pointer(t time.Time) *time.Time { return &t }

// total takes over what was read.
func (s *summary) total(t read.Total, f *filter.Filter) {
	s.Files, s.Bytes, s.Events, s.Matched, s.Received = t.Files, t.Bytes, t.Events, t.Wanted, f.Hidden()
	s.Duplicates, s.Unreadable, s.Unfinished, s.Interrupted = t.Duplicates, t.Unreadable, t.Unfinished, t.Cut
	s.First = []unreadablePlace{}
	for _, u := range t.First {
		s.First = append(s.First, unreadablePlace{u.File, u.Line, u.Bytes, u.Reason})
	}
}

// conclude says what was read, and what was not.
func (q *question) conclude(ctx context.Context, s *summary) {
	const most = 3
	for i, u := range s.First {
		if i == most {
			break
		}
		q.Say("warning", fmt.Sprintf("%s:%d: %s, which cannot be read: %s", u.File, u.Line, auditlog.FormatSize(u.Bytes), u.Reason))
	}
	if more := s.Unreadable - int64(min(len(s.First), most)); more > 0 && len(s.First) > 0 {
		q.Say("warning", fmt.Sprintf("%s more cannot be read: -o json lists the first of them", plural(more, "place")))
	}
	text := fmt.Sprintf("%s of %s", number(s.Matched), plural(s.Events, "event"))
	if q.filter.Everything() && s.Received == 0 {
		text = plural(s.Matched, "event")
	}
	text += fmt.Sprintf(" in %s (%s)", where(q.logs, s.Files), auditlog.FormatSize(s.Bytes))
	switch {
	case s.From != nil && s.To != nil:
		text += ", " + q.between(*s.From, *s.To)
	case s.Matched == 0:
		text += q.covered(ctx)
	}
	if s.Received > 0 {
		text += fmt.Sprintf("; %s of stage RequestReceived left out, see --all-stages", number(s.Received))
	}
	if s.Duplicates > 0 {
		text += "; " + plural(s.Duplicates, "duplicate") + " left out"
	}
	if s.Unfinished > 0 {
		text += "; " + plural(s.Unfinished, "last line") + " left out, still being written"
	}
	q.Printf("%s", text)
	if s.Matched == 0 {
		q.suggest()
	}
	if s.Interrupted {
		q.Say("error", "interrupted: this is not all")
	}
}

// suggest says which resources were probably meant, where none was found.
func (q *question) suggest() {
	for _, name := range slices.Sorted(maps.Keys(q.given)) {
		for _, value := range q.given[name] {
			if first, rest, found := strings.Cut(value, ","); found && name != "grep" && name != "url" && first != "" && rest != "" {
				q.Say("hint", hint.Flag(name, first).Then(" ", hint.Flag(name, rest)).String())
			}
		}
	}
	for _, value := range q.given["resource"] {
		end := strings.IndexAny(value+"/", "./*")
		name, rest := value[:min(end, len(value))], value[min(end, len(value)):]
		if plural, near := explain.ResourceName(name); plural == "" && near != "" {
			q.Say("hint", hint.Flag("resource", near+rest).String())
		}
	}
}

// where names the logs.
func where(logs []read.Log, files int) string {
	var names []string
	for _, l := range logs {
		names = append(names, filepath.Base(l.Name))
	}
	if len(names) > 3 {
		names = append(names[:3], "...")
	}
	text := strings.Join(names, ", ")
	if files > len(logs) {
		text = plural(int64(files), "file") + " of " + text
	}
	return text
}

// between is a span of time in words.
func (q *question) between(from, to time.Time) string {
	const layout = "2006-01-02 15:04:05"
	zone := q.zone()
	text := from.In(zone).Format(layout)
	if to := to.In(zone).Format(layout); to != text {
		text += " to " + to
	}
	if zone == time.UTC {
		text += " UTC"
	}
	return text
}

// covered says from when to when a log is of which nothing is wanted.
func (q *question) covered(ctx context.Context) string {
	from, to := covers(ctx, q.logs)
	if from == 0 || to == 0 {
		return ""
	}
	return "; the log is of " + q.between(from.Go(), to.Go())
}

// errEnough ends reading.
var errEnough = errors.New("enough")

// covers is the time of the first event of logs, and of the last. Only the first event of the
// oldest file of each is read, and the end of its live file. What is no regular file has been read
// to its end, and may wait for ever for more.
func covers(ctx context.Context, logs []read.Log) (from, to event.Time) {
	for _, l := range logs {
		if len(l.Files) == 0 || !regular(l.Files) {
			continue
		}
		first, _ := stamps(ctx, read.Log{Name: l.Name, Files: l.Files[:1]}, true)
		if from == 0 || first != 0 && first < from {
			from = first
		}
		live := l.Files[len(l.Files)-1]
		last := lastStamp(ctx, live)
		if last == 0 { // a form that is only known from its beginning
			_, last = stamps(ctx, read.Log{Name: l.Name, Files: []string{live}}, false)
		}
		to = max(to, last)
	}
	return from, to
}

// regular tells whether all files are such.
func regular(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || !info.Mode().IsRegular()
	})
}

// lastStamp is the last time in the end of a file with lines, 0 if none is found there.
func lastStamp(ctx context.Context, name string) event.Time {
	const end = 1 << 20
	f, err := auditlog.OpenRegular(name)
	if err != nil {
		return 0
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0
	}
	from := max(0, info.Size()-end)
	_, last := stamps(ctx, read.Log{Name: name, Stdin: io.NewSectionReader(f, from, info.Size()-from)}, false)
	return last
}

// stamps are the first time and the last that a log's events have. one says that the first event is
// enough.
func stamps(ctx context.Context, l read.Log, one bool) (from, to event.Time) {
	_, _ = read.Events(ctx, []read.Log{l}, read.Query{Fields: event.WantStamp}, func(e *event.Event) error {
		if e.Stamp == 0 {
			return nil
		}
		if from == 0 || e.Stamp < from {
			from = e.Stamp
		}
		to = max(to, e.Stamp)
		if one {
			return errEnough
		}
		return nil
	})
	return from, to
}

// plural is a number of things.
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// number is a number with commas.
func number(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
