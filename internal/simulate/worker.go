package simulate

import (
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/policy"
	"auditpatch/internal/policy/explain"
)

// worker replays events, one after the other.
type worker struct {
	judge  *explain.Judge
	bodies bodies
	counts *counts
	seen   map[kind]bool // of successful requests and others, which kinds the log has
	stages map[audit.Stage]int64
	times  span
	// otherwise are events that the current policy would not have written as they are.
	otherwise int64
	unmanaged int64 // bodies without managed fields that the new policy would write with theirs
	unread    int64 // events that lack what decides
}

func newWorker(r *replay) *worker {
	policies, rules := []*policy.Policy{r.New}, [sides]int{underNew: r.New.Rules()}
	if r.Current != nil {
		policies = append(policies, r.Current)
		rules[underCurrent] = r.Current.Rules()
	}
	return &worker{
		judge: explain.NewJudge(policies...), bodies: bodies{r.learned, map[alike]explain.Contents{}},
		counts: newCounts(rules), seen: map[kind]bool{}, stages: map[audit.Stage]int64{},
	}
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
	s.last = max(s.last, t)
}

// batch replays all events of a batch.
func (w *worker) batch(b *batch, each func(Outcome) error) error {
	text, from := b.string(), 0
	for i := range b.events {
		q := &b.events[i]
		if err := w.event(text[from:q.end], q, each); err != nil {
			return err
		}
		from = q.end
	}
	return nil
}

const hour = event.Time(3600 * 1e6)

// event replays one event.
func (w *worker) event(text string, q *queued, each func(Outcome) error) error {
	e, judged, reason := w.judge.Event(text)
	if reason != "" {
		w.unread++
		return nil
	}
	at := q.stamp
	if at == 0 {
		at = q.received
	}
	w.times.add(at)
	e.Stage, e.Level = known(e.Stage), knownLevel(e.Level)
	w.stages[e.Stage]++
	w.kind(e.Request)
	p := w.counts.place(e.Request.User, int64(at/hour))
	r := &replayed{Event: *e, code: q.code}
	r.measured(text, judged, q.early)
	w.counts.add(asLogged, p, -1, e.Level, Count{1, Size{Bytes: int64(r.length)}, 0})
	if len(judged) > 1 {
		w.current(r, p, q, judged[1])
	}
	return w.new(r, p, q, judged, each)
}

// measured measures the event: in full, where it could be written otherwise than it is.
func (r *replayed) measured(text string, judged []explain.Judged, early stages) {
	r.record = record{length: len(text) + 1}
	other := func(j explain.Judged) bool {
		return j.Level != audit.LevelNone && (j.Level != r.Level || j.Level != audit.LevelMetadata || slices.ContainsFunc(j.Stages, early.lack))
	}
	if slices.ContainsFunc(judged, other) || !strings.HasPrefix(text, compactHead) {
		r.record = measure(text, slices.ContainsFunc(judged, func(j explain.Judged) bool { return j.Level.GreaterOrEqual(audit.LevelRequest) }))
	}
}

// lack tells whether a stage is none of those that the log has.
func (s stages) lack(stage audit.Stage) bool {
	return stage == audit.StageRequestReceived && s&seenReceived == 0 || stage == audit.StageResponseStarted && s&seenStarted == 0
}

// kind notes that the log has requests of a kind.
func (w *worker) kind(r policy.Request) {
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

// known is a stage that does not keep the text that it was read from.
func known(s audit.Stage) audit.Stage {
	for _, k := range []audit.Stage{audit.StageResponseComplete, audit.StageRequestReceived, audit.StageResponseStarted, audit.StagePanic} {
		if s == k {
			return k
		}
	}
	return "another"
}

// knownLevel is the same for a level.
func knownLevel(l audit.Level) audit.Level {
	for _, k := range []audit.Level{audit.LevelMetadata, audit.LevelRequest, audit.LevelRequestResponse} {
		if l == k {
			return k
		}
	}
	return audit.LevelNone
}

// clone keeps no more than the text itself.
func clone(s string) string { return strings.Clone(s) }

// current counts the event for the policy that the new one is compared with.
func (w *worker) current(r *replayed, p place, q *queued, j explain.Judged) {
	written := slices.Contains(j.Stages, r.Stage)
	if !written || j.Level != r.Level {
		w.otherwise++
	}
	r.stripped = false
	w.write(underCurrent, r, p, q, j, nil)
	r.stripped = j.OmitManagedFields
}

// new counts the event for the new policy, and tells Each.
func (w *worker) new(r *replayed, p place, q *queued, judged []explain.Judged, each func(Outcome) error) error {
	j := judged[0]
	if len(judged) == 1 && j.Level == audit.LevelRequestResponse && !j.OmitManagedFields && r.response.length > 0 && r.response.managed == 0 && r.code < 400 {
		w.unmanaged++
	}
	if each == nil {
		w.write(underNew, r, p, q, j, nil)
		return nil
	}
	var err error
	w.write(underNew, r, p, q, j, func(stage audit.Stage, written, derived bool, s Size) {
		if err == nil {
			err = each(Outcome{r.AuditID, stage, j.Rule, j.Line, j.Level, written, s.Bytes, s.Estimated, derived})
		}
	})
	return err
}

// write counts what a policy writes of an event, and of stages before it that the log has
// not.
func (w *worker) write(s side, r *replayed, p place, q *queued, j explain.Judged, tell func(stage audit.Stage, written, derived bool, s Size)) {
	r.decision = j.Decision
	var size Size
	written := slices.Contains(j.Stages, r.Stage)
	if written {
		size = w.bodies.size(r)
		w.counts.add(s, p, j.Rule, j.Level, Count{1, size, 0})
	}
	if tell != nil {
		tell(r.Stage, written, false, size)
	}
	for _, stage := range j.Stages {
		if q.early.lack(stage) {
			w.derive(s, r, p, q, j, stage, tell)
		}
	}
}

// derive counts an event of an earlier stage of the same request: it is that of the last
// one without what was not known then.
func (w *worker) derive(s side, r *replayed, p place, q *queued, j explain.Judged, stage audit.Stage, tell func(stage audit.Stage, written, derived bool, s Size)) {
	n := r.length + len(j.Level) + 2 - r.level + len(stage) + 2 - r.record.stage - r.request.length - r.response.length
	if stage == audit.StageRequestReceived {
		n -= r.status + r.annotations + r.impersonated
	} else {
		n -= r.patches
	}
	size := Size{Bytes: int64(n), Estimated: int64(n)}
	if q.received != 0 {
		p.hour = at(w.counts.hours, int64(q.received/hour))
	}
	w.counts.add(s, p, j.Rule, j.Level, Count{1, size, 1})
	if tell != nil {
		tell(stage, true, true, size)
	}
}
