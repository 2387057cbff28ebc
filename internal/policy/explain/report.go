package explain

import (
	"fmt"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/policy"
)

// Report is the JSON of policy explain: requests, or with --events the rules.
type Report struct {
	Changed  bool            `json:"changed"`
	Policy   string          `json:"policy"`
	Requests []RequestReport `json:"requests,omitempty"`
	Events   *EventsReport   `json:"events,omitempty"`
}

// RequestReport is one request and what the policy does with it.
type RequestReport struct {
	Request requestFields `json:"request"`
	Note    string        `json:"note,omitempty"`
	Rule    int           `json:"rule"` // from 0; -1 for none
	Line    int           `json:"line"`
	Col     int           `json:"col"`
	Level   audit.Level   `json:"level"`
	Stages  []audit.Stage `json:"stages"`
	Panic   bool          `json:"panic"`
	Holds   holdsFields   `json:"holds"`
	Before  []missFields  `json:"before"`

	sent Sent
}

type requestFields struct {
	User        string   `json:"user"`
	Groups      []string `json:"groups"`
	Verb        string   `json:"verb"`
	Group       string   `json:"group"`
	Version     string   `json:"version"`
	Resource    string   `json:"resource"`
	Subresource string   `json:"subresource"`
	Namespace   string   `json:"namespace"`
	Name        string   `json:"name"`
	Path        string   `json:"path"`
}

type holdsFields struct {
	Metadata       bool     `json:"metadata"`
	RequestObject  bool     `json:"requestObject"`
	ResponseObject bool     `json:"responseObject"`
	ManagedFields  bool     `json:"managedFields"`
	Notes          []string `json:"notes"`
}

type missFields struct {
	Rule   int         `json:"rule"`
	Line   int         `json:"line"`
	Col    int         `json:"col"`
	Level  audit.Level `json:"level"`
	Field  string      `json:"field"`
	Reason string      `json:"reason"`
}

// EventsReport is what a stream of events had.
type EventsReport struct {
	Events     int          `json:"events"`
	Bytes      int64        `json:"bytes"`
	Unreadable int          `json:"unreadable"`
	Cut        bool         `json:"cut"`   // it was interrupted, and this is not all
	Rules      []RuleEvents `json:"rules"` // each of the policy, and -1 for none
}

type RuleEvents struct {
	Rule   int         `json:"rule"`
	Line   int         `json:"line"`
	Level  audit.Level `json:"level"`
	Events int         `json:"events"`
	Bytes  int64       `json:"bytes"`
}

// NewReport is the report about requests.
func NewReport(p *policy.Policy, sent []Sent) (*Report, error) {
	out := &Report{Policy: p.Name(), Requests: []RequestReport{}}
	for _, s := range sent {
		e, err := Explain(p, s.Request)
		if err != nil {
			return nil, err
		}
		out.Requests = append(out.Requests, reportOf(s, e))
	}
	return out, nil
}

func reportOf(s Sent, e *Explanation) RequestReport {
	r := e.Request
	groups := r.Groups
	if groups == nil {
		groups = []string{}
	}
	notes := e.Holds.Notes
	if notes == nil {
		notes = []string{}
	}
	out := RequestReport{
		sent:    s,
		Request: requestFields{r.User, groups, r.Verb, r.Group, r.Version, r.Resource, r.Subresource, r.Namespace, r.Name, r.Path},
		Note:    s.Note, Rule: e.Rule, Line: e.Line, Col: e.Col, Level: e.Level, Stages: e.Stages, Panic: e.Panic,
		Holds:  holdsFields{e.Holds.Metadata, e.Holds.RequestObject, e.Holds.ResponseObject, e.Holds.ManagedFields, notes},
		Before: []missFields{},
	}
	for _, m := range e.Before {
		out.Before = append(out.Before, missFields(m))
	}
	return out
}

// Lines are the report for people; name is that of the policy.
func (e RequestReport) Lines(name string) (out []string) {
	line := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	line("%s, as %s", Describe(e.sent.Request), DescribeUser(e.sent.Request))
	if e.Note != "" {
		line("  note    %s", e.Note)
	}
	if e.Rule < 0 {
		line("  rule    none matches")
	} else {
		line("  rule    rules[%d], %s:%d:%d", e.Rule, name, e.Line, e.Col)
	}
	line("  level   %s", e.Level)
	line("  stages  %s", stagesInWords(e))
	line("  holds   %s", holdsInWords(e.Holds))
	for _, note := range e.Holds.Notes {
		line("          %s", note)
	}
	label := "before"
	for _, m := range e.Before {
		line("  %-7s rules[%d], line %d, %s: %s", label, m.Rule, m.Line, m.Level, m.Reason)
		label = ""
	}
	return out
}

func stagesInWords(e RequestReport) string {
	if len(e.Stages) == 0 && !e.Panic {
		return "none"
	}
	var words []string
	for _, s := range e.Stages {
		words = append(words, string(s))
	}
	text := strings.Join(words, ", ")
	if e.Panic {
		text = strings.TrimSpace(text + " (Panic if the handler panics)")
	}
	return text
}

func holdsInWords(h holdsFields) string {
	if !h.Metadata {
		return "nothing: no event is written"
	}
	var objects []string
	if h.RequestObject {
		objects = append(objects, "the object that was sent")
	}
	if h.ResponseObject {
		objects = append(objects, "the object that came back")
	}
	fields := "without managed fields"
	if h.ManagedFields {
		fields = "with managed fields"
	}
	if len(objects) == 0 {
		return "who, what, when and from where; no object"
	}
	return "who, what, when, from where; " + strings.Join(objects, " and ") + ", " + fields
}
