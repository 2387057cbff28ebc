package answers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"auditpatch/internal/answer/page"
	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/exit"
	"auditpatch/internal/hint"
)

// htmlMode writes the events as a page for browsers. It is a flag and no value of -o,
// which goes to standard output: a shell makes the file of that readable to others, and
// half written when the log cannot be read.
func htmlMode(q *question) mode {
	var name string
	var overwrite bool
	return mode{
		flags: []cli.Flag{
			&cli.StringFlag{Name: "html", Destination: &name, Category: shownCategory, Usage: "write a report for a browser into `FILE`, which only its owner can read, - for standard output"},
			&cli.BoolFlag{Name: "overwrite", Destination: &overwrite, Category: shownCategory, Usage: "with --html: also over a file that is no such report"},
		},
		outputs: []string{"text", "json"},
		asked: func() string {
			if name == "" && !overwrite {
				return ""
			}
			return "html"
		},
		answer: func() (answer, error) { return q.newReport(name, overwrite) },
	}
}

// report is the page with its file.
type report struct {
	*question
	*page.Page
	name string
	file *page.File // nil for standard output
	// secrets are events with the body of a Secret or a token: the page has all of an event.
	secrets int
}

func (q *question) newReport(name string, overwrite bool) (answer, error) {
	r := &report{question: q, name: name}
	var to io.Writer
	switch {
	case name == "":
		return nil, hint.Errorf(hint.Spaced("html", "report.html").Switch("overwrite"), "--overwrite is for --html, which names the file")
	case name == "-" && q.JSON():
		return nil, hint.Errorf(hint.Spaced("html", "report.html"), "--html - and -o json exclude each other: both go to standard output")
	case name == "-":
		to = q.out
	case read.Holds(q.logs, name):
		return nil, hint.Errorf(hint.Spaced("html", "report.html"), "--html %s: it is one of the logs that are read, and would be lost", name)
	default:
		var err error
		if r.file, err = page.Create(name, overwrite); err != nil {
			return nil, refused(name, err)
		}
		to = r.file
	}
	about := page.About{Command: q.CommandLine(), Version: q.Version(), Made: time.Now()}
	about.Host, _ = os.Hostname() // the page does without
	for _, l := range q.logs {
		about.Logs = append(about.Logs, l.Name)
	}
	var err error
	if r.Page, err = page.New(to, about); err != nil {
		r.Cleanup()
		return nil, err
	}
	return r, nil
}

// refused says what to do about a file that cannot be written.
func refused(name string, err error) error {
	switch {
	case errors.Is(err, page.ErrNotOurs):
		return hint.Errorf(hint.Spaced("html", name).Switch("overwrite"), "--html: %v", err)
	case errors.Is(err, page.ErrNotPlain):
		return hint.Errorf(hint.Spaced("html", "report.html"), "--html: %v", err)
	}
	return fmt.Errorf("--html: %w", err)
}

// Cleanup takes away a file that was not finished.
func (r *report) Cleanup() {
	if r.file != nil {
		r.file.Cleanup()
	}
}

func (r *report) Fields() event.Fields { return page.Wants | event.WantObject | event.WantBodies }

func (r *report) Add(e *event.Event) error {
	if holdsSecret(e) {
		r.secrets++
	}
	return r.Page.Add(e)
}

// holdsSecret says whether a body of an event is of a kind that has secrets in it.
func holdsSecret(e *event.Event) bool {
	if len(e.RequestObject) == 0 && len(e.ResponseObject) == 0 {
		return false
	}
	resource := string(e.Object.Resource)
	return resource == "secrets" && len(e.Object.APIGroup) == 0 || resource == "tokenreviews" || string(e.Object.Subresource) == "token"
}

// written is what events --html prints as JSON.
type written struct {
	Changed bool    `json:"changed"`
	File    string  `json:"file"`
	Bytes   int64   `json:"bytes"`
	Shown   int     `json:"shown"` // events in the page
	Left    int     `json:"left"`  // events that it had no room for
	Total   summary `json:"total"`
}

func (r *report) Print(total read.Total) error {
	w, err := r.Close(page.Total{Total: total, Received: r.summary.Received})
	switch {
	case err != nil || r.file == nil:
	case total.Cut:
		err = r.file.CommitNew()
	default:
		err = r.file.Commit()
	}
	if total.Cut && errors.Is(err, fs.ErrExist) {
		return r.keep()
	}
	if err != nil {
		return refused(r.name, err)
	}
	if r.file != nil {
		r.SetChanged(hint.Command("events").Switch("help"))
		r.Printf("%s: a report on %d events, %s", r.name, w.Shown, megabytes(w.Bytes))
	}
	if r.JSON() {
		r.PrintJSON(written{true, r.name, w.Bytes, w.Shown, w.Left, r.summary})
	}
	if r.secrets > 0 {
		r.Say("warning", fmt.Sprintf("the report has all of each event: %d hold bodies of Secrets or tokens, so look before you share it", r.secrets))
	}
	if w.Left == 0 {
		return nil
	}
	r.Say("warning", fmt.Sprintf("the report is full: %d more events are not in it", w.Left))
	r.Say("hint", r.Hint(hint.Spaced("since", "2h").Spaced("verb", "!watch")).String())
	return exit.Status(exit.Differs)
}

// keep leaves an earlier file in its place, which has more than what was read until an interruption.
func (r *report) keep() error {
	r.Say("warning", r.name+": it is left as it was")
	if r.JSON() {
		r.PrintJSON(written{File: r.name, Total: r.summary})
	}
	return nil
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
