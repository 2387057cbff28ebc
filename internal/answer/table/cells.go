package table

import (
	"fmt"
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
	text   func(*event.Event) string
	// weight is the column's share of a terminal that is too narrow; fromFront says that its
	// front matters most, as an address before a program's name.
	weight    int
	fromFront bool
}

func cells(s Style) []cell {
	const layout = "2006-01-02 15:04:05"
	when := func(e *event.Event) string {
		if e.Stamp == 0 {
			return "-"
		}
		return e.Stamp.Go().In(s.Zone).Format(layout)
	}
	zone := "UTC"
	if s.Zone != time.UTC {
		zone = "local"
	}
	all := []cell{
		{"WHEN (" + zone + ")", event.WantStamp, when, 3, true},
		{"WHO", event.WantUser | event.WantImpersonated, who, 3, false},
		{"WHAT", event.WantVerb | event.WantObject | event.WantRequestURI, what, 4, false},
		{"WHERE", event.WantObject, func(e *event.Event) string { return some(e.Object.Namespace) }, 3, false},
		{"FROM", event.WantSourceIPs | event.WantUserAgent, from, 3, true},
		{"RESULT", event.WantResponse | event.WantStage | event.WantReceived | event.WantStamp, result, 3, true},
	}
	if !s.Wide {
		return all
	}
	return append(all,
		cell{title: "TOOK", fields: event.WantReceived | event.WantStamp, text: took},
		cell{title: "STAGE", fields: event.WantStage, text: func(e *event.Event) string { return some(e.Stage) }},
		cell{title: "LEVEL", fields: event.WantLevel, text: func(e *event.Event) string { return some(e.Level) }},
		cell{title: "IMPERSONATED", fields: event.WantImpersonated, text: func(e *event.Event) string { return some(e.Impersonated.Name) }},
		cell{title: "AUDIT ID", fields: event.WantAuditID, text: func(e *event.Event) string { return some(e.AuditID) }},
		cell{title: "REASON", fields: event.WantAuthorization, text: func(e *event.Event) string { return some(e.Authorization.Reason) }},
		cell{title: "USER AGENT", fields: event.WantUserAgent, text: func(e *event.Event) string { return some(e.UserAgent) }},
	)
}

// some is a text, or what stands for none.
func some(text []byte) string {
	if len(text) == 0 {
		return "-"
	}
	return string(text)
}

// who is the user who logged in, and as whom. Service accounts are written as --user takes them.
func who(e *event.Event) string {
	name := short(some(e.User.Name))
	if e.Impersonated.Has {
		name += " as " + short(some(e.Impersonated.Name))
	}
	return name
}

func short(user string) string {
	if account, is := strings.CutPrefix(user, "system:serviceaccount:"); is {
		return "sa:" + account
	}
	return user
}

// what is the verb with the object: delete pods/web-1, patch deployments.apps/web/scale.
func what(e *event.Event) string {
	o := &e.Object
	if !o.Has || len(o.Resource) == 0 {
		return some(e.Verb) + " " + string(column.Resource(nil, e))
	}
	var b strings.Builder
	b.WriteString(some(e.Verb) + " " + string(o.Resource))
	if len(o.APIGroup) > 0 {
		b.WriteString("." + string(o.APIGroup))
	}
	for _, part := range [][]byte{o.Name, o.Subresource} {
		if len(part) > 0 {
			b.WriteString("/" + string(part))
		}
	}
	return b.String()
}

// from is the address of the connection, and the program. What headers say of further
// addresses anybody can make up.
func from(e *event.Event) string {
	var claimed []string
	last := ""
	event.Strings(e.SourceIPs, func(s []byte) bool {
		if last != "" {
			claimed = append(claimed, last)
		}
		last = string(s)
		return true
	})
	if last == "" {
		last = "-"
	}
	if len(claimed) > 0 {
		last += " (for " + strings.Join(claimed, ", ") + ")"
	}
	return strings.TrimSpace(last + " " + string(column.Program(nil, e)))
}

// result is the answer: its status, and what it means where that is a failure.
func result(e *event.Event) string {
	words := ""
	switch stage := string(e.Stage); {
	case stage == "Panic":
		words = "panic"
	case e.Response.Code >= 400 && len(e.Response.Reason) > 0:
		words = string(e.Response.Reason)
	case e.Response.Code >= 400:
		words = http.StatusText(e.Response.Code)
	case stage == "ResponseStarted":
		words = "begun"
	case e.Response.Code == 0:
		words = some(e.Stage)
	case e.Stamp-e.Received >= long && e.Received != 0:
		words = "after " + took(e)
	}
	if e.Response.Code == 0 {
		return words
	}
	return strings.TrimSpace(strconv.Itoa(e.Response.Code) + " " + words)
}

// long is so long in microseconds that people want to know of it.
const long = 1_000_000

func took(e *event.Event) string {
	if e.Stamp == 0 || e.Received == 0 {
		return "-"
	}
	d := time.Duration(e.Stamp-e.Received) * time.Microsecond
	switch {
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(10 * time.Millisecond).String()
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
