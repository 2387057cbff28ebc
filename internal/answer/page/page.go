// Package page writes audit events as one HTML file, the page that goes with an incident
// report: a timeline, top lists, a table with search and the JSON of each event. It asks
// no network for anything, and nothing of an event can run in it.
//
// New is the name to call first. It starts the page, which goes to its writer as events
// are added, a block at a time, so that memory does not grow with the log; Close ends it.
// Create makes the file for it.
//
// What is written is page.html with page.css, page.js and the data in it. The data are
// inert script elements that hold gzip in base64, an alphabet in which no HTML can be
// written, whatever an event holds. The Content-Security-Policy names the one style and
// the one script by their SHA-256.
package page

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
)

var (
	//go:embed page.html
	shell string
	//go:embed page.css
	style string
	//go:embed page.js
	script string
)

// Wants are the fields of events that the page needs.
const Wants = event.WantLevel | event.WantStage | event.WantRequestURI | event.WantVerb | event.WantUser | event.WantImpersonated |
	event.WantSourceIPs | event.WantUserAgent | event.WantObject | event.WantResponse | event.WantReceived | event.WantStamp | event.WantAuthorization

// MaxEvents and MaxBytes bound a page to what browsers show without trouble. MaxBytes is
// about the data as they are written.
const (
	MaxEvents = 500_000
	MaxBytes  = 256 << 20
)

// About is what the page says of itself.
type About struct {
	Command string   // the command line that made it, as it may be shown
	Version string   // of the program
	Host    string   // where it ran
	Logs    []string // as the user named them
	Made    time.Time
}

// Page is a page that is being written.
type Page struct {
	out   counter
	about About
	block *block
	shown int
	left  int // events for which there was no room
}

// New begins a page.
func New(out io.Writer, about About) (*Page, error) {
	p := &Page{out: counter{to: out}, about: about, block: newBlock()}
	head, _, _ := strings.Cut(shell, "{{data}}")
	head = strings.NewReplacer(
		"{{style}}", hash(style), "{{script}}", hash(script), "{{css}}", style,
		"{{title}}", html.EscapeString("Audit events, "+about.Made.UTC().Format(time.RFC3339)),
	).Replace(head)
	_, err := io.WriteString(&p.out, head)
	return p, written(err)
}

// hash is how a Content-Security-Policy names a text.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func written(err error) error {
	if err != nil {
		return fmt.Errorf("write the page: %w", err)
	}
	return nil
}

// Add puts an event at the end of the page. It counts those for which there is no room,
// and the page says that it is not all.
func (p *Page) Add(e *event.Event) error {
	if p.left > 0 || p.shown >= MaxEvents || p.out.n >= MaxBytes {
		p.left++
		return nil
	}
	p.shown++
	p.block.add(e)
	if p.block.full() {
		return p.flush()
	}
	return nil
}

// flush writes the block, if there is anything in it.
func (p *Page) flush() error {
	if len(p.block.Time) == 0 {
		return nil
	}
	err := p.block.write(&p.out)
	p.block.reset()
	return written(err)
}

// Total is what was read, and what was left out of it.
type Total struct {
	read.Total
	Received int64 // events of stage RequestReceived that were left out
}

// Close ends the page with what was read. The writer stays open.
func (p *Page) Close(total Total) (Written, error) {
	err := p.flush()
	if err == nil {
		err = written(inert(&p.out, `id="about"`, ending(p, total)))
	}
	if err == nil {
		_, tail, _ := strings.Cut(shell, "{{data}}")
		_, err = io.WriteString(&p.out, strings.Replace(tail, "{{js}}", script, 1))
		err = written(err)
	}
	return Written{Shown: p.shown, Left: p.left, Bytes: p.out.n}, err
}

// Written is what a page has become.
type Written struct {
	Shown int // events in it
	Left  int // events that it had no room for
	Bytes int64
}

// signature is how each page begins.
func signature() []byte {
	head, _, _ := strings.Cut(shell, "<meta http-equiv")
	return []byte(head)
}

// Is says whether a file that begins like this is such a page.
func Is(head []byte) bool { return bytes.HasPrefix(head, signature()) }

// counter knows how much went through it.
type counter struct {
	to io.Writer
	n  int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.to.Write(p)
	c.n += int64(n)
	return n, err
}
