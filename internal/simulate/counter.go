package simulate

import (
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// counter counts events, one after the other.
type counter struct {
	*replay
	counts *counts
	seen   map[kind]bool // of successful requests and others, which kinds the log has
	ends   int64         // events of stage ResponseComplete
	times  span
	// otherwise are events that the current policy would not have written as they are.
	otherwise int64
	unmanaged int64 // bodies without managed fields that the new policy would write with theirs
	unread    int64 // events that lack what decides
	guessed   int64 // events with a body whose size the new policy's is an estimate of
}

func newCounter(r *replay) *counter {
	rules := [sides]int{underNew: r.New.Rules()}
	if r.Current != nil {
		rules[underCurrent] = r.Current.Rules()
	}
	return &counter{replay: r, counts: newCounts(rules), seen: map[kind]bool{}}
}

// span is from the first event to the last.
type span struct{ first, last event.Time }

func (s *span) add(t event.Time) {
	if t == 0 {
		return
	}
	if s.first == 0 || t < s.first {
		s.first = t
	}
	if s.last == 0 || t > s.last {
		s.last = t
	}
}

const hour = event.Time(3600 * 1e6)

// event counts one event.
func (w *counter) event(e *event.Event, n *note, early stages) error {
	at := e.Stamp
	if at == 0 {
		at = e.Received
	}
	w.times.add(at)
	if n.Stage == audit.StageResponseComplete {
		w.ends++
	}
	if !n.noted {
		n.noted = true
		w.kind(n.Request)
	}
	p := place{w.counts.user(view(e.User.Name)), w.counts.inHour(at)}
	w.counts.add(asLogged, p, -1, n.Level, Count{1, Size{Bytes: int64(n.record.length)}, 0})
	if len(n.judged) > 1 {
		if !n.written[underCurrent] || n.judged[1].Level != n.Level {
			w.otherwise++
		}
		_ = w.write(underCurrent, e, n, p, early, nil) // only Each has errors
	}
	if j := n.judged[0]; len(n.judged) == 1 && j.Level == audit.LevelRequestResponse && !j.OmitManagedFields && n.record.response.length > 0 && n.record.response.managed == 0 && e.Response.Code < 400 {
		w.unmanaged++
	}
	return w.write(underNew, e, n, p, early, w.Each)
}

// lack tells whether a stage is none of those that the log has.
func (s stages) lack(stage audit.Stage) bool {
	return stage == audit.StageRequestReceived && s&seenReceived == 0 || stage == audit.StageResponseStarted && s&seenStarted == 0
}

// kind notes that the log has requests of a kind.
func (w *counter) kind(r policy.Request) {
	k := kindOf(r)
	if r.Resource == "" {
		k.resource = firstSegment(r.Path)
	}
	if !w.seen[k] && len(w.seen) < mostKinds {
		w.seen[kind{clone(k.resource), clone(k.verb)}] = true
	}
}

// firstSegment is /healthz of /healthz/etcd.
func firstSegment(path string) string {
	if i := strings.IndexByte(path[min(len(path), 1):], '/'); i >= 0 {
		return path[:i+1]
	}
	return path
}

// write counts what a policy writes of an event, and of stages before it that the log has
// not, and tells each, which may be nil.
func (w *counter) write(s side, e *event.Event, n *note, p place, early stages, each func(Outcome) error) error {
	j := n.judged[s-underNew]
	if n.written[s] {
		w.counts.add(s, p, j.Rule, j.Level, Count{1, n.sizes[s], 0})
		if s == underNew && n.sizes[s].Estimated > 0 {
			w.guessed++
		}
	}
	if each != nil {
		size := n.sizes[s]
		if err := each(Outcome{view(e.AuditID), n.Stage, j.Rule, j.Line, j.Level, n.written[s], size.Bytes, size.Estimated, false}); err != nil {
			return err
		}
	}
	if early == allStages {
		return nil
	}
	for _, stage := range j.Stages {
		if !early.lack(stage) {
			continue
		}
		size := w.derive(s, e, n, p, j, stage)
		if each == nil {
			continue
		}
		if err := each(Outcome{view(e.AuditID), stage, j.Rule, j.Line, j.Level, true, size.Bytes, size.Estimated, true}); err != nil {
			return err
		}
	}
	return nil
}

// derive counts an event of an earlier stage of the same request: it is that of the last
// one without what was not known then.
func (w *counter) derive(s side, e *event.Event, n *note, p place, j explain.Judged, stage audit.Stage) Size {
	if !n.measured {
		w.derives.Store(true) // the judges do it from now on
		n.record, n.measured = measure(view(e.JSON), n.class.bodies), true
	}
	r := &n.record
	length := r.length + len(j.Level) + 2 - r.level + len(stage) + 2 - r.stage - r.request.length - r.response.length
	if stage == audit.StageRequestReceived {
		length -= r.status + r.annotations + r.impersonated
	} else {
		length -= r.patches
	}
	size := Size{Bytes: int64(length), Estimated: int64(length)}
	if e.Received != 0 {
		p.hour = w.counts.inHour(e.Received)
	}
	w.counts.add(s, p, j.Rule, j.Level, Count{1, size, 1})
	return size
}
