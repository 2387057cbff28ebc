package table

import (
	"bytes"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/answer/column"
	"auditpatch/internal/auditlog/event"
)

// cell is a column of the table.
type cell struct {
	title  string
	fields event.Fields
	add    func(to []byte, e *event.Event) []byte
	// weight is the column's share of a terminal that is too narrow; fromFront says that its
	// front matters most, as an address before a program's name.
	weight    int
	fromFront bool
}

// roomy is a terminal on which a time has its year.
const roomy = 100

func cells(s Style) []cell {
	layout := "2006-01-02 15:04:05"
	if s.Width > 0 && s.Width < roomy && !s.Wide {
		layout = "01-02 15:04:05"
	}
	when := func(to []byte, e *event.Event) []byte {
		if e.Stamp == 0 {
			return append(to, '-')
		}
		return e.Stamp.Go().In(s.Zone).AppendFormat(to, layout)
	}
	zone := "UTC"
	if s.Zone != time.UTC {
		zone = "local"
	}
	all := []cell{
		{"WHEN (" + zone + ")", event.WantStamp, when, 3, true},
		{"WHO", event.WantUser | event.WantImpersonated, who, 3, false},
		{"WHAT", event.WantVerb | event.WantObject | event.WantRequestURI, what, 5, false},
		{"WHERE", event.WantObject, some(func(e *event.Event) []byte { return e.Object.Namespace }), 3, false},
		{"FROM", event.WantSourceIPs | event.WantUserAgent, from, 3, true},
		{"RESULT", event.WantResponse | event.WantStage | event.WantReceived | event.WantStamp, result, 3, true},
	}
	if !s.Wide {
		return all
	}
	return append(all,
		cell{title: "TOOK", fields: event.WantReceived | event.WantStamp, add: took},
		cell{title: "STAGE", fields: event.WantStage, add: some(func(e *event.Event) []byte { return e.Stage })},
		cell{title: "LEVEL", fields: event.WantLevel, add: some(func(e *event.Event) []byte { return e.Level })},
		cell{title: "IMPERSONATED", fields: event.WantImpersonated, add: some(func(e *event.Event) []byte { return e.Impersonated.Name })},
		cell{title: "AUDIT ID", fields: event.WantAuditID, add: some(func(e *event.Event) []byte { return e.AuditID })},
		cell{title: "REASON", fields: event.WantAuthorization, add: some(func(e *event.Event) []byte { return e.Authorization.Reason })},
		cell{title: "USER AGENT", fields: event.WantUserAgent, add: some(func(e *event.Event) []byte { return e.UserAgent })},
	)
}

// some is a field, or what stands for none.
func some(field func(*event.Event) []byte) func([]byte, *event.Event) []byte {
	return func(to []byte, e *event.Event) []byte { return orNone(to, field(e)) }
}

func orNone(to, text []byte) []byte {
	if len(text) == 0 {
		return append(to, '-')
	}
	return plain(to, text, false)
}

// plain appends a text of the log. Whoever sends a request chooses many of them, so one that could
// pass for another column, or for what the table says itself, is in quotes. one says that the table
// puts words of its own beside it, so that it must not have a blank. So is one with a backslash or
// with the sign of what is left out, which outside quotes are the table's own.
func plain(to, text []byte, one bool) []byte {
	odd := len(text) > 0 && (text[0] == '"' || text[0] == '(' || text[0] == ' ' || text[len(text)-1] == ' ') || string(text) == "-"
	odd = odd || bytes.Contains(text, []byte(between)) || bytes.ContainsAny(text, `\`+leftOut)
	if odd || one && bytes.ContainsAny(text, " ()") {
		return quoted(to, text)
	}
	return append(to, text...)
}

// inQuotes writes what has a meaning there: a quoted text can be shortened as well.
var inQuotes = strings.NewReplacer(`"`, `\"`, `\`, `\\`, leftOut, `\u2026`)

func quoted(to, text []byte) []byte {
	return append(append(append(to, '"'), inQuotes.Replace(string(text))...), '"')
}

// who is the user who logged in, and as whom.
func who(to []byte, e *event.Event) []byte {
	to = user(to, e.User.Name)
	if e.Impersonated.Has {
		to = user(append(to, " as "...), e.Impersonated.Name)
	}
	return to
}

// user is a name; that of a service account is written as --user takes it.
func user(to, name []byte) []byte {
	if account, is := bytes.CutPrefix(name, []byte("system:serviceaccount:")); is {
		return plain(append(to, "sa:"...), account, true)
	}
	if len(name) == 0 {
		return append(to, '-')
	}
	if bytes.HasPrefix(name, []byte("sa:")) { // that is the table's word
		return quoted(to, name)
	}
	return plain(to, name, true)
}

// what is the verb with the object: delete pods/web-1, patch deployments.apps/web/scale.
func what(to []byte, e *event.Event) []byte {
	o := &e.Object
	if len(e.Verb) == 0 {
		to = append(to, '-')
	}
	to = append(plain(to, e.Verb, true), ' ')
	if !o.Has || len(o.Resource) == 0 {
		path := column.Resource(nil, e)
		if len(path) > 0 && path[0] != '/' { // as no URL of Kubernetes is
			return quoted(to, path)
		}
		return plain(to, path, true)
	}
	to = part(to, o.Resource, "./")
	if len(o.APIGroup) > 0 {
		to = part(append(to, '.'), o.APIGroup, "/")
	}
	if len(o.Name) > 0 {
		to = part(append(to, '/'), o.Name, "/")
	}
	if len(o.Subresource) > 0 {
		to = part(append(to, '/'), o.Subresource, "/")
	}
	return to
}

// part is one of those that an object is called by. What has the table's own sign between them is
// in quotes.
func part(to, text []byte, signs string) []byte {
	if bytes.ContainsAny(text, signs) {
		return quoted(to, text)
	}
	return plain(to, text, true)
}

// from is the address of the connection, and the program. What headers say of further
// addresses anybody can make up.
func from(to []byte, e *event.Event) []byte {
	if address := column.Source(nil, e); len(address) > 0 {
		to = plain(to, address, true)
	} else {
		to = append(to, '-')
	}
	claimed := 0
	event.Strings(e.SourceIPs, func([]byte) bool { claimed++; return true })
	if claimed > 1 {
		lead := " (for "
		event.Strings(e.SourceIPs, func(s []byte) bool {
			to = plain(append(to, lead...), s, true)
			lead = ", "
			claimed--
			return claimed > 1
		})
		to = append(to, ')')
	}
	if len(e.UserAgent) > 0 {
		to = plain(append(to, ' '), column.Program(nil, e), true)
	}
	return to
}

// long is so long in microseconds that people want to know of it.
const long = 1_000_000

// result is the answer: its status, and what it means where that is a failure.
func result(to []byte, e *event.Event) []byte {
	code := e.Response.Code
	if code != 0 {
		to = strconv.AppendInt(to, int64(code), 10)
	}
	switch stage := string(e.Stage); {
	case stage == "Panic":
		return word(to, "panic")
	case code >= 400 && len(e.Response.Reason) > 0:
		return word(to, string(plain(nil, e.Response.Reason, true)))
	case code >= 400:
		return word(to, http.StatusText(code))
	case stage == "ResponseStarted":
		return word(to, "begun")
	case code == 0:
		return orNone(to, e.Stage)
	case e.Stamp-e.Received >= long && e.Received != 0:
		return took(word(to, "after "), e)
	}
	return to
}

// word appends a word behind others.
func word(to []byte, text string) []byte {
	if len(to) > 0 && to[len(to)-1] >= '0' && to[len(to)-1] <= '9' && text != "" {
		to = append(to, ' ')
	}
	return append(to, text...)
}

func took(to []byte, e *event.Event) []byte {
	if e.Stamp == 0 || e.Received == 0 {
		return append(to, '-')
	}
	micros := int64(e.Stamp - e.Received)
	d := time.Duration(micros) * time.Microsecond
	switch {
	case micros > math.MaxInt64/int64(time.Microsecond): // a damaged time: longer than a Duration can be
		return append(strconv.AppendInt(to, micros/time.Hour.Microseconds(), 10), 'h')
	case micros < time.Millisecond.Microseconds():
		return append(strconv.AppendInt(to, micros, 10), " µs"...)
	case d < time.Second:
		return append(strconv.AppendInt(to, d.Milliseconds(), 10), " ms"...)
	case d < time.Minute:
		return append(to, d.Round(10*time.Millisecond).String()...)
	}
	return append(to, d.Round(time.Second).String()...)
}

const (
	bold   = "\x1b[1m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	reset  = "\x1b[0m"
)

// tint is the colour of an event's row.
func tint(e *event.Event) string {
	switch {
	case e.Response.Code >= 500 || string(e.Stage) == "Panic":
		return red
	case e.Response.Code >= 400:
		return yellow
	}
	return ""
}
