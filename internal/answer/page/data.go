package page

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"auditpatch/internal/auditlog/event"
)

// A block ends with whichever comes first. Opening one event unpacks its whole block, so
// it is small, and gzip does better with a large one.
const (
	blockEvents = 4096
	blockBytes  = 2 << 20 // of JSON
	blockWords  = 1 << 20 // bytes of words in the columns
)

// longest is how many bytes of a word the table holds; the event's JSON has all of it.
const longest = 2048

// block is some events: columns for the table, which page.js reads when the page opens,
// and their JSON, of which it unpacks a block when one of its events is opened.
type block struct {
	Base    event.Time         `json:"base"` // what Time counts from
	Time    []event.Time       `json:"time"` // µs; Base + Time is 0 where an event has none
	Size    []int              `json:"size"` // bytes of each event's JSON
	Columns map[string]*column `json:"columns"`

	words int // bytes of words
	raw   bytes.Buffer
}

// column has each of its values once. The value of row i is Words[IDs[i]].
type column struct {
	Words []string `json:"words"`
	IDs   []int    `json:"ids"`
	index map[string]int
}

func newBlock() *block {
	b := &block{Columns: map[string]*column{}}
	for _, name := range names {
		b.Columns[name] = &column{index: map[string]int{}}
	}
	return b
}

func (b *block) reset() {
	b.Base, b.Time, b.Size, b.words = 0, b.Time[:0], b.Size[:0], 0
	for _, c := range b.Columns {
		clear(c.index)
		c.Words, c.IDs = c.Words[:0], c.IDs[:0]
	}
	if b.raw.Cap() > 2*blockBytes {
		b.raw = bytes.Buffer{} // one event of many megabytes does not stay
	}
	b.raw.Reset()
}

func (b *block) full() bool {
	return len(b.Time) >= blockEvents || b.raw.Len() >= blockBytes || b.words >= blockWords
}

// names are the columns, as page.js has them.
var names = []string{"user", "as", "verb", "resource", "namespace", "name", "code", "outcome", "ip", "agent", "stage", "level"}

func (b *block) add(e *event.Event) {
	at := e.Stamp
	if at == 0 {
		at = e.Received
	}
	if len(b.Time) == 0 {
		b.Base = at
	}
	b.Time = append(b.Time, at-b.Base)
	b.Size = append(b.Size, len(e.JSON))
	b.raw.Write(e.JSON)
	for i, value := range [...][]byte{
		e.User.Name, e.Impersonated.Name, e.Verb, resource(e), e.Object.Namespace, e.Object.Name, code(e), []byte(Outcome(e)), address(e.SourceIPs), e.UserAgent, e.Stage, e.Level,
	} {
		b.words += b.Columns[names[i]].add(short(value))
	}
}

// add appends a value, and says how many bytes of words that took.
func (c *column) add(value []byte) (took int) {
	id, known := c.index[string(value)]
	if !known {
		id, took = len(c.Words), len(value)
		c.Words = append(c.Words, string(value))
		c.index[c.Words[id]] = id
	}
	c.IDs = append(c.IDs, id)
	return took
}

// short cuts a long value, and says so.
func short(value []byte) []byte {
	if len(value) <= longest {
		return value
	}
	cut := longest
	for cut > longest-utf8.UTFMax && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return append(bytes.Clone(value[:cut]), "…"...)
}

// resource is what the request is about as RBAC and kubectl write it: pods, pods/exec,
// deployments.apps. A request without an object, such as /healthz, has its path.
func resource(e *event.Event) []byte {
	o := &e.Object
	if !o.Has || len(o.Resource) == 0 {
		path, _, _ := bytes.Cut(e.RequestURI, []byte("?"))
		return path
	}
	if len(o.APIGroup) == 0 && len(o.Subresource) == 0 {
		return o.Resource
	}
	out := bytes.Clone(o.Resource)
	if len(o.APIGroup) > 0 {
		out = append(append(out, '.'), o.APIGroup...)
	}
	if len(o.Subresource) > 0 {
		out = append(append(out, '/'), o.Subresource...)
	}
	return out
}

func code(e *event.Event) []byte {
	if !e.Response.Has || e.Response.Code == 0 {
		return nil
	}
	return strconv.AppendInt(nil, int64(e.Response.Code), 10)
}

// address is the last source address: the one that connected. Those before it are what
// the client says in X-Forwarded-For and X-Real-Ip, and can be anything.
func address(list []byte) []byte {
	var all []string
	if json.Unmarshal(list, &all) != nil || len(all) == 0 {
		return nil
	}
	return []byte(all[len(all)-1])
}

// Outcome is how a request ended: ok, denied (401, 403, or forbidden by the authorizer),
// failed (any other code from 400 on, or a panic), or open while it has no answer.
func Outcome(e *event.Event) string {
	code := e.Response.Code
	switch {
	case code == 401 || code == 403 || string(e.Authorization.Decision) == "forbid":
		return "denied"
	case code >= 400 || string(e.Stage) == "Panic":
		return "failed"
	case code > 0:
		return "ok"
	}
	return "open"
}

// write writes the block as two elements.
func (b *block) write(out io.Writer) error {
	rows, err := json.Marshal(b)
	if err == nil {
		err = inert(out, `class="rows"`, rows)
	}
	if err == nil {
		err = inert(out, `class="raw"`, b.raw.Bytes())
	}
	return err
}

// inert writes data as an element that no browser runs or shows. attribute is ours.
func inert(out io.Writer, attribute string, data []byte) error {
	if _, err := fmt.Fprintf(out, "<script type=\"application/gzip\" %s>", attribute); err != nil {
		return err
	}
	text := base64.NewEncoder(base64.StdEncoding, out)
	zip := gzip.NewWriter(text)
	_, err := zip.Write(data)
	if err == nil {
		err = zip.Close()
	}
	if err == nil {
		err = text.Close()
	}
	if err == nil {
		_, err = io.WriteString(out, "</script>\n")
	}
	return err
}

// end is what page.js reads in the element "about".
type end struct {
	Command    string   `json:"command"`
	Version    string   `json:"version"`
	Host       string   `json:"host"`
	Logs       []string `json:"logs"`
	Made       int64    `json:"made"`   // ms since 1970
	Shown      int      `json:"shown"`  // events in the page
	Left       int      `json:"left"`   // that it had no room for
	Events     int64    `json:"events"` // that were read
	Bytes      int64    `json:"bytes"`
	Files      int      `json:"files"`
	Received   int64    `json:"received"` // events of stage RequestReceived that were left out
	Duplicates int64    `json:"duplicates"`
	Unreadable int64    `json:"unreadable"`
	Unfinished int64    `json:"unfinished"` // last lines of files that were being written
	First      []unread `json:"first"`
	Cut        bool     `json:"cut"` // reading was interrupted
}

type unread struct {
	File   string `json:"file"`
	Line   int64  `json:"line"`
	Bytes  int64  `json:"bytes"`
	Reason string `json:"reason"`
}

func ending(p *Page, t Total) []byte {
	e := end{
		Command: p.about.Command, Version: p.about.Version, Host: p.about.Host, Logs: append([]string{}, p.about.Logs...), Made: p.about.Made.UnixMilli(),
		Shown: p.shown, Left: p.left, Events: t.Events, Bytes: t.Bytes, Files: t.Files, Received: t.Received, Duplicates: t.Duplicates, Unreadable: t.Unreadable, Unfinished: t.Unfinished,
		First: []unread{}, Cut: t.Cut,
	}
	for _, u := range t.First {
		e.First = append(e.First, unread(u))
	}
	data, _ := json.Marshal(e) // strings and numbers always can be
	return data
}
