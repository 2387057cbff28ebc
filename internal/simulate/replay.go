package simulate

import (
	"context"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
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

// replay is one run over the logs.
type replay struct {
	Request
	learned *learned
	open    open
	workers []*worker
	wait    sync.WaitGroup
	full    chan *batch // to be done
	empty   chan *batch
	filling *batch
	sample  sampler
	started event.Time // when the first event was made
}

// Run replays the logs. The error is one of reading them, or the first that Each returns.
func Run(ctx context.Context, r Request) (*Report, error) {
	run := &replay{Request: r, learned: &learned{}, open: newOpen()}
	again := !slices.ContainsFunc(r.Logs, func(l read.Log) bool { return l.Stdin != nil })
	if again && hasBodies(r.New, r.Current) {
		var err error
		if run.learned, err = learn(ctx, r.Logs); err != nil {
			return nil, err
		}
	}
	run.begin()
	q := read.Query{Fields: wantedFields, Progress: r.Progress, Strict: r.Strict}
	total, err := read.Events(ctx, r.Logs, q, run.take)
	run.end()
	if err != nil {
		return nil, err
	}
	return run.report(total, again), nil
}

const wantedFields = event.WantAuditID | event.WantStage | event.WantReceived | event.WantStamp | event.WantResponse

// hasBodies tells whether a policy has a rule that writes objects.
func hasBodies(policies ...*policy.Policy) bool {
	return slices.ContainsFunc(policies, func(p *policy.Policy) bool {
		return p != nil && slices.ContainsFunc(p.Spec().Rules, func(r audit.PolicyRule) bool { return !r.Level.Less(audit.LevelRequest) })
	})
}

// batch is some events for a worker, as one text, so that no event is copied for itself. It
// is filled again when it is done: what outlives it is copied.
type batch struct {
	text   []byte
	events []queued
}

// string is the text, which stays as it is until the batch is filled again.
func (b *batch) string() string { return unsafe.String(unsafe.SliceData(b.text), len(b.text)) }

// queued is an event with what was read of it. Its text ends at end.
type queued struct {
	end             int
	code            int
	received, stamp event.Time
	early           stages // those of its request that the log has before it
}

const batchSize = 64 << 10

// begin starts the workers, one for each processor. For Each there is but one, which
// works at once, so that the order stays.
func (r *replay) begin() {
	n := runtime.GOMAXPROCS(0)
	if r.Each != nil {
		n = 1
	}
	r.full, r.empty = make(chan *batch, n), make(chan *batch, 2*n+1)
	for range n {
		w := newWorker(r)
		r.workers = append(r.workers, w)
		if r.Each != nil {
			return
		}
		r.wait.Go(func() {
			for b := range r.full {
				_ = w.batch(b, nil) // only Each has errors
				r.done(b)
			}
		})
	}
}

// take takes an event from the log.
func (r *replay) take(e *event.Event) error {
	if r.started == 0 || e.Stamp != 0 && e.Stamp < r.started {
		r.started = e.Stamp
	}
	if r.filling == nil {
		r.filling = r.fresh()
	}
	b := r.filling
	q := queued{code: e.Response.Code, received: e.Received, stamp: e.Stamp, early: r.open.before(e)}
	if e.Received != 0 && e.Received < r.started {
		q.early = allStages // the log begins after its request
	}
	r.sample.add(e.JSON)
	b.text = append(b.text, e.JSON...)
	q.end = len(b.text)
	b.events = append(b.events, q)
	if r.Each == nil && len(b.text) < batchSize {
		return nil
	}
	return r.flush()
}

func (r *replay) fresh() *batch {
	select {
	case b := <-r.empty:
		b.events, b.text = b.events[:0], b.text[:0]
		return b
	default:
		return &batch{text: make([]byte, 0, batchSize+batchSize/4)}
	}
}

// flush hands on what was taken.
func (r *replay) flush() error {
	b := r.filling
	if b == nil {
		return nil
	}
	r.filling = nil
	if r.Each == nil {
		r.full <- b
		return nil
	}
	err := r.workers[0].batch(b, r.Each)
	r.done(b)
	return err
}

// done lets a batch be filled again, unless it has become large.
func (r *replay) done(b *batch) {
	if cap(b.text) > 2*batchSize {
		return
	}
	select {
	case r.empty <- b:
	default:
	}
}

// end waits for the workers.
func (r *replay) end() {
	if r.Each == nil {
		_ = r.flush() // only Each has errors
	}
	close(r.full)
	r.wait.Wait()
}

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
