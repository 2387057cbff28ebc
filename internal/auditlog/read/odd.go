package read

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"auditpatch/internal/auditlog/event"
)

// mostWrapped is how many times an event may be wrapped in other JSON.
const mostWrapped = 4

var errNoJSON = errors.New("it has no JSON in it")

// mostBraces is how many opening braces of a line are tried for the event's own, which
// would else take for ever in a long line of them.
const mostBraces = 8

// odd looks at a line that is not simply an event.
func (w *worker) odd(line []byte, why error) {
	if err := w.unwrap(line, why, 0); err != nil {
		w.bad(int64(len(line)), err.Error())
		return
	}
	w.bytes += int64(len(line)) + 1
}

// inside looks at text that may be an event, or hold some.
func (w *worker) inside(text []byte, depth int) error {
	text = bytes.TrimSpace(text)
	err := w.take(text)
	if err == nil {
		return nil
	}
	return w.unwrap(text, err, depth)
}

// unwrap looks for events in text that is none, and says why there are none.
func (w *worker) unwrap(text []byte, why error, depth int) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || depth > mostWrapped {
		return why
	}
	switch {
	case text[0] == '{' && errors.Is(why, event.ErrNoEvent):
		return w.wrapped(text, why, depth+1)
	case text[0] == '{':
		return w.joined(text, why, depth+1)
	case text[0] == '[' && event.End(text) == len(text) && event.Valid(text):
		return w.elements(text, why, depth+1)
	}
	return w.behind(text)
}

// wrapped looks into the fields that may hold events: any that has one, as text or as
// an object, and those of log shippers also for events that are wrapped again.
func (w *worker) wrapped(text []byte, why error, depth int) error {
	if depth > mostWrapped+1 {
		return why
	}
	event.Members(text, func(name, value []byte) bool {
		list, wrapper := lists[string(name)], wrappers[string(name)]
		switch {
		case list && value[0] == '[':
			why = w.elements(value, why, depth)
		case list && value[0] == '{':
			why = w.wrapped(value, why, depth+1)
		case value[0] == '"' && (wrapper || bytes.HasPrefix(value, []byte(`"{`))):
			if inner, ok := event.Text(value); ok {
				if err := w.inside(inner, depth); err == nil || wrapper && bytes.HasPrefix(bytes.TrimSpace(inner), []byte("{")) {
					why = err
				}
			}
		case value[0] == '{' && wrapper:
			why = w.inside(value, depth)
		case value[0] == '{' && w.take(value) == nil:
			why = nil
		}
		return why != nil
	})
	return why
}

// elements looks at each element of a list.
func (w *worker) elements(text []byte, why error, depth int) error {
	event.Elements(text, func(value []byte) {
		why = nil
		inner := value
		if value[0] == '"' {
			inner, _ = event.Text(value)
		}
		if err := w.inside(inner, depth); err != nil {
			w.bad(int64(len(value)), err.Error())
		}
	})
	return why
}

// torn looks for an event behind a part of another.
func (w *worker) torn(text []byte, why error) error {
	at := event.Torn(text, w.take)
	if at < 0 {
		return why
	}
	w.bad(int64(at), event.ErrCut.Error())
	w.bytes -= int64(at) // of a line that counts as a whole
	return nil
}

// joined looks at objects that stand in one line.
func (w *worker) joined(text []byte, why error, depth int) error {
	end := event.End(text)
	if end < 0 || end == len(text) || !bytes.HasPrefix(bytes.TrimLeft(text[end:], " \t,"), []byte("{")) {
		return w.torn(text, why)
	}
	for {
		if err := w.inside(text[:end], depth); err != nil {
			w.bad(int64(end), err.Error())
		}
		if text = bytes.TrimLeft(text[end:], " \t,"); len(text) == 0 {
			return nil
		}
		if end = event.End(text); end < 0 {
			end = len(text)
		}
	}
}

// behind looks for an event behind what others put before it.
func (w *worker) behind(text []byte) error {
	if bytes.Contains(text[:min(len(text), 200)], []byte(" AUDIT: ")) {
		if e, ok := legacy(text); ok {
			return w.take(e)
		}
	}
	why := errNoJSON
	from := -1
	for range mostBraces {
		i := bytes.IndexByte(text[from+1:], '{')
		if i < 0 {
			break
		}
		from += i + 1
		err := w.take(text[from:])
		if errors.Is(err, event.ErrNoEvent) {
			err = w.wrapped(text[from:], err, mostWrapped)
		}
		if err == nil {
			return nil
		}
		switch {
		case errors.Is(err, event.ErrCut):
			why = err
		case errors.Is(why, errNoJSON):
			why = event.ErrNoEvent
		}
	}
	return why
}

// legacy translates a line of --audit-log-format=legacy (k8s.io/apiserver/pkg/audit,
// EventString). It has one time, that of the request.
func legacy(line []byte) ([]byte, bool) {
	when, rest, found := strings.Cut(string(line[:min(len(line), 1<<20)]), " AUDIT: ")
	if i := strings.LastIndexByte(when, ' '); i >= 0 {
		when = when[i+1:]
	}
	if _, err := time.Parse(time.RFC3339Nano, when); !found || err != nil || len(line) > 1<<20 {
		return nil, false
	}
	f := map[string]string{}
	for rest != "" {
		name, value, found := strings.Cut(rest, "=")
		quoted, err := strconv.QuotedPrefix(value)
		if !found || err != nil {
			return nil, false
		}
		if f[name], err = strconv.Unquote(quoted); err != nil {
			return nil, false
		}
		rest = strings.TrimPrefix(value[len(quoted):], " ")
	}
	if f["id"] == "" || f["stage"] == "" {
		return nil, false
	}
	text, err := json.Marshal(legacyEvent(when, f))
	return text, err == nil
}

// user is one of audit.k8s.io/v1.
type user struct {
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// legacyEvent is the event that such a line is about. Its fields are in the order of
// kube-apiserver.
func legacyEvent(when string, f map[string]string) any {
	e := struct {
		Kind           string         `json:"kind"`
		APIVersion     string         `json:"apiVersion"`
		AuditID        string         `json:"auditID"`
		Stage          string         `json:"stage"`
		RequestURI     string         `json:"requestURI"`
		Verb           string         `json:"verb"`
		User           *user          `json:"user,omitempty"`
		Impersonated   *user          `json:"impersonatedUser,omitempty"`
		SourceIPs      []string       `json:"sourceIPs,omitempty"`
		UserAgent      string         `json:"userAgent,omitempty"`
		ObjectRef      map[string]any `json:"objectRef,omitempty"`
		ResponseStatus map[string]any `json:"responseStatus,omitempty"`
		Received       string         `json:"requestReceivedTimestamp"`
		Stamp          string         `json:"stageTimestamp"`
	}{
		Kind: "Event", APIVersion: "audit.k8s.io/v1", AuditID: f["id"], Stage: f["stage"], RequestURI: f["uri"], Verb: f["method"],
		UserAgent: f["user-agent"], Received: when, Stamp: when,
	}
	if f["user"] != "<none>" {
		e.User = &user{f["user"], quotedList(f["groups"])}
	}
	if f["as"] != "<self>" {
		e.Impersonated = &user{f["as"], quotedList(f["asgroups"])}
	}
	if ip := f["ip"]; ip != "<unknown>" {
		e.SourceIPs = []string{ip}
	}
	if ns := f["namespace"]; ns != "<none>" {
		e.ObjectRef = map[string]any{"namespace": ns}
	}
	if code, err := strconv.Atoi(f["response"]); err == nil {
		e.ResponseStatus = map[string]any{"code": code}
	}
	return e
}

// quotedList reads "a","b"; <none> and <lookup> are no lists.
func quotedList(s string) (out []string) {
	for s != "" {
		quoted, err := strconv.QuotedPrefix(s)
		if err != nil {
			return out
		}
		item, err := strconv.Unquote(quoted)
		if err != nil {
			return out
		}
		out = append(out, item)
		s = strings.TrimPrefix(s[len(quoted):], ",")
	}
	return out
}
