package simulate

import (
	"context"
	"hash/maphash"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"k8s.io/apiserver/pkg/apis/audit"

	"auditpatch/internal/auditlog/event"
	"auditpatch/internal/auditlog/read"
	"auditpatch/internal/policy"
)

// Request is what is replayed.
type Request struct {
	Logs []read.Log
	New  *policy.Policy
	// Current is what New is compared with, nil for none. Where it writes each event of
	// the log as it stands there, it is taken for the policy that recorded them.
	Current *policy.Policy
	// Each, where it is set, is called for each event in the order of the log, and for
	// each that New would write and the log has not, behind the event that tells of it.
	// The outcome's AuditID is valid until Each returns.
	Each     func(Outcome) error
	Progress func(read.Progress)
	Strict   bool
}

// Outcome is what the new policy does with one event.
type Outcome struct {
	AuditID string      `json:"auditID"`
	Stage   audit.Stage `json:"stage"`
	Rule    int         `json:"rule"` // from 0; -1 for none
	Line    int         `json:"line"` // of the rule in the policy; 0 for none
	Level   audit.Level `json:"level"`
	Written bool        `json:"written"` // false: the level or omitStages leaves it out
	Bytes   int64       `json:"bytes"`   // 0 unless it is written
	// Estimated is how many of Bytes are not read from the log.
	Estimated int64 `json:"estimated"`
	// Derived says that the log has no such event, but a later one of the same request.
	Derived bool `json:"derived"`
}

// replay is one run over the logs: judges look at events in the goroutines that read, and
// the counter, in one, at what they made of them.
type replay struct {
	Request
	learned *learned
	open    open
	counter *counter
	sample  sampler
	started event.Time // when the first event was made
	// derives says that stages are counted that the log has not, for which events are
	// measured.
	derives atomic.Bool
}

// Run replays the logs. The error is one of reading them, or the first that Each returns.
func Run(ctx context.Context, r Request) (*Report, error) {
	run := &replay{Request: r, learned: &learned{}, open: newOpen()}
	again := !slices.ContainsFunc(r.Logs, func(l read.Log) bool { return l.Stdin != nil })
	if again && hasBodies(r.New, r.Current) {
		var err error
		if run.learned, err = learn(ctx, r); err != nil {
			return nil, err
		}
		runtime.GC() // the second reading takes the memory of the first
	}
	run.counter = newCounter(run)
	q := read.Query{Fields: judgedFields | event.WantBodies | event.WantReceived | event.WantStamp | event.WantResponse, Prepare: run.prepare, Progress: r.Progress, Strict: r.Strict}
	total, err := read.Events(ctx, r.Logs, q, run.take)
	if err != nil {
		return nil, err
	}
	return run.report(total, again), nil
}

// hasBodies tells whether a policy has a rule that writes objects.
func hasBodies(policies ...*policy.Policy) bool {
	return slices.ContainsFunc(policies, func(p *policy.Policy) bool {
		return p != nil && slices.ContainsFunc(p.Spec().Rules, func(r audit.PolicyRule) bool { return !r.Level.Less(audit.LevelRequest) })
	})
}

// take takes an event from the log.
func (r *replay) take(e *event.Event) error {
	if r.started == 0 || e.Stamp != 0 && e.Stamp < r.started {
		r.started = e.Stamp
	}
	early := r.open.before(e)
	if e.Received != 0 && e.Received < r.started {
		early = allStages // the log begins after its request
	}
	r.sample.add(e.JSON)
	n, ok := e.Note.(*note)
	if !ok || n.class == nil {
		r.counter.unread++
		return nil
	}
	return r.counter.event(e, n, early)
}

// view is the text in b without a copy, as long as b stays as it is.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// stages is a set of the stages that come before the last one.
type stages uint8

const (
	seenReceived stages = 1 << iota
	seenStarted
	allStages = seenReceived | seenStarted
)

// open are the requests that have begun and not ended in the log, by a hash of their ID.
type open struct {
	seed  maphash.Seed
	young map[uint64]stages
	old   map[uint64]stages // those before, which are forgotten first
}

// mostOpen is more than a busy API server has of watches; those whose end is not recorded
// stay until there are so many.
const mostOpen = 50_000

func newOpen() open { return open{maphash.MakeSeed(), map[uint64]stages{}, map[uint64]stages{}} }

// before are the stages that the log has of the event's request before it.
func (o *open) before(e *event.Event) stages {
	var this stages
	switch string(e.Stage) {
	case string(audit.StageRequestReceived):
		this = seenReceived
	case string(audit.StageResponseStarted):
		this = seenStarted
	case string(audit.StageResponseComplete), string(audit.StagePanic):
		if len(o.young)+len(o.old) == 0 {
			return 0
		}
	default:
		return allStages
	}
	id := maphash.Bytes(o.seed, e.AuditID)
	had := o.young[id] | o.old[id]
	if this == 0 {
		delete(o.young, id)
		delete(o.old, id)
		return had
	}
	if len(o.young) >= mostOpen {
		o.young, o.old = o.old, o.young
		clear(o.young)
	}
	o.young[id] = had | this
	return allStages
}
