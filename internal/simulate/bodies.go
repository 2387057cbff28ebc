package simulate

import (
	"context"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// mostKinds of requests are kept apart: who sends requests chooses what their URLs name.
const mostKinds = 5000

// bodies knows how large bodies are. It is for one goroutine.
type bodies struct {
	learned *learned
	held    map[alike]explain.Contents
}

// learned is what a log has of bodies. It does not change after it was made.
type learned struct {
	sent, answered map[kind]mean
	objects        map[string]mean // of one object, by resource
	events         int64           // that have bodies
}

// mean is of bodies of one kind, those included that are absent.
type mean struct{ n, bytes, managed int64 }

func (m mean) each(omitManagedFields bool) int64 {
	if omitManagedFields {
		return (m.bytes - m.managed) / m.n
	}
	return m.bytes / m.n
}

func (m mean) plus(b body) mean {
	return mean{m.n + 1, m.bytes + int64(b.length), m.managed + int64(b.managed)}
}

// The levels of events that have bodies, as they stand in an event.
const (
	levelRequest         = "Request"
	levelRequestResponse = "RequestResponse"
)

// learn reads the logs of a replay for events that have bodies, and were answered with success.
func learn(ctx context.Context, r Request) (*learned, error) {
	l := &learned{map[kind]mean{}, map[kind]mean{}, map[string]mean{}, 0}
	q := read.Query{
		MatchFields: event.WantLevel | event.WantStage,
		Match: func(e *event.Event) bool {
			return string(e.Stage) == "ResponseComplete" && (string(e.Level) == levelRequest || string(e.Level) == levelRequestResponse)
		},
		Words:     []string{levelRequest, levelRequestResponse},
		Fields:    event.WantVerb | event.WantObject | event.WantResponse,
		Unordered: true,
		Progress:  r.Progress,
		Prepare: func() func(*event.Event) {
			return func(e *event.Event) { noteOf(e).record = measure(view(e.JSON), true) }
		},
	}
	_, err := read.Events(ctx, r.Logs, q, func(e *event.Event) error {
		if e.Object.Has && e.Response.Code < 400 {
			l.add(e, e.Note.(*note).record)
		}
		return nil
	})
	return l, err
}

func (l *learned) add(e *event.Event, r record) {
	k := kindOf(policy.Request{Verb: string(e.Verb), Group: string(e.Object.APIGroup), Resource: string(e.Object.Resource), Subresource: string(e.Object.Subresource)})
	if _, known := l.sent[k]; !known && len(l.sent) >= mostKinds {
		return
	}
	if r.cutShort {
		return
	}
	l.events++
	l.sent[k] = l.sent[k].plus(r.request)
	one := k.verb == "get" || k.verb == "create" || k.verb == "update" || k.verb == "patch"
	if k.verb == "create" || k.verb == "update" {
		l.object(k.resource, r.request)
	}
	if string(e.Level) != levelRequestResponse {
		return
	}
	l.answered[k] = l.answered[k].plus(r.response)
	if one {
		l.object(k.resource, r.response)
	}
}

func (l *learned) object(resource string, b body) {
	if b.length > 0 {
		l.objects[resource] = l.objects[resource].plus(b)
	}
}
